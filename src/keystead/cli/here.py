"""Where a command acts, and how it answers: what the options that every command has come to."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

DEFAULT_DATA = "keystead-data"


class Output:
    """Answers, on standard output: as one JSON value, or as text for people."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def answer(self, data: Any, text: str | None = None) -> None:
        """`text` stands for `data` where people read; None: data's members, one a line."""
        if self.as_json:
            sys.stdout.buffer.write(msgspec.json.encode(data) + b"\n")
            sys.stdout.buffer.flush()
        else:
            click.echo(members(msgspec.to_builtins(data, builtin_types=(datetime,))) if text is None else text)

    def rows(self, heads: Sequence[str], rows: Sequence[Mapping[str, Any]], *, none: str) -> None:
        """A listing; `heads` names the members that people see, `none` what is said of an empty one."""
        if self.as_json:
            self.answer(rows)
        elif not rows:
            click.echo(none)
        else:
            click.echo(table(heads, [[shown(row[head]) for head in heads] for row in rows]))


class Silent(Output):
    """Where everything has been said."""

    def answer(self, data: Any, text: str | None = None) -> None:
        pass


def say(text: str) -> None:
    """A remark for a person, beside the answer."""
    click.echo(text, err=True)


def shown(value: Any) -> str:
    """One value for people: no JSON, no None."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(str(name))}={shown(each)}" for name, each in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value)) or "-"
    return plain(str(value)) or "-"


def plain(text: str) -> str:
    """What moves the cursor, begins a line or turns the direction of writing is written out (CWE-150).

    Others have written what people are shown here before they approve it.
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def members(data: Any) -> str:
    if not isinstance(data, Mapping):
        return shown(data)
    width = max(map(len, data), default=0)
    return "\n".join(f"{name.replace('_', ' '):<{width}}  {shown(value)}" for name, value in data.items())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = [head.replace("_", " ").upper() for head in heads]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [titles, *rows]]
    return "\n".join(line.rstrip() for line in lines)


class About:
    """Click's `obj` of one run of the command: what is known of it when something goes wrong."""

    directory: Path = Path(DEFAULT_DATA)

    @property
    def data(self) -> str:
        """The --data that a next command needs, with a space before it; nothing for the default."""
        return data_flag(self.directory)


def is_about(directory: Path) -> None:
    """The command that runs is about that data directory."""
    if (about := click.get_current_context().find_object(About)) is not None:
        about.directory = directory


def data_flag(directory: Path) -> str:
    return "" if directory == Path(DEFAULT_DATA) else f" --data {shlex.quote(str(directory))}"


class Here:
    """The data directory a command is about, and its output."""

    def __init__(self, directory: Path, out: Output) -> None:
        self.directory, self.out = directory, out


DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=lambda: Path(os.environ.get("KEYSTEAD_DATA") or DEFAULT_DATA),
    metavar="DIR",
    help="The data directory [default: $KEYSTEAD_DATA, or ./keystead-data].",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def with_here(run: Callable[..., Any]) -> Callable[..., Any]:
    """`run` gets a Here first, and its command --data and --json."""

    @DATA
    @JSON
    @functools.wraps(run)
    def wrapped(*args: Any, data: Path, as_json: bool, **options: Any) -> Any:
        is_about(data)
        return run(Here(data, Output(as_json=as_json)), *args, **options)

    return wrapped
