"""transit's declarations beside OpenBao's own OpenAPI document; every use in every state of a key; anything at all."""

from __future__ import annotations

import random
from base64 import b64encode
from typing import get_type_hints

import pytest
from tests import harness
from tests.doors.vault.conftest import mounted
from tests.openbao import OpenApi, openbao

from keystead.core import operations as ops
from keystead.core.entities import Binding
from keystead.doors import vault
from keystead.doors.vault import transit
from keystead.kit.routes import captures
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import kind_of

SEED = 20261126
LEFT_OUT = {
    "issuer_ref",
    "context",  # of operations that look at none of it
}
OF_VAULT = {"managed_key_id", "managed_key_name"}  # OpenBao has no managed keys
UNDOCUMENTED = {
    "write": OF_VAULT,
    "read": {"context", "hash", "format"},
}  # of a query, and the server takes them
WIDER = {"batch_input", "salt_length"}  # read as whatever they are, and looked at by the operation
UNASKED = {"cache-config"}  # it says that it can be created, and has nothing that would look


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield OpenApi(peer.openapi())


@pytest.mark.client
@pytest.mark.parametrize("operation", transit.OPERATIONS, ids=lambda op: op.name)
def test_parameters_are_those_of_the_document(document, operation):
    path = f"transit/{operation.path.removesuffix('/?')}"
    if path == "transit/random/{urlbytes}":
        path = "transit/random/{source}"  # two templates of the document at one place
    said = document.at(operation.method, path)
    hints = get_type_hints(operation.request, include_extras=True)
    fields = {name: kind_of(hint) for name, hint in hints.items() if name in operation.request.__struct_fields__}
    theirs = set(said.parameters)
    if "random" in path:
        theirs -= {"source", "urlbytes"}  # of the path
    unknown = set(fields) - theirs - captures(operation.path)
    assert not unknown - UNDOCUMENTED.get(operation.method, set()), (
        f"parameters that the document does not know: {unknown}"
    )
    assert theirs - set(fields) <= LEFT_OUT | captures(path), theirs - set(fields)
    for name, kind in fields.items():
        if name in said.parameters and name not in WIDER:
            assert kind in said.parameters[name].kinds | ({Kind.TEXT} if name == "urlbytes" else set()), (name, kind)
    asks = said.asks_existence and operation.path not in UNASKED
    assert operation.creates == asks and operation.sudo == said.needs_sudo


@pytest.mark.client
def test_every_path_of_the_document_is_offered(document):
    theirs = {path.removeprefix("transit/") for _, path in document.operations() if path.startswith("transit/")}
    ours = {_nameless(op.path) for op in transit.OPERATIONS}
    assert {path for path in theirs if _nameless(path) not in ours} == set()


def _nameless(path: str) -> str:
    parts = path.removesuffix("/?").removesuffix("/").split("/")
    return "/".join("{}" if part.startswith("{") else part for part in parts)


# --- states

HELLO = b64encode(b"hello").decode()
SIGNED = "vault:v1:" + b64encode(bytes(64)).decode()
USES = {
    "encrypt": {"plaintext": HELLO},
    "decrypt": {"ciphertext": "sealed"},
    "rewrap": {"ciphertext": "sealed"},
    "datakey/plaintext": {},
    "datakey/wrapped": {},
    "sign": {"input": HELLO},
    "verify": {"input": HELLO, "signature": SIGNED},
    "hmac": {"input": HELLO},
}


@pytest.mark.parametrize("kind", ["aes256-gcm96", "rsa-2048"])
@pytest.mark.parametrize("use", USES)
def test_a_key_out_of_service_does_nothing_here_either(kind, use):
    stack = harness.stack()
    ring = stack.barrier.get(Binding, f"aws:{harness.TENANT}:{harness.REGION}").keyring
    stack.by_system(ops.BindKeyring(keyring=ring, namespace=f"vault:{harness.TENANT}:transit"))
    root, kms = stack.bearer(), stack.admin.client("kms")
    root.data("POST", "transit/keys/a", type=kind)
    key_id = kms.list_keys()["Keys"][0]["KeyId"]
    fields = dict(USES[use])
    if "ciphertext" in fields:
        fields["ciphertext"] = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    able = not (use in {"sign", "verify"} and kind == "aes256-gcm96")
    assert root.call("POST", f"transit/{use}/a", **fields).status == (200 if able else 400)
    for stop, start in (
        (lambda: kms.disable_key(KeyId=key_id), lambda: kms.enable_key(KeyId=key_id)),
        (
            lambda: kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7),
            lambda: (kms.cancel_key_deletion(KeyId=key_id), kms.enable_key(KeyId=key_id)),
        ),
    ):
        stop()
        status, words = root.refusal("POST", f"transit/{use}/a", **fields)
        assert words and status == (500 if "1 error occurred" in words else 400)  # as sign says it of itself
        start()
        assert root.call("POST", f"transit/{use}/a", **fields).status == (200 if able else 400)


# --- anything at all


def test_whatever_is_sent_is_answered_and_nothing_is_internal(shared):
    """Three thousand requests of odd values at every path: no 500 but those that Vault says itself, no bare error."""
    rng = random.Random(SEED)
    odd = [None, True, -1, 0, 7, 2**63, 1.5, "", "x", HELLO, "vault:v1:" + HELLO, "ÿ\u0000", [], [{}], {}, {"a": [1]}]
    names = sorted({name for op in transit.OPERATIONS for name in op.request.__struct_fields__})
    for name, kind in (("a", "aes256-gcm96"), ("p", "ecdsa-p256"), ("h", "hmac"), ("c", "xchacha20-poly1305")):
        shared.data("POST", f"transit/keys/{name}", type=kind, **({"key_size": 32} if kind == "hmac" else {}))
    verbs = {"read": "GET", "write": "POST", "list": "LIST", "delete": "DELETE"}
    for n in range(3000):
        op = rng.choice(transit.OPERATIONS)
        path = op.path.removesuffix("/?")
        for capture in captures(op.path):
            path = path.replace(
                f"{{{capture}}}", rng.choice(["a", "p", "h", "c", "nope", "plaintext", "8", "sha2-256"])
            )
        fields = {rng.choice(names): rng.choice(odd) for _ in range(rng.randrange(4))}
        if n % 5 == 0:
            fields["batch_input"] = [rng.choice(odd), {rng.choice(names): rng.choice(odd)}]
        reply = shared.call(verbs[op.method], f"transit/{path}", **fields)
        assert reply.status in {200, 204, 400, 404, 500, 501}, (op.name, fields, reply)
        if reply.status == 500:
            assert "internal error" not in reply.body.decode(), (op.name, path, fields)
            assert reply.json["errors"][0].startswith("1 error occurred"), (op.name, path, fields, reply.body)


def test_the_operations_are_part_of_the_door():
    assert set(transit.OPERATIONS) <= set(vault.DOOR.operations)
    assert mounted().bearer().refusal("GET", "transit/nothing")[0] == 404
