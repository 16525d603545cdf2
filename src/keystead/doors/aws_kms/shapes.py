"""The shapes that several operations share, and AWS's words for what the core calls otherwise.

botocore data/kms/2014-11-01/service-2.json, "shapes"; tests/doors/aws_kms/test_model.py holds every use to it.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from msgspec import Meta

from keystead.core.algorithms import KeySpec, Purpose, Word
from keystead.core.entities import Key, Origin
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.kit import Message

AWS_PATTERNS: dict[str, str] = {}
"""A pattern as Python reads it -> as the model writes it."""


def matching(pattern: str, python: str = "") -> str:
    """The model's `pattern` for Meta: it is to match the whole value, and its classes are ASCII's, as in Java.

    `python`: the same in words that Python knows, where the model's are not; its classes are Unicode's then.
    """
    if python:
        AWS_PATTERNS[ours := rf"^(?:{python})\Z"] = pattern
        return ours
    ours = rf"(?a)^(?:{pattern.removeprefix('^').removesuffix('$')})\Z"
    AWS_PATTERNS[ours] = pattern
    return ours


# What a tag is made of: the models of STS and IAM say it, that of KMS does not (SPEC.md).
# Python has no \p{Z}, and its \s has tabs and ends of lines too.
_TAG = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"
_OURS = r"[\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\-@]"
TAG_TEXT = re.compile(f"{_OURS}*")
TagKey = Annotated[str, Meta(min_length=1, max_length=128, pattern=matching(f"{_TAG}+", f"{_OURS}+"))]
TagValue = Annotated[str, Meta(max_length=256, pattern=matching(f"{_TAG}*", f"{_OURS}*"))]

KeyId = Annotated[str, Meta(min_length=1, max_length=2048)]
Plaintext = Annotated[bytes, Meta(min_length=1, max_length=4096)]
Ciphertext = Annotated[bytes, Meta(min_length=1, max_length=6144)]
PublicKey = Annotated[bytes, Meta(min_length=1, max_length=8192)]
KeyStoreId = Annotated[str, Meta(min_length=1, max_length=64)]
GrantToken = Annotated[str, Meta(min_length=1, max_length=8192)]
GrantTokens = Annotated[list[GrantToken], Meta(max_length=10)]
NumberOfBytes = Annotated[int, Meta(ge=1, le=1024)]

EncryptionAlgorithm = Literal["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"]
SigningAlgorithm = Literal[
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "ECDSA_SHA_256",
    "ECDSA_SHA_384",
    "ECDSA_SHA_512",
    "SM2DSA",
    "ML_DSA_SHAKE_256",
    "ED25519_SHA_512",
    "ED25519_PH_SHA_512",
]
MacAlgorithm = Literal["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"]
KeyAgreementAlgorithm = Literal["ECDH"]
EncapsulationAlgorithm = Literal["ML_KEM"]
MessageType = Literal["RAW", "DIGEST", "EXTERNAL_MU"]
DataKeySpec = Literal["AES_256", "AES_128"]
DataKeyPairSpec = Literal[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SM2",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
]
DryRunModifier = Literal["IGNORE_CIPHERTEXT"]


class Recipient(Message, frozen=True, kw_only=True, rename="pascal"):
    """An attestation document of a Nitro enclave. Read, and then refused (SPEC.md)."""

    key_encryption_algorithm: Literal["RSAES_OAEP_SHA_256"] | None = None
    attestation_document: Annotated[bytes, Meta(min_length=1, max_length=262144)] | None = None


KEY_USAGES: dict[Purpose, str] = {
    Purpose.CIPHER: "ENCRYPT_DECRYPT",
    Purpose.SIGNATURE: "SIGN_VERIFY",
    Purpose.MAC: "GENERATE_VERIFY_MAC",
    Purpose.AGREEMENT: "KEY_AGREEMENT",
    Purpose.ENCAPSULATION: "ENCAPSULATE_DECAPSULATE",
}

ORIGINS: dict[Origin, str] = {
    Origin.GENERATED: "AWS_KMS",
    Origin.EXTERNAL: "EXTERNAL",
    Origin.HSM: "AWS_CLOUDHSM",
    Origin.EXTERNAL_STORE: "EXTERNAL_KEY_STORE",
}

WORDS: dict[str | None, Word] = {
    word: Word("aws", word or "SYMMETRIC_DEFAULT")
    for shape in (EncryptionAlgorithm, SigningAlgorithm, MacAlgorithm, KeyAgreementAlgorithm, EncapsulationAlgorithm)
    for word in (None, *get_args(shape))
}
"""An algorithm as the request writes it -> the word; absent means SYMMETRIC_DEFAULT where it may be absent."""


def algorithms(key: Key, purpose: Purpose) -> list[str] | None:
    """What a key is good for, as DescribeKey and GetPublicKey list it; None where it has another purpose."""
    if key.purpose is not purpose:
        return None
    return [algorithm.aws for algorithm in key.spec.algorithms_for(purpose) if algorithm.aws]


OLD_KEY_SPECS = frozenset(
    {
        *("RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"),
        *("SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2"),
    }
)


def old_key_spec(spec: KeySpec) -> str | None:
    """CustomerMasterKeySpec, a deprecated enumeration that newer key specs are not part of."""
    return spec.aws if spec.aws in OLD_KEY_SPECS else None


def missing(member: str) -> InvalidArgument:
    """For a member that the model has optional and the request needs."""
    text = (
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    )
    return InvalidArgument(text, member)


def no_recipient(recipient: Recipient | None) -> None:
    """Raises Unsupported."""
    if recipient is not None:
        raise Unsupported("Recipient is not supported.", "Recipient")
