"""Detached ciphertexts: nonce, text and tag apart, for a protocol that carries the parts itself (docs/adr/0012).

    header  = 01 || version (3 bytes) || salt (16)                 20 bytes: what XKS has room for
    K_msg   = KDF(K, "keystead/det/v1", header)                    KDF, K: core.envelope
    AAD     = length of aad (2) || aad || length of header (1) || header
    sealed under AES-256-GCM with K_msg, the nonce and AAD, which are those that the protocol says
    salt || nonce = the first 28 bytes of HMAC-SHA-256(K_hedge, random 24 || SHA-256(aad) || SHA-256(plaintext))
    K_hedge = KDF(K, "keystead/dhg/v1", "")

A key seals one message, so no number of messages wears it out, and nothing has to be counted (SP 800-38D §8.3).
Unlike format v1 it does not commit to its key: 20 bytes leave no room for that.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from msgspec import Struct

from keystead.core.errors import DecryptionFailed, InvalidArgument
from keystead.core.keyed import BITS, KeyedHash, fixed_input

FORMAT = 1
KEY_BYTES, SALT_BYTES, NONCE_BYTES, TAG_BYTES = 32, 16, 12, 16
HEADER_BYTES = 20
MAX_AAD = 2**16 - 1
MAX_VERSION = 2**24 - 1


class Detached(Struct, frozen=True):
    """A sealed message in its parts. `header` is for whoever opens it, and is authenticated."""

    ciphertext: bytes  # as long as the plaintext
    nonce: bytes  # 12 bytes; others are no nonce of ours
    tag: bytes  # 16 bytes
    header: bytes


class Sealing(NamedTuple):
    """What one message is sealed with."""

    key: bytes
    nonce: bytes
    header: bytes
    aad: bytes


def version_of(header: bytes) -> int:
    """The key version that a header claims; only opening proves it. Raises DecryptionFailed."""
    if len(header) != HEADER_BYTES or header[0] != FORMAT:
        raise DecryptionFailed("not a ciphertext of this installation")
    return int.from_bytes(header[1:4], "big")


def framed(aad: bytes, header: bytes) -> bytes:
    """Both with their lengths, so that neither can be taken for a part of the other (XKS Proxy API, Encrypt)."""
    if len(aad) > MAX_AAD:
        raise InvalidArgument(f"additional data of {len(aad)} bytes; at most {MAX_AAD} fit", "aad")
    return len(aad).to_bytes(2, "big") + aad + len(header).to_bytes(1, "big") + header


class DetachedSealer:
    """One key version, prepared. The cipher itself is not here: core is pure."""

    __slots__ = ("_hedge", "_message", "_start")

    def __init__(self, key: bytes, version: int) -> None:
        if len(key) != KEY_BYTES or not 0 < version <= MAX_VERSION:
            raise InvalidArgument(f"a key of {len(key)} bytes, version {version}", "key")
        self._start = bytes([FORMAT]) + version.to_bytes(3, "big")
        self._message = KeyedHash(key, prefix=fixed_input("keystead/det/v1"))
        self._hedge = KeyedHash(KeyedHash(key)(fixed_input("keystead/dhg/v1") + BITS))

    def seal(self, plaintext: bytes, aad: bytes, random: bytes) -> Sealing:
        """`random` is 24 bytes, never used before. Raises InvalidArgument for an aad that is too long."""
        drawn = self._hedge(random + sha256(aad).digest() + sha256(plaintext).digest())
        header = self._start + drawn[:SALT_BYTES]
        nonce = drawn[SALT_BYTES : SALT_BYTES + NONCE_BYTES]
        return Sealing(self._message(header + BITS), nonce, header, framed(aad, header))

    def open(self, parts: Detached, aad: bytes) -> Sealing:
        """Raises DecryptionFailed for parts that no message of this version has."""
        fits = len(parts.nonce) == NONCE_BYTES and len(parts.tag) == TAG_BYTES and len(aad) <= MAX_AAD
        if not fits or len(parts.header) != HEADER_BYTES or parts.header[:4] != self._start:
            raise DecryptionFailed("the ciphertext does not open")
        return Sealing(self._message(parts.header + BITS), parts.nonce, parts.header, framed(aad, parts.header))
