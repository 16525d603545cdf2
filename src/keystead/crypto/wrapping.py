"""Unwrapping of keying material that somebody has wrapped for us (core.wrapping), and the keys it is wrapped with."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keystead.core.algorithms import ALGORITHMS, Algorithm, KeySpec
from keystead.core.errors import DecryptionFailed
from keystead.core.ports import Entropy
from keystead.core.wrapping import Wrapping
from keystead.crypto.keys import PUBLIC_EXPONENT, parse_public, private_der, public_der
from keystead.crypto.oaep import decrypt, encrypt

AES_BYTES: Final = 32
MOST_BYTES: Final = 16_384
"""More than any keying material: bounds.MAX_PRIVATE, and the padding."""


def _oaep(wrapping: Wrapping) -> str:
    return f"RSA_OAEP_{(wrapping.digest or '').upper()}"


def wraps_by(wrapping: Wrapping) -> Algorithm:
    """What of it is RSA; the usual algorithm for a digest that is in no row of the table."""
    return ALGORITHMS.get(_oaep(wrapping), ALGORITHMS["RSA_OAEP_SHA256"])


def generate(spec: KeySpec) -> tuple[bytes, bytes]:
    """(PKCS#8, SubjectPublicKeyInfo) of a fresh RSA pair. Takes up to a second."""
    key = rsa.generate_private_key(PUBLIC_EXPONENT, spec.bits or 0)
    return private_der(key), public_der(key)


def unwrap(wrapping: Wrapping, private: bytes, wrapped: bytes) -> bytes:
    """The material. Raises DecryptionFailed, whatever it was that did not fit."""
    key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)  # sealed and opened by us
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - generate() made it
    algorithm, n = _oaep(wrapping), key.key_size // 8
    if not wrapping.hybrid:
        return decrypt(algorithm, key, wrapped)
    if len(wrapped) > n + MOST_BYTES:
        raise DecryptionFailed("longer than keying material")
    aes = decrypt(algorithm, key, wrapped[:n])
    if len(aes) != AES_BYTES:
        raise DecryptionFailed("the ciphertext does not open")
    return open_kwp(aes, wrapped[n:])


def open_kwp(aes: bytes, wrapped: bytes) -> bytes:
    """RFC 5649 §4.2. Raises DecryptionFailed."""
    try:
        return aes_key_unwrap_with_padding(aes, wrapped)
    except (InvalidUnwrap, ValueError) as error:
        raise DecryptionFailed("the ciphertext does not open") from error


def kwp(aes: bytes, material: bytes) -> bytes:
    """AES key wrap with padding (RFC 5649)."""
    return aes_key_wrap_with_padding(aes, material)


def wrap(wrapping: Wrapping, public: bytes, material: bytes, entropy: Entropy) -> bytes:
    """What `unwrap` takes, under the RSA public key of that SubjectPublicKeyInfo; hybrid wrappings alone."""
    aes = entropy(AES_BYTES)
    return encrypt(_oaep(wrapping), parse_public(public), aes) + kwp(aes, material)
