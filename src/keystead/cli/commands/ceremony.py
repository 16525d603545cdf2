"""keystead ceremony …"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import click
import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from keystead.app import hygiene
from keystead.app.clock import SystemClock
from keystead.app.installation import initialise, prepare
from keystead.cli.ceremony import importing, initialising, record
from keystead.cli.ceremony import plan as plans
from keystead.cli.ceremony.holding import Held, holding
from keystead.cli.ceremony.room import Room, Scripted, Terminal
from keystead.cli.exits import NotProven
from keystead.cli.group import Suggesting
from keystead.cli.here import JSON, Here, Output, with_here
from keystead.cli.session import UNSEAL, session
from keystead.config import Config
from keystead.core.audit.transcript import ENDED, Verdict, Wrong
from keystead.core.errors import InvalidArgument
from keystead.seals.file import FileSeal

PLAN = click.argument("plan_path", metavar="PLAN", type=click.Path(path_type=Path))
TRANSCRIPT = click.argument("path", metavar="TRANSCRIPT", type=click.Path(path_type=Path))
WRITTEN = click.option(
    "--transcript",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the transcript goes, which must be new [default: ceremony-<time>.jsonl].",
)
REHEARSE = click.option("--rehearse", is_flag=True, help="With data that is thrown away; all else as it will be.")
SCRIPT = click.option(
    "--script",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Rehearse without people: what they say (TOML).",
)


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """What people say who are not there. Who is not in it confirms, and types what was given."""

    answers: dict[str, Annotated[list[str], Meta(max_length=16)]] = {}


@click.group(cls=Suggesting)
def ceremony() -> None:
    """What several people do together, and a transcript that proves it."""


@ceremony.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@PLAN
@WRITTEN
@REHEARSE
@SCRIPT
@JSON
def init(directory: Path, plan_path: Path, path: Path | None, *, as_json: bool, **given: Any) -> None:
    """Make an installation in DIR before witnesses, as PLAN says.

    Each custodian gets a share, alone at the screen or on a printed page, and types it back. Only then is it made.
    """
    out, plan, room = _begin(plan_path, given, as_json=as_json)
    if plan[0].init is None:
        raise InvalidArgument("the plan has no [init]", "plan")
    with _held("init", plan, room, path, rehearsal=given["rehearse"]) as held, _place(given["rehearse"]) as apart:
        todo = plan[0].init
        if apart is not None:
            directory = apart / "data"
            todo = replace(todo, slots=None, sheets=str(apart / "sheets") if todo.sheets else "")
        first = initialising.hold(held, todo, directory)
    _done(out, held, {"tenant": first.tenant.id, "administrator": first.administrator.name})


@ceremony.command("import-key")
@PLAN
@WRITTEN
@REHEARSE
@SCRIPT
@UNSEAL
@with_here
def import_key(here: Here, plan_path: Path, path: Path | None, *, unseal: Sequence[str], **given: Any) -> None:
    """Import a key whose components several custodians type, as PLAN says.

    Each component is compared with its check value before the next one, and the key with the one that was announced.
    """
    out, plan, room = _begin(plan_path, given, as_json=here.out.as_json)
    if plan[0].key is None:
        raise InvalidArgument("the plan has no [key]", "plan")
    with _place(given["rehearse"]) as apart:
        todo, at = plan[0].key, here
        if apart is not None:
            at = _throw_away(here, apart)
            todo = replace(todo, place=None, tenant=None)
        with (
            session(at, unseal) as opened,
            _held("import-key", plan, room, path, rehearsal=given["rehearse"]) as held,
        ):
            id_ = importing.hold(held, todo, opened)
    _done(out, held, {"key_id": id_})


def _throw_away(here: Here, apart: Path) -> Here:
    """An installation to rehearse with."""
    directory = apart / "data"
    prepare(directory)
    initialise(directory, Config(), FileSeal.create(directory, os.urandom), regions=(Config().region,))
    return Here(directory, here.out)


def _begin(plan_path: Path, given: dict[str, Any], *, as_json: bool) -> tuple[Output, tuple[plans.Plan, str], Room]:
    """Raises InvalidArgument."""
    hygiene.harden()
    script: Path | None = given["script"]
    if script is not None and not given["rehearse"]:
        raise InvalidArgument("without people there is only a rehearsal: add --rehearse", "script")
    plan = plans.read(plan_path)
    return Output(as_json=as_json), plan, Terminal() if script is None else Scripted(_script(script).answers)


def _script(path: Path) -> Script:
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Script)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidArgument(f"{path.name}: {error}", "script") from None


def _held(kind: str, plan: tuple[plans.Plan, str], room: Room, path: Path | None, *, rehearsal: bool) -> Any:
    clock = SystemClock()
    path = path or Path(f"ceremony-{clock.now():%Y%m%dT%H%M%S}.jsonl")
    return holding(kind, *plan, room, path.absolute(), clock, os.urandom, rehearsal=rehearsal)


@contextmanager
def _place(rehearse: bool) -> Iterator[Path | None]:
    """A directory that is thrown away, in memory where there is such a thing; None where it is in earnest."""
    if not rehearse:
        yield None
        return
    memory = Path("/dev/shm")  # noqa: S108 - and below it a directory of our own
    with tempfile.TemporaryDirectory(prefix="keystead-", dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


def _done(out: Output, held: Held, facts: dict[str, Any]) -> None:
    told = {**facts, "transcript": str(held.transcript.path), "key": held.transcript.key, "head": held.transcript.head}
    words = (
        f"Done. The transcript: {held.transcript.path}, signed by {held.transcript.key}.\n"
        f"Anybody checks it with `keystead ceremony verify {held.transcript.path}`; who has a key of their own "
        "signs it with `keystead ceremony countersign`."
    )
    out.answer(told, words)


@ceremony.command()
@TRANSCRIPT
@click.option("--key", "trusted", metavar="VERIFIER", help="Its key, as the audit log or a witness has it.")
@JSON
def verify(path: Path, trusted: str | None, *, as_json: bool) -> None:
    """Check a transcript and its signatures; nothing else is needed. Exit status 6 where it does not hold."""
    try:
        verdict, _ = record.read(path)
    except Wrong as error:
        raise NotProven(f"the transcript does not hold: {error}") from None
    if trusted is not None and trusted != verdict.begins.key:
        raise NotProven("the transcript was signed by another key than that one")
    Output(as_json=as_json).answer(_told(verdict))
    if not verdict.signed:
        raise NotProven(f"it is not signed: it breaks off after line {verdict.n_lines}, {verdict.last.step!r}")


def _told(verdict: Verdict) -> dict[str, Any]:
    begins = verdict.begins
    ended: datetime | None = verdict.last.at if verdict.outcome else None
    return {
        "title": begins.title,
        "kind": begins.kind,
        "rehearsal": begins.rehearsal,
        "people": [f"{one.name} ({one.role.value})" for one in begins.people],
        "outcome": verdict.outcome or "broken off",
        "why": verdict.last.facts.get("why", "") if verdict.outcome != ENDED else "",
        "ended_at": ended,
        "n_lines": verdict.n_lines,
        "head": verdict.head,
        "key": begins.key,
        "signed": verdict.signed,
        "countersigned": list(verdict.countersigned),
        "not_countersigned": list(verdict.missing),
    }


@ceremony.command()
@TRANSCRIPT
@click.option("--key", "reference", metavar="REF", required=True, help="Your key: file:PATH, env:NAME or fd:N.")
@JSON
def countersign(path: Path, reference: str, *, as_json: bool) -> None:
    """Sign a transcript with a key of your own, which its plan names; best on a machine of your own."""
    hygiene.harden()
    try:
        person = record.countersign(path, record.read_seed(reference))
    except Wrong as error:
        raise NotProven(f"the transcript does not hold, and is not signed: {error}") from None
    Output(as_json=as_json).answer({"name": person.name, "role": person.role.value}, f"Signed as {person.name}.")


@ceremony.command("witness-key")
@click.argument("name")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@JSON
def witness_key(name: str, path: Path, *, as_json: bool) -> None:
    """Make a key to countersign with: FILE is yours alone, what is printed goes into the plan."""
    hygiene.harden()
    key = record.write_seed(path, name, os.urandom)
    Output(as_json=as_json).answer({"key": key}, key)
