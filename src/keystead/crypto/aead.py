"""Authenticated encryption. Every failure to open is DecryptionFailed, and says nothing more."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305

from keystead.core.errors import DecryptionFailed

NONCE_BYTES, TAG_BYTES = 12, 16


class GcmSiv:
    """AES-256-GCM-SIV (RFC 8452) under one key, loaded once; a sealed text is nonce ‖ ciphertext ‖ tag.

    A nonce that comes twice shows only whether the same text was sealed twice, so random nonces suffice (RFC 8452 §9).
    """

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCMSIV(key)

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """12 bytes of nonce; the sealed text is 28 bytes longer than the plaintext."""
        return nonce + self._aead.encrypt(nonce, plaintext, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext. Raises DecryptionFailed."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce or tag that is too short
            raise DecryptionFailed("the sealed text does not open") from error


class Gcm:
    """AES-GCM (SP 800-38D) under one key, loaded once; the nonce is the caller's, a sealed text is ciphertext ‖ tag."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        return self._aead.encrypt(nonce, plaintext, aad)

    def open(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext. Raises DecryptionFailed."""
        try:
            return self._aead.decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce that is too short or too long
            raise DecryptionFailed("the sealed text does not open") from error


_ZERO = bytes(NONCE_BYTES)


def seal_once(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """AES-GCM under a key that seals this one message, so the nonce is zero (docs/adr/0004-ciphertext-v1.md)."""
    return AESGCM(key).encrypt(_ZERO, plaintext, aad)


def open_once(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises DecryptionFailed."""
    try:
        return AESGCM(key).decrypt(_ZERO, sealed, aad)
    except InvalidTag as error:
        raise DecryptionFailed("the ciphertext does not open") from error


class ChaCha:
    """ChaCha20-Poly1305 (RFC 8439 §2.8) under one key; otherwise as Gcm."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = ChaCha20Poly1305(key)

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        return self._aead.encrypt(nonce, plaintext, aad)

    def open(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext. Raises DecryptionFailed."""
        try:
            return self._aead.decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce of another length
            raise DecryptionFailed("the sealed text does not open") from error


def chacha_seal_once(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """As seal_once."""
    return ChaCha(key).seal(_ZERO, plaintext, aad)


def chacha_open_once(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises DecryptionFailed."""
    return ChaCha(key).open(_ZERO, sealed, aad)
