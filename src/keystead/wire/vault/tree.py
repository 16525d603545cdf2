"""JSON bodies as Vault reads them: an object, every number kept as it was written.

Refused, although Go takes it (docs/adr/0019): a name twice in one object, half a surrogate, bytes that are no UTF-8, a
second document behind the first, and what goes beyond BOUNDS.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from keystead.wire import Malformed
from keystead.wire.json import Bounds, check
from keystead.wire.vault import Refused

JSON = "failed to decode JSON input: "


class Number:
    """A JSON number as it was written: `text`. Written back by envelope.writer the same way."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        if text.lstrip("-")[:1] not in "0123456789" or float(text) in {float("inf"), float("-inf")}:
            raise Malformed("json: cannot unmarshal number into Go value of type float64")
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return "Number(…)"


BOUNDS = Bounds(depth=100, nodes=100_000, strings=50_000, wide=True)
EMPTY = b" \t\r\n"
_EXPECTED = f"{JSON}json: cannot unmarshal %s into Go value of type map[string]interface {{}}"
_FIRST = {ord("["): "array", ord('"'): "string", ord("t"): "bool", ord("f"): "bool"}
_decode = msgspec.json.Decoder(float_hook=Number).decode
_DASH = ord("-")  # a byte is looked for a good deal faster than bytes are
_MINUS_ZERO = re.compile(rb"-0(?![.eE0-9])")


def _integer(text: str) -> int | Number:
    return Number(text) if text == "-0" else int(text)


def _constant(_: str) -> None:
    raise Malformed("not a number")


_odd = json.JSONDecoder(parse_int=_integer, parse_float=Number, parse_constant=_constant)


def is_odd(body: bytes) -> bool:
    """Whether there may be a number in it that a decoder does not keep: the integer "-0"."""
    return _DASH in body and _MINUS_ZERO.search(body) is not None


def tree(body: bytes) -> dict[str, Any]:
    """The object: str, bool, None, int, Number, list, dict. Nothing at all, and null, are an empty one.

    Raises Refused (400, Vault's words).
    """
    if not body or not body.strip(EMPTY):
        return {}
    try:
        check(body, bounds=BOUNDS)
        value = _odd.decode(body.decode()) if is_odd(body) else _decode(body)
    except Refused:
        raise
    except Malformed as error:
        raise Refused(400, f"{JSON}{error}") from None
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise Refused(400, f"{JSON}not JSON") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(400, _EXPECTED % _FIRST.get(body.lstrip(EMPTY)[0], "number"))
    return value
