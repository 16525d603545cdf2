"""GenerateDataKey and its kin. KMS API Reference, under these names."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from keystead.core.algorithms import Purpose

PAIRS = (
    "RSA_2048",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_768",
    "ML_KEM_1024",
)


@pytest.mark.parametrize(
    ("members", "n"),
    [
        ({"KeySpec": "AES_256"}, 32),
        ({"KeySpec": "AES_128"}, 16),
        ({"NumberOfBytes": 1}, 1),
        ({"NumberOfBytes": 1024}, 1024),
    ],
)
def test_a_data_key_has_the_length_asked_for_and_opens_again(stack, members, n) -> None:
    key = stack.key()
    context = {"EncryptionContext": {"a": "1"}}
    made = stack.admin.call("GenerateDataKey", KeyId=key.id, **members, **context)
    assert set(made.json) == {"CiphertextBlob", "Plaintext", "KeyId", "KeyMaterialId"}
    assert (made.json["KeyId"], len(b64decode(made.json["Plaintext"]))) == (stack.arn(key), n)
    opened = stack.admin.call("Decrypt", CiphertextBlob=made.json["CiphertextBlob"], **context)
    assert opened.json["Plaintext"] == made.json["Plaintext"]
    assert opened.json["KeyMaterialId"] == made.json["KeyMaterialId"]


def test_without_plaintext_there_is_none(stack) -> None:
    key = stack.key()
    made = stack.admin.call("GenerateDataKeyWithoutPlaintext", KeyId=key.id, KeySpec="AES_256")
    assert set(made.json) == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert stack.record().targets[0].action == "key:generate-data-key-blind"
    opened = stack.admin.call("Decrypt", CiphertextBlob=made.json["CiphertextBlob"])
    assert len(b64decode(opened.json["Plaintext"])) == 32


@pytest.mark.parametrize("operation", ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])
@pytest.mark.parametrize("members", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
def test_exactly_one_of_key_spec_and_number_of_bytes(stack, operation, members) -> None:
    assert stack.admin.call(operation, KeyId=stack.key().id, **members).code == "ValidationException"


@pytest.mark.parametrize("spec", PAIRS)
def test_a_pair_comes_as_pkcs8_and_spki_that_belong_together(shared, spec) -> None:
    key = wrapping(shared)
    made = shared.admin.call("GenerateDataKeyPair", KeyId=key.id, KeyPairSpec=spec).json
    assert (made["KeyId"], made["KeyPairSpec"]) == (shared.arn(key), spec)
    private = load_der_private_key(b64decode(made["PrivateKeyPlaintext"]), None)
    assert private.public_key() == load_der_public_key(b64decode(made["PublicKey"]))
    opened = shared.admin.call("Decrypt", CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    assert opened.json["Plaintext"] == made["PrivateKeyPlaintext"]


def wrapping(stack):
    if not hasattr(stack, "wrapping"):
        stack.wrapping = stack.key()
    return stack.wrapping


def test_a_pair_without_its_private_half(shared) -> None:
    made = shared.admin.call(
        "GenerateDataKeyPairWithoutPlaintext", KeyId=wrapping(shared).id, KeyPairSpec="ECC_NIST_P256"
    ).json
    assert set(made) == {"PrivateKeyCiphertextBlob", "PublicKey", "KeyId", "KeyPairSpec", "KeyMaterialId"}


@pytest.mark.parametrize("spec", ["SM2"])
def test_pairs_that_are_not_made_here(shared, spec) -> None:
    reply = shared.admin.call("GenerateDataKeyPair", KeyId=wrapping(shared).id, KeyPairSpec=spec)
    assert (reply.code, reply.message) == (
        "UnsupportedOperationException",
        "KeySpec SM2 is not supported in this Region",
    )


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("GenerateDataKey", {"KeySpec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"KeySpec": "AES_256"}),
        ("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}),
        ("GenerateDataKeyPairWithoutPlaintext", {"KeyPairSpec": "ECC_NIST_P256"}),
    ],
)
def test_data_keys_are_wrapped_by_symmetric_encryption_keys_only(shared, operation, members) -> None:
    """ "Specifies the symmetric encryption KMS key … You cannot specify an asymmetric KMS key." """
    asymmetric = shared.key("RSA_2048", Purpose.CIPHER)
    reply = shared.admin.call(operation, KeyId=asymmetric.id, **members)
    assert (reply.code, reply.message) == (
        "InvalidKeyUsageException",
        "You cannot generate a data key with an asymmetric CMK",
    )
    hmac = shared.key("HMAC_256")
    assert shared.admin.call(operation, KeyId=hmac.id, **members).message == (
        f"{shared.arn(hmac)} key usage is GENERATE_VERIFY_MAC which is not valid for {operation}."
    )
    dry = shared.admin.call(operation, KeyId=wrapping(shared).id, DryRun=True, **members)
    assert dry.code == "DryRunOperationException"


@pytest.mark.parametrize("operation", ["GenerateDataKey", "GenerateDataKeyPair"])
def test_an_attestation_document_is_not_supported(stack, operation) -> None:
    members = {"KeySpec": "AES_256"} if operation == "GenerateDataKey" else {"KeyPairSpec": "ECC_NIST_P256"}
    reply = stack.admin.call(operation, KeyId=stack.key().id, Recipient={"AttestationDocument": b"document"}, **members)
    assert reply.code == "UnsupportedOperationException"
