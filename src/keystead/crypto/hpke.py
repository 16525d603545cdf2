"""HPKE (RFC 9180) in its base mode: anybody closes what a secret of 32 bytes opens. Its key pair comes from it by HKDF.

The KEM is ML-KEM-768 with X25519, so that what is closed today stays so before a quantum computer; HKDF-SHA-256 and
AES-256-GCM.
"""

from __future__ import annotations

from typing import Final

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
from msgspec import Struct

from keystead.core.errors import DecryptionFailed, InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.crypto.kdf import hkdf

SECRET_BYTES: Final = 32
LATTICE_BYTES, CURVE_BYTES = 1184, 32  # FIPS 203 Table 3; RFC 7748 §5
PUBLIC_BYTES: Final = LATTICE_BYTES + CURVE_BYTES
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Hpke(Struct, frozen=True):
    """To secrets of one kind: by other labels for HKDF a secret of another kind is of no use."""

    of: str  # the secret, in words
    lattice: bytes  # label of the half of ML-KEM-768
    curve: bytes  # label of the half of X25519

    def public_key(self, secret: Sensitive) -> bytes:
        """PUBLIC_BYTES: the encapsulation key of ML-KEM-768, and the public key of X25519. Raises InvalidArgument."""
        lattice, curve = self._halves(secret)
        return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    def close(self, public: bytes, text: Sensitive, info: bytes) -> bytes:
        """`info`: what it is for; it opens with the same alone. Raises InvalidArgument for what is no public key."""
        try:
            lattice = MLKEM768PublicKey.from_public_bytes(public[:LATTICE_BYTES])
            curve = X25519PublicKey.from_public_bytes(public[LATTICE_BYTES:])
            return _SUITE.encrypt(text.reveal(), MLKEM768X25519PublicKey(lattice, curve), info)
        except ValueError as error:
            raise InvalidArgument(f"not the public half of {self.of}", "public") from error

    def open(self, secret: Sensitive, closed: bytes, info: bytes) -> Sensitive:
        """Raises DecryptionFailed; InvalidArgument for a secret of another length."""
        pair = MLKEM768X25519PrivateKey(*self._halves(secret))
        try:
            return Sensitive(_SUITE.decrypt(closed, pair, info))
        except (InvalidTag, ValueError) as error:
            raise DecryptionFailed(f"it does not open with {self.of} like this") from error

    def _halves(self, secret: Sensitive) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        if len(secret.reveal()) != SECRET_BYTES:
            raise InvalidArgument(f"{self.of} is {SECRET_BYTES} bytes", "secret")
        seed = hkdf(secret.reveal(), self.lattice, 64)
        scalar = hkdf(secret.reveal(), self.curve, CURVE_BYTES)
        return MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)


BOX = Hpke("a seed", b"keystead/box/mlkem768/v1", b"keystead/box/x25519/v1")
"""What shares or a passphrase come to (keystead.seals)."""
RECOVERY = Hpke("a recovery key", b"keystead/recovery/v1/ml-kem-768", b"keystead/recovery/v1/x25519")
"""What people keep beside the slots (service.escrow)."""
