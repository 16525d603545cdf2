"""Ed25519 (RFC 8032) for signed notes: the signer of checkpoints, and the verification anybody can do."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

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


class NotEd25519(Exception):
    """It is no Ed25519 key in PEM that can be read without a passphrase."""


def sign_with_pem(pem: Sensitive, message: bytes) -> tuple[bytes, bytes]:
    """(public key, signature) by a private key in PKCS#8. Raises NotEd25519."""
    try:
        key = load_pem_private_key(pem.reveal(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotEd25519 from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NotEd25519
    return key.public_key().public_bytes_raw(), key.sign(message)


def public_of_pem(pem: bytes) -> bytes:
    """The 32 bytes of a public key in SubjectPublicKeyInfo. Raises NotEd25519."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotEd25519 from error
    if not isinstance(key, Ed25519PublicKey):
        raise NotEd25519
    return key.public_bytes_raw()


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature verifies; False for a public key that is none."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
