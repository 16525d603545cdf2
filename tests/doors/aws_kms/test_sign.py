"""Sign, Verify, GetPublicKey. KMS API Reference, under these names; Developer Guide, "Key spec reference"."""

from __future__ import annotations

from base64 import b64decode
from hashlib import new

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, Family, MessageForm, Purpose

MESSAGE = b"attack at dawn"
# The small one of each family signs as the large ones do; those are the provider's tests.
SPECS = ("RSA_2048", "EC_P256", "EC_P384", "EC_P521", "EC_K256", "ED25519", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87")
EVERY = [
    pytest.param(spec, algorithm, form, id=f"{spec}-{algorithm.aws}-{form.name}")
    for spec in SPECS
    for algorithm in KEY_SPECS[spec].algorithms_for(Purpose.SIGNATURE)
    for form in algorithm.forms
]


def signing_key(stack, spec: str):
    keys = stack.__dict__.setdefault("signing_keys", {})
    if spec not in keys:
        keys[spec] = stack.key(KEY_SPECS[spec].aws, Purpose.SIGNATURE)
    return keys[spec]


def message_for(algorithm, form) -> bytes:
    if form is MessageForm.DIGEST:
        return new(algorithm.digest, MESSAGE).digest()
    return bytes(64) if form is MessageForm.EXTERNAL_MU else MESSAGE


@pytest.mark.parametrize(("spec", "algorithm", "form"), EVERY)
def test_what_was_signed_verifies_and_nothing_else(shared, spec, algorithm, form) -> None:
    key, message = signing_key(shared, spec), message_for(algorithm, form)
    asked = {"KeyId": key.id, "Message": message, "MessageType": form.name, "SigningAlgorithm": algorithm.aws}
    signed = shared.admin.call("Sign", **asked)
    assert set(signed.json) == {"KeyId", "Signature", "SigningAlgorithm"}
    assert (signed.json["KeyId"], signed.json["SigningAlgorithm"]) == (shared.arn(key), algorithm.aws)
    signature = signed.json["Signature"]
    verified = shared.admin.call("Verify", Signature=signature, **asked)
    assert verified.json == {
        "KeyId": shared.arn(key),
        "SignatureValid": True,
        "SigningAlgorithm": algorithm.aws,
    }
    other = asked | {"Message": message[:-1] + bytes([message[-1] ^ 1])}
    refused = shared.admin.call("Verify", Signature=signature, **other)
    assert (refused.code, refused.message) == ("KMSInvalidSignatureException", None)
    assert shared.record().outcome == "performed"  # "it does not verify" is an answer


def test_raw_is_the_default_and_means_hashed_here(shared) -> None:
    """ "The message type does not need to be the same as the one used for signing." """
    key, algorithm = signing_key(shared, "RSA_2048"), ALGORITHMS["RSA_PKCS1_SHA256"]
    asked = {"KeyId": key.id, "SigningAlgorithm": algorithm.aws}
    signature = shared.admin.call("Sign", Message=MESSAGE, **asked).json["Signature"]
    digest = message_for(algorithm, MessageForm.DIGEST)
    verified = shared.admin.call("Verify", Message=digest, MessageType="DIGEST", Signature=signature, **asked)
    assert verified.json["SignatureValid"] is True


def test_signatures_verify_outside_with_the_public_key(shared) -> None:
    """RSASSA-PSS salts are as long as the digest; ECDSA signatures are DER; public keys are SubjectPublicKeyInfo."""
    key = signing_key(shared, "RSA_2048")
    asked = {"KeyId": key.id, "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_384"}
    signature = b64decode(shared.admin.call("Sign", **asked).json["Signature"])
    public = load_der_public_key(b64decode(shared.admin.call("GetPublicKey", KeyId=key.id).json["PublicKey"]))
    public.verify(signature, MESSAGE, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384())
    curve = signing_key(shared, "EC_P256")
    asked = {"KeyId": curve.id, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = b64decode(shared.admin.call("Sign", **asked).json["Signature"])
    utils.decode_dss_signature(signature)
    public = load_der_public_key(b64decode(shared.admin.call("GetPublicKey", KeyId=curve.id).json["PublicKey"]))
    public.verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
def test_a_digest_of_the_wrong_length(shared, operation) -> None:
    key = signing_key(shared, "EC_P384")
    members = {"KeyId": key.id, "Message": bytes(32), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_384"}
    reply = shared.admin.call(operation, **members, **({"Signature": b"x"} if operation == "Verify" else {}))
    assert (reply.code, reply.message) == (
        "ValidationException",
        "Digest is invalid length for algorithm ECDSA_SHA_384.",
    )


@pytest.mark.parametrize(
    ("spec", "algorithm", "form", "what"),
    [
        ("ED25519", "ED25519_SHA_512", "DIGEST", "algorithm ED25519_SHA_512"),
        ("ED25519", "ED25519_PH_SHA_512", None, "algorithm ED25519_PH_SHA_512"),
        ("EC_P256", "ECDSA_SHA_256", "EXTERNAL_MU", "algorithm ECDSA_SHA_256"),
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "DIGEST", "key spec ML_DSA_44"),
    ],
)
@pytest.mark.parametrize("operation", ["Sign", "Verify"])
def test_each_algorithm_takes_its_own_forms_of_a_message(shared, operation, spec, algorithm, form, what) -> None:
    """API Reference, Sign, MessageType; the words: SPEC.md."""
    members = {"Message": bytes(64), "SigningAlgorithm": algorithm} | ({"MessageType": form} if form else {})
    members |= {"Signature": b"x"} if operation == "Verify" else {}
    reply = shared.admin.call(operation, KeyId=signing_key(shared, spec).id, **members)
    words = f"Message type {form or 'RAW'} is incompatible with {what}."
    assert (reply.code, reply.message) == ("ValidationException", words)


def test_an_algorithm_of_another_key_spec(shared) -> None:
    members = {"KeyId": signing_key(shared, "EC_P256").id, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_384"}
    reply = shared.admin.call("Sign", **members)
    assert (reply.code, reply.message) == (
        "InvalidKeyUsageException",
        "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.",
    )


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
def test_a_key_of_another_usage(stack, operation) -> None:
    key = stack.key()
    members = {"KeyId": key.id, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    reply = stack.admin.call(operation, **members, **({"Signature": b"x"} if operation == "Verify" else {}))
    assert (reply.code, reply.message) == (
        "InvalidKeyUsageException",
        f"{stack.arn(key)} key usage is ENCRYPT_DECRYPT which is not valid for {operation}.",
    )


def test_dry_runs(shared) -> None:
    members = {"KeyId": signing_key(shared, "EC_P256").id, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    assert shared.admin.call("Sign", DryRun=True, **members).code == "DryRunOperationException"
    signature = shared.admin.call("Sign", **members).json["Signature"]
    reply = shared.admin.call("Verify", DryRun=True, Signature=signature, **members)
    assert reply.code == "DryRunOperationException"
    other = members | {"Message": b"another"}
    reply = shared.admin.call("Verify", DryRun=True, Signature=signature, **other)
    assert (reply.code, reply.message) == ("KMSInvalidSignatureException", None)


LISTED = {
    Purpose.CIPHER: "EncryptionAlgorithms",
    Purpose.SIGNATURE: "SigningAlgorithms",
    Purpose.AGREEMENT: "KeyAgreementAlgorithms",
    Purpose.ENCAPSULATION: "EncapsulationAlgorithms",
}


@pytest.mark.parametrize(
    ("spec", "purpose", "old"),
    [
        ("RSA_2048", Purpose.CIPHER, "RSA_2048"),
        ("RSA_2048", Purpose.SIGNATURE, "RSA_2048"),
        ("ECC_NIST_P256", Purpose.AGREEMENT, "ECC_NIST_P256"),
        ("ECC_NIST_EDWARDS25519", Purpose.SIGNATURE, None),
        ("ML_DSA_65", Purpose.SIGNATURE, None),
        ("ML_KEM_768", Purpose.ENCAPSULATION, None),
    ],
)
def test_a_public_key_comes_with_what_it_is_good_for(shared, spec, purpose, old) -> None:
    key = shared.key(spec, purpose)
    told = shared.admin.call("GetPublicKey", KeyId=key.id).json
    assert (told["KeyId"], told["KeySpec"], told.get("CustomerMasterKeySpec")) == (shared.arn(key), spec, old)
    assert told[LISTED[purpose]] == [algorithm.aws for algorithm in key.spec.algorithms_for(purpose)]
    assert not (set(LISTED.values()) - {LISTED[purpose]}) & told.keys()
    assert b64decode(told["PublicKey"])[:1] == b"\x30"


@pytest.mark.parametrize("spec", [s for s in KEY_SPECS.values() if s.aws and s.family in (Family.AES, Family.HMAC)])
def test_a_symmetric_key_has_no_public_part(stack, spec) -> None:
    reply = stack.admin.call("GetPublicKey", KeyId=stack.key(spec.aws).id)
    assert (reply.code, reply.message) == ("UnsupportedOperationException", None)
