"""AES-CBC with HMAC-SHA-256, encrypt-then-MAC: what is sealed so, whoever holds the two keys (docs/adr/0033).

    IV     = 16 random bytes
    cipher = AES-CBC(cipher key, IV, padded text)                         padding: RFC 5652 §6.3
    tag    = HMAC-SHA-256(MAC key, "keystead/etm/v1" || length of aad (4) || aad || IV || cipher)     32 bytes
    sealed = cipher || tag

The tag is compared before anything is deciphered, so nobody learns of padding what the tag has not vouched for
(Bellare and Namprempre, ASIACRYPT 2000: encrypt-then-MAC with two keys).
"""

from __future__ import annotations

import hmac

from keystead.core.errors import DecryptionFailed

BLOCK_BYTES = IV_BYTES = 16
TAG_BYTES = 32
_LABEL = b"keystead/etm/v1"


def tagged(aad: bytes, iv: bytes, cipher: bytes) -> bytes:
    """What the tag is of."""
    return b"".join((_LABEL, len(aad).to_bytes(4, "big"), aad, iv, cipher))


def padded(text: bytes) -> bytes:
    n = BLOCK_BYTES - len(text) % BLOCK_BYTES
    return text + bytes([n]) * n


def unpadded(text: bytes) -> bytes:
    """Of what the tag has vouched for. Raises DecryptionFailed."""
    n = text[-1] if text else 0
    if not 0 < n <= BLOCK_BYTES or text[-n:] != bytes([n]) * n:
        raise DecryptionFailed("the ciphertext does not open")
    return text[:-n]


def split(iv: bytes, sealed: bytes) -> tuple[bytes, bytes]:
    """(cipher, tag). Raises DecryptionFailed for what was never sealed."""
    cipher, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    if len(iv) != IV_BYTES or not cipher or len(cipher) % BLOCK_BYTES or len(tag) != TAG_BYTES:
        raise DecryptionFailed("the ciphertext does not open")
    return cipher, tag


def require_same(made: bytes, tag: bytes) -> None:
    """Raises DecryptionFailed."""
    if not hmac.compare_digest(made, tag):
        raise DecryptionFailed("the ciphertext does not open")
