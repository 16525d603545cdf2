"""Groups of commands that know their commands' names and one-line descriptions without importing them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from msgspec import Struct


class Row(Struct, frozen=True):
    """Where a command is ("module:attribute" below keystead.cli.commands), what it does, what it stands beside."""

    where: str
    does: str
    section: str


class ReaderGone(Exception):
    """Whoever read what the command says has had enough."""


@contextmanager
def _read_by_somebody() -> Iterator[None]:
    """Raises ReaderGone, which Click does not make a failure of, as it does of BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


STEM = 5  # letters


def _shares_a_stem(name: str, command: str) -> bool:
    """Whether a word of the command begins as `name` does: `delete`, and `schedule-deletion`."""
    return len(name) >= STEM and any(word.startswith(name[:STEM]) for word in command.split("-"))


class Suggesting(click.Group):
    """A group that tells what a misspelled command may have meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            commands = self.list_commands(ctx)
            near = get_close_matches(name, commands, n=1) or [one for one in commands if _shares_a_stem(name, one)]
            meant = " or ".join([f"`{one}`" for one in near])
            hint = f"; did you mean {meant}?" if near else f"; `{ctx.command_path} --help` lists them"
            raise click.UsageError(f"no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


class Commands(Suggesting):
    """The commands of a table, imported when they are called."""

    def __init__(self, name: str, table: Mapping[str, Row], **options: Any) -> None:
        super().__init__(name, context_settings={"help_option_names": ["-h", "--help"]}, **options)
        self._table = table
        self.params.append(
            click.Option(
                ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Say it."
            )
        )

    @_read_by_somebody()
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Where --help and --version are answered. Raises ReaderGone."""
        return super().make_context(*args, **extra)

    @_read_by_somebody()
    def invoke(self, ctx: click.Context) -> Any:
        """Once all that the command has said is out. Raises ReaderGone."""
        done = super().invoke(ctx)
        sys.stdout.flush()
        return done

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if (row := self._table.get(name)) is None:
            return None
        module, _, attribute = row.where.partition(":")
        found: click.Command = getattr(import_module(f"keystead.cli.commands.{module}"), attribute)
        return found

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(row.section for row in self._table.values()):
            with formatter.section(section):
                formatter.write_dl([(n, row.does) for n, row in self._table.items() if row.section == section])


def _version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        from keystead.version import VERSION

        click.echo(f"keystead {VERSION}")
        ctx.exit()
