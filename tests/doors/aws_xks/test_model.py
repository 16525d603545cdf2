"""The messages against the payload syntax of the specification, and against anything at all."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.doors.aws_xks.conftest import PREFIX, Store
from tests.harness import b64

from keystead.doors import aws_xks
from keystead.doors.aws_xks.names import OPERATIONS, place

# "Request Payload Syntax": member -> required, for each API; the key's id is in the URI.
HEALTH = {"kmsRequestId": True, "kmsOperation": True}
KEY = HEALTH | {"awsPrincipalArn": True, "awsSourceVpc": False, "awsSourceVpce": False}
USE = KEY | {"kmsKeyArn": True, "kmsViaService": False}
REQUESTS = {
    "GetHealthStatus": (HEALTH, {}),
    "GetKeyMetadata": (KEY, {}),
    "Encrypt": (
        USE,
        {
            "plaintext": True,
            "encryptionAlgorithm": True,
            "additionalAuthenticatedData": False,
            "ciphertextDataIntegrityValueAlgorithm": False,
        },
    ),
    "Decrypt": (
        USE,
        {
            "ciphertext": True,
            "encryptionAlgorithm": True,
            "initializationVector": True,
            "authenticationTag": True,
            "ciphertextMetadata": False,
            "additionalAuthenticatedData": False,
        },
    ),
}
# "Response Payload Syntax"
ANSWERS = {
    "GetHealthStatus": {"xksProxyFleetSize", "xksProxyVendor", "xksProxyModel", "ekmVendor", "ekmFleetDetails"},
    "GetKeyMetadata": {"keySpec", "keyUsage", "keyStatus"},
    "Encrypt": {
        "ciphertext",
        "ciphertextMetadata",
        "initializationVector",
        "authenticationTag",
        "ciphertextDataIntegrityValue",
    },
    "Decrypt": {"plaintext"},
}
BY_NAME = aws_xks.DOOR.table()


def members(kind: type) -> dict[str, inspect.Field]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: field for field in info.fields}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name: str) -> None:
    meta, own = REQUESTS[name]
    found = members(BY_NAME[name].request)
    inner = found.pop("requestMetadata")
    found.pop("externalKeyId", None)
    assert inner.required and {n: f.required for n, f in found.items()} == own
    assert {f.encode_name: f.required for f in inner.type.fields} == meta


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    assert set(members(BY_NAME[name].response)) == ANSWERS[name]


def test_every_uri_leads_to_an_operation_that_there_is() -> None:
    assert set(OPERATIONS.values()) == set(BY_NAME) == set(REQUESTS)


texts = st.text(max_size=12) | st.binary(max_size=30).map(b64)
named = st.sampled_from(sorted(USE)) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(USE)) | st.text(max_size=5), inner)
    ),
    max_leaves=8,
)
NAMES = sorted({name for _, own in REQUESTS.values() for name in own} | {"requestMetadata", "externalKeyId"})
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=8)
RESTS = ("health", "keys/foo/metadata", "keys/{}/metadata", "keys/{}/encrypt", "keys/{}/decrypt")


@pytest.fixture(scope="module")
def key(shared: Store) -> str:
    return shared.key().id


@settings(deadline=None)
@given(body=objects.map(lambda made: json.dumps(made).encode()) | st.binary(max_size=60), rest=st.sampled_from(RESTS))
def test_whatever_is_sent_is_answered_and_never_by_a_bug(shared: Store, key: str, body: bytes, rest: str) -> None:
    reply = shared.post(shared.path(rest.format(key)), body)
    assert reply.status in {200, 400, 404, 501}, (reply.status, reply.body)
    assert reply.status == 200 or reply.json["errorName"] in BY_NAME[shared.stack.record().operation].errors


@given(st.text(alphabet="/keysv1.-_%?#\n healthmdctrpA\u00e9", max_size=40) | st.text(max_size=40))
def test_a_uri_is_one_of_this_api_in_one_spelling_only(rest: str) -> None:
    found = place(f"/{PREFIX}/kms/xks/v1/{rest}".encode())
    if found is not None and found.prefix == PREFIX:
        words = {name: word for word, name in OPERATIONS.items()}
        again = f"keys/{found.key}/{words[found.operation]}" if found.key else "health"
        assert rest == again
    assert msgspec.json.encode(found)
