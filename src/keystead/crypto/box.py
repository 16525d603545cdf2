"""A box that anybody can close and only a seed of 32 bytes opens: HPKE (RFC 9180 §6.1) to a key that the seed gives.

The KEM is ML-KEM-768 with X25519, so that what is closed today stays so before a quantum computer; HKDF-SHA-256 and
AES-256-GCM.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from keystead.core.errors import DecryptionFailed, InvalidArgument
from keystead.crypto.kdf import hkdf

SEED_BYTES = 32
_OF_MLKEM, _OF_X25519 = 1184, 32  # bytes: FIPS 203 §8, RFC 7748 §5
PUBLIC_BYTES = _OF_MLKEM + _OF_X25519
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def public_key(seed: bytes) -> bytes:
    """What closes boxes for the seed: PUBLIC_BYTES of them."""
    mlkem, x25519 = _private(seed)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def close(public: bytes, secret: bytes, info: bytes) -> bytes:
    """`info`: what the box is for; it opens with the same alone. Raises InvalidArgument for what is no public key."""
    if len(public) != PUBLIC_BYTES:
        raise InvalidArgument("a public key of another length", "public")
    try:
        parts = (
            MLKEM768PublicKey.from_public_bytes(public[:_OF_MLKEM]),
            X25519PublicKey.from_public_bytes(public[_OF_MLKEM:]),
        )
        return _SUITE.encrypt(secret, MLKEM768X25519PublicKey(*parts), info)
    except ValueError as error:
        raise InvalidArgument("not a public key", "public") from error


def open_box(seed: bytes, closed: bytes, info: bytes) -> bytes:
    """Raises DecryptionFailed."""
    try:
        return _SUITE.decrypt(closed, MLKEM768X25519PrivateKey(*_private(seed)), info)
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed("the box does not open") from error


def _private(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """Raises InvalidArgument."""
    if len(seed) != SEED_BYTES:
        raise InvalidArgument("a seed of another length", "seed")
    return (
        MLKEM768PrivateKey.from_seed_bytes(hkdf(seed, b"keystead/box/mlkem768/v1", 64)),
        X25519PrivateKey.from_private_bytes(hkdf(seed, b"keystead/box/x25519/v1")),
    )
