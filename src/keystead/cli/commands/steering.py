"""keystead status, unseal, seal, slot rotate: how the server is, and what steers it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from keystead import config
from keystead.cli import secrets
from keystead.cli.commands.slot import mode_in_words, slot_in_words, slots_in_words
from keystead.cli.exits import NOTHING_OFFERED, Exit, NoServer
from keystead.cli.here import Here, data_flag, say, with_here
from keystead.cli.session import is_installed, is_running
from keystead.core.errors import KeysteadError, Sealed
from keystead.core.words import count_of

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
    with closing(running_server(here)) as server:
        found = server.status()
    answer(here, found)
    return Exit.SEALED if found.sealed else Exit.DONE


def answer(here: Here, found: ServerStatus) -> None:
    data = data_flag(here.directory)
    damaged = [directory for directory, whole in found.slot_copies.items() if not whole]
    mend = f"DAMAGED in {', '.join(damaged)}; where that can be written, `keystead slot rotate{data}` mends it"
    lines = [
        ("state", f"sealed: open it with `keystead unseal{data}`" if found.sealed else "open"),
        ("seal", f"{found.seal}: {found.seal_trouble}" if found.seal_trouble else found.seal),
        *([("custody", found.custody_alarm)] if found.custody_alarm else []),
        ("version", found.version),
        ("doors", ", ".join(f"{door} {address}" for door, address in found.listen.items())),
        ("workers", str(found.workers)),
        ("since", f"{found.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("slot", mend if damaged else slots_in_words(found)),
        *((f"  {one.name}", slot_in_words(one)) for one in found.slots),
        *mode_in_words(found),
        *(("hsm", _hsm(found, name)) for name in found.hsms),
        ("audit", found.journal_trouble or count_of(found.n_audit_records or 0, "record")),
        *(("  DAMAGED", f"journal {name}: not all of it is in the log") for name in found.journals_damaged),
        ("clock", found.clock_trouble or "believed"),
        ("entropy", _entropy(found)),
        ("keys", "-" if found.n_keys is None else f"{found.n_keys:,}{_in_hsms(found)}"),
        ("epoch", "-" if found.epoch is None else str(found.epoch)),
    ]
    width = max(len(name) for name, _ in lines)
    here.out.answer(found, "\n".join(f"{name:<{width}}  {value}" for name, value in lines))


def _hsm(found: ServerStatus, name: str) -> str:
    if not (trouble := found.hsms[name]):
        return f"{name}: there"
    if name in found.pins_refused:
        return f"{name}: PIN REFUSED, mend it and say `keystead hsm login {name}`: {trouble}"
    return f"{name}: AWAY: {trouble}"


def _entropy(found: ServerStatus) -> str:
    out = [f"{name} is OUT: {words}" for name, words in found.entropy.items() if words]
    left = [name for name, words in found.entropy.items() if not words]
    if not out:
        return " + ".join(("kernel", *left))
    then = "no new keys" if found.entropy_required and not left else f"new keys from {' + '.join(('kernel', *left))}"
    return f"{'; '.join(out)}; {then}"


def _in_hsms(found: ServerStatus) -> str:
    owed = f"; {count_of(found.n_in_hsms, 'destroyed one')} still to be erased in HSMs" if found.n_in_hsms else ""
    given_up = f"; {found.n_given_up} given up in HSMs, NOT erased" if found.n_given_up else ""
    return owed + given_up


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
    with closing(running_server(here)) as server:
        if not (before := server.status()).sealed:
            return answer(here, before)
        return _open(here, server, before, references)


def _open(here: Here, server: Remote, before: ServerStatus, references: Sequence[str]) -> None:
    from keystead.app.installation import read_seal

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
        raise Sealed(f"nothing to open its {before.seal} seal with: there is no terminal to ask at", NOTHING_OFFERED)
    return answer(here, server.unseal(offered))
