"""An encryption context whose values are not all strings, which is read a second time.

KMS Developer Guide, "Encryption context": "If you use a different type, such as an integer or float, AWS KMS interprets
it as a string." SDKs without types send such values. The string is what is written: 1.50 is "1.50", true is "true".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

_CONTEXTS = ("EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext")
_OF_A_GRANT = ("EncryptionContextEquals", "EncryptionContextSubset")
_PATHS = tuple(f"$.{name}[" for name in (*_CONTEXTS, *(f"Constraints.{name}" for name in _OF_A_GRANT)))


class _Int(int):
    written: str


class _Float(float):
    written: str


def stands_in_one(path: str) -> bool:
    """path: of what did not fit (wire.Misfit)."""
    return path.startswith(_PATHS)


def spelt(body: bytes) -> bytes | None:
    """`body`, which has been checked, with strings in its contexts; None where they are no such values either.

    Nothing is raised here: an error that is handed on and raised again holds the frame that holds it, and with both the
    request.
    """
    try:
        members = json.loads(body.decode(), parse_int=_whole, parse_float=_broken, parse_constant=_refused)
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    constraints = members.get("Constraints")
    for holder, names in ((members, _CONTEXTS), (constraints, _OF_A_GRANT)):
        if isinstance(holder, dict):
            holder.update({name: _texts(holder[name]) for name in names if isinstance(holder.get(name), dict)})
    return json.dumps(members, ensure_ascii=False).encode()


def _texts(context: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in context.items()}


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.written if isinstance(value, _Int | _Float) else value


def _whole(text: str) -> _Int:
    number = _Int(text)
    number.written = text
    return number


def _broken(text: str) -> _Float:
    number = _Float(text)
    number.written = text
    return number


def _refused(text: str) -> NoReturn:
    raise ValueError(text)
