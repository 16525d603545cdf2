"""keystead status, unseal, seal, slot rotate: how the server is, and what steers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from keystead import config
from keystead.cli import secrets
from keystead.cli.exits import Exit, NoServer
from keystead.cli.group import Suggesting
from keystead.cli.here import Here, Output, say, with_here
from keystead.cli.session import Session, is_installed, is_running, with_session
from keystead.core.errors import KeysteadError, Sealed

if TYPE_CHECKING:
    from keystead.cli.remote import Remote
    from keystead.doors.control import ServerStatus


def running_server(here: Here) -> Remote:
    is_installed(here)
    if not is_running(here):
        raise NoServer(f"no server is running on {here.directory}")
    from keystead.cli.remote import Remote

    return Remote(here.directory, config.read(here.directory))


@click.command()
@with_here
def status(here: Here) -> Exit:
    """Say how the server is. Exit status 3: none is running; 4: it is sealed."""
    found = running_server(here).status()
    answer(here, found)
    return Exit.SEALED if found.sealed else Exit.DONE


def answer(here: Here, found: ServerStatus) -> None:
    damaged = [directory for directory, whole in found.slot_copies.items() if not whole]
    lines = [
        ("state", "sealed: open it with `keystead unseal`" if found.sealed else "open"),
        ("seal", f"{found.seal}: {found.seal_trouble}" if found.seal_trouble else found.seal),
        ("version", found.version),
        ("doors", ", ".join(f"{door} {address}" for door, address in found.listen.items())),
        ("workers", str(found.workers)),
        ("since", f"{found.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("slot", f"DAMAGED in {', '.join(damaged)}" if damaged else _slot(found)),
        ("audit", found.journal_trouble or f"{found.n_audit_records or 0:,} records"),
        ("clock", found.clock_trouble or "believed"),
        ("keys", "-" if found.n_keys is None else f"{found.n_keys:,}"),
        ("epoch", "-" if found.epoch is None else str(found.epoch)),
    ]
    here.out.answer(found, "\n".join(f"{name:<8}  {value}" for name, value in lines))


def _slot(found: ServerStatus) -> str:
    waits = f"; {found.n_unerased} old secrets still to be erased" if found.n_unerased else ""
    return f"both copies whole{waits}"


@click.command()
@click.option(
    "--unseal",
    "references",
    multiple=True,
    metavar="REF",
    help="A passphrase or share: file:PATH, env:NAME, fd:N. Repeatable.",
)
@with_here
def unseal(here: Here, references: Sequence[str]) -> None:
    """Open a sealed server, with a passphrase or with shares; asks at a terminal.

    Where a seal opens by itself that is tried first.
    """
    from keystead.app.installation import read_seal

    server = running_server(here)
    if not (before := server.status()).sealed:
        return answer(here, before)
    if not references and read_seal(here.directory).opens_itself:
        try:
            return answer(here, server.unseal(()))
        except KeysteadError as error:  # then somebody opens it by hand, or it stays as it is
            if not (offered := secrets.to_open(here.directory, (), by_hand=True)):
                raise
            say(str(error))
    else:
        offered = secrets.to_open(here.directory, references)
    if not offered:
        raise Sealed(
            f"nothing to open its {before.seal} seal with: there is no terminal to ask at, so give --unseal REF"
        )
    return answer(here, server.unseal(offered))


@click.group(cls=Suggesting)
def slot() -> None:
    """The erasable secret beside the database."""


@slot.command("rotate")
@with_session
def rotate(out: Output, session: Session) -> None:
    """A new generation: no backup made before opens by itself any more. Take a new one afterwards."""
    session.rotate_slot()
    out.answer({"rotated": True}, "The slot has a new generation. Take a new backup: `keystead backup PATH`.")
