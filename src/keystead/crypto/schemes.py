"""Signatures by a scheme that the caller puts together (core.operations.schemes), of RSA, ECDSA and Ed25519 keys."""

from __future__ import annotations

from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    NoDigestInfo,
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from keystead.core.algorithms import Family, MessageForm
from keystead.core.errors import InvalidArgument
from keystead.core.operations.schemes import AS_DIGEST, LONGEST, Scheme

DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - Vault's clients may ask for it; nothing chooses it
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_224": hashes.SHA3_224(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
}


def _digest(scheme: Scheme) -> hashes.HashAlgorithm:
    if scheme.digest not in DIGESTS:
        raise InvalidArgument(f"no signatures with {scheme.digest}", "digest")
    return DIGESTS[scheme.digest]


def _hash(scheme: Scheme, message: bytes, form: MessageForm) -> Any:
    """Raises InvalidArgument (detail "form") for a digest that cannot be one."""
    digest = _digest(scheme)
    if form is MessageForm.RAW:
        return digest
    if len(message) != digest.digest_size:
        raise InvalidArgument(f"{len(message)} bytes are no {digest.name} digest", "form")
    return Prehashed(digest)


def _rsa(scheme: Scheme, message: bytes, form: MessageForm, *, to_sign: bool) -> tuple[Any, Any]:
    if scheme.digest is None:
        return padding.PKCS1v15(), NoDigestInfo()
    hashed = _hash(scheme, message, form)
    if scheme.padding == "pkcs1":
        return padding.PKCS1v15(), hashed
    if scheme.padding != "pss":
        raise InvalidArgument("an RSA signature has a padding, PSS or PKCS #1 v1.5", "padding")
    unsaid = padding.PSS.MAX_LENGTH if to_sign else padding.PSS.AUTO
    salt: Any = {LONGEST: unsaid, AS_DIGEST: padding.PSS.DIGEST_LENGTH}.get(scheme.salt, scheme.salt)
    return padding.PSS(padding.MGF1(_digest(scheme)), salt), hashed


def sign(family: Family, key: Any, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:
    """RFC 8017 §8, FIPS 186-5 §6, RFC 8032 §5.1. Raises InvalidArgument (detail "form", "salt", "digest")."""
    made: bytes
    if family is Family.EDWARDS:
        made = key.sign(message)
    elif family is Family.RSA:
        try:
            made = key.sign(message, *_rsa(scheme, message, form, to_sign=True))
        except ValueError as error:
            raise InvalidArgument("a salt or message that does not fit the key", "salt") from error
    else:
        made = key.sign(message, ec.ECDSA(_hash(scheme, message, form)))
        made = _fixed(made, key) if scheme.fixed else made
    return made


def verify(family: Family, key: Any, scheme: Scheme, message: bytes, signature: bytes, form: MessageForm) -> bool:
    """Raises InvalidArgument as sign does; never for the signature."""
    try:
        if family is Family.EDWARDS:
            key.verify(signature, message)
        elif family is Family.RSA:
            key.verify(signature, message, *_rsa(scheme, message, form, to_sign=False))
        else:
            der = _der(signature, key) if scheme.fixed else signature
            key.verify(der, message, ec.ECDSA(_hash(scheme, message, form)))
    except (InvalidSignature, ValueError):
        return False
    return True


def _fixed(der: bytes, key: Any) -> bytes:
    n = (key.curve.key_size + 7) // 8
    return b"".join(number.to_bytes(n, "big") for number in decode_dss_signature(der))


def _der(fixed: bytes, key: Any) -> bytes:
    """Raises InvalidSignature."""
    n = (key.curve.key_size + 7) // 8
    if len(fixed) != 2 * n:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(fixed[:n], "big"), int.from_bytes(fixed[n:], "big"))
