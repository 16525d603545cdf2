"""keystead audit …: reading and proving the log. It needs the files alone, whether a server runs or not."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import msgspec

from keystead.app.layout import Layout
from keystead.cli import files
from keystead.cli.exits import NotProven
from keystead.cli.group import Suggesting
from keystead.cli.here import Here, plain, say, with_here
from keystead.core.errors import InvalidArgument, KeysteadError, Malformed, NotFound, Unavailable
from keystead.core.words import count_of

if TYPE_CHECKING:
    from keystead.core.audit.note import VerifierKey
    from keystead.service.log import Log

POLL_EVERY = 0.25  # seconds
KEY = click.option(
    "--key", "key_text", metavar="KEY", help="The verifier key, or a file with it [default: the one beside the log]."
)


@click.group(cls=Suggesting)
def audit() -> None:
    """The record of every access."""


def log_in(directory: Path) -> Log:
    """The log in a data directory, or in a copy of its audit directory. Raises NotFound."""
    from keystead.service.log import LOG, Log
    from keystead.stores.disk import LocalDisk

    at = Layout(directory).audit if Layout(directory).audit.is_dir() else directory
    if not (at / LOG).is_dir():
        raise NotFound(f"{directory} has no audit log; say a data directory, or a copy of its audit", "path")
    return Log(LocalDisk(), at)


def verifier(log: Log | None, said: str | None) -> VerifierKey:
    from keystead.core.audit.note import VerifierKey

    if said is None:
        if log is None:
            raise InvalidArgument("give the verifier key: --key", "key")
        return log.key()
    path = Path(said)
    try:
        return VerifierKey.parse(files.read_text(path, "key").strip() if path.is_file() else said)
    except Malformed:
        raise InvalidArgument(f"{said} is no verifier key, nor a file with one; DIR/audit/key.pub is", "key") from None


@audit.command()
@click.option("-n", "n", type=click.IntRange(0), default=20, show_default=True, help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on as records come.")
@with_here
def tail(here: Here, n: int, *, follow: bool) -> None:
    """The last records, one JSON object a line, with --json preceded by their numbers."""
    log = log_in(here.directory)
    at = 0
    try:
        at = log.size()
    except NotFound:  # nothing is folded yet
        if not follow:
            raise
    at = _print(here, log, max(0, at - n), n)
    while follow:
        time.sleep(POLL_EVERY)
        try:
            at = _print(here, log, at, 1000)
        except NotFound:
            continue


def _print(here: Here, log: Log, first: int, limit: int) -> int:
    """The number of the record after the last one."""
    for index, record in enumerate(log.read(first, limit), first):
        if here.out.as_json:
            here.out.answer({"index": index, "record": _as_json(record)})
        else:
            click.echo(f"{index:>8}  {plain(_text(record))}")
        first = index + 1
    return first


def _text(record: bytes) -> str:
    return record.decode("ascii", "backslashreplace")


def _as_json(record: bytes) -> msgspec.Raw | str:
    """A text where it is no record: who may write the files may have put anything there."""
    from keystead.core.audit.record import parse

    try:
        parse(record)
    except Malformed:
        return _text(record)
    return msgspec.Raw(record)


@audit.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@KEY
@click.option("--trusted", type=click.Path(path_type=Path), help="A checkpoint of this log that was kept elsewhere.")
@with_here
def verify(here: Here, path: Path | None, key_text: str | None, trusted: Path | None) -> None:
    """Verify a whole log, offline: the one in PATH (a data directory or a copy of its audit directory).

    Exit status 6 where a record was altered, taken out, put in or moved, and which it may be.

    \b
    keystead audit verify /srv/keystead --key key.pub --trusted checkpoint
    """
    from keystead.cli.progress import progress
    from keystead.core.audit.verify import Tampered
    from keystead.crypto.notes import verify_ed25519

    log = log_in(path or here.directory)
    key = verifier(log, key_text)
    kept = files.read(trusted, "trusted") if trusted is not None else None
    try:
        with progress("verifying"):
            verdict = log.verify(key, verify_ed25519, trusted=kept)
    except Tampered as error:
        raise NotProven(f"the log was altered: {error}", f"records {error.first} to {error.last}") from error
    facts = {
        "records": verdict.n_records,
        "checkpoints": verdict.n_checkpoints,
        "uncovered": verdict.n_uncovered,
        "log": verdict.checkpoint.origin,
        "size": verdict.checkpoint.size,
        "root": verdict.checkpoint.root.hex(),
        "trusted_size": verdict.trusted.size if verdict.trusted else None,
    }
    whole = f"{count_of(verdict.n_records, 'record')} under {count_of(verdict.n_checkpoints, 'checkpoint')}"
    words = f"Whole: {whole} of {verdict.checkpoint.origin}."
    here.out.answer(facts, words)
    if verdict.n_uncovered:
        say(f"Under no checkpoint yet: the last {count_of(verdict.n_uncovered, 'record')}.")
    if key_text is None or trusted is None:
        say("Held to what lies beside the log; --key and --trusted from elsewhere find whoever replaced all of it.")


@audit.command()
@click.argument("index", type=click.IntRange(0))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The proof file to write.")
@with_here
def prove(here: Here, index: int, output: Path) -> None:
    """Write a file that proves record INDEX to anybody who has the verifier key."""
    log = log_in(here.directory)
    proof = log.prove(index)
    files.write(output, proof.encode())
    words = f"{output}: check it anywhere with `keystead audit check {output} --key KEY`; KEY is\n{log.key()}"
    here.out.answer({"path": str(output), "index": index, "key": str(log.key())}, words)


@audit.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@KEY
@with_here
def check(here: Here, file: Path, key_text: str | None) -> None:
    """Check a proof file, offline; prints the record that it proves."""
    from keystead.core.audit.proof import Proof
    from keystead.crypto.notes import verify_ed25519

    key = verifier(log_in(here.directory) if key_text is None else None, key_text)
    text = files.read(file, "file")
    try:
        proof = Proof.parse(text)
        checkpoint = proof.require(key, verify_ed25519)
    except KeysteadError as error:
        raise NotProven(f"{file} proves nothing: {error}") from error
    facts = {
        "index": proof.index,
        "record": _as_json(proof.record),
        "log": checkpoint.origin,
        "size": checkpoint.size,
    }
    said = plain(_text(proof.record))
    words = f"Proven: record {proof.index} of {checkpoint.origin} (size {checkpoint.size:,}):\n{said}"
    here.out.answer(facts, words)


@audit.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file [default: standard output].")
@with_here
def checkpoint(here: Here, output: Path | None) -> None:
    """The newest checkpoint. Keep it where this machine cannot write: --trusted holds the log to it."""
    note = log_in(here.directory).checkpoint()
    if output is not None:
        files.write(output, note)
    here.out.answer({"checkpoint": note.decode()}, note.decode().rstrip("\n") if output is None else str(output))


@audit.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["cloudtrail", "jsonl"]),
    default="cloudtrail",
    show_default=True,
    help="A CloudTrail log file, or one CloudTrail record a line.",
)
@click.option("--from", "first", type=click.IntRange(0), default=0, show_default=True, help="The first record.")
@click.option("--to", "last", type=click.IntRange(0), help="The last record [default: the newest].")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file [default: standard output].")
@with_here
def export(here: Here, path: Path | None, format_: str, first: int, last: int | None, output: Path | None) -> None:
    """Every request to the AWS door as a CloudTrail record: of the log in PATH, a data directory or a copy of its
    audit directory.

    The members are those AWS documents, as far as the log holds what they tell; logIndex in additionalEventData is the
    record's number. The records of other doors are left out. To show that nothing was altered, verify the log.
    """
    from keystead.doors.aws_kms import cloudtrail

    if last is not None and last < first:
        raise InvalidArgument(f"--to {last} is before --from {first}", "to")
    pieces = cloudtrail.export(log_in(path or here.directory).numbered(first, last), format_)
    with nullcontext(sys.stdout.buffer) if output is None else _writable(output) as file:
        for piece in pieces:
            file.write(piece)
    if output is not None:
        here.out.answer({"path": str(output)}, str(output))


def _writable(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error
