"""auth/kubernetes: Vault HTTP API, "Kubernetes auth method"; words held to OpenBao 2.7.2."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from tests import vaultstack
from tests.harness import FAR
from tests.tokens import SigningKey

from keystead.core.entities import Account, LoginSecret, LoginSettings, Token
from keystead.core.errors import WrongState
from keystead.service.credentials.reviews import PATH

KEY, OTHER = SigningKey("ES256"), SigningKey("ES256")
HOST, CA = "https://cluster.test:6443", "-----BEGIN CERTIFICATE-----\nits own\n-----END CERTIFICATE-----"
USER = {"username": "system:serviceaccount:default:app", "uid": "u-1", "groups": ["system:serviceaccounts"]}
AUDIENCE = "https://kubernetes.default.svc"
SHARE = FAR // 2
DENIED = (403, "permission denied")


class Cluster:
    """An API server that knows one account."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, str], Any, str]] = []
        self.code, self.status = 201, {"authenticated": True, "user": USER, "audiences": [AUDIENCE]}

    def __call__(self, headers: dict[str, str], body: Any, authorities: str) -> tuple[int, bytes]:
        self.asked.append((headers, body, authorities))
        review = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": self.status}
        return self.code, json.dumps(review).encode()


class Clustered(vaultstack.Vault):
    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()
        self.stack.clusters[HOST + PATH] = self.cluster
        self.root.data("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        self.config(token_reviewer_jwt="reviewer.of.tokens")
        self.role()

    def config(self, **fields) -> None:
        said = {"kubernetes_host": HOST, "kubernetes_ca_cert": CA, **fields}
        self.root.data("POST", "auth/kubernetes/config", said)

    def role(self, **fields) -> None:
        bound = {"bound_service_account_names": "app", "bound_service_account_namespaces": "default"}
        self.root.data("POST", "auth/kubernetes/role/r", {**bound, **fields})

    def token(self, key: SigningKey = KEY, **changed) -> str:
        now = int(self.stack.clock.now().timestamp())
        bound = {"namespace": "default", "serviceaccount": {"name": "app", "uid": "u-1"}}
        claims = {"iss": "kubernetes/serviceaccount", "aud": [AUDIENCE], "exp": now + 3000, "kubernetes.io": bound}
        return key.token({name: value for name, value in (claims | changed).items() if value is not None})

    def log_in(self, jwt: str | None = None, role: str = "r", **changed):
        said = self.token(**changed) if jwt is None else jwt
        return self.nobody("POST", "auth/kubernetes/login", {"role": role, "jwt": said})

    def why(self, jwt: str | None = None, role: str = "r", **changed) -> tuple[int, str]:
        reply = self.log_in(jwt, role, **changed)
        return reply.status, "".join(reply.json["errors"])


@pytest.fixture
def vault() -> Clustered:
    return Clustered()


def test_a_service_account_logs_in(vault) -> None:
    vault.role(token_policies="p", token_ttl="1h")
    auth = vault.log_in().json["auth"]
    assert (auth["policies"], auth["lease_duration"]) == (["default", "p"], 3600)
    assert auth["metadata"] == {
        "role": "r",
        "service_account_name": "app",
        "service_account_namespace": "default",
        "service_account_secret_name": "",
        "service_account_uid": "u-1",
    }
    found = vaultstack.Bearer(vault.stack, auth["client_token"]).data("GET", "auth/token/lookup-self")
    assert found["display_name"] == "kubernetes-default-app"


def test_a_token_is_renewed_by_its_role_as_that_is_now(vault) -> None:
    vault.role(token_period="1h")
    token = vaultstack.Bearer(vault.stack, vault.log_in().json["auth"]["client_token"])
    vault.role(token_period="2h")
    assert token("POST", "auth/token/renew-self", {}).json["auth"]["lease_duration"] == 7200
    vault.root.data("DELETE", "auth/kubernetes/role/r")
    words = 'failed to renew entry: role "r" does not exist during renewal'
    assert token.refused("POST", "auth/token/renew-self", {}) == (400, words)


def test_what_the_api_server_is_asked(vault) -> None:
    token = vault.token()
    vault.log_in(token)
    ((headers, body, authorities),) = vault.cluster.asked
    assert headers["Authorization"] == "Bearer reviewer.of.tokens" and authorities == CA
    assert (body["kind"], body["spec"]) == ("TokenReview", {"token": token, "audiences": [AUDIENCE]})
    assert vault.log_in(f"{token}\n").status == 200  # out of a file
    assert vault.cluster.asked[-1][1]["spec"]["token"] == token
    vault.config()  # without a reviewer it is the token itself that is shown
    vault.log_in(token)
    assert vault.cluster.asked[-1][0]["Authorization"] == f"Bearer {token}"


OLD = "kubernetes.io/serviceaccount"


def test_an_old_token_of_a_secret(vault) -> None:
    old = {
        "kubernetes.io": None,
        f"{OLD}/namespace": "default",
        f"{OLD}/service-account.name": "app",
        f"{OLD}/service-account.uid": "u-1",
        f"{OLD}/secret.name": "kept",
    }
    assert vault.log_in(**old).json["auth"]["metadata"]["service_account_secret_name"] == "kept"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"kubernetes.io": {"namespace": "other", "serviceaccount": {"name": "app", "uid": "u-1"}}},
            "namespace not authorized",
        ),
        (
            {"kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "app2", "uid": "u-1"}}},
            "service account name not authorized",
        ),
        ({"kubernetes.io": None}, "service account name not authorized"),
        ({"kubernetes.io": {"serviceaccount": "app"}}, "service account name not authorized"),
        ({"exp": 5}, "invalid expiration time (exp) claim: token is expired"),
        ({"nbf": 99999999999}, "invalid not before (nbf) claim: token not yet valid"),
    ],
)
def test_who_is_not_let_in_is_not_asked_about(vault, changed, words) -> None:
    assert vault.why(**changed) == (403, words)
    assert vault.cluster.asked == []


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False},
        {"authenticated": True, "user": USER, "audiences": [AUDIENCE], "error": "bad things"},
        {"authenticated": True, "user": USER, "audiences": ["other"]},
        {"authenticated": True, "user": USER},
        {"authenticated": True, "user": {**USER, "uid": "u-2"}, "audiences": [AUDIENCE]},
        {"authenticated": True, "user": {**USER, "username": "joe"}, "audiences": [AUDIENCE]},
        {
            "authenticated": True,
            "user": {**USER, "username": "system:serviceaccount:default:root"},
            "audiences": [AUDIENCE],
        },
        {"authenticated": True, "user": {**USER, "uid": ""}, "audiences": [AUDIENCE]},
        {"authenticated": "yes", "user": USER, "audiences": [AUDIENCE]},
        {},
    ],
)
def test_what_the_api_server_says_counts(vault, status) -> None:
    vault.cluster.status = status
    assert vault.why() == DENIED


def test_an_account_without_a_uid_is_nobody(vault) -> None:
    vault.cluster.status = {"authenticated": True, "user": {**USER, "uid": ""}, "audiences": [AUDIENCE]}
    nameless = {"namespace": "default", "serviceaccount": {"name": "app", "uid": ""}}
    assert vault.why(**{"kubernetes.io": nameless}) == DENIED


@pytest.mark.parametrize("code", [301, 401, 403, 404, 500])
def test_an_answer_that_is_none(vault, code) -> None:
    vault.cluster.code = code
    assert vault.why() == DENIED


def test_an_api_server_that_is_away(vault) -> None:
    vault.config(kubernetes_host="https://nowhere.test")
    assert vault.why() == DENIED


def test_words_before_a_token_is_looked_at(vault) -> None:
    assert vault.why(role="zz") == (400, 'invalid role name "zz"')
    assert vault.why(role="") == (400, "missing role")
    assert vault.why("") == (400, "missing jwt")
    assert vault.why("abc") == DENIED


def test_bounds_with_wildcards(vault) -> None:
    vault.role(bound_service_account_names="ap*", bound_service_account_namespaces="def*")
    assert vault.log_in().status == 200
    vault.role(bound_service_account_names="*", bound_service_account_namespaces="*")
    assert vault.log_in().status == 200
    vault.role(bound_service_account_names="ap", bound_service_account_namespaces="*")
    assert vault.why()[1] == "service account name not authorized"


def test_an_audience_that_the_role_asks(vault) -> None:
    vault.role(audience="vault")
    assert vault.why()[1].startswith("invalid audience (aud) claim")
    vault.cluster.status["audiences"] = ["vault"]
    assert vault.log_in(aud=["vault"]).status == 200
    assert vault.cluster.asked[-1][1]["spec"]["audiences"] == ["vault"]


def test_keys_of_the_cluster_are_looked_at_first(vault) -> None:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    vault.config(pem_keys=[KEY.private.public_key().public_bytes(*form).decode()])
    assert vault.log_in().status == 200
    assert vault.why(key=OTHER) == DENIED
    assert len(vault.cluster.asked) == 1


def test_an_issuer_is_looked_at_where_it_is_asked_for(vault) -> None:
    assert vault.log_in(iss="bob").status == 200
    vault.config(disable_iss_validation=False)
    assert (vault.log_in().status, vault.why(iss="bob")) == (200, (403, "invalid issuer (iss) claim"))
    vault.config(disable_iss_validation=False, issuer="bob")
    assert vault.log_in(iss="bob").status == 200


def test_from_elsewhere(vault) -> None:
    """The peer is 203.0.113.7."""
    vault.role(token_bound_cidrs="10.0.0.0/8")
    assert vault.log_in().status == 403


def test_a_server_that_hangs_holds_no_more_than_its_share(vault) -> None:
    """The ones beyond it are answered at once, whatever the others wait for."""
    going, release = threading.Semaphore(0), threading.Event()

    def hanging(_headers: Any, _body: Any, _authorities: str) -> tuple[int, bytes]:
        going.release()
        release.wait(60)
        return 500, b""

    vault.stack.clusters[HOST + PATH] = hanging
    token, codes = vault.token(), []
    waiting = [threading.Thread(target=lambda: codes.append(vault.log_in(token).status)) for _ in range(SHARE)]
    for thread in waiting:
        thread.start()
    assert all(going.acquire(timeout=60) for _ in waiting)
    assert vault.log_in(token).status == 503
    release.set()
    for thread in waiting:
        thread.join(60)
    assert codes == [403] * SHARE


# --- what is kept


def test_the_reviewers_token_is_sealed_told_to_nobody_and_destroyed(vault) -> None:
    barrier = vault.stack.barrier
    (first,) = barrier.every(LoginSecret, limit=10)
    assert barrier.material(first).reveal() == b"reviewer.of.tokens"
    assert "reviewer.of.tokens" not in json.dumps(vault.root("GET", "auth/kubernetes/config").json)
    vault.config(token_reviewer_jwt="another.of.them")
    (second,) = barrier.every(LoginSecret, limit=10)
    assert barrier.material(second).reveal() == b"another.of.them"
    with pytest.raises(WrongState):
        barrier.material(first)
    vault.config()
    assert barrier.every(LoginSecret, limit=10) == []
    assert vault.root.data("GET", "auth/kubernetes/config")["token_reviewer_jwt_set"] is False
    vault.config(token_reviewer_jwt="third.of.them")
    (third,) = barrier.every(LoginSecret, limit=10)
    assert vault.root("DELETE", "sys/auth/kubernetes").status == 204
    assert [len(barrier.every(kind, limit=10)) for kind in (Account, LoginSettings, LoginSecret, Token)] == [0, 0, 0, 1]
    with pytest.raises(WrongState):
        barrier.material(third)


def test_no_token_is_on_record(vault) -> None:
    token = vault.token()
    vault.log_in(token)
    vault.cluster.code = 500
    vault.log_in(token)
    lines = [line for _, line in vault.stack.store.records(0, 1000)] + vault.stack.journal.lines
    secrets = [b"reviewer.of.tokens", *(part.encode() for part in token.split(".")[1:])]
    assert not any(secret in line for secret in secrets for line in lines)
    made = [one for one in vault.stack.records() if one.operation == "kubernetes write login"]
    assert [(one.who.via, one.who.name, one.why) for one in made] == [("r", "default/app", ""), ("r", "", "no answer")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "no host provided"),
        (
            {"kubernetes_host": HOST, "disable_local_ca_jwt": True},
            "kubernetes_ca_cert must be given when disable_local_ca_jwt is true",
        ),
        ({"kubernetes_host": HOST, "pem_keys": ["x"]}, "data does not contain any valid public keys"),
        ({"kubernetes_host": "http://cluster.test"}, "kubernetes_host: it has to be an https:// URL"),
        ({"kubernetes_host": "file:///etc/passwd"}, "kubernetes_host: it has to be an https:// URL"),
        ({"kubernetes_host": HOST, "token_reviewer_jwt": "é"}, "token_reviewer_jwt is no token"),
    ],
)
def test_a_configuration_that_cannot_be(vault, fields, words) -> None:
    assert vault.root.refused("POST", "auth/kubernetes/config", fields) == (400, words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, '"bound_service_account_names" can not be empty'),
        (
            {"bound_service_account_names": "a"},
            '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not '
            "set",
        ),
        (
            {"bound_service_account_names": "*,a", "bound_service_account_namespaces": "x"},
            'can not mix "*" with values',
        ),
        (
            {
                "bound_service_account_names": "a",
                "bound_service_account_namespaces": "x",
                "alias_name_source": "z",
            },
            "invalid alias_name_source, must be one of: serviceaccount_uid, serviceaccount_name",
        ),
        (
            {"bound_service_account_names": "a", "bound_service_account_namespace_selector": "{}"},
            "bound_service_account_namespace_selector is not offered",
        ),
    ],
)
def test_a_role_that_cannot_be(vault, fields, words) -> None:
    assert vault.root.refused("POST", "auth/kubernetes/role/new", fields) == (400, words)


def test_roles_are_read_changed_listed_deleted(vault) -> None:
    vault.role(token_policies="p")
    vault.root.data("POST", "auth/kubernetes/role/r", {"token_ttl": "1h"})
    found = vault.root.data("GET", "auth/kubernetes/role/r")
    assert (found["bound_service_account_names"], found["token_policies"], found["token_ttl"]) == (["app"], ["p"], 3600)
    assert found["alias_name_source"] == "serviceaccount_uid" and "audience" not in found
    assert vault.root.data("LIST", "auth/kubernetes/role") == {"keys": ["r"]}
    vault.root.data("DELETE", "auth/kubernetes/role/r")
    assert vault.root.refused("GET", "auth/kubernetes/role/r") == (404, "")
