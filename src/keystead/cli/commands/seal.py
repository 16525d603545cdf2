"""keystead seal: sealing the server, and its seals: list, add, remove, migrate."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click
import msgspec

from keystead.cli import secrets
from keystead.cli.commands.steering import answer, running_server
from keystead.cli.group import Suggesting
from keystead.cli.here import Here, say, table, with_here
from keystead.cli.seals import PLANS, Choice, Planned, options, plan
from keystead.core.errors import InvalidArgument

if TYPE_CHECKING:
    from keystead.doors.control import SealsShown

KIND = click.argument("kind", type=click.Choice(list(PLANS)))


@click.group(cls=Suggesting, invoke_without_command=True)
@with_here
@click.pass_context
def seal(ctx: click.Context, here: Here) -> None:
    """Have the server forget what opens it, in every process; its doors answer that it is not available.

    With a command: what its seals are, of which there may be two; any of them opens it.
    """
    if ctx.invoked_subcommand is None:
        with closing(running_server(here)) as server:
            answer(here, server.seal())


@seal.command("list")
@with_here
def list_(here: Here) -> None:
    """Say what opens it."""
    with closing(running_server(here)) as server:
        _answer(here, server.seals())


@seal.command()
@KIND
@options
@with_here
def add(here: Here, kind: str, **said: Any) -> None:
    """Have a second seal of KIND beside the one there is. Its shares, if it has any, are shown once, before.

    With --json the shares are the first line, the seals the second.
    """
    with closing(running_server(here)) as server:
        planned = _planned(here, kind, said)
        _answer(here, server.add_seal(msgspec.to_builtins(planned.plan)))


@seal.command()
@click.argument("kind")
@with_here
def remove(here: Here, kind: str) -> None:
    """Have the seal of KIND open nothing any more; never the last one. Others keep their shares and passphrases."""
    with closing(running_server(here)) as server:
        _answer(here, server.remove_seal(kind))


@seal.command()
@KIND
@click.option("--replacing", metavar="OLD", help="In whose place it comes, where there are two.")
@options
@with_here
def migrate(here: Here, kind: str, replacing: str | None, **said: Any) -> None:
    """Put a new seal of KIND in the place of another, which opens nothing any more.

    Backups of before need the old seal: take a new one, and keep the new seal.json with it.

    \b
    keystead seal migrate shamir --shares 5 --threshold 3 --replacing passphrase
    """
    with closing(running_server(here)) as server:
        replaced = replacing or _replaced(kind, [one.kind for one in server.seals().seals])
        planned = _planned(here, kind, said)
        _answer(here, server.migrate_seal(msgspec.to_builtins(planned.plan), replaced))


def _replaced(kind: str, kinds: list[str]) -> str:
    """The only one, or the one of the same kind. Raises InvalidArgument."""
    if len(kinds) == 1:
        return kinds[0]
    if kind in kinds:
        return kind
    raise InvalidArgument(f"there are two seals: say --replacing {kinds[0]} or --replacing {kinds[1]}", "replacing")


def _planned(here: Here, kind: str, said: dict[str, Any]) -> Planned:
    """Its shares have been shown, and kept, before anything changes: so they cannot be lost with an answer."""
    if kind == "shamir":
        secrets.may_show(here.out)
    (planned,) = plan([kind], Choice(**{name: said[name] for name in Choice.__struct_fields__}))
    shares = planned.texts()
    if shares and here.out.as_json:
        here.out.answer({"shares": shares})
    elif shares:
        lines = ["Shares, one for each custodian; they open it once this command has ended well:", ""]
        here.out.answer(None, "\n".join([*lines, *(f"  {share}" for share in shares), ""]))
        click.pause("Nothing shows them again. Press any key once they are kept …", err=True)
    return planned


def _answer(here: Here, found: SealsShown) -> None:
    rows = [
        [one.kind, "by itself" if one.opens_itself else "by hand", one.told + (" (older form)" if one.is_older else "")]
        for one in found.seals
    ]
    here.out.answer(found, table(["seal", "opens", "with"], rows))
    if found.warning:
        say(found.warning)
