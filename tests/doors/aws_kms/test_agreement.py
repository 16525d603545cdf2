"""DeriveSharedSecret, Encapsulate, Decapsulate. KMS API Reference, under these names; FIPS 203."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from tests.harness import b64

from keystead.core.algorithms import Purpose

CURVES = {"ECC_NIST_P256": ec.SECP256R1(), "ECC_NIST_P384": ec.SECP384R1(), "ECC_NIST_P521": ec.SECP521R1()}


def spki(key) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("spec", CURVES)
def test_both_sides_agree_on_the_raw_x_coordinate(stack, spec) -> None:
    key, peer = stack.key(spec, Purpose.AGREEMENT), ec.generate_private_key(CURVES[spec])
    ours = load_der_public_key(b64decode(stack.admin.call("GetPublicKey", KeyId=key.id).json["PublicKey"]))
    reply = stack.admin.call(
        "DeriveSharedSecret", KeyId=key.id, KeyAgreementAlgorithm="ECDH", PublicKey=spki(peer.public_key())
    )
    assert reply.json == {
        "KeyId": stack.arn(key),
        "SharedSecret": b64(peer.exchange(ec.ECDH(), ours)),
        "KeyAgreementAlgorithm": "ECDH",
        "KeyOrigin": "AWS_KMS",
    }


@pytest.mark.parametrize("peer", [b"no key", spki(ec.generate_private_key(ec.SECP384R1()).public_key())])
def test_row_62_a_peer_key_that_does_not_fit(stack, peer) -> None:
    key = stack.key("ECC_NIST_P256", Purpose.AGREEMENT)
    reply = stack.admin.call("DeriveSharedSecret", KeyId=key.id, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    assert (reply.code, reply.message) == ("ValidationException", None)


@pytest.mark.parametrize(
    ("spec", "purpose", "usage"),
    [
        ("ECC_NIST_P256", Purpose.SIGNATURE, "SIGN_VERIFY"),
        ("SYMMETRIC_DEFAULT", None, "ENCRYPT_DECRYPT"),
    ],
)
def test_a_key_of_another_usage(stack, spec, purpose, usage) -> None:
    key = stack.key(spec, purpose)
    peer = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    reply = stack.admin.call("DeriveSharedSecret", KeyId=key.id, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    assert (reply.code, reply.message) == (
        "InvalidKeyUsageException",
        f"{stack.arn(key)} key usage is {usage} which is not valid for DeriveSharedSecret.",
    )


@pytest.mark.parametrize(("spec", "n"), [("ML_KEM_768", 1088), ("ML_KEM_1024", 1568)])
def test_a_secret_is_encapsulated_and_recovered(stack, spec, n) -> None:
    key = stack.key(spec)
    members = {"KeyId": key.id, "EncapsulationAlgorithm": "ML_KEM"}
    made = stack.admin.call("Encapsulate", **members).json
    assert set(made) == {"KeyId", "SharedSecret", "SharedSecretCiphertextBlob", "EncapsulationAlgorithm"}
    assert len(b64decode(made["SharedSecret"])) == 32
    assert len(b64decode(made["SharedSecretCiphertextBlob"])) == n
    blob = made["SharedSecretCiphertextBlob"]
    assert stack.admin.call("Decapsulate", SharedSecretCiphertextBlob=blob, **members).json == {
        "KeyId": stack.arn(key),
        "SharedSecret": made["SharedSecret"],
        "EncapsulationAlgorithm": "ML_KEM",
    }


def test_others_encapsulate_with_the_public_key(stack) -> None:
    key = stack.key("ML_KEM_768")
    public = load_der_public_key(b64decode(stack.admin.call("GetPublicKey", KeyId=key.id).json["PublicKey"]))
    assert isinstance(public, mlkem.MLKEM768PublicKey)
    secret, ciphertext = public.encapsulate()
    members = {"KeyId": key.id, "EncapsulationAlgorithm": "ML_KEM"}
    opened = stack.admin.call("Decapsulate", SharedSecretCiphertextBlob=ciphertext, **members)
    assert opened.json["SharedSecret"] == b64(secret)


def test_an_altered_ciphertext_gives_another_secret_and_a_short_one_none(stack) -> None:
    """Decapsulate: implicit rejection; InvalidCiphertextException only for a length that is not the key spec's."""
    members = {"KeyId": stack.key("ML_KEM_768").id, "EncapsulationAlgorithm": "ML_KEM"}
    made = stack.admin.call("Encapsulate", **members).json
    blob = b64decode(made["SharedSecretCiphertextBlob"])
    altered = bytes([blob[0] ^ 1]) + blob[1:]
    first, second = (
        stack.admin.call("Decapsulate", SharedSecretCiphertextBlob=altered, **members).json for _ in range(2)
    )
    assert first == second
    assert len(b64decode(first["SharedSecret"])) == 32
    assert first["SharedSecret"] != made["SharedSecret"]
    short = stack.admin.call("Decapsulate", SharedSecretCiphertextBlob=blob[:-1], **members)
    assert (short.code, short.message) == ("InvalidCiphertextException", None)


def test_dry_runs_and_attestation(stack) -> None:
    kem, curve = stack.key("ML_KEM_768"), stack.key("ECC_NIST_P256", Purpose.AGREEMENT)
    members = {"KeyId": kem.id, "EncapsulationAlgorithm": "ML_KEM", "DryRun": True}
    assert stack.admin.call("Encapsulate", **members).code == "DryRunOperationException"
    reply = stack.admin.call("Decapsulate", SharedSecretCiphertextBlob=bytes(1088), **members)
    assert reply.code == "DryRunOperationException"
    peer = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    members = {"KeyId": curve.id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}
    assert stack.admin.call("DeriveSharedSecret", DryRun=True, **members).code == "DryRunOperationException"
    reply = stack.admin.call("DeriveSharedSecret", Recipient={"AttestationDocument": b"document"}, **members)
    assert reply.code == "UnsupportedOperationException"
