"""sys/internal/specs/openapi says what the declarations say."""

import pytest
from tests import vaultstack
from tests.openbao import OpenApi

from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint
from keystead.wire.vault.request import Verb


@pytest.fixture(scope="module")
def document():
    vault = vaultstack.door()
    for engine in ("userpass", "approle", "jwt", "kubernetes", "cert"):
        vault.root.data("POST", f"sys/auth/{engine}", {"type": engine})
    return OpenApi(vault.root("GET", "sys/internal/specs/openapi").json)


AT = {"system": "sys/", "identity": "identity/"} | {
    name: f"auth/{name}/" for name in ("token", "userpass", "approle", "jwt", "kubernetes", "cert")
}


@pytest.mark.parametrize(
    "endpoint",
    [op for op in door.DOOR.operations if isinstance(op, Endpoint) and op.engine in AT and op.verb is not Verb.SCAN],
    ids=lambda op: op.name,
)
def test_every_operation_is_in_it_with_its_parameters(document, endpoint) -> None:
    found = document.at(endpoint.verb.value, AT[endpoint.engine] + endpoint.path)
    if endpoint.verb in {Verb.WRITE, Verb.DELETE}:
        assert set(found.parameters) == set(endpoint.request.__struct_encode_fields__)
    assert found.needs_sudo or not endpoint.sudo
    assert found.is_open or not endpoint.unsigned


def test_it_is_for_whoever_may_read_it() -> None:
    vault = vaultstack.door()
    assert vault.root.token(policies=["none"]).refused("GET", "sys/internal/specs/openapi")[0] == 403
