"""?help=1, which `path-help` asks for: what may be asked at a path, for whoever may do anything below its mount."""

from __future__ import annotations

import re

import pytest
from tests import vaultstack
from tests.vaultstack import DENIED

from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint

CAPTURE = re.compile(r"\{\w+(:path\??)?\}")


@pytest.fixture(scope="module")
def vault() -> vaultstack.Vault:
    made = vaultstack.door()
    for path, kind in (("transit", "transit"), ("kv2", "kv-v2"), ("kv", "kv")):
        made.root.data("POST", f"sys/mounts/{path}", {"type": kind})
    for kind in ("approle", "userpass"):
        made.root.data("POST", f"sys/auth/{kind}", {"type": kind})
    return made


def told(bearer: vaultstack.Bearer, path: str, method: str = "GET") -> str:
    said = bearer(method, f"{path}?help=1")
    assert said.status == 200, said.body
    assert set(said.json) == {"help", "see_also", "openapi"} and said.json["see_also"] is None
    text: str = said.json["help"]
    return text


def test_a_path_tells_its_operations_and_their_parameters(vault) -> None:
    text = told(vault.root, "transit/keys/app")
    assert "Request:        keys/app\nMatching Route: keys/{name}\n" in text
    operations, _, parameters = text.partition("## PARAMETERS")
    assert {"    read", "    write", "    delete"} <= set(operations.splitlines())
    assert {"    type (string)", "    exportable (bool)"} <= set(parameters.splitlines())
    said = vault.root("GET", "transit/keys/app?help=1").json["openapi"]
    assert set(said["paths"]) == {"/transit/keys/{name}"} and set(said["paths"]["/transit/keys/{name}"]) >= {
        "get",
        "post",
    }


@pytest.mark.parametrize("path", ["sys", "transit", "transit/", "kv", "kv2", "auth/token", "auth/approle", "cubbyhole"])
def test_a_mount_tells_every_path_of_its_engine(vault, path) -> None:
    engine = {"sys": "system", "kv2": "kv-v2"}.get(path, path.strip("/").removeprefix("auth/"))
    declared = {one.path for one in door.OPERATIONS if isinstance(one, Endpoint) and one.engine == engine}
    assert declared and declared <= {line.strip() for line in told(vault.root, path).splitlines()}


def test_every_operation_there_is_can_be_asked_about(vault) -> None:
    at = {
        "system": "sys",
        "token": "auth/token",
        "approle": "auth/approle",
        "userpass": "auth/userpass",
        "kv-v2": "kv2",
    }
    for one in door.OPERATIONS:
        if isinstance(one, Endpoint) and at.get(one.engine, one.engine) in {*at.values(), "transit", "kv", "cubbyhole"}:
            path = CAPTURE.sub("x", one.path).removesuffix("/?")
            assert f"    {one.verb.value}" in told(vault.root, f"{at.get(one.engine, one.engine)}/{path}"), one.name


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "LIST"])
def test_nothing_is_done_whatever_the_method_is(vault, method) -> None:
    vault.root.data("PUT", "kv/kept", {"a": "b"})
    assert "Matching Route" in told(vault.root, "kv/kept", method)
    assert vault.root.data("GET", "kv/kept") == {"a": "b"}


def test_where_nothing_is(vault) -> None:
    unsupported = (404, "1 error occurred:\n\t* unsupported path\n\n")
    assert vault.root.refused("GET", "sys/nothing?help=1") == unsupported
    assert vault.root.refused("GET", "transit/nothing?help=1") == unsupported
    assert vault.root.refused("GET", "no/x?help=1") == (404, 'no handler for route "no/x". route entry not found.')


def test_a_mount_out_of_reach_is_told_from_none_that_is_not_there(vault) -> None:
    vault.root.policy("keys", 'path "transit/encrypt/app" { capabilities = ["update"] }')
    bearer = vault.root.token(policies=["keys"], no_default_policy=True)
    assert "Matching Route: encrypt/{name}" in told(bearer, "transit/encrypt/app")
    assert "Matching Route: keys/{name}" in told(bearer, "transit/keys/app")  # no more than what the door is like
    for path in ("kv2/data/a", "no/such/mount"):
        assert bearer.refused("GET", f"{path}?help=1") == (403, DENIED)
    for nobody in (vault.nobody, vaultstack.Bearer(vault.stack, "hvs.wrong")):
        assert nobody.refused("GET", "transit/keys/app?help=1")[0] == 403
