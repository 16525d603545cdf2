"""The names in a secret without its values. HTTP API, "Read secret subkeys"."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.core.sensitive import Sensitive

_decode = msgspec.json.Decoder(float_hook=str).decode


def subkeys(value: Sensitive, depth: int) -> Any:
    """The tree of names, `depth` deep: 0 is all of it, and below 0 is one."""
    return _names(_decode(value.reveal()), depth if depth >= 0 else 1)


def _names(value: Any, depth: int) -> Any:
    if not isinstance(value, dict):
        return None
    inside = {name: _names(one, depth - 1) if depth != 1 else None for name, one in value.items()}
    return {name: one or None for name, one in inside.items()}
