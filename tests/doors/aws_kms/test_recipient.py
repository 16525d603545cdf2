"""Attestation of Nitro enclaves is refused, by every operation that has a Recipient, and never passed over.

API Reference, UnsupportedOperationException: "a specified parameter is not supported or a specified resource is not
valid for this operation". An enclave that had asked for its secret to be wrapped must not get it in the clear.
"""

from __future__ import annotations

import botocore.loaders
import pytest
from tests.doors.aws_kms.asking import AGREEING
from tests.harness import b64

from keystead.core.algorithms import Purpose
from keystead.doors.aws_kms import DOOR
from keystead.doors.aws_kms.errors import PREFIX

MODEL = botocore.loaders.Loader().load_service_model("kms", "service-2")
WITH_RECIPIENT = {
    name
    for name, operation in MODEL["operations"].items()
    if "Recipient" in MODEL["shapes"][operation["input"]["shape"]]["members"]
}
DOCUMENTS = {
    "a document": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b64(b'\xd2\x84C\xa1\x018"')},
    "no document": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
    "no algorithm": {"AttestationDocument": b64(b"document")},
    "nothing": {},
}
AES = ("SYMMETRIC_DEFAULT", None)
# operation -> the key, and members that it would answer; Decrypt needs a ciphertext
ASKED = {
    "Decrypt": (AES, {}),
    "GenerateDataKey": (AES, {"KeySpec": "AES_256"}),
    "GenerateDataKeyPair": (AES, {"KeyPairSpec": "ECC_NIST_P256"}),
    "GenerateRandom": (None, {"NumberOfBytes": 32}),
    "DeriveSharedSecret": (
        ("ECC_NIST_P256", Purpose.AGREEMENT),
        {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b64(AGREEING)},
    ),
}


def test_every_operation_with_a_recipient_is_asked() -> None:
    assert set(ASKED) == WITH_RECIPIENT
    assert {PREFIX + name for name in ASKED} <= {op.name for op in DOOR.operations}


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("operation", ASKED)
def test_a_recipient_is_refused(stack, operation, document) -> None:
    kind, members = ASKED[operation]
    if kind is not None:
        members = {**members, "KeyId": stack.key(*kind).id}
    if operation == "Decrypt":
        made = stack.admin.call("Encrypt", KeyId=members["KeyId"], Plaintext=b"secret")
        members["CiphertextBlob"] = made.json["CiphertextBlob"]
    assert stack.admin.call(operation, **members).status == 200
    for more in ({}, {"DryRun": True}) if operation != "GenerateRandom" else ({},):
        reply = stack.admin.call(operation, **members, **more, Recipient=DOCUMENTS[document])
        assert (reply.code, reply.message) == ("UnsupportedOperationException", "Recipient is not supported.")
        assert set(reply.json) == {"__type", "message"}
        assert stack.record().outcome == "refused: Unsupported"
