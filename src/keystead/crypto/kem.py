"""ML-KEM (FIPS 203)."""

from __future__ import annotations

from typing import Any, Final

from keystead.core.errors import DecryptionFailed

CIPHERTEXT_BYTES: Final = {"ML_KEM_768": 1088, "ML_KEM_1024": 1568}  # FIPS 203 Table 3


def encapsulate(public: Any) -> tuple[bytes, bytes]:
    """(shared secret of 32 bytes, ciphertext)"""
    secret, ciphertext = public.encapsulate()
    return secret, ciphertext


def decapsulate(algorithm: str, private: Any, ciphertext: bytes) -> bytes:
    """32 bytes, pseudo-random if the ciphertext is not for this key (implicit rejection, FIPS 203 §6.3).

    Raises DecryptionFailed if the length is wrong.
    """
    if len(ciphertext) != CIPHERTEXT_BYTES[algorithm]:
        raise DecryptionFailed("the ciphertext does not open")
    secret: bytes = private.decapsulate(ciphertext)
    return secret
