"""keystead key attest, keystead key certificate: statements that the audit log's key signs, and anybody verifies."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keystead.cli import files, places
from keystead.cli.commands.audit import KEY as VERIFIER
from keystead.cli.exits import NotProven
from keystead.cli.here import Here, say, with_here
from keystead.cli.places import PLACE
from keystead.cli.session import UNSEAL, session
from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument, KeysteadError, NotFound

if TYPE_CHECKING:
    from keystead.service.log import Log

Command = Callable[..., Any]
Act = Callable[..., ops.KeyOperation[Any]]
BESIDE = "Held to the verifier key that lies beside the log; --key from elsewhere finds whoever replaced that."


def statement(default: str) -> Callable[[Command], Command]:
    """What both commands take. `default`: which versions it is about where nobody says."""
    options = (
        click.argument("key_name", metavar="KEY", required=False),
        click.option("--version", type=click.IntRange(1), help=f"Which version [default: {default}]."),
        click.option("-o", "--output", type=click.Path(path_type=Path), help="A file [default: standard output]."),
        click.option("--verify", "file", type=click.Path(path_type=Path, dir_okay=False), help="Verify one, offline."),
        VERIFIER,
        PLACE,
        UNSEAL,
        with_here,
    )
    return lambda run: reduce(lambda done, option: option(done), reversed(options), run)


@click.command()
@statement("the current one")
def attest(here: Here, key_name: str | None, file: Path | None, **given: Any) -> None:
    """Print a signed statement of where a key is held and what its provider proves of it; or verify one.

    The key of the audit log signs it. Exit status 6 where a statement does not verify.
    """
    if file is not None:
        return verified(here, alone(file, key_name), given["key_text"], attested)
    return printed(here, "attestation", ops.AttestKey, key_name, given)


@click.command()
@statement("all that were destroyed")
def certificate(here: Here, key_name: str | None, file: Path | None, **given: Any) -> None:
    """Print a signed statement of what became of a destroyed key, slot by slot; or verify one.

    KEY is its id, as its names are gone. The key of the audit log signs it. Exit status 6 where one does not verify.
    """
    if file is not None:
        return verified(here, alone(file, key_name), given["key_text"], certified)
    return printed(here, "certificate", ops.CertifyDestruction, key_name, given)


NEITHER = "give a KEY, or a file to --verify"


def printed(here: Here, word: str, act: Act, key_name: str | None, given: dict[str, Any]) -> None:
    if key_name is None:
        raise InvalidArgument(NEITHER, "key")
    output: Path | None = given["output"]
    with session(here, given["unseal"]) as opened:
        ref = places.key(opened, key_name, given["place"])
        note = opened.perform(act(key=ref, version=given["version"])).note
    if output is not None:
        files.write(output, note.encode())
    here.out.answer({word: note}, note.rstrip("\n") if output is None else str(output))


# --- verifying

Told = tuple[dict[str, Any], list[str]]
"""As JSON, and in lines."""


def alone(file: Path, key_name: str | None) -> Path:
    """Raises InvalidArgument where a key is named beside the file."""
    if key_name is not None:
        raise InvalidArgument(NEITHER, "key")
    return file


def verified(here: Here, file: Path, key_text: str | None, told_of: Callable[[bytes, Any, Log | None], Told]) -> None:
    """By the verifier key given, or the one beside the log here. Raises NotFound, NotProven."""
    from keystead.cli.commands.audit import log_in, verifier

    log = log_in(here.directory) if key_text is None else None
    trusted = verifier(log, key_text)
    note = files.read(file, "file")
    try:
        told, lines = told_of(note, trusted, log)
    except KeysteadError as error:
        raise NotProven(f"{file} proves nothing: {error}") from error
    here.out.answer(told, "\n".join(lines))
    if key_text is None:
        say(BESIDE)


def attested(note: bytes, trusted: Any, _log: Log | None) -> Told:
    from keystead.core.attestation import open_attestation
    from keystead.crypto.notes import verify_ed25519

    found = open_attestation(note, trusted, verify_ed25519)
    facts = {**found.facts, **{f"hsm.{name}": value for name, value in found.proved.items()}}
    lines = [f"{name:<28}  {value}" for name, value in facts.items()]
    return {"log": found.log, **facts}, [f"Proven by {found.log}:", *lines]


def certified(note: bytes, trusted: Any, log: Log | None) -> Told:
    """And where its records are in the log, if that is here too. Raises NotFound where the log does not hold one."""
    from msgspec.structs import asdict

    from keystead.core.certificate import open_certificate
    from keystead.crypto.notes import verify_ed25519

    found = open_certificate(note, trusted, verify_ed25519)
    index = {one.leaf: log.find(bytes.fromhex(one.leaf)) for one in found.versions if log and one.leaf != "-"}
    if missing := [leaf for leaf, at in index.items() if at is None]:
        raise NotFound(f"it names a record that the log does not hold: {missing[0]}", "record")
    told = {
        "log": found.log,
        **found.facts,
        "versions": [{**asdict(one), "audit_index": index.get(one.leaf)} for one in found.versions],
        "openers": [asdict(one) for one in found.openers],
    }
    lines = [f"{name:<14}{value}" for name, value in found.facts.items()]
    lines += [
        f"version {one.number}: {one.fate}, destroyed {one.at} under root {one.epoch}"
        + (f", record {index[one.leaf]} of the log" if one.leaf in index else "")
        for one in found.versions
    ]
    lines += [
        f"root {one.epoch} by {one.name}: " + ("NOT ERASED" if one.by == "-" else f"erased {one.at} ({one.by})")
        for one in found.openers
    ]
    return told, [f"Certified by {found.log}:", *lines]
