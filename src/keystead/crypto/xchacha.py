"""XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2): ChaCha20-Poly1305 whose nonces are long enough to be drawn.

The first 16 bytes of a nonce and the key make the key of that message (HChaCha20); the other eight are its nonce.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from keystead.core.errors import DecryptionFailed
from keystead.crypto.aead import ChaCha

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
_DERIVING: Final = 16  # bytes of a nonce
_BLOCK: Final = bytes(64)
_FOUR: Final = Layout("<4I")
_CONSTANTS: Final = _FOUR.unpack(b"expand 32-byte k")


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The 32-byte key that `key` (32 bytes) and `nonce` (16) make. §2.2

    ChaCha20's block is what its rounds make, plus what they began with (RFC 8439 §2.3). HChaCha20 leaves that addition
    out, and keeps the words that began as constants and as nonce; so those, which are known, are subtracted again.
    """
    block = Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(_BLOCK)
    return _without(block[:16], _CONSTANTS) + _without(block[48:], _FOUR.unpack(nonce))


def _without(words: bytes, added: tuple[int, ...]) -> bytes:
    return _FOUR.pack(*((word - more) & 0xFFFFFFFF for word, more in zip(_FOUR.unpack(words), added, strict=True)))


class XChaCha:
    """Under one key of 32 bytes; a sealed text is nonce ‖ ciphertext ‖ tag, 40 bytes longer than the plaintext."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """24 bytes of nonce, drawn or never used before."""
        cipher, rest = self._for(nonce)
        return nonce + cipher.seal(rest, plaintext, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext. Raises DecryptionFailed."""
        if len(sealed) < NONCE_BYTES:
            raise DecryptionFailed("the sealed text does not open")
        cipher, rest = self._for(sealed[:NONCE_BYTES])
        return cipher.open(rest, sealed[NONCE_BYTES:], aad)

    def _for(self, nonce: bytes) -> tuple[ChaCha, bytes]:
        """What seals one message, and the nonce that is left for it. §2.3"""
        return ChaCha(hchacha20(self._key, nonce[:_DERIVING])), bytes(4) + nonce[_DERIVING:]
