"""HMAC_DRBG with SHA-512: NIST SP 800-90A Rev. 1 §10.1.2."""

from __future__ import annotations

import hmac

MOST = 65536  # bytes a request (Table 2: 2^19 bits)


class HmacDrbg:
    """Not for several threads at once. The reseed interval (2^48 requests) is the caller's to keep.

    Each update is an HMAC under the key before it: what a state was seeded with first keys whatever comes after.
    """

    __slots__ = ("_key", "_value")

    def __init__(self, seed: bytes) -> None:
        """`seed`: entropy input, nonce and personalization string, one after the other (§10.1.2.3)."""
        self._key, self._value = bytes(64), b"\x01" * 64
        self._update(seed)

    def reseed(self, seed: bytes) -> None:
        """`seed`: entropy input and additional input (§10.1.2.4)."""
        self._update(seed)

    def generate(self, n: int, additional: bytes = b"") -> bytes:
        """`n` bytes, at most MOST (§10.1.2.5). Raises ValueError."""
        if not 0 <= n <= MOST:
            raise ValueError(f"{n} bytes are not given at once")
        if additional:
            self._update(additional)
        key, value, made = self._key, self._value, b""
        while len(made) < n:
            value = hmac.digest(key, value, "sha512")
            made += value
        self._value = value
        self._update(additional)
        return made[:n]

    def _update(self, data: bytes) -> None:
        """§10.1.2.2"""
        for mark in (b"\x00", b"\x01"):
            self._key = hmac.digest(self._key, self._value + mark + data, "sha512")
            self._value = hmac.digest(self._key, self._value, "sha512")
            if not data:
                return
