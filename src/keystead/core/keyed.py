"""HMAC (RFC 2104, FIPS 198-1) with its two keyed states computed once and copied for each message."""

from __future__ import annotations

import hashlib
import hmac

BITS = (256).to_bytes(4, "big")
"""[L]_32 of SP 800-108r1 §4.1, for the one output length there is."""


def fixed_input(label: str) -> bytes:
    """[i]_32 || Label || 00; Context and [L]_32 follow. SP 800-108r1 §4.1, counter mode, one block"""
    return (1).to_bytes(4, "big") + label.encode() + b"\x00"


_IPAD, _OPAD = bytes(x ^ 0x36 for x in range(256)), bytes(x ^ 0x5C for x in range(256))


class KeyedHash:
    """HMAC under one key, of messages that begin with `prefix`. Safe to use from any thread."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, digest: str = "sha256", prefix: bytes = b"") -> None:
        self._inner, self._outer = hashlib.new(digest), hashlib.new(digest)
        size = self._inner.block_size
        block = (key if len(key) <= size else hashlib.new(digest, key).digest()).ljust(size, b"\0")
        self._inner.update(block.translate(_IPAD) + prefix)
        self._outer.update(block.translate(_OPAD))

    def __call__(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def matches(self, message: bytes, tag: bytes) -> bool:
        """In constant time. A truncated tag does not match."""
        return hmac.compare_digest(self(message), tag)
