"""GenerateRandom. KMS API Reference, "GenerateRandom"."""

from __future__ import annotations

from base64 import b64decode

import pytest

CONSTRAINT = "1 validation error detected: Value '{}' at 'numberOfBytes' failed to satisfy constraint: {}"


@pytest.mark.parametrize("n", [1, 1024])
def test_as_many_bytes_as_asked_for(stack, n) -> None:
    reply = stack.admin.call("GenerateRandom", NumberOfBytes=n)
    assert set(reply.json) == {"Plaintext"}
    assert len(b64decode(reply.json["Plaintext"])) == n


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "NumberOfBytes is required."),
        ({"NumberOfBytes": 0}, CONSTRAINT.format(0, "Member must have value greater than or equal to 1")),
        ({"NumberOfBytes": 1025}, CONSTRAINT.format(1025, "Member must have value less than or equal to 1024")),
    ],
)
def test_the_number_is_required_and_bounded(stack, members, message) -> None:
    reply = stack.admin.call("GenerateRandom", **members)
    assert (reply.code, reply.message) == ("ValidationException", message)


def test_who_may_not(stack) -> None:
    nobody = stack.user("nobody")
    reply = nobody.call("GenerateRandom", NumberOfBytes=8)
    assert reply.code == "AccessDeniedException"
    assert reply.message.startswith(f"User: {nobody.arn} is not authorized to perform: kms:GenerateRandom")


def test_custom_key_stores_and_attestation(stack) -> None:
    reply = stack.admin.call("GenerateRandom", NumberOfBytes=8, CustomKeyStoreId="cks-1234567890abcdef0")
    assert reply.code == "CustomKeyStoreNotFoundException"
    reply = stack.admin.call("GenerateRandom", NumberOfBytes=8, Recipient={"AttestationDocument": b"document"})
    assert reply.code == "UnsupportedOperationException"
