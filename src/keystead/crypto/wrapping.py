"""Unwrapping of keying material that somebody has wrapped for us (core.wrapping), and the keys it is wrapped with."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keystead.core.algorithms import ALGORITHMS, Algorithm, KeySpec
from keystead.core.errors import DecryptionFailed
from keystead.core.wrapping import Wrapping
from keystead.crypto.keys import PUBLIC_EXPONENT, private_der, public_der
from keystead.crypto.oaep import decrypt

AES_BYTES: Final = 32
_OAEP: Final = {"sha1": "RSA_OAEP_SHA1", "sha256": "RSA_OAEP_SHA256"}


def wraps_by(wrapping: Wrapping) -> Algorithm:
    """What of it is RSA."""
    return ALGORITHMS[_OAEP[wrapping.digest or ""]]


def generate(spec: KeySpec) -> tuple[bytes, bytes]:
    """(PKCS#8, SubjectPublicKeyInfo) of a fresh RSA pair. Takes up to a second."""
    key = rsa.generate_private_key(PUBLIC_EXPONENT, spec.bits or 0)
    return private_der(key), public_der(key)


def unwrap(wrapping: Wrapping, private: bytes, wrapped: bytes) -> bytes:
    """The material. Raises DecryptionFailed, whatever it was that did not fit."""
    key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)  # sealed and opened by us
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - generate() made it
    algorithm = _OAEP[wrapping.digest or ""]
    if not wrapping.hybrid:
        return decrypt(algorithm, key, wrapped)
    n = key.key_size // 8
    aes = decrypt(algorithm, key, wrapped[:n])
    if len(aes) != AES_BYTES:
        raise DecryptionFailed("the ciphertext does not open")
    try:
        return aes_key_unwrap_with_padding(aes, wrapped[n:])
    except (InvalidUnwrap, ValueError) as error:
        raise DecryptionFailed("the ciphertext does not open") from error
