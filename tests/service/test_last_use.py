"""What counts as use of a key: KMS API Reference, "GetKeyLastUsage", read from the records of real requests."""

import pytest
from tests.harness import stack

from keystead.app.chores import keys_used


@pytest.fixture(scope="module")
def office():
    return stack()


def test_cryptography_is_use_of_every_key_in_it(office) -> None:
    one, two, signer = office.key(), office.key(), office.key("ECC_NIST_P256")
    office.forget_records()
    blob = office.admin.call("Encrypt", KeyId=one.id, Plaintext=b"x").json["CiphertextBlob"]
    office.admin.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=two.id)
    office.admin.call("Sign", KeyId=signer.id, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    office.admin.call("Encrypt", KeyId=two.id, Plaintext=b"x")
    assert keys_used(office.journal.lines) == {one.id: 1, two.id: 3, signer.id: 2}
    assert keys_used(office.journal.lines[:1]) == {one.id: 0}


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("CreateKey", {}),
        ("RotateKeyOnDemand", {}),
        ("DescribeKey", {}),
        ("ScheduleKeyDeletion", {}),
        ("GetPublicKey", {}),
        ("Encrypt", {"Plaintext": b"x", "DryRun": True}),
        ("Encrypt", {"Plaintext": b"x", "GrantTokens": ["none"]}),
    ],
)
def test_nothing_else_is(office, operation, members) -> None:
    key = office.key("ECC_NIST_P256" if operation == "GetPublicKey" else "SYMMETRIC_DEFAULT")
    named = {} if operation == "CreateKey" else {"KeyId": key.id}
    reply = office.admin.call(operation, **named, **members)
    (record,) = (r for r in office.records() if r.request_id == reply.headers["x-amzn-requestid"])
    assert keys_used([record.encode()]) == {}
