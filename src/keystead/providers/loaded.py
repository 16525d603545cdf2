"""What every loaded key version of the software provider is."""

from __future__ import annotations

from collections.abc import Callable

from keystead.core.algorithms import KeySpec
from keystead.crypto.tags import Tags
from keystead.providers.refusing import Refusing


class Key(Refusing):
    """A loaded key version that can do nothing but HMAC: each family overrides what it can."""

    __slots__ = ("_tags",)

    def __init__(self, spec: KeySpec, tags: Callable[[], bytes]) -> None:
        super().__init__(spec)
        self._tags = Tags(tags)

    def mac_as(self, digest: str, message: bytes) -> bytes:
        return self._tags.under(digest)(message)

    def verify_mac_as(self, digest: str, message: bytes, tag: bytes) -> bool:
        return self._tags.under(digest).matches(message, tag)
