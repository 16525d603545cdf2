"""batch_input as sign, verify, hmac and rewrap read it, more loosely than encrypt and decrypt.

OpenBao, sdk/framework and mapstructure, weakly typed as far as null is nothing and a number is its text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from keystead.doors.vault.endpoint import Said
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.tree import Number

EMPTY = "missing batch input to process"
WRONG = "decoding failed due to the following error(s):\n\n"
R = TypeVar("R")


def type_name(value: Any) -> str:
    """What Go calls the type of a value that came as JSON."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | Number):
        return "json.Number"
    if isinstance(value, str):
        return "string"
    return "<nil>" if value is None else "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


_KINDS = {"json.Number": "string", "[]interface {}": "slice", "map[string]interface {}": "map"}


def kind_name(value: Any) -> str:
    """What Go calls its kind: a number is a text there."""
    name = type_name(value)
    return _KINDS.get(name, name)


def unparsed(words: str) -> Said:
    return Said(500, multierror(f"failed to parse batch input: {words}"))


def unfit(at: str, wanted: str, value: Any) -> str:
    return f"'{at}' expected type '{wanted}', got unconvertible type '{type_name(value)}'"


def text(value: Any, at: str, wrong: list[str]) -> str:
    """A text, or a number as it was written; of null the empty one. What it is not is told among `wrong`."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, str | None):
        return value or ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    wrong.append(unfit(at, "string", value))
    return ""


def loosely(raw: Any, read: Callable[[int, Any, list[str]], R]) -> list[R]:
    """Each item as `read` has it: (number, item, what is wrong so far). Raises Said for all that is wrong together."""
    if not isinstance(raw, list):
        raise unparsed(f"'' source data must be an array or slice, got {kind_name(raw)}")
    if not raw:
        raise Said(400, EMPTY)
    wrong: list[str] = []
    found = [read(n, one, wrong) for n, one in enumerate(raw)]
    if wrong:
        raise unparsed(WRONG + "\n".join(wrong))
    return found


def texts(raw: Any, verb: str) -> list[Mapping[str, str]]:
    """The items of a batch whose members are all text; null is one without any. `verb`: "HMAC". Raises Said."""

    def read(n: int, one: Any, wrong: list[str]) -> Mapping[str, str]:
        if isinstance(one, dict):
            return {name: text(value, f"[{n}][{name}]", wrong) for name, value in one.items()}
        if one is not None:
            wrong.append(unfit(f"[{n}]", f"transit.batchRequest{verb}Item", one))
        return {}

    return loosely(raw, read)
