"""Pagination tokens: opaque to the caller, and good only for the tenant and the operation they were made for."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from keystead.core.caller import Caller
from keystead.core.errors import InvalidArgument
from keystead.core.keyed import KeyedHash

_TAG = 16  # bytes of HMAC-SHA-256 kept
_MAX = 1024  # characters; AWS KMS MarkerType


class Markers:
    """Makes and opens markers under barrier.subkey("marker") (service.credentials.keyed)."""

    __slots__ = ("_keyed",)

    def __init__(self, keyed: KeyedHash) -> None:
        self._keyed = keyed

    def make(self, after: str, caller: Caller, operation: str) -> str:
        """A marker that says: go on after `after`. URL-safe base64, without padding."""
        place = after.encode()
        return urlsafe_b64encode(self._tag(place, caller, operation) + place).decode().rstrip("=")

    def open(self, marker: str, caller: Caller, operation: str) -> str:
        """Where to go on. Raises InvalidArgument (detail "Marker") for one that is not this caller's."""
        raw = _decoded(marker)
        tag, place = raw[:_TAG], raw[_TAG:]
        if not hmac.compare_digest(tag, self._tag(place, caller, operation)):
            raise InvalidArgument("the marker is not valid", "Marker")
        return place.decode()  # we made it

    def _tag(self, place: bytes, caller: Caller, operation: str) -> bytes:
        parts = (caller.principal.tenant.encode(), caller.namespace.encode(), operation.encode(), place)
        return self._keyed(b"".join(len(part).to_bytes(4, "big") + part for part in parts))[:_TAG]


def _decoded(marker: str) -> bytes:
    """The bytes of a marker in its one spelling (the decoder skips what is not in its alphabet); b"" for another."""
    if len(marker) > _MAX or not marker.isascii():
        return b""
    try:
        raw = urlsafe_b64decode(marker + "=" * (-len(marker) % 4))
    except Error:
        return b""
    return raw if urlsafe_b64encode(raw).decode().rstrip("=") == marker else b""
