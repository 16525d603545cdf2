"""keystead slot …: where the erasable secret is, what destroying does, and the keys that people keep for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keystead import config
from keystead.cli import secrets
from keystead.cli.files import create, read_text
from keystead.cli.group import Suggesting
from keystead.cli.here import JSON, Here, Output, with_here
from keystead.cli.session import UNSEAL, Session, is_running, with_session
from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.words import count_of

if TYPE_CHECKING:
    from keystead.doors.control import ServerStatus
    from keystead.doors.control.lifecycle import SlotStatus

BACK_UP = "Take a new backup: `keystead backup PATH`."


@click.group(cls=Suggesting)
def slot() -> None:
    """The erasable secret beside the database."""


@slot.command("list")
@with_session
def list_(out: Output, session: Session) -> None:
    """Where the secret is kept: any one of them opens the root of the key tree, and all of them erase."""
    rows = [{"slot": one.name, "generation": one.generation, "state": slot_in_words(one)} for one in session.slots()]
    out.rows(("slot", "generation", "state"), rows, none="No slots.")


SLOT = click.argument("name", metavar="SLOT")


@slot.command()
@SLOT
@with_session
def add(out: Output, session: Session, name: str) -> None:
    """Keep the secret in SLOT too: pkcs11:NAME (an HSM of keystead.toml), tpm, or file."""
    session.add_slot(name)
    out.answer({"added": name}, f"The root is in {name} too. {BACK_UP}")


@slot.command()
@SLOT
@click.option("--lost", is_flag=True, help="It cannot be reached, now or ever. What it holds counts as not erased.")
@with_session
def remove(out: Output, session: Session, name: str, *, lost: bool) -> None:
    """Keep the secret in SLOT no more, and erase what it holds."""
    session.remove_slot(name, lost=lost)
    out.answer({"removed": name}, f"The root is in {name} no more. {BACK_UP}")


@slot.command("rotate")
@with_session
def rotate(out: Output, session: Session) -> None:
    """A new generation: no backup made before opens by itself any more. Take a new one afterwards."""
    session.rotate_slot()
    out.answer({"rotated": True}, f"The slot has a new generation. {BACK_UP}")


# --- what destroying does


@slot.command()
@click.argument("kind", metavar="MODE", type=click.Choice(["strict", "window", "off"]))
@click.option(
    "--recovery-key",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With window: the public half of one, from `keystead slot recovery-key`. Repeatable.",
)
@with_session
def mode(out: Output, session: Session, kind: str, files: Sequence[Path]) -> None:
    """What destroying does beside deleting.

    strict: every slot erases at once. window: so it does, and recovery keys that people keep open what the slots lose;
    a destroyed key is irrecoverable once they are replaced and reported erased. off: nothing is erased, and an old
    backup opens what was deleted.

    \b
    keystead slot mode window --recovery-key 2026-11.pub
    """
    from keystead.service.escrow import id_of, read_public

    if (kind == "window") is not bool(files):
        raise InvalidArgument(
            "the mode window takes --recovery-key FILE, and no other mode does; `keystead slot recovery-key` makes one",
            "recovery_key",
        )
    keys = tuple(read_public(read_text(file, "recovery_key")) for file in files)
    session.perform(ops.SetSlotMode(mode=kind, recovery_keys=keys))
    session.rotate_slot()
    out.answer({"mode": kind, "recovery_keys": [id_of(key) for key in keys]}, f"The mode is {kind}. {BACK_UP}")


@slot.command("recovery-key")
@click.option(
    "-o", "--output", required=True, metavar="FILE", type=click.Path(path_type=Path), help="For the secret half."
)
@JSON
def recovery_key(output: Path, *, as_json: bool) -> None:
    """Make a recovery key, here and offline: its secret half into FILE, its public half into FILE.pub.

    The secret half, with the unseal key, opens the installation when every slot is lost. Keep it where its keeper can
    erase it.
    """
    import os

    from keystead.app import hygiene
    from keystead.core.sensitive import Sensitive
    from keystead.crypto.hpke import RECOVERY, SECRET_BYTES
    from keystead.service.escrow import id_of, public_text, secret_text

    hygiene.harden()
    secret = Sensitive(os.urandom(SECRET_BYTES))
    public = RECOVERY.public_key(secret)
    create(output, f"{secret_text(secret)}\n".encode())
    create(output.with_name(f"{output.name}.pub"), f"{public_text(public)}\n".encode())
    told = {"recovery_key": f"recovery:{id_of(public)}", "secret": str(output), "public": f"{output}.pub"}
    Output(as_json=as_json).answer(told)


@slot.command()
@click.argument("name", metavar="WHAT")
@with_session
def erased(out: Output, session: Session, name: str) -> None:
    """Report that WHAT is erased, by your word: recovery:ID, lost:SLOT:GENERATION, or a slot that was removed.

    `keystead status` lists what is waited for. It goes on record, and into destruction certificates, under your name.
    """
    session.perform(ops.ReportErased(name=name))
    out.answer({"erased": name}, f"{name} counts as erased for everything that was replaced before now.")


@slot.command()
@click.option("--recovery-key", "reference", required=True, metavar="REF", help="Its secret half: file:, env: or fd:.")
@UNSEAL
@with_here
def recover(here: Here, reference: str, unseal: Sequence[str]) -> None:
    """Every slot is lost: open with a recovery key, and put the root into the slots of keystead.toml anew.

    No server may run. What the lost slots held counts as not erased.
    """
    from keystead.app import hygiene
    from keystead.app.recovery import reslot
    from keystead.service.escrow import read_secret

    hygiene.harden()
    if is_running(here):
        raise Unavailable("a recovery has the installation to itself: stop the server first")
    offered = secrets.required(here.directory, unseal)
    names = reslot(here.directory, offered, read_secret(config.secret(reference)))
    here.out.answer({"slots": names}, f"The root is in {', '.join(names)} again. {BACK_UP}")


# --- in words, for `status`


def slots_in_words(found: ServerStatus) -> str:
    waits = f"; {count_of(found.n_unerased, 'old secret')} still to be erased" if found.n_unerased else ""
    kept = f"kept in {count_of(found.n_places, 'place')}"
    if found.n_places < found.slots_at_least:
        lost = f"RED: {kept} of {found.slots_at_least}; whoever loses it loses every key"
        return f"{lost}. {found.slots_way_out}{waits}"
    if found.n_places < 2:
        accepted = "as slots_at_least = 1 accepts; whoever loses it loses every key"
        return f"{kept}, {accepted}{waits}"
    return f"{kept}{waits}"


def slot_in_words(one: SlotStatus) -> str:
    if one.n_unerased is None:
        return f"UNREACHABLE: {one.trouble}"
    return one.trouble or (f"{one.n_unerased} still to be erased" if one.n_unerased else "whole")


def mode_in_words(found: ServerStatus) -> list[tuple[str, str]]:
    """Nothing of a mode that is as it was meant to be."""
    lines = []
    if found.slot_mode == "off":
        lines.append(("mode", "off: old backups open what was deleted, and nothing is destroyed"))
    if found.slot_mode == "window" and found.recovery_since is not None:
        until = found.recovery_since + timedelta(days=found.recovery_for)
        red = "RED: " if until < datetime.now(UTC) else ""
        lines.append(("mode", f"window; {red}recovery keys are to be replaced by {until:%Y-%m-%d}"))
    if found.awaited:
        waits = f"what was destroyed is not irrecoverable until these are reported erased: {', '.join(found.awaited)}"
        lines.append(("awaited", waits))
    return lines
