"""Durations as people say them: 30m, 24h, 7d."""

from __future__ import annotations

from keystead.core.errors import InvalidArgument
from keystead.wire import Malformed
from keystead.wire.vault.scalars import seconds as parsed


def seconds(text: str, option: str) -> int:
    """ "" is 0. Raises InvalidArgument, for what is below 0 too."""
    try:
        found = parsed(text)
    except Malformed:
        found = -1
    if found < 0:
        raise InvalidArgument(f"{text!r} is no duration: say 30m, 24h, 7d", option)
    return found
