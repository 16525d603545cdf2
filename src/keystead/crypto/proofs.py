"""What a share of a seal proves of itself: an Ed25519 key that it gives (RFC 8032), and no other share does.

The key comes of the share by HKDF and signs challenges and nothing else, so who has its public half, or any number of
signatures, knows no more of the share than before.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keystead.crypto.kdf import hkdf
from keystead.crypto.shamir import Share

LABEL = b"keystead/share-proof/v1"
PUBLIC_BYTES, SIGNATURE_BYTES = 32, 64


def public_key(share: Share) -> bytes:
    """PUBLIC_BYTES of them."""
    return _private(share).public_key().public_bytes_raw()


def sign(share: Share, challenge: bytes) -> bytes:
    return _private(share).sign(LABEL + challenge)


def verify(public: bytes, challenge: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, LABEL + challenge)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(share: Share) -> Ed25519PrivateKey:
    whose = share.set_id + bytes([share.threshold, share.index])
    return Ed25519PrivateKey.from_private_bytes(hkdf(share.value, LABEL + whose))
