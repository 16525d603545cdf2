"""kv and cubbyhole held to OpenBao's own OpenAPI document: paths, methods, parameters, and who asks what is there."""

from typing import get_type_hints

import msgspec
import pytest
from tests.openbao import OpenApi, openbao

from keystead.doors.vault import DOOR
from keystead.doors.vault.endpoint import Endpoint
from keystead.doors.vault.kv.astray import OPERATIONS as ASTRAY
from keystead.doors.vault.kv.body import BodyRequest
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import kind_of
from keystead.wire.vault.request import Verb

pytestmark = pytest.mark.client

MOUNTS = {"kv-v2": "kv2", "kv": "kv", "cubbyhole": "cubbyhole"}
OFFERED = [one for one in DOOR.operations if isinstance(one, Endpoint) and one.engine in MOUNTS and one not in ASTRAY]
NOT_OFFERED = {("get", "kv2/detailed-metadata/{}")}  # OpenBao's own
OF_THE_LISTING = {"after", "limit"}  # documented for all that stands at the same path


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield OpenApi(peer.openapi())


def template(endpoint: Endpoint) -> str:
    return f"{MOUNTS[endpoint.engine]}/{endpoint.path}"


@pytest.mark.parametrize("endpoint", OFFERED, ids=lambda one: one.name)
def test_an_operation_is_as_documented(document, endpoint) -> None:
    found = document.at(endpoint.verb.value, template(endpoint))
    assert found.asks_existence or not endpoint.creates
    if endpoint.request is BodyRequest or endpoint.verb not in {Verb.WRITE, Verb.PATCH}:
        return  # what is asked in a query is not documented
    hints = get_type_hints(endpoint.request, include_extras=True)
    mine = {field.encode_name: kind_of(hints[field.name]) for field in msgspec.structs.fields(endpoint.request)}
    assert mine.keys() == found.parameters.keys() - OF_THE_LISTING
    assert not {name: kind for name, kind in mine.items() if kind not in found.parameters[name].kinds | {Kind.ANY}}


def test_whatever_is_documented_is_offered(document) -> None:
    mine = {template(one).split("{")[0].rstrip("/") for one in OFFERED}
    theirs = {
        (method, path)
        for method, path in document.operations()
        if path.split("/")[0] in MOUNTS.values() and path.split("{")[0].rstrip("/") not in mine
    }
    assert theirs == NOT_OFFERED
