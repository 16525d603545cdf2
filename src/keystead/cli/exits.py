"""Exit statuses, and what is said when a command does not do what it was asked: two tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import IntEnum

import click

from keystead.cli.here import About, plain
from keystead.core import errors as e
from keystead.core.errors import KeysteadError
from keystead.stores.lock import IN_USE


class Exit(IntEnum):
    """docs/build.py prints this table, into generated/errors.md."""

    DONE = 0
    FAILED = 1  # refused, or it could not be done
    USAGE = 2  # a wrong flag, argument, value or command
    NO_SERVER = 3  # no server is running
    SEALED = 4  # sealed, or what was offered does not open it
    NOT_FOUND = 5  # no such key, principal, policy or installation
    NOT_PROVEN = 6  # an audit log, a record or a destruction that does not verify
    WAITS = 7  # others have to approve it first
    NOT_EXECUTABLE = 126  # `keystead run`: CMD cannot be executed
    NO_COMMAND = 127  # `keystead run`: there is no CMD
    INTERRUPTED = 130
    READER_GONE = 141  # as a shell says of what SIGPIPE has ended: not all that was said has been read


class NotDone(Exception):
    """What only a command can come to; the other kinds are core.errors'."""

    def __init__(self, words: str, detail: str = "") -> None:
        super().__init__(words)
        self.detail = detail


class NoServer(NotDone):
    """No server is running."""


class NotProven(NotDone):
    """What was to be shown is not so."""


class NoCommand(NotDone):
    """`keystead run` has nothing to run."""


class NotExecutable(NotDone):
    """`keystead run` may not execute it."""


class NotPermitted(NotDone):
    """The system does not let this user do it."""


NOTHING_OFFERED = "unseal"
"""Detail of Sealed: the option that was not given."""

EXITS: Mapping[type[Exception], Exit] = {
    NoServer: Exit.NO_SERVER,
    e.InvalidArgument: Exit.USAGE,
    e.Sealed: Exit.SEALED,
    e.Unauthenticated: Exit.SEALED,
    e.NotFound: Exit.NOT_FOUND,
    NotProven: Exit.NOT_PROVEN,
    e.NotApproved: Exit.WAITS,
    NoCommand: Exit.NO_COMMAND,
    NotExecutable: Exit.NOT_EXECUTABLE,
}
"""Every other kind is FAILED."""

NEXT: Mapping[type[Exception] | tuple[type[Exception], str], str] = {
    NoServer: "start one: `keystead dev{data}`, or `keystead serve{data}`",
    e.Sealed: "open it: `keystead unseal{data}`",
    (e.Sealed, NOTHING_OFFERED): "give what opens it: --unseal file:PATH, env:NAME or fd:N, once for each share",
    **dict.fromkeys(
        ((e.NotFound, "key"), (e.NotFound, "key_id")),
        "`keystead key list` shows those of a place, and `--in` says which place",
    ),
    (e.NotFound, "keyring"): "`keystead keyring list` shows them, and where they answer",
    (e.NotFound, "principal"): "`keystead principal list` shows them",
    **dict.fromkeys(((e.NotFound, "tenant"), (e.NotFound, "namespace")), "`keystead namespace list` shows them"),
    (e.NotFound, "name"): "the `list` beside this command shows those there are",
    (e.NotFound, "credential"): "`keystead principal access-key list NAME` shows those of a principal",
    (e.NotFound, "token"): "`keystead token list` shows them",
    (e.NotFound, "id"): "`keystead approval list` shows them",
    (e.NotFound, "slot"): "`keystead slot list` shows them",
    (e.Unavailable, IN_USE): "`keystead status{data}` says how it is; another directory can be said with --data",
    (
        e.Internal,
        e.DAMAGED,
    ): "`keystead restore BACKUP{data}` mends it; if it does not open at all, move it away before",
    (e.Conflict, e.EMPTY): "move the database away, and `keystead restore BACKUP{data}` makes one of a backup",
    (e.Conflict, e.OLDER): "put the newest database back; if it is lost, move this one away, and then"
    " `keystead restore BACKUP --tree FILE{data}`",
    (e.NotFound, "hsm"): "`keystead hsm list` shows those there are",
    e.NotApproved: "who has to: `keystead approval show ID`; once they have, say the same again",
    NotPermitted: "do it as the user whose it is; another directory can be said with --data",
    e.Internal: "this is a defect of Keystead; its log has more under the request id {field}",
    (e.Internal, ""): "this is a defect of Keystead",
}
"""What to do about a kind of error, and a detail of it, where its own words do not say. {data}: cli.here.About's."""


def report(error: click.ClickException | KeysteadError | NotDone, about: About, *, as_json: bool) -> Exit:
    """Say it in one line on standard error; the exit status for it."""
    if isinstance(error, click.ClickException):
        kind, field, status = "Usage", "", Exit.USAGE
        words = _usage(error)
    else:
        kind, status = type(error).__name__, EXITS.get(type(error), Exit.FAILED)
        field = error.detail if isinstance(error.detail, str) else _kind_of(error.detail)
        words = str(error)
        if (step := NEXT.get((type(error), field)) or NEXT.get(type(error))) is not None:
            words = f"{words}; {step.format(data=about.data, field=field)}"
    words = plain(" ".join(words.split()))
    if as_json:
        said = {"error": kind, "message": words} | ({"field": field} if field else {})
        sys.stderr.write(json.dumps(said) + "\n")
    else:
        sys.stderr.write(f"keystead: {words}\n")
    return status


def of_system(error: OSError) -> NotDone | KeysteadError:
    """What the system has refused, where no command has words of its own for it."""
    words = ": ".join(str(each) for each in (error.filename, error.strerror or error) if each)
    return NotPermitted(words) if isinstance(error, PermissionError) else e.Unavailable(words)


def _kind_of(detail: object) -> str:
    """What is not there, in a word."""
    from keystead.core.operations import KIND_OF

    return KIND_OF.get(type(detail), "")


def _usage(error: click.ClickException) -> str:
    words = error.format_message().rstrip(".")
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "keystead"
    if isinstance(error, click.NoSuchOption) and error.ctx and isinstance(error.ctx.command, click.Group):
        return f"{error.option_name} goes behind a command; see `{command} --help`"
    if words.startswith("Got unexpected extra argument") and (secret := _secret_of(error)):
        return f"an argument too many: a secret is none (so this is not repeated) but comes by {secret}"
    return words if "--help" in words or "did you mean" in words.lower() else f"{words}; see `{command} --help`"


def _secret_of(error: click.ClickException) -> str:
    """The option by which that command takes a secret, if it takes one."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    found = (one.opts[0] for one in ctx.command.params if one.metavar == "REF") if ctx else ()
    return next((f"{option} file:PATH, env:NAME or fd:N" for option in found), "")
