"""How a shell is told of variables: a table, one row per shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct


class Shell(Struct, frozen=True):
    export: Callable[[str, str], str]  # name, value
    unset: Callable[[str], str]


def _in_fish(value: str) -> str:
    """fish documentation, "Quotes": within single ones a backslash takes itself and the quote, and nothing else."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"


SHELLS: Mapping[str, Shell] = {
    "sh": Shell(lambda name, value: f"export {name}={shlex.quote(value)}", lambda name: f"unset {name}"),
    # Each ends in a semicolon: `eval (…)` of fish makes one line of them.
    "fish": Shell(lambda name, value: f"set -gx {name} {_in_fish(value)};", lambda name: f"set -e {name};"),
}


def asking() -> str:
    """The shell that has called us; "sh" for what is none of the table.

    $SHELL is the one somebody logs in with: a script of another would be told in the wrong words.
    """
    name = ""
    with suppress(OSError):
        name = Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip()
    return name if name in SHELLS else "sh"


def script(shell: str, found: Mapping[str, str], left_over: Sequence[str]) -> str:
    """What `shell` has to do to have `found`, and `left_over` no more."""
    told = SHELLS[shell]
    return "\n".join([*(told.export(*one) for one in found.items()), *map(told.unset, left_over)])
