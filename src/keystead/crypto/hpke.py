"""HPKE (RFC 9180) in its base mode to a recovery key: ML-KEM-768 with X25519, HKDF-SHA-256, AES-256-GCM.

What people keep is one secret of 32 bytes; both halves of the key pair come from it by HKDF.
"""

from __future__ import annotations

from typing import Any, Final

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
from keystead.core.sensitive import Sensitive
from keystead.crypto.kdf import hkdf

SECRET_BYTES: Final = 32
LATTICE_BYTES, CURVE_BYTES = 1184, 32  # FIPS 203 Table 3; RFC 7748 §5
PUBLIC_BYTES: Final = LATTICE_BYTES + CURVE_BYTES


def public_key(secret: Sensitive) -> bytes:
    """PUBLIC_BYTES: the encapsulation key of ML-KEM-768, and the public key of X25519."""
    lattice, curve = _halves(secret)
    public: bytes = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return public


def seal_to(public: bytes, text: Sensitive, info: bytes) -> bytes:
    """Raises InvalidArgument for what is no public key."""
    try:
        lattice = MLKEM768PublicKey.from_public_bytes(public[:LATTICE_BYTES])
        curve = X25519PublicKey.from_public_bytes(public[LATTICE_BYTES:])
    except ValueError as error:
        raise InvalidArgument("not the public half of a recovery key", "recovery_key") from error
    parcel: bytes = _suite().encrypt(text.reveal(), MLKEM768X25519PublicKey(lattice, curve), info)
    return parcel


def open_with(secret: Sensitive, parcel: bytes, info: bytes) -> Sensitive:
    """Raises DecryptionFailed."""
    try:
        return Sensitive(_suite().decrypt(parcel, MLKEM768X25519PrivateKey(*_halves(secret)), info))
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed("it does not open with this recovery key") from error


def _suite() -> Any:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _halves(secret: Sensitive) -> tuple[Any, Any]:
    if len(secret.reveal()) != SECRET_BYTES:
        raise InvalidArgument(f"a recovery key is {SECRET_BYTES} bytes", "recovery_key")
    seed = hkdf(secret.reveal(), b"keystead/recovery/v1/ml-kem-768", 64)
    scalar = hkdf(secret.reveal(), b"keystead/recovery/v1/x25519", CURVE_BYTES)
    return MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)
