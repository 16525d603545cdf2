"""auth/jwt: Vault HTTP API, "JWT/OIDC auth method"; words held to OpenBao 2.7.2."""

from __future__ import annotations

import hmac
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from tests import vaultstack
from tests.tokens import SigningKey, b64url, key_set

from keystead.core import operations as ops
from keystead.core.entities import Account, IdentityEntity, LoginSettings, Namespace, Token
from keystead.doors.vault.jwt import ONE_OF
from keystead.service.barrier import Commit
from keystead.service.credentials.keysets import AGAIN
from keystead.wire import jose

KEY, OTHER = SigningKey("ES256"), SigningKey("ES256")
UNKNOWN_KEY = (
    "error validating token: error verifying token signature: no known key successfully validated the token signature"
)
JWKS, ISSUER = "https://keys.test/jwks", "https://issuer.test/app"


def pem(key: SigningKey) -> str:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.private.public_key().public_bytes(*form).decode()


class Issued(vaultstack.Vault):
    def __init__(self) -> None:
        super().__init__()
        self.root.data("POST", "sys/auth/jwt", {"type": "jwt"})
        self.config(jwt_validation_pubkeys=[pem(KEY)], bound_issuer="iss")
        self.role(bound_audiences="a")

    def config(self, **fields) -> None:
        self.root.data("POST", "auth/jwt/config", fields)

    def role(self, name: str = "r", **fields) -> None:
        self.root.data("POST", f"auth/jwt/role/{name}", {"role_type": "jwt", "user_claim": "sub", **fields})

    def claims(self, **changed) -> dict:
        now = int(self.stack.clock.now().timestamp())
        claims = {"iss": "iss", "sub": "s", "aud": "a", "exp": now + 300, "iat": now, "nbf": now - 5, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def show(self, token: str, role: str = "r", **more):
        return self.nobody("POST", "auth/jwt/login", {"role": role, "jwt": token}, **more)

    def log_in(self, key: SigningKey = KEY, **changed):
        return self.show(key.token(self.claims(**changed)))

    def why(self, key: SigningKey = KEY, **changed) -> str:
        reply = self.log_in(key, **changed)
        assert reply.status == 400, reply.body
        return reply.json["errors"][0]


@pytest.fixture
def vault() -> Issued:
    return Issued()


def test_a_token_of_the_issuer_logs_in(vault) -> None:
    vault.role(bound_audiences=["a", "b"], token_policies="p", token_ttl="1h", claim_mappings={"/n/m": "team"})
    reply = vault.log_in(n={"m": "red"}, aud=["x", "b"])
    auth = reply.json["auth"]
    assert (auth["policies"], auth["lease_duration"], auth["orphan"]) == (["default", "p"], 3600, True)
    assert auth["metadata"] == {"role": "r", "team": "red"}
    token = vaultstack.Bearer(vault.stack, auth["client_token"])
    found = token.data("GET", "auth/token/lookup-self")
    assert (found["display_name"], found["path"]) == ("jwt-s", "auth/jwt/login")


def test_in_a_namespace_that_is_open(vault) -> None:
    """Who is vouched for rests on the namespace as everybody does who comes in: on record, and at the commit."""
    at, root, stack = {"x_vault_namespace": "ns1"}, vault.root, vault.stack
    fields = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "a"}
    for path, body in (
        ("sys/namespaces/ns1", {}),
        ("ns1/sys/auth/jwt", {"type": "jwt"}),
        ("ns1/auth/jwt/config", {"jwt_validation_pubkeys": [pem(KEY)], "bound_issuer": "iss"}),
        ("ns1/auth/jwt/role/only", fields),
    ):
        assert root("POST", path, body).status in {200, 204}, path
    text = KEY.token(vault.claims())
    auth = vault.show(text, "only", **at).json["auth"]
    assert vault.show(text, "only").status == 400
    entities = [one for one in stack.barrier.every(IdentityEntity) if one.id == auth["entity_id"]]
    (space,) = stack.barrier.every(Namespace)
    assert [one.tenant for one in entities] == [space.id]
    assert vaultstack.Bearer(stack, auth["client_token"])("GET", "auth/token/lookup-self").status == 200
    commit, came = stack.barrier.commit, []

    def overtaken(change: Commit) -> None:
        if not came:
            came.append(True)
            stack.by_system(ops.LockNamespace(tenant=ops.TenantRef(space.above), path="ns1"))
        commit(change)

    stack.barrier.commit = overtaken
    n_tokens = len(stack.barrier.every(Token))
    assert vault.show(text, "only", **at).status in {403, 503} and came
    assert len(stack.barrier.every(Token)) == n_tokens
    assert vault.show(text, "only", **at).status == 503


def test_a_role_of_batch_tokens_makes_one_that_nobody_keeps(vault) -> None:
    vault.role(bound_audiences=["a", "b"], token_policies="p", token_type="batch")
    auth = vault.log_in(aud="b").json["auth"]
    assert (auth["token_type"], auth["accessor"], auth["renewable"]) == ("batch", "", False)
    found = vaultstack.Bearer(vault.stack, auth["client_token"]).data("GET", "auth/token/lookup-self")
    assert (found["type"], found["path"], found["policies"]) == ("batch", "auth/jwt/login", ["default", "p"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"aud": "b"}, "invalid audience (aud) claim: audience claim does not match any expected audience"),
        ({"aud": None}, "invalid audience (aud) claim: audience claim does not match any expected audience"),
        ({"iss": "x"}, "invalid issuer (iss) claim"),
        ({"iss": None}, "invalid issuer (iss) claim"),
        ({"exp": -100}, "invalid expiration time (exp) claim: token is expired"),
        ({"nbf": 100}, "invalid not before (nbf) claim: token not yet valid"),
        ({"iat": 1000}, "invalid issued at (iat) claim: token issued in the future"),
        (
            {"exp": None, "nbf": None, "iat": None},
            "no issued at (iat), not before (nbf), or expiration time (exp) claims in token",
        ),
        ({"exp": True}, "the exp claim is no time"),
        ({"aud": 5}, "the aud claim is no text"),
    ],
)
def test_what_a_token_says_of_itself(vault, changed, words) -> None:
    now = int(vault.stack.clock.now().timestamp())
    times = {
        name: now + value if isinstance(value, int) and not isinstance(value, bool) and name != "aud" else value
        for name, value in changed.items()
    }
    assert vault.why(**times) == f"error validating token: {words}"


@pytest.mark.parametrize("changed", [{"exp": -10}, {"nbf": 50}, {"exp": None}, {"exp": None, "nbf": None}])
def test_clocks_that_differ_a_little(vault, changed) -> None:
    now = int(vault.stack.clock.now().timestamp())
    times = {name: None if value is None else now + value for name, value in changed.items()}
    assert vault.log_in(**times).status == 200


def test_a_role_without_leeway(vault) -> None:
    vault.role(clock_skew_leeway=-1)
    now = int(vault.stack.clock.now().timestamp())
    assert "expired" in vault.why(exp=now - 1)
    vault.role(clock_skew_leeway="5m")
    assert vault.log_in(exp=now - 200).status == 200


def test_a_token_that_has_an_audience_needs_a_role_that_has(vault) -> None:
    """CVE-2024-5798."""
    vault.role(bound_audiences="", bound_subject="s")
    assert vault.why() == "audience claim found in JWT but no audiences bound to the role"
    assert vault.log_in(aud=None).status == 200
    assert vault.why(aud=None, sub="t") == "error validating token: invalid subject (sub) claim"


@pytest.mark.parametrize(
    ("kind", "bound", "good", "bad"),
    [
        ("string", {"x": "1"}, [{"x": "1"}, {"x": ["1", "3"]}], [{"x": "2"}, {"x": 1}, {"x": ["3"]}, {"x": True}]),
        ("string", {"x": ["1", "a*"]}, [{"x": "1"}, {"x": "a*"}], [{"x": "ab"}]),
        ("string", {"/y/z": True}, [{"y": {"z": True}}], [{"y": {"z": False}}, {"y": {"z": 1}}, {"y": {"z": "true"}}]),
        ("string", {"/y/1": 2}, [{"y": [1, 2]}], [{"y": [2, 1]}, {"y": [1, True]}]),
        ("string", {"f": 1.5}, [{"f": 1.5}], [{"f": 1}]),
        (
            "glob",
            {"x": ["1", "a*c*"]},
            [{"x": "abcd"}, {"x": "ac"}, {"x": ["z", "1"]}],
            [{"x": "a"}, {"x": 1}, {"x": "bac"}],
        ),
    ],
)
def test_what_a_role_asks_of_claims(vault, kind, bound, good, bad) -> None:
    vault.role(bound_claims=bound, bound_claims_type=kind)
    (name,) = bound
    for claims in good:
        assert vault.log_in(**claims).status == 200, claims
    for claims in bad:
        words = f'error validating claims: claim "{name}" does not match any associated bound claim values'
        assert vault.why(**claims) == words, claims
    assert vault.why() == f'error validating claims: claim "{name}" is missing'


def test_who_it_is(vault) -> None:
    vault.role(user_claim="/n/m")
    assert vault.why(n={"m": "q"}) == 'claim "/n/m" not found in token'
    vault.role(user_claim="/n/m", user_claim_json_pointer=True)
    assert vault.log_in(n={"m": "q"}).status == 200
    assert vault.why(n={"m": 5}) == 'claim "/n/m" could not be converted to string'
    assert vault.why(n={"m": ""}) == 'claim "/n/m" not found in token'
    vault.role(groups_claim="g", user_claim_json_pointer=False)
    assert vault.why() == 'failed to fetch groups: "g" claim not found in token'
    assert vault.why(g={"a": 1}) == '"g" claim could not be converted to string list'
    assert [vault.log_in(g=groups).status for groups in ("x", ["x", "y"], [], [1])] == [200, 200, 200, 400]
    vault.role(groups_claim="", claim_mappings={"e": "email"})
    assert vault.why(e=5) == "error converting claim 'e' to string"


@pytest.mark.parametrize("written", ["e=email", ["e=email"], {"e": "email"}])
def test_mappings_may_be_written_as_at_a_terminal(vault, written) -> None:
    vault.role(claim_mappings=written)
    assert vault.root.data("GET", "auth/jwt/role/r")["claim_mappings"] == {"e": "email"}
    assert vault.log_in(e="a@b").json["auth"]["metadata"] == {"role": "r", "email": "a@b"}


def test_a_token_is_renewed_by_its_role_as_that_is_now(vault) -> None:
    vault.role(token_ttl="1h")
    token = vaultstack.Bearer(vault.stack, vault.log_in().json["auth"]["client_token"])
    vault.role(token_ttl="2h")
    assert token("POST", "auth/token/renew-self", {}).json["auth"]["lease_duration"] == 7200
    vault.root.data("DELETE", "auth/jwt/role/r")
    words = 'failed to renew entry: role "r" does not exist during renewal'
    assert token.refused("POST", "auth/token/renew-self", {}) == (400, words)


def test_what_a_role_is_not_given_anew_is_as_it_was(vault) -> None:
    vault.role(user_claim="sub", bound_audiences="a", token_ttl="1h")
    vault.root.data("POST", "auth/jwt/role/r", {"role_type": "jwt", "token_ttl": "2h"})
    assert vault.log_in().json["auth"]["lease_duration"] == 7200
    words = "a user claim must be defined on the role"
    assert vault.root.refused("POST", "auth/jwt/role/r", {"role_type": "jwt", "user_claim": ""}) == (400, words)


def test_a_token_out_of_a_file_may_end_in_a_line_feed(vault) -> None:
    assert vault.show(f"{KEY.token(vault.claims())}\n").status == 200


def test_words_before_a_token_is_looked_at(vault) -> None:
    assert vault.show("a.b.c", role="zz").json["errors"] == ['role "zz" could not be found']
    assert vault.show("a.b.c", role="").json["errors"] == ["missing role"]
    assert vault.show("").json["errors"] == ["missing token"]
    assert "compact JWS format must have three parts" in vault.show("abc").json["errors"][0]
    vault.config(jwt_validation_pubkeys=[pem(KEY)], default_role="R")
    assert vault.show(KEY.token(vault.claims()), role="").status == 200
    vault.root.data("POST", "sys/auth/other", {"type": "oidc"})
    answer = vault.nobody.refused("POST", "auth/other/login", {"role": "r", "jwt": "a.b.c"})
    assert answer == (400, "could not load configuration")


def test_a_role_of_the_browser_is_none_of_tokens(vault) -> None:
    vault.root.data("POST", "auth/jwt/role/o", {"user_claim": "sub", "allowed_redirect_uris": "http://localhost/cb"})
    answer = vault.show(KEY.token(vault.claims()), role="o").json["errors"]
    assert answer == ["role with oidc role_type is not allowed"]
    words = "OIDC login is not configured for this mount"
    at = "auth/jwt/oidc/auth_url"
    assert vault.nobody.refused("POST", at, {"role": "o", "redirect_uri": "http://localhost/cb"}) == (400, words)


# --- what nobody else can do (security.md §4-B)


def test_row_26_algorithms_are_not_the_tokens_to_choose(vault) -> None:
    """`none`, HMAC with the public key, an algorithm of another type, one that the mount does not list."""
    claims = json.dumps(vault.claims()).encode()
    text = pem(KEY).encode()
    head = b64url(json.dumps({"alg": "HS256"}).encode())
    signed = f"{head}.{b64url(claims)}"
    forged = [
        f"{b64url(json.dumps({'alg': 'none'}).encode())}.{b64url(claims)}.{b64url(b'x')}",
        f"{signed}.{b64url(hmac.digest(text, signed.encode(), 'sha256'))}",
        KEY.compact(json.dumps({"alg": "ES384"}).encode(), claims),
        KEY.compact(json.dumps({"alg": "RS256"}).encode(), claims),
        OTHER.compact(json.dumps({"alg": "ES256", "jwk": OTHER.jwk, "kid": "one"}).encode(), claims),
        OTHER.compact(json.dumps({"alg": "ES256", "jku": "https://evil.test/keys"}).encode(), claims),
    ]
    for token in forged:
        assert vault.show(token).json["errors"] == [UNKNOWN_KEY]
    vault.config(jwt_validation_pubkeys=[pem(KEY)], jwt_supported_algs="RS256")
    assert vault.why() == UNKNOWN_KEY
    unsigned = f"{b64url(json.dumps({'alg': 'none'}).encode())}.{b64url(claims)}."
    assert vault.show(unsigned).status == 400


@pytest.mark.parametrize("header", [{"crit": ["b64"], "b64": False}, {"zip": "DEF"}, {"enc": "A256GCM"}])
def test_a_header_that_changes_the_meaning(vault, header) -> None:
    assert vault.show(KEY.token(vault.claims(), **header)).status == 400


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"s","sub":"t","aud":"a","exp":9999999999}',
        b"[1]",
        b"5",
        b'{"sub":"s"',
        b"\xff",
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ],
)
def test_claims_that_can_be_read_in_two_ways(vault, payload) -> None:
    assert vault.show(KEY.token(payload)).status == 400


def test_a_token_that_is_too_long_is_not_looked_at(vault) -> None:
    assert vault.log_in(g=["x" * 20] * 900).status == 200
    assert "three parts" in vault.why(g="x" * jose.N_WHOLE)
    assert vault.why(g=[1] * (jose.N_CLAIMS + 1)).endswith("too many values")


def test_a_token_from_elsewhere(vault) -> None:
    """The peer is 203.0.113.7."""
    vault.role(token_bound_cidrs="10.0.0.0/8")
    assert vault.log_in().status == 403
    vault.role(token_bound_cidrs="203.0.113.0/24")
    assert vault.log_in().status == 200


def test_no_root_tokens(vault) -> None:
    vault.role(token_policies="root")
    assert vault.why() == "auth methods cannot create root tokens"


def test_the_record_names_role_and_subject_and_never_the_token(vault) -> None:
    text = KEY.token(vault.claims(sub="joe"))
    vault.show(text)
    vault.show(text, role="zz")
    lines = [line for _, line in vault.stack.store.records(0, 1000)] + vault.stack.journal.lines
    assert not any(text.split(".")[n].encode() in line for n in (1, 2) for line in lines)
    made = [one for one in vault.stack.records() if one.operation == "jwt write login"]
    assert [(one.who.via, one.who.name, one.outcome) for one in made[-2:]] == [
        ("r", "joe", "performed"),
        ("zz", "", "refused: InvalidArgument"),
    ]


# --- where keys come from


def fetched(vault, *keys: SigningKey, **header):
    vault.stack.login_keys[JWKS] = key_set(*keys)
    vault.config(jwks_url=JWKS)
    return vault


def test_keys_are_fetched_once_and_again_when_one_is_missing(vault) -> None:
    fetched(vault, KEY)
    assert [vault.log_in().status for _ in range(3)] == [200] * 3
    assert vault.stack.asked_for == [JWKS]
    new = SigningKey("RS256", kid="two")
    vault.stack.login_keys[JWKS] = key_set(KEY, new)
    assert vault.why(new) == UNKNOWN_KEY  # not more than once a minute, whoever asks
    vault.stack.clock.forward(timedelta(seconds=AGAIN + 1))
    assert vault.log_in(new).status == 200
    assert vault.stack.asked_for == [JWKS, JWKS]


def test_a_token_without_kid_is_tried_with_every_key(vault) -> None:
    fetched(vault, OTHER, SigningKey("ES256", kid="two"), SigningKey("ES256", kid="three"), KEY)
    assert vault.show(KEY.token(vault.claims(), kid=None)).status == 200
    assert vault.show(KEY.token(vault.claims(), kid="two")).json["errors"] == [UNKNOWN_KEY]


def test_one_mounts_keys_are_not_anothers(vault) -> None:
    fetched(vault, KEY)
    vault.root.data("POST", "sys/auth/other", {"type": "jwt"})
    vault.root.data("POST", "auth/other/config", {"jwks_url": "https://other.test/jwks"})
    vault.root.data("POST", "auth/other/role/r", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "a"})
    vault.stack.login_keys["https://other.test/jwks"] = key_set(OTHER)
    body = {"role": "r", "jwt": KEY.token(vault.claims())}
    assert vault.nobody.refused("POST", "auth/other/login", body) == (400, UNKNOWN_KEY)
    body["jwt"] = OTHER.token(vault.claims())
    assert vault.nobody("POST", "auth/other/login", body).status == 200


def test_an_issuer_that_is_away(vault) -> None:
    vault.config(oidc_discovery_url=ISSUER)
    assert vault.log_in().status == 503
    vault.stack.login_keys[ISSUER] = key_set(KEY)
    vault.stack.clock.forward(timedelta(seconds=AGAIN))
    assert vault.log_in().status == 200


# --- configuration


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {},
            ONE_OF,
        ),
        ({"jwks_url": JWKS, "oidc_discovery_url": ISSUER}, "exactly one of"),
        ({"jwt_validation_pubkeys": ["nope"]}, "error parsing public key: data does not contain any valid public keys"),
        (
            {"jwt_validation_pubkeys": [pem(KEY)], "jwt_supported_algs": ["HS256"]},
            'invalid jwt_supported_algs: unsupported signing algorithm "HS256"',
        ),
        ({"jwks_url": JWKS, "jwks_ca_pem": "nope"}, "error checking jwks_ca_pem"),
        (
            {"oidc_discovery_url": ISSUER, "oidc_discovery_ca_pem": "x"},
            "error checking oidc discovery URL: could not parse CA PEM value successfully",
        ),
        ({"jwks_url": "http://keys.test/jwks"}, "error checking jwks URL"),
        ({"oidc_discovery_url": "file:///etc/passwd"}, "error checking oidc discovery URL"),
        (
            {"jwks_url": JWKS, "oidc_client_id": "x", "oidc_client_secret": "y"},
            "'oidc_discovery_url' must be set for OIDC",
        ),
        ({"jwks_url": JWKS, "jwks_pairs": [{"jwks_url": JWKS}]}, "jwks_pairs is not offered"),
        (
            {"jwks_url": JWKS, "override_allowed_server_names": ["other.test"]},
            "override_allowed_server_names is not offered",
        ),
    ],
)
def test_a_configuration_that_cannot_be(vault, fields, words) -> None:
    status, said = vault.root.refused("POST", "auth/jwt/config", fields)
    assert status == 400 and said.startswith(words)


def test_a_configuration_is_told(vault) -> None:
    found = vault.root.data("GET", "auth/jwt/config")
    assert found["jwt_validation_pubkeys"] == [pem(KEY).strip()] and found["bound_issuer"] == "iss"
    assert {"jwks_url", "oidc_discovery_url", "default_role", "status"} <= found.keys()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "a user claim must be defined on the role"),
        ({"role_type": "x"}, "invalid 'role_type': x"),
        (
            {"role_type": "jwt", "user_claim": "sub"},
            "must have at least one bound constraint when creating/updating a role",
        ),
        ({"user_claim": "sub"}, "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified."),
        (
            {"role_type": "jwt", "user_claim": "sub", "bound_claims": {"a": "b"}, "bound_claims_type": "x"},
            "invalid 'bound_claims_type': x",
        ),
        (
            {"role_type": "jwt", "user_claim": "sub", "bound_claims": {"a": 5}, "bound_claims_type": "glob"},
            "claim is not a string: 5",
        ),
        (
            {"role_type": "jwt", "user_claim": "sub", "claim_mappings": {"a": "x", "b": "x"}},
            'multiple keys are mapped to metadata key "x"',
        ),
        (
            {"role_type": "jwt", "user_claim": "sub", "claim_mappings": {"a": "role"}},
            'metadata key "role" is reserved and may not be a mapping destination',
        ),
        (
            {"role_type": "jwt", "user_claim": "sub", "bound_subject": "s", "token_num_uses": -1},
            "'token_num_uses' cannot be negative",
        ),
        (
            {"role_type": "jwt", "user_claim": "sub", "bound_subject": "s", "verbose_oidc_logging": True},
            "verbose_oidc_logging is not offered: what tokens say is not logged",
        ),
        (
            {"role_type": "jwt", "user_claim": "sub", "bound_subject": "s", "oauth2_metadata": ["access_token"]},
            "oauth2_metadata is not offered",
        ),
    ],
)
def test_a_role_that_cannot_be(vault, fields, words) -> None:
    assert vault.root.refused("POST", "auth/jwt/role/new", fields) == (400, words)
    assert vault.root.refused("GET", "auth/jwt/role/new") == (404, "")


def test_roles_are_read_changed_listed_deleted(vault) -> None:
    vault.role("Upper", bound_subject="s", bound_claims={"a": [1, "x"]}, token_policies="P", expiration_leeway=-5)
    vault.role("upper", token_ttl="1h")
    found = vault.root.data("GET", "auth/jwt/role/upper")
    assert (found["bound_subject"], found["bound_claims"], found["token_policies"]) == ("s", {"a": [1, "x"]}, ["p"])
    assert (found["token_ttl"], found["expiration_leeway"], found["bound_audiences"]) == (3600, -5, None)
    assert vault.root.data("LIST", "auth/jwt/role") == {"keys": ["r", "upper"]}
    vault.root.data("DELETE", "auth/jwt/role/r")
    assert vault.show(KEY.token(vault.claims())).json["errors"] == ['role "r" could not be found']


def test_nobody_else_writes_roles_or_settings(vault) -> None:
    token = vault.root.token(policies=["none"])
    for who in (token, vault.nobody):
        assert who.refused("POST", "auth/jwt/role/r", {"user_claim": "sub"})[0] == 403
        assert who.refused("POST", "auth/jwt/config", {"jwks_url": "https://evil.test/"})[0] == 403
        assert who.refused("GET", "auth/jwt/config")[0] == 403


def test_a_login_may_be_wrapped(vault) -> None:
    info = vault.show(KEY.token(vault.claims()), wrap="60s").json["wrap_info"]
    inside = vault.nobody("POST", "sys/wrapping/unwrap", {"token": info["token"]})
    assert vaultstack.Bearer(vault.stack, inside.json["auth"]["client_token"]).is_good()


def test_disabling_the_method_ends_whoever_came_by_it(vault) -> None:
    token = vaultstack.Bearer(vault.stack, vault.log_in().json["auth"]["client_token"])
    assert token.is_good()
    assert vault.root("DELETE", "sys/auth/jwt").status == 204
    assert not token.is_good() and vault.root.is_good()
    barrier = vault.stack.barrier
    assert [len(barrier.every(kind, limit=10)) for kind in (Account, LoginSettings, Token)] == [0, 0, 1]


def test_a_method_that_moves_takes_its_roles_along(vault) -> None:
    vault.root.data("POST", "sys/remount", {"from": "auth/jwt", "to": "auth/ci"})
    body = {"role": "r", "jwt": KEY.token(vault.claims())}
    assert vault.nobody("POST", "auth/ci/login", body).status == 200
