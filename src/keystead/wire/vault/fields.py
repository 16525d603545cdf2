"""How a value of another JSON type is made to fit a field (framework.FieldData over mapstructure, weakly typed).

A number that comes in is its own text (Number) until a field makes something else of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from keystead.wire import Malformed
from keystead.wire.vault import FieldError, scalars
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.tree import BOUNDS, Number, tree

# --- values


_OF_MANY = ("[]interface {}", "map[string]interface {}")


def _type(value: Any) -> str:
    """What Go calls the type of a decoded JSON value."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | Number):
        return "json.Number"
    return "string" if isinstance(value, str) else _OF_MANY[isinstance(value, dict)]


def _unconvertible(where: str, want: str, value: Any) -> Malformed:
    return Malformed(f"'{where}' expected type '{want}', got unconvertible type '{_type(value)}'")


def _cannot(where: str, want: str, why: str) -> Malformed:
    return Malformed(f"'{where}' cannot parse value as '{want}': {why}")


def _spelled(value: Any) -> str | None:
    """The text of a string or a number, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, Number):
        return value.text
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any, where: str = "") -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if (text := _spelled(value)) is None:
        raise _unconvertible(where, "string", value)
    return text


def _lower(value: Any) -> str:
    """strings.ToLower: rune by rune, never longer and never by its neighbours."""
    return "".join(c.lower()[0] for c in _text(value))


def _bool(value: Any, where: str = "") -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    if (text := _spelled(value)) is None:
        raise _unconvertible(where, "bool", value)
    found = scalars.boolean(text) if text else False
    if found is None:
        raise _cannot(where, "bool", "strconv.ParseBool: invalid syntax")
    return found


def _int(value: Any, where: str = "") -> int:
    if value is None or isinstance(value, bool):
        return int(bool(value))
    if (text := _spelled(value)) is None:
        raise _unconvertible(where, "int", value)
    try:
        return scalars.integer(text or "0")
    except Malformed as error:
        raise _cannot(where, "int", str(error)) from None


_DECIMAL = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")  # no digit is looked at twice


def _float(value: Any, where: str = "") -> float:
    if value is None or isinstance(value, bool):
        return float(bool(value))
    if (text := _spelled(value)) is None:
        raise _unconvertible(where, "float64", value)
    if not text:
        return 0.0
    if not _DECIMAL.fullmatch(text) or abs(found := float(text)) == float("inf"):
        raise _cannot(where, "float64", "strconv.ParseFloat: invalid syntax")
    return found


def _signed(value: Any) -> int:
    if (text := _spelled(value)) is None:
        raise Malformed("could not parse duration from input")
    return scalars.seconds(text)


def _duration(value: Any) -> int:
    if (found := _signed(value)) < 0:
        raise Malformed(f"cannot provide negative value '{found}'")
    return found


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        return scalars.time_read(value)
    if (text := _spelled(value)) is None:
        raise Malformed("could not parse time from input type")
    if (number := scalars.int64(text)) is None:
        why = "value out of range" if text.lstrip("-").isdigit() else "invalid syntax"
        raise Malformed(f'strconv.ParseInt: parsing "{text}": {why}')
    return scalars.unix(number)


# --- lists and maps (mapstructure, WeaklyTypedInput)

_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""unicode.IsSpace of Go."""


def _items(value: Any) -> list[Any]:
    """Nothing is no item, a list its items, anything else the one item."""
    if value is None or value == {}:
        return []
    return value if isinstance(value, list) else [value]


T = TypeVar("T")
_SEVERAL = "decoding failed due to the following error(s):\n\n"


def _each(values: list[Any], one: Callable[[Any, str], T]) -> list[T]:
    """Every value through `one`. Raises Malformed with all complaints together."""
    found, wrong = [], []
    for n, value in enumerate(values):
        try:
            found.append(one(value, f"[{n}]"))
        except Malformed as error:
            wrong.append(str(error))
    if wrong:
        raise Malformed(_SEVERAL + "\n".join(wrong))
    return found


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(text.strip(_SPACE) for text in _each([] if value == "" else _items(value), _text))


def _split(value: Any) -> Any:
    """A string or a number at its commas; anything else as it is. Raises Malformed for more than a list may have."""
    text = _spelled(value)
    if text is not None and text.count(",") >= BOUNDS.strings:
        raise Malformed("too many values")
    return value if text is None else text.split(",") if text else []


def _comma_strings(value: Any) -> tuple[str, ...]:
    """Through an older library there, with words of its own; it also shows the value, which we do not."""
    try:
        return _strings(_split(value))
    except Malformed as error:
        wrong = str(error).removeprefix(_SEVERAL).split("\n")
        raise Malformed(f"{len(wrong)} error(s) decoding:\n\n" + "\n".join(f"* {one}" for one in wrong)) from None


def _comma_ints(value: Any) -> tuple[int, ...]:
    return tuple(_each(_items(_split(value)), _int))


def _map(value: Any, where: str = "") -> dict[str, Any]:
    """A list of maps is their union."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise _unconvertible(where, "map[string]interface {}", value)
    union: dict[str, Any] = {}
    for n, item in enumerate(value):
        union |= _map(item, f"{where}[{n}]")
    return union


def _pairs(value: Any, name: str) -> dict[str, str]:
    try:
        return {key: _text(item, key) for key, item in _map(value).items()}
    except Malformed:
        pairs = [text.partition("=") for text in _each(_items(value), _text)]
    for n, (key, equals, _) in enumerate(pairs):
        if not key or not equals:
            raise Malformed(f'invalid key pair at index {n} in field "{name}"')
    return {key: text for key, _, text in pairs}


def _header(value: Any) -> dict[str, list[str]]:
    """A map of strings and lists of strings, the same as JSON in a string (or in base64), or a list of "name:value"."""
    if isinstance(value, str):
        value = _json_object(value)
    if isinstance(value, list) and not all(isinstance(item, dict) for item in value):
        found: dict[str, list[str]] = {}
        for item in value:
            name, colon, text = item.partition(":") if isinstance(item, str) else ("", "", "")
            if not name or not colon:
                raise Malformed("invalid key pair")
            found.setdefault(name, []).append(text)
        return found
    return {name: [_header_text(item) for item in _listed(items)] for name, items in _map(value).items()}


def _listed(items: Any) -> list[Any]:
    return items if isinstance(items, list) else [items]


def _header_text(item: Any) -> str:
    if (text := _spelled(item)) is None:
        raise Malformed("received non-string value for a header")
    return text


def _json_object(text: str) -> Any:
    try:
        raw = scalars.base64_decoded(text)
    except Malformed:
        raw = text.encode()
    return tree(raw)


COERCIONS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.LOWER: _lower,
    Kind.BOOL: _bool,
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.DURATION: _duration,
    Kind.SIGNED: _signed,
    Kind.TIME: _time,
    Kind.COMMA_STRINGS: _comma_strings,
    Kind.STRINGS: _strings,
    Kind.COMMA_INTS: _comma_ints,
    Kind.LIST: _items,
    Kind.MAP: _map,
    Kind.HEADER: _header,
    Kind.ANY: lambda value: value,
}
UNSET_BY_NULL = frozenset({Kind.DURATION, Kind.SIGNED, Kind.TIME})
"""Kinds for which null is as if the parameter were absent; for the others it is their zero."""


def coerced(kind: Kind, name: str, value: Any) -> Any:
    """`value` as the parameter `name` of that kind. Raises FieldError."""
    try:
        return _pairs(value, name) if kind is Kind.PAIRS else COERCIONS[kind](value)
    except Malformed as error:
        raise FieldError(name, str(error)) from None
