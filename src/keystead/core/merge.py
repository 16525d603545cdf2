"""JSON merge patches (RFC 7396) on texts whose numbers stay as they were written."""

from __future__ import annotations

import json
from typing import Any

from keystead.core.errors import InvalidArgument


class _Number(float):
    """A number that writes itself as it was read. A float only because that is what json asks for its text."""

    text: str

    def __repr__(self) -> str:
        return self.text


def _number(text: str) -> _Number:
    made = _Number(0.0)
    made.text = text
    return made


_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number)


def merged(target: bytes, patch: bytes) -> bytes:
    """`target` with `patch` applied; both are JSON objects. Raises InvalidArgument (detail "patch")."""
    try:
        before, changes = _DECODER.decode(target.decode()), _DECODER.decode(patch.decode())
    except (ValueError, RecursionError):
        raise InvalidArgument("only a JSON object can be patched", "patch") from None
    if not isinstance(changes, dict):
        raise InvalidArgument("a merge patch is a JSON object", "patch")
    return _written(_merged(before, changes)).encode()


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396 §2."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found


def _written(value: Any) -> str:
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)
