"""Ed25519 (RFC 8032) for signed notes: the signer of checkpoints, and the verification anybody can do."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keystead.core.sensitive import Sensitive


class NoteSigner:
    """A core.audit.note.Signer. `seed`: 32 bytes; the key name is the origin of the log."""

    def __init__(self, name: str, seed: Sensitive) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.reveal())
        self.name = name
        self.public_key = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"NoteSigner({self.name!r})"

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature verifies; False for a public key that is none."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
