"""Paths of URIs, percent-decoded exactly once. RFC 3986 §2.1, §3.3."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from keystead.wire import Malformed

_ALONE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PERCENT = 0x25  # a number, since CPython raises and drops a TypeError when it looks for bytes in bytes


def text(raw: bytes, *, plus: bool = False) -> str:
    """What was percent-encoded in UTF-8; with `plus`, a "+" is a blank, as in a form.

    Raises Malformed for a "%" without two hex digits, and for what is no UTF-8.
    """
    if plus and b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if _PERCENT in raw:
        if _ALONE.search(raw):
            raise Malformed("a percent sign without two hex digits")
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def path(raw: bytes) -> str:
    """The same for a path. Raises Malformed also for a control, format or blank character other than " "."""
    found = text(raw)
    if not found.isprintable():
        raise Malformed("a path with characters that do not print")
    return found


def segments(raw: bytes) -> list[str]:
    """The segments of a path that begins with "/": split first, decoded then, so "%2F" does not separate.

    Raises Malformed also for a segment "." or "..", however it is spelled.
    """
    found = [path(segment) for segment in raw.removeprefix(b"/").split(b"/")]
    if not {".", ".."}.isdisjoint(found):
        raise Malformed("a relative path")
    return found
