"""custom_metadata: what it may be, in the server's words. OpenBao, builtin/logical/kv: path_metadata.go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead.doors.vault.endpoint import Said
from keystead.wire import Misfit
from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.multierror import multierror

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}
MAX_KEYS, MAX_KEY, MAX_VALUE = 64, 128, 512
FAILED = "custom_metadata validation failed: "


def checked(given: Mapping[str, Any], *, without_null: bool) -> dict[str, str | None]:
    """Every value as a text; null, which takes a name away in a patch, is "" where there is no such thing.

    Raises Said.
    """
    found = {name: None if value is None and not without_null else _text(value) for name, value in given.items()}
    if len(found) > MAX_KEYS:
        raise Said(400, multierror(f"{FAILED}payload must contain at most {MAX_KEYS} keys, provided {len(found)}"))
    wrong = [one for name, value in found.items() for one in _wrong(name, value)]
    if wrong:
        raise Said(400, multierror(*wrong))
    return found


def _text(value: Any) -> str:
    try:
        return str(coerced(Kind.TEXT, "custom_metadata", value))
    except Misfit as error:
        raise Said(400, f"{FAILED}{error.text.partition(': ')[2]}") from None


def quoted(text: str) -> str:
    """As Go's %q writes it."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _point(ord(c))) for c in text) + '"'


def _point(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _wrong(name: str, value: str | None) -> list[str]:
    wrong = []
    if not 0 < (n := len(name.encode())) <= MAX_KEY:
        wrong.append(f'{FAILED}length of key "{name}" is {n} but must be 0 < len(key) <= {MAX_KEY}')
    if value is not None and not 0 < (n := len(value.encode())) <= MAX_VALUE:
        wrong.append(f'{FAILED}length of value for key "{name}" is {n} but must be 0 < len(value) <= {MAX_VALUE}')
    if not name.isprintable():
        wrong.append(f"{FAILED}key {quoted(name)} ({name}) contains unprintable characters")
    if value is not None and not value.isprintable():
        wrong.append(f"{FAILED}value for key {quoted(name)} contains unprintable characters")
    return wrong
