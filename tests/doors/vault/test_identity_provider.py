"""identity/oidc/provider: people log in to applications by their tokens. Vault HTTP API, "OIDC identity provider".

OpenID Connect Core 1.0 §3.1, §5.3; RFC 6749 §4.1, §5; RFC 7636. Words and shapes are held to OpenBao's by
test_identity_openbao.py.
"""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from tests.doors.vault import relyingparty
from tests.doors.vault.relyingparty import AT, BACK, ORIGIN, VERIFIER, RelyingParty, claims, logged_in, refusal
from tests.vaultstack import DENIED, Bearer

from keystead.core.entities import OidcClientSecret, OidcCode
from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint
from keystead.service.barrier import Commit
from keystead.service.handlers import oidcauthorizing
from keystead.wire.oidc import challenge, half_hash
from keystead.wire.vault.request import Verb

FIVE = timedelta(minutes=5)
NOT_GOOD = (400, "invalid_grant", "authorization grant is invalid or expired")
FAILED = (401, "invalid_client", "client failed to authenticate")
NOT_HEARD = (401, "invalid_token", "permission denied")
NOT_ASSIGNED = "identity entity not authorized by client assignment"


@pytest.fixture
def vault():
    return relyingparty.door()


@pytest.fixture
def app(vault) -> RelyingParty:
    return RelyingParty(vault)


# --- the flow


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "EdDSA"])
def test_somebody_logs_in(vault, algorithm) -> None:
    vault.root.data("POST", "identity/oidc/key/k", {"algorithm": algorithm})
    app = RelyingParty(vault)
    authorized = app.authorize(state="s t", nonce="n")
    assert authorized.status == 200 and authorized.json.keys() == {"code", "state"}
    code = authorized.json["code"]
    assert len(code) == 32 and code.isalnum() and authorized.json["state"] == "s t"
    reply = app.redeem(code)
    assert reply.status == 200 and reply.headers["cache-control"] == "no-store"
    assert reply.headers["pragma"] == "no-cache"
    told = reply.json
    assert told.keys() == {"token_type", "access_token", "id_token", "expires_in"}
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 86400)
    now = int(vault.stack.clock.now().timestamp())
    assert app.verifies(told["id_token"])
    assert claims(told["id_token"]) == {
        "iss": f"{ORIGIN}/v1/{AT}",
        "sub": vault.entity,
        "aud": app.id,
        "iat": now,
        "exp": now + 86400,
        "namespace": "root",
        "nonce": "n",
        "at_hash": half_hash(algorithm, told["access_token"]),
        "c_hash": half_hash(algorithm, code),
    }
    assert app.user_info(told["access_token"]).json == {"sub": vault.entity}
    assert app.user_info(told["access_token"], "POST").json == {"sub": vault.entity}


def test_what_is_on_record(vault, app) -> None:
    """security.md §4-E row 67: which client, whose token, which key; neither code nor secret nor token."""
    code = app.code()
    told = app.redeem(code).json
    app.user_info(told["access_token"])
    records = [one for one in vault.stack.records() if "oidc" in one.operation]
    last = {one.operation.split("identity ")[1]: one for one in records}
    assert last["write oidc/provider/{name}/authorize"].made == app.id
    redeemed = [one for one in records if one.operation.endswith("/token")]
    assert [one.targets[0].action for one in redeemed] == ["tenant:redeem-oidc-code", "key:sign"]
    assert {one.who.name for one in redeemed} == {app.id} and redeemed[0].made.startswith("batch-")
    written = b"".join(line for _, line in vault.stack.store.records(0, 10_000)) + b"".join(vault.stack.journal.lines)
    for secret in (code, app.secret, told["access_token"], told["id_token"].rpartition(".")[2]):
        assert secret.encode() not in written


def test_discovery_says_where_everything_is(vault) -> None:
    """OpenID Connect Discovery 1.0 §3, §4.3: the issuer is the address that it was found at."""
    said = vault.nobody("GET", f"{AT}/.well-known/openid-configuration").json
    at = f"{ORIGIN}/v1/{AT}"
    assert said["issuer"] == at
    places = {"jwks_uri": "/.well-known/keys", "authorization_endpoint": "/authorize", "token_endpoint": "/token"}
    for name, path in (places | {"userinfo_endpoint": "/userinfo"}).items():
        assert said[name] == at + path
    assert said["scopes_supported"] == ["openid"] and said["response_types_supported"] == ["code"]
    assert vault.nobody("GET", "identity/oidc/provider/other/.well-known/openid-configuration").status == 404
    assert vault.nobody("GET", "identity/oidc/provider/other/.well-known/keys").status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_people_need_a_token_with_an_entity(vault, app, method) -> None:
    assert vault.nobody(method, f"{AT}/authorize").status == 403
    bare = vault.root.token(policies=["none"], no_default_policy=True)
    assert bare.refused(method, f"{AT}/authorize") == (403, DENIED)
    words = "identity entity must be associated with the request"
    assert refusal(app.authorize(vault.root)) == (400, "access_denied", words)


def test_by_a_query_as_by_a_body(vault, app) -> None:
    query = f"client_id={app.id}&redirect_uri={BACK}&scope=openid&response_type=code&state=s"
    reply = vault.bob("GET", f"{AT}/authorize?{query}")
    assert reply.status == 200 and app.redeem(reply.json["code"]).status == 200


# --- codes


def test_a_code_is_good_once(vault, app) -> None:
    code = app.code()
    assert app.redeem(code).status == 200
    assert refusal(app.redeem(code)) == NOT_GOOD
    assert vault.stack.barrier.every(OidcCode) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"redirect_uri": "https://app.test/other"}, "redirect_uri does not match the redirect_uri used in the"),
        ({"redirect_uri": None}, "redirect_uri parameter is required"),
        ({"code_verifier": "w" * 43}, "unexpected code_verifier for token exchange"),
    ],
    ids=str,
)
def test_a_code_is_used_up_by_who_gets_something_wrong(app, wrong, words) -> None:
    code = app.code()
    assert words in refusal(app.redeem(code, **wrong))[2]
    assert refusal(app.redeem(code)) == NOT_GOOD


@pytest.mark.parametrize("seconds", [299, 300])
def test_a_code_lasts_five_minutes(vault, app, seconds) -> None:
    code = app.code()
    vault.stack.clock.forward(timedelta(seconds=seconds))
    assert app.redeem(code).status == (200 if seconds < 300 else 400)


def test_codes_that_wait_are_bounded_and_what_is_over_goes(vault, app, monkeypatch) -> None:
    """Of the entity that has most the oldest gives way."""
    monkeypatch.setattr(oidcauthorizing, "MOST", 3)
    vault.root.data("POST", "auth/userpass/users/ann", {"password": "pw"})
    ann, _ = logged_in(vault, "ann")
    first = app.code()
    hers = app.authorize(ann).json["code"]
    vault.stack.clock.forward(timedelta(seconds=1))
    second = app.code()
    third = app.code()
    assert refusal(app.redeem(first)) == NOT_GOOD
    assert app.redeem(hers).status == app.redeem(second).status == 200
    vault.stack.clock.forward(FIVE)
    app.code()
    assert len(vault.stack.barrier.every(OidcCode)) == 1
    assert refusal(app.redeem(third)) == NOT_GOOD


def test_a_code_of_another_client_or_provider_is_none(vault, app) -> None:
    vault.root.data("POST", "identity/oidc/client/two", {"redirect_uris": BACK, "key": "k"})
    two = vault.root.data("GET", "identity/oidc/client/two")
    words = "authorization code was not issued to the client"
    assert refusal(app.redeem(app.code(), (two["client_id"], two["client_secret"]))) == (400, "invalid_grant", words)
    vault.root.data("POST", "identity/oidc/provider/p2", {"allowed_client_ids": "*"})
    words = "authorization code was not issued by the provider"
    assert refusal(app.redeem(app.code(), at="identity/oidc/provider/p2")) == (400, "invalid_grant", words)


@pytest.mark.parametrize("method", ["plain", "S256", None])
def test_who_asked_proves_it(vault, method) -> None:
    """RFC 7636 §4.6, of a client that can keep no secret."""
    app = RelyingParty(vault, client_type="public")
    said = challenge(VERIFIER) if method == "S256" else VERIFIER
    asked = {"code_challenge": said, "code_challenge_method": method}
    who = {"client_id": app.id}
    assert app.secret == "" and vault.stack.barrier.every(OidcClientSecret) == []
    assert app.redeem(app.code(**asked), **who, code_verifier=VERIFIER).status == 200
    for other in ("w" * 43, f"{VERIFIER}=", "v" * 60_000):
        wrong = app.redeem(app.code(**asked), **who, code_verifier=other)
        assert refusal(wrong) == (400, "invalid_grant", "invalid code_verifier for token exchange")
    if method == "S256":
        assert app.redeem(app.code(**asked), **who, code_verifier=said).status == 400
    assert refusal(app.redeem(app.code(**asked), **who))[2] == "expected code_verifier for token exchange"
    assert refusal(app.authorize()) == (400, "invalid_request", "PKCE is required for public clients")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"code_challenge": "a" * 42}, "invalid code_challenge"),
        ({"code_challenge": "a" * 129}, "invalid code_challenge"),
        ({"code_challenge": "ä" * 43}, "invalid code_challenge"),
        ({"code_challenge": ""}, "invalid code_challenge"),
        ({"code_challenge": "a" * 43, "code_challenge_method": "s256"}, "invalid code_challenge_method"),
    ],
    ids=str,
)
def test_a_challenge_is_one(app, said, words) -> None:
    assert refusal(app.authorize(**said)) == (400, "invalid_request", words)


# --- who the client is


def test_a_client_shows_its_secret_by_headers_or_in_the_body(app) -> None:
    assert app.redeem(app.code()).status == 200
    assert app.redeem(app.code(), client_id=app.id, client_secret=app.secret).status == 200
    assert app.secret.startswith("hvo_secret_") and len(app.secret) == 11 + 64 and len(app.id) == 32


@pytest.mark.parametrize("who", ["another secret", "no secret", "nobody", "another's"])
def test_whoever_is_not_the_client_hears_one_thing_and_uses_nothing_up(vault, app, who) -> None:
    vault.root.data("POST", "identity/oidc/client/two", {"redirect_uris": BACK, "key": "k"})
    other = vault.root.data("GET", "identity/oidc/client/two")["client_secret"]
    secrets = {"another secret": app.secret[:-1] + "_", "no secret": "", "nobody": app.secret, "another's": other}
    code = app.code()
    reply = app.redeem(code, ("x" * 32 if who == "nobody" else app.id, secrets[who]))
    assert refusal(reply) == FAILED and reply.headers["www-authenticate"] == "Basic"
    body = {"client_id": app.id} | ({"client_secret": secrets[who]} if who != "no secret" else {})
    if who != "nobody":
        assert refusal(app.redeem(code, **body)) == FAILED
    assert app.redeem(code).status == 200


def test_a_public_client_has_no_secret_that_could_be_guessed(vault) -> None:
    app = RelyingParty(vault, client_type="public")
    assert refusal(app.redeem("x" * 32, client_id=app.id, client_secret="")) == NOT_GOOD


@pytest.mark.parametrize("at", ["provider", "key"])
def test_a_client_that_may_not(vault, app, at) -> None:
    code = app.code()
    path = AT if at == "provider" else "identity/oidc/key/k"
    vault.root("POST", path, {"allowed_client_ids": "other"})
    words = f"client is not authorized to use the {at}"
    assert refusal(app.redeem(code)) == (401, "invalid_client", words)
    if at == "provider":
        assert refusal(app.authorize()) == (400, "unauthorized_client", words)


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "unsupported grant_type or parameter is empty"),
        ({}, 400, "unsupported_grant_type", "unsupported grant_type or parameter is empty value"),
        ({"grant_type": "authorization_code"}, 400, "invalid_request", "code parameter is required"),
        ({"grant_type": "client_credentials"}, 400, "invalid_grant", "client is not authorized to use given"),
    ],
    ids=str,
)
def test_a_request_for_tokens_that_is_none(app, body, status, code, words) -> None:
    found = refusal(app.token(body, (app.id, app.secret)))
    assert found[:2] == (status, code) and words in found[2]


def test_a_request_for_tokens_by_nobody(app) -> None:
    assert refusal(app.token({}, None)) == (400, "invalid_request", "client_id parameter is required")
    at = "identity/oidc/provider/none"
    assert refusal(app.token({}, (app.id, app.secret), at)) == (400, "invalid_request", "provider not found")


def test_a_client_of_itself(vault) -> None:
    """RFC 6749 §4.4; OpenBao's own."""
    vault.root.data("POST", "identity/oidc/scope/s", {"template": '{"a": 1}'})
    vault.root.data("POST", "identity/oidc/scope/of", {"template": '{"who": {{identity.entity.name}}}'})
    vault.root.data("POST", AT, {"scopes_supported": "s,of"})
    app = RelyingParty(vault, client_credentials=True, authorization_code=False, id_token_ttl="1h")
    who = (app.id, app.secret)
    asked = {"grant_type": "client_credentials", "scope": "openid s of"}
    told = app.token(asked, who).json
    assert told.keys() == {"token_type", "access_token", "expires_in"} and told["expires_in"] == 3600
    said = claims(told["access_token"])
    assert app.verifies(told["access_token"]) and said.pop("jti")
    now = int(vault.stack.clock.now().timestamp())
    assert said == {
        "iss": f"{ORIGIN}/v1/{AT}",
        "sub": app.id,
        "aud": app.id,
        "iat": now,
        "exp": now + 3600,
        "namespace": "root",
        "a": 1,
    }
    assert refusal(app.token({**asked, "scope": "s"}, who))[1] == "invalid_request"
    assert refusal(app.authorize())[1] == "invalid_grant"


def test_a_client_that_anybody_can_say_it_is_gets_nothing_for_that(vault) -> None:
    """RFC 6749 §4.4: for clients that keep a secret alone."""
    app = RelyingParty(vault, client_type="public", client_credentials=True)
    reply = app.token({"grant_type": "client_credentials", "scope": "openid", "client_id": app.id}, None)
    assert refusal(reply) == (400, "invalid_grant", "client is not authorized to use given credentials flow")


# --- what people may be asked


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ({"client_id": None}, "invalid_client_id", "client_id parameter is required"),
        ({"client_id": "x" * 32}, "invalid_client_id", "client with client_id not found"),
        ({"redirect_uri": None}, "invalid_request", "redirect_uri parameter is required"),
        ({"redirect_uri": f"{BACK}/"}, "invalid_redirect_uri", "redirect_uri is not allowed for the client"),
        ({"redirect_uri": f"{BACK}?a=b"}, "invalid_redirect_uri", "redirect_uri is not allowed for the client"),
        ({"redirect_uri": "https://APP.test/cb"}, "invalid_redirect_uri", "redirect_uri is not allowed for the client"),
        ({"scope": None}, "invalid_request", 'scope parameter must contain the "openid" value'),
        ({"scope": "profile"}, "invalid_request", 'scope parameter must contain the "openid" value'),
        ({"response_type": None}, "invalid_request", "response_type parameter is required"),
        ({"response_type": "token"}, "unsupported_response_type", "unsupported response_type value"),
        ({"max_age": 0}, "invalid_request", "max_age must be greater than zero"),
        ({"nonce": "n" * 1025}, "invalid_request", "a nonce has at most 1024 characters"),
    ],
    ids=str,
)
def test_a_request_that_is_wrong(app, said, code, words) -> None:
    reply = app.authorize(state="s", **said)
    assert refusal(reply) == (400, code, words) and reply.json["state"] == "s"


@pytest.mark.parametrize("name", ["request", "request_uri"])
def test_what_is_not_offered_is_said_so(app, name) -> None:
    """OpenID Connect Core 1.0 §6.1, §6.2."""
    reply = app.authorize(state="s", **{name: "x"})
    assert refusal(reply)[1] == f"{name}_not_supported" and reply.json["state"] == ""


@pytest.mark.parametrize(
    ("uri", "is_good"),
    [
        ("http://localhost:1/cb", True),
        ("http://localhost/cb", True),
        ("http://127.0.0.1:8250/cb", False),
        ("https://localhost:1/cb", False),
        ("http://localhost:1/cb/", False),
        ("http://localhost:1/cb?a", False),
        ("http://localhost:1@evil.test/cb", False),
        ("http://localhost.evil.test/cb", False),
        ("http://localhost:1/cb#x", False),
    ],
)
def test_on_ones_own_machine_any_port_will_do(vault, uri, is_good) -> None:
    """RFC 8252 §7.3."""
    app = RelyingParty(vault, redirect_uris="http://localhost:8250/cb")
    assert app.authorize(redirect_uri=uri).status == (200 if is_good else 400)


@pytest.mark.parametrize("how", ["revoked", "by its accessor", "over"])
def test_a_code_ends_with_the_token_that_it_was_asked_for_by(vault, app, how) -> None:
    """Whoever is logged out logs in nowhere."""
    vault.root.data("POST", "auth/userpass/users/bob", {"password": "pw", "token_ttl": "1m"})
    bob = logged_in(vault)[0]
    accessor = bob.data("GET", "auth/token/lookup-self")["accessor"]
    code, other = (app.authorize(who).json["code"] for who in (bob, logged_in(vault)[0]))
    {
        "revoked": lambda: bob.data("POST", "auth/token/revoke-self"),
        "by its accessor": lambda: vault.root.data("POST", "auth/token/revoke-accessor", {"accessor": accessor}),
        "over": lambda: vault.stack.clock.forward(timedelta(seconds=60)),
    }[how]()
    assert refusal(app.redeem(code)) == NOT_GOOD
    assert app.redeem(other).status == (400 if how == "over" else 200)


@pytest.mark.parametrize("terms", [{"token_num_uses": 1}, {"token_type": "batch"}])
def test_unless_nothing_is_kept_of_that(vault, app, terms) -> None:
    vault.root.data("POST", "auth/userpass/users/bob", {"password": "pw", **terms})
    assert app.redeem(app.authorize(logged_in(vault)[0]).json["code"]).status == 200


@pytest.mark.parametrize(("seconds", "is_good"), [(60, True), (61, False)])
def test_how_long_ago_somebody_has_shown_who_they_are(vault, app, seconds, is_good) -> None:
    shown_at = int(vault.stack.clock.now().timestamp())
    vault.stack.clock.forward(timedelta(seconds=seconds))
    reply = app.authorize(max_age=60)
    if not is_good:
        assert refusal(reply)[:2] == (400, "max_age_violation")
        return
    assert claims(app.redeem(reply.json["code"]).json["id_token"])["auth_time"] == shown_at


def test_a_token_that_is_made_of_another_is_no_new_login(vault, app) -> None:
    """Or whoever has stolen an old one would be as fresh as they like."""
    vault.root.policy("makes", 'path "auth/token/create" { capabilities = ["update"] }')
    vault.root.data("POST", "auth/userpass/users/bob", {"password": "pw", "token_policies": "makes"})
    bob, shown_at = logged_in(vault)[0], int(vault.stack.clock.now().timestamp())
    for kind in ("service", "batch"):
        vault.stack.clock.forward(timedelta(seconds=30))
        made = bob("POST", "auth/token/create", {"type": kind}).json["auth"]
        assert made["entity_id"] == vault.entity
        child = Bearer(vault.stack, made["client_token"])
        reply = app.authorize(child, max_age=60)
        assert claims(app.redeem(reply.json["code"]).json["id_token"])["auth_time"] == shown_at
        if kind == "service":
            bob = child
    vault.stack.clock.forward(timedelta(seconds=1))
    assert refusal(app.authorize(child, max_age=60))[:2] == (400, "max_age_violation")


# --- who may log in


def test_who_is_in_no_assignment_may_not_log_in(vault) -> None:
    vault.root.data("POST", "identity/oidc/assignment/some", {"entity_ids": "nobody"})
    app = RelyingParty(vault, assignments="some")
    assert refusal(app.authorize()) == (400, "access_denied", NOT_ASSIGNED)
    vault.root.data("POST", "identity/oidc/assignment/some", {"entity_ids": vault.entity.upper()})
    assert app.authorize().status == 200
    assert RelyingParty(vault, assignments=[]).authorize().status == 400


def test_a_group_is_assigned_however_far_up(vault) -> None:
    inner = vault.root.data("POST", "identity/group", {"name": "in", "member_entity_ids": [vault.entity]})["id"]
    outer = vault.root.data("POST", "identity/group", {"name": "out", "member_group_ids": [inner]})["id"]
    vault.root.data("POST", "identity/oidc/assignment/some", {"group_ids": outer})
    app = RelyingParty(vault, assignments="some")
    code, told = app.code(), app.tokens()
    assert app.user_info(told["access_token"]).status == 200
    vault.root.data("POST", f"identity/group/id/{inner}", {"member_entity_ids": []})
    assert refusal(app.redeem(code)) == (400, "invalid_request", NOT_ASSIGNED)
    assert refusal(app.user_info(told["access_token"])) == (403, "access_denied", NOT_ASSIGNED)


def test_of_many_who_come_with_a_code_at_once_one_gets_tokens(vault, app) -> None:
    vault.stack.view.loop_thread = 0
    code, n, answers = app.code(), 8, []
    go = threading.Barrier(n)

    def run() -> None:
        go.wait()
        answers.append(app.redeem(code).status)

    threads = [threading.Thread(target=run) for _ in range(n)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == [200, *[400] * (n - 1)]


@pytest.mark.parametrize("how", ["entity", "assignment", "client", "provider", "key", "group"])
def test_what_ends_while_a_code_is_looked_at_ends_it(vault, how) -> None:
    """The commit rests on all of it: whoever has looked and is late looks again."""
    root = vault.root
    group = root.data("POST", "identity/group", {"name": "g", "member_entity_ids": vault.entity})["id"]
    by_group = {"group_ids": group} if how == "group" else {"entity_ids": vault.entity}
    root.data("POST", "identity/oidc/assignment/some", by_group)
    root.data("POST", "identity/oidc/provider/p", {"issuer": ORIGIN, "allowed_client_ids": "*"})
    app = RelyingParty(vault, "identity/oidc/provider/p", assignments="some")
    code, commit, came = app.code(), vault.stack.barrier.commit, []
    vault.stack.view.loop_thread = 0
    end = {
        "entity": lambda: root.data("POST", f"identity/entity/id/{vault.entity}", {"disabled": True}),
        "assignment": lambda: root.data("POST", "identity/oidc/assignment/some", {"entity_ids": []}),
        "client": lambda: root.data("DELETE", "identity/oidc/client/app"),
        "provider": lambda: root.data("POST", "identity/oidc/provider/p", {"allowed_client_ids": "x"}),
        "key": lambda: root.data("POST", "identity/oidc/key/k", {"allowed_client_ids": "x"}),
        "group": lambda: root.data("POST", f"identity/group/id/{group}", {"member_entity_ids": []}),
    }[how]

    def overtaken(change: Commit) -> None:
        if any(isinstance(one, OidcCode) for one in change.delete) and not came:
            came.append(True)
            end()
        commit(change)

    vault.stack.barrier.commit = overtaken
    assert app.redeem(code).status in {400, 401} and came


@pytest.mark.parametrize("how", ["entity deleted", "entity disabled", "assignment", "client", "provider", "key"])
def test_what_rests_on_something_ends_with_it(vault, how) -> None:
    """A code that waits, a token that is out, and whoever would come next."""
    root = vault.root
    root.data("POST", "identity/oidc/assignment/some", {"entity_ids": vault.entity})
    root.data("POST", "identity/oidc/provider/p", {"issuer": ORIGIN, "allowed_client_ids": "*"})
    app = RelyingParty(vault, "identity/oidc/provider/p", assignments="some")
    code, told = app.code(), app.tokens()
    assert app.user_info(told["access_token"]).status == 200
    {
        "entity deleted": lambda: root.data("DELETE", f"identity/entity/id/{vault.entity}"),
        "entity disabled": lambda: root.data("POST", f"identity/entity/id/{vault.entity}", {"disabled": True}),
        "assignment": lambda: root.data("POST", "identity/oidc/assignment/some", {"entity_ids": []}),
        "client": lambda: root.data("DELETE", "identity/oidc/client/app"),
        "provider": lambda: root.data("DELETE", "identity/oidc/provider/p"),
        "key": lambda: root.data("POST", "identity/oidc/key/k", {"allowed_client_ids": "x"}),
    }[how]()
    assert app.redeem(code).status in {400, 401}
    assert app.user_info(told["access_token"]).status in {400, 401, 403}
    if how != "key":  # which is looked at when it is to sign
        assert app.authorize().status in {400, 403}
    if how == "client":
        assert refusal(app.redeem(code)) == FAILED
        assert vault.stack.barrier.every(OidcCode) == vault.stack.barrier.every(OidcClientSecret) == []
        assert vault.nobody("GET", f"{app.at}/.well-known/keys").json == {"keys": []}


def test_a_client_made_anew_is_another(vault, app) -> None:
    code, told, before = app.code(), app.tokens(), (app.id, app.secret)
    vault.root.data("DELETE", "identity/oidc/client/app")
    again = RelyingParty(vault)
    assert again.id != before[0] and again.secret != before[1]
    assert refusal(again.redeem(code)) == NOT_GOOD and refusal(again.redeem(code, before)) == FAILED
    assert refusal(app.user_info(told["access_token"])) == (403, "access_denied", "client not found")


def test_what_somebody_else_rests_on_is_not_taken_away(vault) -> None:
    root = vault.root
    root.data("POST", "identity/oidc/assignment/some", {})
    root.data("POST", "identity/oidc/scope/s", {"template": "{}"})
    root.data("POST", "identity/oidc/provider/p", {"scopes_supported": "s"})
    RelyingParty(vault, assignments="some")
    for path, what, whose in (
        ("identity/oidc/assignment/some", 'assignment "some"', "clients: app"),
        ("identity/oidc/scope/s", 'scope "s"', "providers: p"),
        ("identity/oidc/key/k", 'key "k"', "clients: app"),
    ):
        words = f"unable to delete {what} because it is currently referenced by these {whose}"
        assert root.refused("DELETE", path) == (400, words)
    for path in ("identity/oidc/client/app", "identity/oidc/provider/p"):
        root.data("DELETE", path)
    for path in ("identity/oidc/assignment/some", "identity/oidc/scope/s", "identity/oidc/key/k"):
        assert root("DELETE", path).status == 204 and root("GET", path).status == 404


# --- what clients are told


def scope(vault, name: str, template: str) -> None:
    vault.root.data("POST", f"identity/oidc/scope/{name}", {"template": template})


def test_scopes_tell_of_somebody_what_is_so_today(vault) -> None:
    scope(vault, "profile", '{"name": {{identity.entity.name}}, "meta": {{identity.entity.metadata}}}')
    scope(vault, "groups", '{"groups": {{identity.entity.groups.names}}}')
    vault.root.data("POST", AT, {"scopes_supported": "profile,groups"})
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"name": "bob", "metadata": {"a": "b"}})
    app = RelyingParty(vault)
    told = app.tokens(scope="openid profile groups nonsense")
    said = claims(told["id_token"])
    assert (said["name"], said["meta"], said["groups"]) == ("bob", {"a": "b"}, [])
    bare = app.tokens()
    assert "name" not in claims(bare["id_token"]) and app.user_info(bare["access_token"]).json == {"sub": vault.entity}
    vault.root.data("POST", "identity/group", {"name": "g", "member_entity_ids": [vault.entity]})
    expected = {"sub": vault.entity, "name": "bob", "meta": {"a": "b"}, "groups": ["g"]}
    assert app.user_info(told["access_token"]).json == expected
    vault.root.data("POST", AT, {"scopes_supported": "groups"})
    assert app.user_info(told["access_token"]).json == {"sub": vault.entity, "groups": ["g"]}


def test_what_is_said_of_somebody_is_a_value_and_no_more(vault) -> None:
    """security.md §4-I row 130."""
    scope(vault, "s", '{"team": {{identity.entity.metadata.team}}}')
    vault.root.data("POST", AT, {"scopes_supported": "s"})
    evil = 'x", "aud": "everybody", "a": "{{identity.entity.id}}'
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"metadata": {"team": evil}})
    app = RelyingParty(vault)
    said = claims(app.tokens(scope="openid s")["id_token"])
    assert (said["team"], said["aud"]) == (evil, app.id) and "a" not in said


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "at_hash", "c_hash"])
def test_a_scope_says_nothing_that_is_the_issuer_s_to_say(vault, name) -> None:
    body = {"template": f'{{"{name}": "mine"}}'}
    status, words = vault.root.refused("POST", "identity/oidc/scope/s", body)
    assert status == 400 and words.startswith(f'top level key "{name}" not allowed. Restricted keys: ')


@pytest.mark.parametrize("name", ["nonce", "auth_time"])
def test_nor_by_a_name_that_somebody_has_taken(vault, name) -> None:
    """What a template tells under may be a value, too, and is looked at when it is one."""
    scope(vault, "s", "{ {{identity.entity.name}}: 1 }")
    vault.root.data("POST", AT, {"scopes_supported": "s"})
    app = RelyingParty(vault)
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"name": "harmless"})
    assert claims(app.tokens(scope="openid s")["id_token"])["harmless"] == 1
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"name": name})
    assert name not in claims(app.tokens(scope="openid s")["id_token"])


def test_two_scopes_that_tell_the_same_are_told_of_and_refused(vault) -> None:
    scope(vault, "a", '{"x": 1, "y": 1}')
    scope(vault, "b", '{"x": 2}')
    warnings = vault.root("POST", AT, {"scopes_supported": "a,b"}).json["warnings"]
    assert len(warnings) == 2 and 'conflict "x" in scopes "b", "a"' in warnings[1]
    app = RelyingParty(vault)
    assert app.tokens(scope="openid a")["access_token"]
    words = 'found scopes with conflicting top-level claim: claim "x" in scopes "b", "a"'
    assert refusal(app.redeem(app.code(scope="openid a b"))) == (400, "invalid_request", words)


def test_a_token_that_would_say_too_much_is_refused(vault) -> None:
    scope(vault, "s", '{"m": {{identity.entity.metadata}}}')
    vault.root.data("POST", AT, {"scopes_supported": "s"})
    full = {f"key{n}": "x" * 500 for n in range(20)}
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"metadata": full})
    app = RelyingParty(vault)
    code = app.code(scope="openid s")
    assert refusal(app.redeem(code))[:2] == (500, "server_error")
    assert refusal(app.redeem(code)) == NOT_GOOD


# --- access tokens


def test_an_access_token_reaches_nothing_but_userinfo(vault, app) -> None:
    """Whatever its entity may: elsewhere it is answered what a token is that may nothing, path by path."""
    vault.root.policy("all", 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }')
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"policies": "all"})
    access = Bearer(vault.stack, app.tokens()["access_token"])
    nothing = vault.root.token(policies=["none"], no_default_policy=True)
    at = {"system": "sys/", "identity": "identity/", "token": "auth/token/", "cubbyhole": "cubbyhole/"}
    reached = set()
    for one in door.DOOR.operations:
        if not isinstance(one, Endpoint) or one.engine not in at or one.verb is Verb.HELP or one.unsigned:
            continue
        path = at[one.engine] + one.path.replace("/?", "").replace("{name}", "default").replace(":path", "")
        method = {Verb.READ: "GET", Verb.WRITE: "POST"}.get(one.verb, one.verb.value.upper())
        mine, other = (who(method, path, {} if method == "POST" else None) for who in (access, nothing))
        if (mine.status, mine.body) != (other.status, other.body) or mine.status < 400:
            reached.add(one.name)
    assert reached == {f"identity {verb} oidc/provider/{{name}}/userinfo" for verb in ("read", "write")} | {
        "system read internal/ui/mounts",  # which shows what is reached: nothing
        "system read internal/ui/namespaces",
    }


def test_an_access_token_is_of_one_provider_and_of_one_time(vault) -> None:
    vault.root.data("POST", "identity/oidc/provider/p2", {"allowed_client_ids": "*"})
    app = RelyingParty(vault, access_token_ttl="1m")
    told = app.tokens()
    assert told["expires_in"] == 60
    assert refusal(app.user_info(told["access_token"], at="identity/oidc/provider/p2")) == NOT_HEARD
    vault.stack.clock.forward(timedelta(seconds=59))
    assert app.user_info(told["access_token"]).status == 200
    vault.stack.clock.forward(timedelta(seconds=1))
    assert refusal(app.user_info(told["access_token"])) == NOT_HEARD


@pytest.mark.parametrize("how", ["revoked", "by its accessor", "with its maker", "entity", "method", "over"])
def test_an_access_token_ends_with_the_token_that_its_code_was_asked_for_by(vault, app, how) -> None:
    """Of whoever is logged out nothing more is told; another login of theirs is another."""
    vault.root.policy("may", 'path "auth/token/create" { capabilities = ["update"] }')
    vault.root.data("POST", "auth/userpass/users/bob", {"password": "pw", "token_ttl": "1m", "policies": "may"})
    (bob, *_), (again, *_) = logged_in(vault), logged_in(vault)
    bearer = bob.token(ttl="1m") if how == "with its maker" else bob
    accessor = bob.data("GET", "auth/token/lookup-self")["accessor"]
    told, other = (app.redeem(app.authorize(who).json["code"]).json for who in (bearer, again))
    assert told["expires_in"] == other["expires_in"] == 60, "and no longer is it said to last"
    assert app.user_info(told["access_token"]).status == 200
    {
        "revoked": lambda: bob.data("POST", "auth/token/revoke-self"),
        "by its accessor": lambda: vault.root.data("POST", "auth/token/revoke-accessor", {"accessor": accessor}),
        "with its maker": lambda: bob.data("POST", "auth/token/revoke-self"),
        "entity": lambda: vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"disabled": True}),
        "method": lambda: vault.root.data("DELETE", "sys/auth/userpass"),
        "over": lambda: vault.stack.clock.forward(timedelta(seconds=60)),
    }[how]()
    assert refusal(app.user_info(told["access_token"])) == NOT_HEARD
    is_alone = how in {"revoked", "by its accessor", "with its maker"}
    assert app.user_info(other["access_token"]).status == (200 if is_alone else 401)


def test_userinfo_takes_access_tokens_and_by_their_header(vault, app) -> None:
    """RFC 6750 §2.1, §3."""
    told = app.tokens()["access_token"]
    by_other = Bearer(vault.stack, told)("GET", f"{AT}/userinfo")
    assert refusal(by_other) == (401, "invalid_token", "access token must be sent as a Bearer token")
    assert by_other.headers["www-authenticate"] == (
        'Bearer error="invalid_token",error_description="access token must be sent as a Bearer token"'
    )
    root = refusal(app.user_info(vault.root.text))
    assert root == (401, "invalid_token", "access token is malformed or invalid")
    assert refusal(app.user_info(vault.bob.text)) == refusal(app.user_info("x")) == NOT_HEARD


# --- keys


def test_a_key_that_was_rotated_is_published_while_what_it_signed_counts(vault, app) -> None:
    first = app.tokens()["id_token"]
    vault.root.data("POST", "identity/oidc/key/k/rotate", {})
    second = app.tokens()["id_token"]
    assert app.verifies(first) and app.verifies(second)
    vault.stack.clock.forward(timedelta(hours=24))
    assert not app.verifies(first) and app.verifies(second)
    vault.root.data("POST", "identity/oidc/key/k/rotate", {"verification_ttl": 0})
    assert not app.verifies(second)


def test_a_provider_publishes_the_keys_of_its_clients(vault, app) -> None:
    vault.root.data("POST", "identity/oidc/key/other", {"algorithm": "ES256", "allowed_client_ids": "*"})
    at = "identity/oidc/provider/p"
    vault.root.data("POST", at, {"allowed_client_ids": "nobody"})
    kids = {one["kid"] for one in vault.nobody("GET", f"{AT}/.well-known/keys").json["keys"]}
    assert len(kids) == 2 and vault.nobody("GET", f"{at}/.well-known/keys").json == {"keys": []}
    vault.root.data("POST", at, {"allowed_client_ids": app.id})
    assert {one["kid"] for one in vault.nobody("GET", f"{at}/.well-known/keys").json["keys"]} == kids
    assert vault.nobody("GET", "identity/oidc/.well-known/keys").json == {"keys": []}


def test_the_default_key_is_made_with_the_first_client_of_it(vault) -> None:
    vault.root.data("POST", "identity/oidc/client/app", {"redirect_uris": BACK, "assignments": "allow_all"})
    assert vault.root.data("GET", "identity/oidc/client/app")["key"] == "default"
    app = RelyingParty(vault, key="default")
    assert app.verifies(app.tokens()["id_token"])


def test_a_key_lasts_as_long_as_its_clients_tokens(vault, app) -> None:
    words = 'unable to update key "k" because it is currently referenced by one or more clients with an id_token_ttl '
    status, said = vault.root.refused("POST", "identity/oidc/key/k", {"verification_ttl": "1h"})
    assert status == 400 and said == f"{words}greater than 3600 seconds"
    status, said = vault.root.refused("POST", "identity/oidc/client/app", {"id_token_ttl": "25h"})
    assert status == 400 and "verification_ttl" in said


# --- namespaces


def test_a_namespace_has_its_own(vault, app) -> None:
    """Nothing of it is told to strangers before somebody there has wanted that; and nothing of one is another's."""
    root, nobody, at = vault.root, vault.nobody, {"x_vault_namespace": "ns1"}
    assert root("POST", "sys/namespaces/ns1").status == 200
    for path in (f"{AT}/.well-known/keys", f"{AT}/.well-known/openid-configuration"):
        there, nowhere = (nobody("GET", f"{where}/{path}") for where in ("ns1", "nope"))
        assert there.status == 403 and (there.status, there.body) == (nowhere.status, nowhere.body)
    said = {"client_id": app.id, "client_secret": app.secret, "grant_type": "authorization_code", "code": "x"}
    there, nowhere = (nobody("POST", f"{where}/{AT}/token", said) for where in ("ns1", "nope"))
    assert there.status == 403 and (there.status, there.body) == (nowhere.status, nowhere.body)
    for path, body in (
        ("sys/auth/userpass", {"type": "userpass"}),
        ("auth/userpass/users/bob", {"password": "pw"}),
        ("identity/oidc/client/app", {"redirect_uris": BACK, "assignments": "allow_all"}),
        (AT, {"issuer": ORIGIN}),
    ):
        assert root("POST", path, body, **at).status in {200, 204}, path
    assert refusal(nobody("POST", f"ns1/{AT}/token", said)) == FAILED  # of another namespace
    url = f"{ORIGIN}/v1/ns1/{AT}"
    assert nobody("GET", f"ns1/{AT}/.well-known/openid-configuration").json["issuer"] == url
    its = root("GET", "identity/oidc/client/app", **at).json["data"]
    assert refusal(app.authorize(client_id=its["client_id"]))[1] == "invalid_client_id"
    text = nobody("POST", "auth/userpass/login/bob", {"password": "pw"}, **at).json["auth"]["client_token"]
    asked = {"client_id": its["client_id"], "redirect_uri": BACK, "scope": "openid", "response_type": "code"}
    assert vault.bob("POST", f"{AT}/authorize", asked, **at).status == 403  # `default` is another policy there
    root.policy("in", 'path "ns1/identity/oidc/provider/+/authorize" { capabilities = ["update"] }')
    root.data("POST", f"identity/entity/id/{vault.entity}", {"policies": "in"})
    words = "identity entity associated with the request not found"
    assert refusal(vault.bob("POST", f"{AT}/authorize", asked, **at)) == (400, "access_denied", words)
    code = Bearer(vault.stack, text)("POST", f"{AT}/authorize", asked, **at).json["code"]
    body = {**said, "client_id": its["client_id"], "client_secret": its["client_secret"], "code": code}
    told = nobody("POST", f"ns1/{AT}/token", {**body, "redirect_uri": BACK}).json
    assert claims(told["id_token"])["iss"] == url
    assert claims(told["id_token"])["namespace"] == root.data("GET", "sys/namespaces/ns1")["id"]
    assert app.user_info(told["access_token"], at=f"ns1/{AT}").status == 200
    assert app.user_info(told["access_token"]).status == 401
    assert app.user_info(app.tokens()["access_token"], at=f"ns1/{AT}").status == 401


# --- limits


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("client/app", {"redirect_uris": [f"https://a.test/{n}" for n in range(65)]}),
        ("client/app", {"redirect_uris": [f"https://a.test/{'x' * 2048}"]}),
        ("client/app", {"redirect_uris": ["https://a.test/\u0000"]}),
        ("client/app", {"access_token_ttl": "769h"}),
        ("assignment/a", {"entity_ids": [f"e{n}" for n in range(1001)]}),
        ("assignment/a", {"group_ids": ["x" * 256]}),
        ("scope/s", {"template": "{" + " " * 17000 + "}"}),
        ("scope/s", {"description": "x" * 1025}),
        ("provider/p", {"allowed_client_ids": [f"c{n}" for n in range(1001)]}),
        ("provider/p", {"issuer": "https://a.test/path"}),
    ],
    ids=lambda one: one if isinstance(one, str) else next(iter(one)),
)
def test_what_is_too_large_is_refused(vault, path, body) -> None:
    assert vault.root("POST", f"identity/oidc/{path}", body).status == 400


@pytest.mark.parametrize("kind", ["client", "assignment", "scope", "provider"])
def test_there_are_only_so_many(vault, kind, monkeypatch) -> None:
    for module, name in (
        ("oidcclients", "MAX_CLIENTS"),
        ("oidcclients", "MAX_ASSIGNMENTS"),
        ("oidcscopes", "MAX_SCOPES"),
        ("oidcissuers", "MAX_ISSUERS"),
    ):
        monkeypatch.setattr(f"keystead.service.handlers.{module}.{name}", 1)
    vault.root.data("POST", f"identity/oidc/{kind}/{'default' if kind == 'provider' else 'one'}", {})
    assert vault.root("POST", f"identity/oidc/{kind}/two", {}).status == 400
