"""Whatever comes at whichever path: an answer in Vault's words, and never one that says something went wrong inside."""

import random
import re

import pytest
from tests import vaultstack

from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint

AT = {"system": "sys/"} | {
    name: f"auth/{name}/" for name in ("token", "userpass", "approle", "jwt", "kubernetes", "cert")
}
METHODS = {"read": "GET", "write": "POST", "list": "LIST", "delete": "DELETE", "scan": "SCAN", "patch": "PATCH"}
BODIED = {"write", "patch"}
ODD = (
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x",
    "1h",
    "-1h",
    "\u0000",
    "é",
    "a" * 5000,
    [],
    ["a", 1],
    [{}],
    {},
    {"a": []},
    "..",
    "root",
)
WORDS = ("a", "root", "default", "..x", "%20", "%00", "%ff", "a%2Fb", "token", "kv", "é", "x" * 300, "tune", "login")
ENDPOINTS = [op for op in door.DOOR.operations if isinstance(op, Endpoint) and op.engine in AT]


@pytest.fixture(scope="module")
def vault():
    made = vaultstack.door()
    made.stack.view.loop_thread = None
    for engine in ("userpass", "approle", "jwt", "kubernetes", "cert"):
        made.root.data("POST", f"sys/auth/{engine}", {"type": engine})
    return made


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda op: op.name)
def test_nothing_goes_wrong_inside(vault, endpoint) -> None:
    rng, root = random.Random(endpoint.name), vault.root.token(policies=["root"])  # it may revoke itself
    seen = set()
    fields = endpoint.request.__struct_encode_fields__
    for n in range(12):
        path = AT[endpoint.engine] + re.sub(r"\{[^}]*\}", lambda _: rng.choice(WORDS), endpoint.path).removesuffix("?")
        body = {name: rng.choice(ODD) for name in (*fields, "other") if rng.random() < 0.6} if n else {}
        headers = {"content_type": "application/merge-patch+json"} if endpoint.verb.value == "patch" else {}
        reply = root(METHODS[endpoint.verb.value], path, body if endpoint.verb.value in BODIED else None, **headers)
        assert b"internal error" not in reply.body, (path, body)
        assert reply.status != 503, (path, body)
        seen.add(reply.status)
    assert seen != {403}
