"""RSAES-OAEP (RFC 8017 §7.1) with an empty label; MGF1 uses the same hash, as AWS has it."""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding

from keystead.core.errors import DecryptionFailed
from keystead.crypto.schemes import DIGESTS


def _oaep(digest: str) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(DIGESTS[digest]), DIGESTS[digest], label=None)


PADDINGS: Final = {f"RSA_OAEP_{name.upper()}": _oaep(name) for name in ("sha1", "sha224", "sha256", "sha384", "sha512")}


def encrypt(algorithm: str, public: Any, plaintext: bytes) -> bytes:
    """The plaintext is no longer than KeySpec.max_plaintext."""
    ciphertext: bytes = public.encrypt(plaintext, PADDINGS[algorithm])
    return ciphertext


def decrypt(algorithm: str, private: Any, ciphertext: bytes) -> bytes:
    """Raises DecryptionFailed."""
    try:
        plaintext: bytes = private.decrypt(ciphertext, PADDINGS[algorithm])
    except ValueError as error:
        raise DecryptionFailed("the ciphertext does not open") from error
    return plaintext
