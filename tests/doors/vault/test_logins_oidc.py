"""auth/oidc: logins in a browser. Vault HTTP API, "JWT/OIDC auth method"; OpenID Connect Core 1.0 §3.1; RFC 9700."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from tests import harness, vaultstack
from tests.oidcissuer import CLIENT, SECRET, StandIn
from tests.tokens import SigningKey, b64url, key_set

from keystead.core.entities import LoginSecret, OidcLogin, Token
from keystead.doors import vault as vault_door
from keystead.service.barrier import Commit
from keystead.service.handlers import oidclogins

ISSUER, BACK = "https://issuer.test/app", "http://localhost:8250/oidc/callback"
KEY, OTHER = SigningKey("ES256"), SigningKey("ES256")
CONFIG = {"oidc_discovery_url": ISSUER, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
NO_STATE = "Vault login failed. Expired or missing OAuth state."


class Browsing(vaultstack.Vault):
    """A mount at auth/oidc, and its issuer."""

    def __init__(self) -> None:
        super().__init__()
        self.issuer = StandIn(ISSUER, KEY, lambda: int(self.stack.clock.now().timestamp()))
        self.stack.issuers[ISSUER] = self.issuer
        self.stack.login_keys[ISSUER] = key_set(KEY)
        self.root.data("POST", "sys/auth/oidc", {"type": "oidc"})
        self.root.data("POST", "auth/oidc/config", CONFIG)
        self.role()

    def role(self, name: str = "r", **fields: Any) -> None:
        said = {"user_claim": "sub", "allowed_redirect_uris": BACK, **fields}
        self.root.data("POST", f"auth/oidc/role/{name}", said)

    def begin(self, role: str = "r", at: str = "auth/oidc", **fields: Any) -> str:
        body = {"role": role, "redirect_uri": BACK, **fields}
        return self.nobody.data("POST", f"{at}/oidc/auth_url", body)["auth_url"]

    def come_back(self, state: str, code: str, at: str = "auth/oidc", **fields: str) -> harness.Reply:
        query = urlencode({"state": state, "code": code, **fields})
        return self.nobody("GET", f"{at}/oidc/callback?{query}")

    def log_in(self, **fields: Any) -> harness.Reply:
        return self.come_back(*self.issuer.authorize(self.begin(**fields)))

    def why(self, **fields: Any) -> str:
        reply = self.log_in(**fields)
        assert reply.status == 400, reply.body
        return reply.json["errors"][0]


def parameters(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def refused(words: str) -> str:
    return f'Vault login failed. Error exchanging oidc code: "{words}".'


@pytest.fixture
def vault() -> Browsing:
    return Browsing()


def test_who_comes_back_from_the_issuer_is_logged_in(vault) -> None:
    vault.role(token_policies="p", token_ttl="1h", claim_mappings={"/n/m": "team"}, groups_claim="g")
    vault.issuer.says = {"n": {"m": "red"}, "g": ["x"]}
    auth = vault.log_in().json["auth"]
    assert (auth["policies"], auth["lease_duration"], auth["orphan"]) == (["default", "p"], 3600, True)
    assert auth["metadata"] == {"role": "r", "team": "red"}
    found = vaultstack.Bearer(vault.stack, auth["client_token"]).data("GET", "auth/token/lookup-self")
    assert (found["display_name"], found["path"]) == ("oidc-joe", "auth/oidc/oidc/callback")


def test_what_the_issuer_is_asked(vault) -> None:
    vault.role(oidc_scopes="profile,openid", max_age="5m")
    one, two = (parameters(vault.begin()) for _ in range(2))
    assert one.keys() == {
        *("client_id", "code_challenge", "code_challenge_method", "max_age", "nonce"),
        *("redirect_uri", "response_type", "scope", "state"),
    }
    assert (one["redirect_uri"], one["scope"], one["max_age"]) == (BACK, "openid profile", "300")
    assert all(one[name] != two[name] and len(one[name]) >= 32 for name in ("state", "nonce", "code_challenge"))
    assert len({one["state"], one["nonce"], one["code_challenge"]}) == 3


def test_the_role_of_the_mount_and_a_secret_in_the_body(vault) -> None:
    vault.root.data("POST", "auth/oidc/config", {**CONFIG, "default_role": "R"})
    vault.issuer.configuration["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert vault.log_in(role="").status == 200


def test_what_the_issuer_tells_besides(vault) -> None:
    """OpenID Connect Core 1.0 §5.3: of the same person, and nothing that the identity token alone says."""
    vault.role(groups_claim="g", bound_claims={"iss": ISSUER, "email": "joe@a.test"})
    vault.issuer.tells = {"sub": "joe", "g": ["x"], "email": "joe@a.test", "iss": "https://evil.test"}
    assert vault.log_in().status == 200
    vault.issuer.tells["sub"] = "jim"
    assert "claim not found in token" in vault.why()
    vault.issuer.answers["/userinfo"] = (500, b"")
    vault.issuer.says = {"g": ["x"], "email": "joe@a.test"}
    assert vault.log_in().status == 200


def test_a_token_that_would_be_two_headers_is_not_shown_to_anybody(vault) -> None:
    vault.issuer.tells = {"sub": "joe"}
    state, code = vault.issuer.authorize(vault.begin())
    nonce = vault.issuer.codes[code]["nonce"]
    answer = {"id_token": vault.issuer.token(nonce), "access_token": "a\r\nX-Evil: 1"}
    vault.issuer.answers["/token"] = (200, json.dumps(answer).encode())
    assert vault.come_back(state, code).status == 200
    assert "/userinfo" not in vault.issuer.asked


def test_any_worker_finishes_what_another_has_begun(vault) -> None:
    """What is under way is in the store."""
    another = harness.Stack(
        door=vault_door.DOOR, store=vault.stack.store, slot=vault.stack.slot, unseal=vault.stack.unseal, seed=2
    ).on_the_loop()
    another.issuers[ISSUER], another.login_keys[ISSUER] = vault.issuer, key_set(KEY)
    state, code = vault.issuer.authorize(vault.begin())
    elsewhere = vaultstack.Bearer(another, "")
    query = urlencode({"state": state, "code": code})
    assert elsewhere("GET", f"auth/oidc/oidc/callback?{query}").status == 200
    assert vault.come_back(state, code).json["errors"] == [NO_STATE]


# --- a state is of one login


def test_a_state_comes_back_once(vault) -> None:
    state, code = vault.issuer.authorize(vault.begin())
    assert vault.come_back(state, code).status == 200
    assert vault.come_back(state, code).json["errors"] == [NO_STATE]
    assert vault.issuer.asked.count("/token") == 1


def test_whatever_came_of_it(vault) -> None:
    """A state that was refused for its code is not there for another one."""
    state, code = vault.issuer.authorize(vault.begin())
    assert vault.come_back(state, "another").status == 400
    assert vault.come_back(state, code).json["errors"] == [NO_STATE]
    assert code in vault.issuer.codes


def test_a_code_of_another_login_is_no_good(vault) -> None:
    """Code injection, RFC 9700 §4.5: the verifier is of the login that asked."""
    (mine, _), (_, stolen) = (vault.issuer.authorize(vault.begin()) for _ in range(2))
    assert vault.come_back(mine, stolen).json["errors"] == [
        refused("unable to exchange auth code with provider: invalid_grant")
    ]


@pytest.mark.parametrize("state", ["", "x", "st_", "st_" + "A" * 32, "x" * 5000])
def test_a_state_that_nobody_has_given(vault, state) -> None:
    assert vault.come_back(state, "c").json["errors"] == [NO_STATE]


def test_a_state_of_another_mount_is_none(vault) -> None:
    """Mix-up: a code never goes to another issuer than the one that its login was begun at."""
    vault.root.data("POST", "sys/auth/other", {"type": "oidc"})
    evil = StandIn("https://evil.test", OTHER, vault.issuer.now)
    vault.stack.issuers["https://evil.test"] = evil
    vault.root.data("POST", "auth/other/config", {**CONFIG, "oidc_discovery_url": "https://evil.test"})
    vault.root.data("POST", "auth/other/role/r", {"user_claim": "sub", "allowed_redirect_uris": BACK})
    state, code = vault.issuer.authorize(vault.begin())
    assert vault.come_back(state, code, "auth/other").json["errors"] == [NO_STATE]
    assert evil.asked == [] and vault.come_back(state, code).status == 200


def test_a_state_of_another_namespace_is_none(vault) -> None:
    at = {"x_vault_namespace": "ns1"}
    for path, body in (
        ("sys/namespaces/ns1", {}),
        ("ns1/sys/auth/oidc", {"type": "oidc"}),
        ("ns1/auth/oidc/config", CONFIG),
        ("ns1/auth/oidc/role/r", {"user_claim": "sub", "allowed_redirect_uris": BACK}),
    ):
        assert vault.root("POST", path, body).status in {200, 204}, path
    state, code = vault.issuer.authorize(vault.begin())
    path = f"auth/oidc/oidc/callback?{urlencode({'state': state, 'code': code})}"
    assert vault.nobody("GET", path, **at).json["errors"] == [NO_STATE]
    begun = vault.nobody("POST", "auth/oidc/oidc/auth_url", {"role": "r", "redirect_uri": BACK}, **at)
    state, code = vault.issuer.authorize(begun.json["data"]["auth_url"])
    path = f"auth/oidc/oidc/callback?{urlencode({'state': state, 'code': code})}"
    assert vault.nobody("GET", path).status == 400
    assert vault.nobody("GET", path, **at).status == 200


def test_a_login_takes_ten_minutes_at_most(vault) -> None:
    state, code = vault.issuer.authorize(vault.begin())
    vault.stack.clock.forward(oidclogins.LASTS)
    assert vault.come_back(state, code).json["errors"] == [NO_STATE]
    vault.begin()
    assert len(vault.stack.barrier.every(OidcLogin)) == 1  # what was over has gone


def test_whoever_began_it_has_to_say_so_again(vault) -> None:
    state, code = vault.issuer.authorize(vault.begin(client_nonce="n1"))
    assert vault.come_back(state, code, client_nonce="n2").json["errors"] == ["invalid client_nonce"]
    assert vault.come_back(state, code, client_nonce="n1").json["errors"] == [NO_STATE]
    state, code = vault.issuer.authorize(vault.begin(client_nonce="n1"))
    assert vault.come_back(state, code).status == 400
    state, code = vault.issuer.authorize(vault.begin(client_nonce="n1"))
    assert vault.come_back(state, code, client_nonce="n1").status == 200


def test_whoever_begins_most_makes_room(vault, monkeypatch) -> None:
    monkeypatch.setattr(oidclogins, "MOST", 3)
    mine = vault.issuer.authorize(vault.begin())
    vault.stack.peer = "198.51.100.9"
    theirs = []
    for _ in range(5):
        theirs.append(vault.issuer.authorize(vault.begin()))
        vault.stack.clock.forward(timedelta(seconds=1))
    assert len(vault.stack.barrier.every(OidcLogin)) == 3
    assert [vault.come_back(*one).status for one in theirs] == [400, 400, 400, 200, 200]
    assert vault.come_back(*mine).status == 200


@pytest.mark.parametrize("meanwhile", ["config", "role", "gone", "redirect"])
def test_what_changed_meanwhile(vault, meanwhile) -> None:
    state, code = vault.issuer.authorize(vault.begin())
    if meanwhile == "config":
        vault.root.data("POST", "auth/oidc/config", CONFIG)
    elif meanwhile == "role":
        vault.role(bound_subject="jim")
    elif meanwhile == "redirect":
        vault.role(allowed_redirect_uris="https://elsewhere.test/cb")
    else:
        vault.root.data("DELETE", "auth/oidc/role/r")
    (words,) = vault.come_back(state, code).json["errors"]
    assert (
        words.removeprefix("Vault login failed. ")
        == {
            "config": "The configuration has changed meanwhile.",
            "role": "sub claim does not match bound subject",
            "redirect": "Role could not be found",
            "gone": "Role could not be found",
        }[meanwhile]
    )


def test_what_is_under_way_goes_with_its_mount(vault) -> None:
    vault.begin()
    vault.root.data("DELETE", "sys/auth/oidc")
    assert [len(vault.stack.barrier.every(kind)) for kind in (OidcLogin, LoginSecret)] == [0, 0]


# --- where people are sent


@pytest.mark.parametrize(
    ("allowed", "good", "bad"),
    [
        (
            "https://a.test/cb",
            ["https://a.test/cb"],
            [
                "https://a.test/cb/",
                "https://a.test/cb?x=1",
                "https://a.test:443/cb",
                "http://a.test/cb",
                "https://a.test.evil.test/cb",
                "https://A.test/cb",
                "https://evil.test/cb",
                "https://a.test/cb#",
            ],
        ),
        (
            BACK,
            ["http://localhost:1/oidc/callback", "http://localhost/oidc/callback"],
            [
                "https://localhost:8250/oidc/callback",
                "http://127.0.0.1:8250/oidc/callback",
                "http://localhost:8250/oidc/callback2",
                "http://localhost:8250@evil.test/oidc/callback",
                "http://evil.test\\@localhost:8250/oidc/callback",
                "http://localhost:8250\\.evil.test/oidc/callback",
                "http://localhost.evil.test:8250/oidc/callback",
                "http://evil.test#@localhost:8250/oidc/callback",
                "http://localhost:8250/oidc/callback#x",
                "http://localhost:8250/oidc/callback ",
                " http://localhost:8250/oidc/callback",
                "//localhost:8250/oidc/callback",
                "javascript:alert(1)",
            ],
        ),
        ("http://[::1]/cb", ["http://[::1]:9/cb"], ["http://[::1]:9/", "http://[::2]:9/cb"]),
    ],
)
def test_nobody_is_sent_elsewhere(vault, allowed, good, bad) -> None:
    vault.role(allowed_redirect_uris=["https://unused.test/", allowed])
    assert [bool(vault.begin(redirect_uri=uri)) for uri in good] == [True] * len(good)
    n_asked = len(vault.stack.barrier.every(OidcLogin))
    assert [vault.begin(redirect_uri=uri) for uri in bad] == [""] * len(bad)
    assert len(vault.stack.barrier.every(OidcLogin)) == n_asked


def test_a_role_of_tokens_lets_nobody_in_by_a_browser(vault) -> None:
    vault.role("t", role_type="jwt", bound_audiences="a")
    assert vault.begin("t") == ""
    state, code = vault.issuer.authorize(vault.begin())
    vault.role(role_type="jwt", bound_audiences="a")
    assert vault.come_back(state, code).status == 400
    vault.role()
    said = vault.nobody.refused("POST", "auth/oidc/login", {"role": "r", "jwt": vault.issuer.token("n")})
    assert said == (400, "role with oidc role_type is not allowed")


def test_words_before_anybody_is_sent_anywhere(vault) -> None:
    at = "auth/oidc/oidc/auth_url"
    ask = vault.nobody.refused
    assert ask("POST", at, {"redirect_uri": BACK}) == (400, "missing role")
    assert ask("POST", at, {"role": "z", "redirect_uri": BACK}) == (400, 'role "z" could not be found')
    assert ask("POST", at, {"role": "r"}) == (400, "missing redirect_uri")
    vault.root.data("POST", "sys/auth/unset", {"type": "oidc"})
    assert ask("POST", "auth/unset/oidc/auth_url", {"role": "r"}) == (400, "could not load configuration")
    words = "Vault login failed. Could not load configuration"
    assert ask("GET", "auth/unset/oidc/callback?state=x&code=y") == (400, words)
    vault.root.data("POST", "auth/unset/config", {"oidc_discovery_url": ISSUER})
    words = "OIDC login is not configured for this mount"
    assert ask("POST", "auth/unset/oidc/auth_url", {"role": "r", "redirect_uri": BACK}) == (400, words)


# --- what comes back


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("access_denied", "access_denied"),
        (" Server_Error", "server_error"),
        ("<script>", "An unknown error occurred during OIDC authentication. Check server logs for details"),
    ],
)
def test_the_issuer_says_no(vault, said, words) -> None:
    """CVE-2026-33758: what it says more is not said back."""
    state, code = vault.issuer.authorize(vault.begin())
    reply = vault.come_back(state, code, error=said, error_description="long\nwords")
    assert reply.json["errors"] == [f"Vault login failed. {words}"]
    assert "/token" not in vault.issuer.asked


@pytest.mark.parametrize("issuer", [f"{ISSUER}/", "https://issuer.test", ISSUER.upper(), "https://evil.test", ""])
@pytest.mark.parametrize("said", [{}, {"code": "", "error": "access_denied"}])
def test_row_26_whoever_says_another_issuer_sent_them_is_shown_to_none(vault, issuer, said) -> None:
    """RFC 9207 §2.4: compared as it is, whatever was sent, and before the code is shown."""
    state, code = vault.issuer.authorize(vault.begin())
    reply = vault.come_back(state, **{"code": code, "iss": issuer, **said})
    assert reply.json["errors"] == ["Vault login failed. Another issuer has sent them back."]
    assert "/token" not in vault.issuer.asked


def test_who_says_that_the_mounts_issuer_sent_them_is_let_in(vault) -> None:
    assert vault.come_back(*vault.issuer.authorize(vault.begin()), iss=ISSUER).status == 200


def test_nothing_comes_back(vault) -> None:
    state, _ = vault.issuer.authorize(vault.begin())
    assert vault.come_back(state, "").json["errors"] == ["Vault login failed. No code or id_token received."]
    state, _ = vault.issuer.authorize(vault.begin())
    assert vault.come_back(state, "x" * 9000).status == 400
    assert "/token" not in vault.issuer.asked


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"nonce": None}, "invalid id_token nonce"),
        ({"nonce": "x"}, "invalid id_token nonce"),
        ({"nonce": ["x"]}, "invalid id_token nonce"),
        ({"iss": "https://evil.test"}, "id_token issued by a different provider"),
        ({"iss": ISSUER + "/"}, "id_token issued by a different provider"),
        ({"aud": "another"}, "id_token is for another client"),
        ({"aud": None}, "id_token is for another client"),
        ({"aud": []}, "id_token is for another client"),
        ({"aud": [CLIENT, "another"]}, "id_token is for another client"),
        ({"aud": ["another"], "azp": "another"}, "id_token is for another client"),
        ({"azp": "another"}, "id_token is for another client"),
        ({"aud": ["a", "b"], "azp": CLIENT}, "id_token is for another client"),
        ({"sub": None}, "missing sub claim in id_token"),
        ({"exp": None}, "missing exp or iat claim in id_token"),
        ({"iat": None}, "missing exp or iat claim in id_token"),
        ({"at_hash": "x"}, "at_hash failed verification"),
        ({"c_hash": 5}, "c_hash failed verification"),
    ],
)
def test_an_identity_token_that_is_not_for_this_login(vault, says, words) -> None:
    vault.issuer.says = says
    assert vault.why() == refused(words)


@pytest.mark.parametrize("says", [{"aud": [CLIENT, "b"], "azp": CLIENT}, {"azp": CLIENT}, {"aud": "b", "azp": CLIENT}])
def test_whom_an_identity_token_is_for(vault, says) -> None:
    vault.issuer.says = says
    assert vault.log_in().status == 200
    vault.role(bound_audiences="c")
    assert vault.why() == refused("invalid id_token audiences")


def test_times(vault) -> None:
    now = vault.issuer.now()
    for says, words in (
        ({"exp": now - 61}, "id_token is expired"),
        ({"iat": now + 61}, "id_token is not valid yet"),
        ({"nbf": now + 61}, "id_token is not valid yet"),
    ):
        vault.issuer.says = says
        assert vault.why() == refused(words)
    vault.issuer.says = {"exp": now - 59, "iat": now + 59}
    assert vault.log_in().status == 200
    vault.role(clock_skew_leeway=-1)
    assert vault.why() == refused("id_token is expired")


def test_how_long_ago_they_have_shown_who_they_are(vault) -> None:
    vault.role(max_age="5m")
    assert vault.why() == refused("missing auth_time claim when max age was requested")
    vault.issuer.says = {"auth_time": vault.issuer.now() - 361}
    assert vault.why() == refused("auth_time is beyond max age")
    vault.issuer.says = {"auth_time": vault.issuer.now() - 300}
    assert vault.log_in().status == 200


def test_halves_of_hashes(vault) -> None:
    """at_hash and c_hash by the digest of the token's algorithm: OpenID Connect Core 1.0 §3.1.3.6."""

    def half(text: str) -> str:
        return b64url(sha256(text.encode()).digest()[:16])

    vault.issuer.says = {"at_hash": half("access.token"), "c_hash": half("code-1")}
    assert vault.log_in().status == 200
    assert vault.why() == refused("c_hash failed verification")  # its code is another


def test_algorithms_are_not_the_tokens_to_choose(vault) -> None:
    """`none`, HMAC with the secret or the public key, a key of the same name, one that the mount does not list."""
    public = KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsupported, unknown = "id_token signed with unsupported algorithm", "failed to verify id token signature"
    for head, key, words in (
        ({"alg": "none"}, None, unsupported),
        ({"alg": "HS256"}, SECRET.encode(), unsupported),
        ({"alg": "HS256", "kid": "one"}, public, unsupported),
        ({"alg": "ES256", "kid": "one", "jwk": OTHER.jwk}, OTHER, unknown),
        ({"alg": "ES256", "jku": "https://evil.test/keys"}, OTHER, unknown),
        ({"alg": "RS256", "kid": "one"}, KEY, unknown),
    ):
        state, code = vault.issuer.authorize(vault.begin())
        claims = json.loads(_payload(vault.issuer.token(vault.issuer.codes[code]["nonce"])))
        signed = f"{b64url(json.dumps(head).encode())}.{b64url(json.dumps(claims).encode())}"
        if isinstance(key, SigningKey):
            signature = key.sign(signed.encode())
        else:
            signature = hmac.digest(key, signed.encode(), "sha256") if key else b"x"
        answer = {"id_token": f"{signed}.{b64url(signature)}", "access_token": "a"}
        vault.issuer.answers["/token"] = (200, json.dumps(answer).encode())
        assert vault.come_back(state, code).json["errors"] == [refused(words)], head
    del vault.issuer.answers["/token"]
    vault.root.data("POST", "auth/oidc/config", {**CONFIG, "jwt_supported_algs": "RS256"})
    assert vault.why() == refused(unsupported)


def _payload(token: str) -> bytes:
    part = token.split(".")[1]
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, b'{"error":"invalid_client"}'), "unable to exchange auth code with provider: invalid_client"),
        ((400, b'{"error":"<b>"}'), "unable to exchange auth code with provider: an error"),
        ((500, b"oops"), "unable to exchange auth code with provider: status 500"),
        ((302, b""), "unable to exchange auth code with provider: status 302"),
        ((200, b"[]"), "unable to exchange auth code with provider: status 200"),
        ((200, b"{}"), "id_token is missing from auth code exchange"),
        ((200, b'{"id_token":"a.b"}'), "id_token failed verification: compact JWS format must have three parts"),
        ((200, b'{"id_token":"a","id_token":"b"}'), "unable to exchange auth code with provider: status 200"),
    ],
)
def test_a_token_endpoint_that_answers_otherwise(vault, answer, words) -> None:
    vault.issuer.answers["/token"] = answer
    assert vault.why() == refused(words)


def test_what_a_role_asks_of_people(vault) -> None:
    vault.role(bound_claims={"team": "red"})
    words = 'Vault login failed. error validating claims: claim "team" is missing'
    assert vault.why() == words
    vault.issuer.says = {"team": "red"}
    assert vault.log_in().status == 200
    vault.role(user_claim="email", bound_claims={})
    assert vault.why() == 'Vault login failed. claim "email" not found in token'
    vault.role(bound_subject="jim")
    assert vault.why() == "Vault login failed. sub claim does not match bound subject"
    vault.role(bound_subject="", token_bound_cidrs="10.0.0.0/8")
    assert vault.log_in().status == 403


# --- an issuer that is away


def test_an_issuer_that_is_away_or_another(vault) -> None:
    ask = ("POST", "auth/oidc/oidc/auth_url", {"role": "r", "redirect_uri": BACK})
    for changed in (
        {"issuer": "https://evil.test"},
        {"authorization_endpoint": "http://issuer.test/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": f"{ISSUER}/a#b"},
        {"token_endpoint": ""},
        {"token_endpoint": 5},
    ):
        said = vault.issuer.configuration
        vault.issuer.configuration = said | changed
        assert vault.nobody.refused(*ask)[0] == 503, changed
        vault.issuer.configuration = said
    del vault.stack.issuers[ISSUER]
    assert vault.nobody.refused(*ask)[0] == 503
    vault.stack.issuers[ISSUER] = vault.issuer
    n_asked = len(vault.issuer.asked)
    assert vault.begin() and vault.begin()
    assert vault.issuer.asked[n_asked:] == ["/.well-known/openid-configuration"]  # once in ten minutes


def test_an_issuer_that_goes_away_meanwhile(vault) -> None:
    state, code = vault.issuer.authorize(vault.begin())
    del vault.stack.issuers[ISSUER]
    assert vault.come_back(state, code).json["errors"] == [refused("no answer")]


# --- what is told, and to whom


def test_the_secret_is_told_to_nobody_but_the_issuer(vault, caplog) -> None:
    state, code = vault.issuer.authorize(vault.begin())
    assert vault.come_back(state, code).status == 200
    read = vault.root("GET", "auth/oidc/config")
    assert read.json["data"]["oidc_client_id"] == CLIENT and b"s3cret" not in read.body
    lines = [line for _, line in vault.stack.store.records(0, 1000)] + vault.stack.journal.lines
    hidden = [SECRET, state, code, quote(SECRET), "access.token"]
    assert not any(text.encode() in line for text in hidden for line in lines)
    assert not any(text in caplog.text for text in hidden)
    (row,) = vault.stack.barrier.every(LoginSecret)
    vault.root.data("POST", "auth/oidc/config", {"oidc_discovery_url": ISSUER})
    assert vault.stack.barrier.every(LoginSecret) == [] and row.number == 1


def test_every_step_is_on_record(vault) -> None:
    vault.stack.forget_records()
    n = len(vault.stack.records())
    state, code = vault.issuer.authorize(vault.begin())
    vault.come_back(state, code)
    vault.come_back(state, code)
    vault.begin(redirect_uri="https://evil.test/")
    found = [(one.targets[0].action, one.outcome, one.why) for one in vault.stack.records()[n:]]
    assert found == [
        ("tenant:begin-oidc-login", "performed", ""),
        ("tenant:take-oidc-login", "performed", ""),
        ("tenant:log-in-vouched", "performed", ""),
        ("tenant:take-oidc-login", "refused: InvalidArgument", "state"),
        ("tenant:begin-oidc-login", "performed", "redirect_uri"),
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"oidc_client_id": CLIENT}, "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC"),
        ({"oidc_client_secret": "x"}, "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC"),
        ({"oidc_response_types": "code,x"}, "invalid response_types [code x]. 'code' and 'id_token' are allowed"),
        ({"oidc_response_mode": "x"}, 'invalid response_mode: "x"'),
        ({"provider_config": {"provider": "azure"}}, "provider_config is not offered"),
    ],
)
def test_a_configuration_that_cannot_be(vault, fields, words) -> None:
    body = {"oidc_discovery_url": ISSUER, **fields}
    assert vault.root.refused("POST", "auth/oidc/config", body) == (400, words)


def test_namespaces_in_the_state_are_as_they_were(vault) -> None:
    def kept() -> bool:
        return vault.root.data("GET", "auth/oidc/config")["namespace_in_state"]

    assert kept() is True
    vault.root.data("POST", "auth/oidc/config", {**CONFIG, "namespace_in_state": False})
    assert kept() is False
    vault.root.data("POST", "auth/oidc/config", CONFIG)
    assert kept() is False


def test_a_namespace_goes_into_the_state_instead_of_the_uri(vault) -> None:
    url = vault.begin(redirect_uri=f"{BACK}?namespace=ns1%2Fns2")
    said = parameters(url)
    assert said["redirect_uri"] == BACK and said["state"].endswith(",ns=ns1/ns2")
    _, code = vault.issuer.authorize(url)
    assert vault.come_back(said["state"].partition(",")[0], code).status == 200
    vault.root.data("POST", "auth/oidc/config", {**CONFIG, "namespace_in_state": False})
    assert vault.begin(redirect_uri=f"{BACK}?namespace=ns1") == ""
    vault.role(allowed_redirect_uris=f"{BACK}?namespace=ns1")
    assert parameters(vault.begin(redirect_uri=f"{BACK}?namespace=ns1"))["redirect_uri"] == f"{BACK}?namespace=ns1"


# --- races


def overtaken(vault: Browsing, monkeypatch: pytest.MonkeyPatch, n: int, act: Callable[[], object]) -> None:
    """`act` is done right before the n-th commit from here, by another request."""
    commit, commits = vault.stack.barrier.commit, []

    def after(change: Commit) -> None:
        commits.append(change)
        if len(commits) == n:
            act()
        commit(change)

    monkeypatch.setattr(vault.stack.barrier, "commit", after)


def test_of_two_who_bring_a_state_at_once_one_shows_the_code(vault, monkeypatch) -> None:
    state, code = vault.issuer.authorize(vault.begin())
    first: list[int] = []
    overtaken(vault, monkeypatch, 1, lambda: first.append(vault.come_back(state, code).status))
    assert vault.come_back(state, code).json["errors"] == [NO_STATE]
    assert first == [200] and vault.issuer.asked.count("/token") == 1


@pytest.mark.parametrize("what", ["role", "config"])
def test_what_changes_after_the_look_is_not_gone_by(vault, monkeypatch, what) -> None:
    """Whom a role shuts out, once that is acknowledged, is not let in by what was looked at before."""
    state, code = vault.issuer.authorize(vault.begin())
    change = {"role": lambda: vault.role(bound_subject="jim")}.get(
        what, lambda: vault.root.data("POST", "auth/oidc/config", {"oidc_discovery_url": ISSUER})
    )
    overtaken(vault, monkeypatch, 2, change)  # the first is that of the state
    words = "the role or the configuration has changed meanwhile"
    assert vault.come_back(state, code).json["errors"] == [words]
    assert not [one for one in vault.stack.barrier.every(Token) if one.display_name == "oidc-joe"]
