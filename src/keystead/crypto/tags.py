"""HMAC with any digest: under an HMAC key, or under a key derived from another one for that alone (docs/adr/0020)."""

from __future__ import annotations

from collections.abc import Callable

from keystead.core.errors import InvalidArgument
from keystead.core.keyed import KeyedHash
from keystead.crypto.kdf import hkdf
from keystead.crypto.schemes import DIGESTS


class Tags:
    """HMAC under one key, which is first made when it is first needed, with any digest."""

    __slots__ = ("_by_digest", "_key")

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key
        self._by_digest: dict[str, KeyedHash] = {}

    def under(self, digest: str) -> KeyedHash:
        """Raises InvalidArgument."""
        if (found := self._by_digest.get(digest)) is None:
            if digest not in DIGESTS:
                raise InvalidArgument(f"no HMAC with {digest}", "digest")
            found = self._by_digest[digest] = KeyedHash(self._key(), digest)
        return found


_INFO = b"keystead/hmc/v1"


def beside(material: bytes) -> Callable[[], bytes]:
    """The key for HMAC beside what a key is for: derived, so that neither use says anything about the other."""
    return lambda: hkdf(material, _INFO)


def apart(material: bytes) -> Callable[[], bytes]:
    """The same for a key that others are derived from by HKDF, with an info that a caller chooses."""
    return lambda: hkdf(material, b"", salt=_INFO)
