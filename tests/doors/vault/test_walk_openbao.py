# ruff: noqa: E501 - tables
"""Every parameter of some paths, with values of every kind, to a real OpenBao and to ours (peer/walk.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http.client import RemoteDisconnected
from typing import Any

import pytest
from tests.doors.vault.peer.ask import Ask, Side, post, put
from tests.doors.vault.peer.meant import MEANT, Meant, reason
from tests.doors.vault.peer.walk import asks
from tests.doors.vault.test_openbao import emptied, ours, theirs
from tests.openbao import OpenApi, openbao

pytestmark = pytest.mark.client
HELLO = "aGVsbG8="
NAMES = {"urlalgorithm": "sha2-512", "urlbytes": "8", "type": "encryption-key"}
"""What stands for a capture; any other is "app"."""
BASES: dict[str, dict[str, Any]] = {
    "kv/{path}": {"a": "b"},
    "cubbyhole/{path}": {"a": "b"},
    "two/delete/{path}": {"versions": [1]},
    "two/undelete/{path}": {"versions": [1]},
    "two/destroy/{path}": {"versions": [1]},
    "transit/hash": {"input": HELLO},
    "transit/hash/{urlalgorithm}": {"input": HELLO},
    "transit/decrypt/{name}": {"ciphertext": "{c}"},
    "transit/keys/{name}/trim": {"min_available_version": 1},
    "sys/tools/hash": {"input": HELLO},
    "sys/remount": {"from": "none", "to": "other"},
    "sys/leases/lookup": {"lease_id": "none/x"},
    "sys/leases/renew": {"lease_id": "none/x"},
    "sys/capabilities-self": {"paths": ["kv/a"]},
    "sys/capabilities-accessor": {"accessor": "{accessor}", "paths": ["kv/a"]},
    "auth/token/lookup-accessor": {"accessor": "{accessor}"},
    "auth/token/renew-accessor": {"accessor": "{accessor}"},
    "auth/userpass/users/{username}/password": {"password": "pw"},
    "auth/approle/role/{role_name}/secret-id/lookup": {"secret_id": "{secret}"},
    "auth/approle/role/{role_name}/token-ttl": {"token_ttl": "1h"},
    "auth/approle/role/{role_name}/secret-id-num-uses": {"secret_id_num_uses": 3},
    "auth/approle/role/{role_name}/bind-secret-id": {"bind_secret_id": True},
    "identity/oidc/key/{name}": {},
    "identity/lookup/entity": {"name": "app"},
    "identity/lookup/group": {"name": "app"},
}
"""Path -> a body that it takes."""
ALSO_MEANT = (
    Meant(r"^(GET|LIST|DELETE) ", "^404 .*unsupported path", "^405 .*unsupported operation", "a slash at its end makes another path of it, which is not there"),
    Meant(r"^LIST .*unknown=1", "^404 $", "^200 .*unrecognized", "a folder with nothing in it is not there, whatever is remarked upon"),
)  # fmt: skip
"""Beside what peer/meant.py has."""
READY = (
    post("two/data/app", {"data": {"a": "b"}}),
    post("kv/app", {"a": "b"}),
    post("cubbyhole/app", {"a": "b"}),
    post("transit/keys/app", {}),
    post("transit/encrypt/app", {"plaintext": HELLO}, keep={"c": "data.ciphertext"}),
    post("identity/entity", {"name": "app"}),
    post("identity/group", {"name": "app"}),
    put("sys/policies/acl/empty", {"policy": 'path "none" { capabilities = ["read"] }'}),
    post("auth/token/create", {"policies": ["empty"], "no_default_policy": True}, keep={"low": "auth.client_token"}),
    post("auth/token/create", {"policies": ["empty"]}, keep={"accessor": "auth.accessor"}),
    post("auth/userpass/users/app", {"password": "pw"}),
    post("auth/approle/role/app", {}),
    post("auth/approle/role/app/secret-id", {}, keep={"secret": "data.secret_id"}),
)


def prepared(*sides: Side) -> None:
    emptied(*sides)
    for side in sides:
        for one in READY:
            status, said = side.ask(one)
            assert status in {200, 204}, (one.line, said)


def differing(mine: Side, other: Side, every: Iterable[Ask], also: tuple[Meant, ...] = ALSO_MEANT) -> Iterator[str]:
    for one in every:
        a = mine.ask(one)
        try:
            b = other.ask(one)
        except RemoteDisconnected:  # as OpenBao 2.7.2 does where a role's token_type is no text
            yield f"{one.line[:300]}\n    ours   {str(a)[:600]}\n    theirs breaks the connection"
            continue
        if a != b and reason(one, a, b, (*MEANT, *also)) is None:
            yield f"{one.line[:300]}\n    ours   {str(a)[:600]}\n    theirs {str(b)[:600]}"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("peer")) as peer:
        peer.json("POST", "sys/mounts/two", {"type": "kv-v2"})
        document = OpenApi(peer.openapi())
        sides = ours(), theirs(peer)
        prepared(*sides)
        yield document, sides


@pytest.mark.parametrize("template", BASES)
def test_both_answer_alike_whatever_a_parameter_is(both, template):
    document, sides = both
    found = list(differing(*sides, asks(document, template, BASES[template], NAMES)))
    assert not found, f"{len(found)} differ:\n" + "\n".join(found)
