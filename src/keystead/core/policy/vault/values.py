"""The values of a policy's fields: what each may be, and what is said when it is not.

Times to live as Vault takes them everywhere (documentation, "Duration format strings"); dates as RFC 3339.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault.tokens import Kind, Scanner, Token
from keystead.core.policy.vault.tree import Item, List, Object, Value


def _fault(words: str) -> NoReturn:
    raise InvalidArgument(words, "Policy")


def quoted(text: str) -> str:
    """As Go writes it with %q."""
    escaped = (
        {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c)
        or (c if c.isprintable() else f"\\u{ord(c):04x}")
        for c in text[:200]
    )
    return f'"{"".join(escaped)}"'


def texts(name: str, value: Value, scan: Scanner) -> list[str]:
    if not isinstance(value, List):
        raise scan.wrong(value.at, _not_a_slice(value))
    return [text(f"{name}[{n}]", one, scan) for n, one in enumerate(value.values)]


def _not_a_slice(value: Value) -> str:
    return f"unknown slice type: {type_of(value)}"


def type_of(value: Value) -> str:
    return {List: "*ast.ListType", Object: "*ast.ObjectType", Token: "*ast.LiteralType"}[type(value)]


def text(name: str, value: Value, scan: Scanner) -> str:
    """A number is taken for its text."""
    if isinstance(value, Token):
        if value.kind is Kind.NUMBER:
            return value.text
        if isinstance(value.value, str):
            return value.value
    raise scan.wrong(value.at, f"root.{name}: unknown type for string {type_of(value)}")


def whole(text: str) -> int | None:
    """A number of at most 18 digits, and nothing else."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None


def integer(name: str, value: Value, scan: Scanner) -> int:
    if isinstance(value, Token):
        if value.kind is Kind.NUMBER:
            return int(value.value or 0)
        if isinstance(value.value, str):
            if (number := whole(value.value)) is None:
                _fault(f"strconv.ParseInt: parsing {quoted(value.value)}: invalid syntax")
            return number
    raise scan.wrong(value.at, f"root.{name}: unknown type {type_of(value)}")


def parameters(name: str, value: Value, scan: Scanner) -> dict[str, list[Any]]:
    """Names given twice add up."""
    if not isinstance(value, Object):
        raise scan.wrong(value.at, f"root.{name}: not an object type for map ({type_of(value)})")
    found: dict[str, list[Any]] = {}
    for item in value.items:
        key = single(item, scan)
        if isinstance(item.value, Token):
            raise scan.wrong(item.value.at, _not_a_slice(item.value))
        values = item.value.values if isinstance(item.value, List) else (item.value,)
        found.setdefault(key.lower(), []).extend(_plain(one, scan) for one in values)
    return found


def single(item: Item, scan: Scanner) -> str:
    if len(item.names) > 1:
        raise scan.wrong(item.names[1].at, "a label is not expected here")
    return str(item.names[0].value)


def _plain(value: Value, scan: Scanner) -> Any:
    """As a request has it: text, number, bool, list, dict."""
    if isinstance(value, Token):
        return value.value
    if isinstance(value, List):
        return [_plain(one, scan) for one in value.values]
    return {single(item, scan): _plain(item.value, scan) for item in value.items}


_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "m": 60,
    "h": 3600,
}  # both letters for micro
_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})([^0-9.]*)")


def seconds(text: str) -> float:
    """Seconds, days, or a Go duration: "90", "2d", "1h30m", "1.5s"; nothing is 0. Raises InvalidArgument."""
    if not text:
        return 0
    if re.fullmatch(r"[+-]?[0-9]{1,15}", text):
        return int(text)
    if re.fullmatch(r"[+-]?[0-9]{1,10}d", text):
        return int(text[:-1]) * 86400
    unsigned = text.removeprefix("-").removeprefix("+") if len(text) <= 100 else ""
    total, end = 0.0, 0
    for part in _PART.finditer(unsigned):
        if part.start() != end:
            break
        if not part[2]:
            _fault(f"time: missing unit in duration {quoted(text)}")
        if part[2] not in _UNITS:
            _fault(f"time: unknown unit {quoted(part[2])} in duration {quoted(text)}")
        total, end = total + float(part[1]) * _UNITS[part[2]], part.end()
    if not end or end != len(unsigned):
        _fault(f"time: invalid duration {quoted(text)}")
    return -total if text[0] == "-" else total


def ttl(name: str, value: Value, _scan: Scanner) -> float:
    try:
        if isinstance(value, Token):
            if isinstance(value.value, str):
                return seconds(value.value)
            if value.kind in {Kind.NUMBER, Kind.FLOAT}:
                return int(value.value or 0)
        _fault("could not parse duration from input")
    except InvalidArgument as error:
        _fault(f"error parsing {name}: {error}")


def instant(text: str) -> datetime:
    """RFC 3339, or seconds since 1970. Raises InvalidArgument."""
    try:
        if re.fullmatch(r"-?[0-9]{1,12}", text):
            return datetime.fromtimestamp(int(text), UTC)
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", text, re.ASCII):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    _fault("could not parse string as date and time")
