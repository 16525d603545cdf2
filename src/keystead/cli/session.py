"""One way to speak to an installation, whether a server runs on it or not.

    with session(here, unseal) as ks:
        ks.perform(DescribeKey(key=ref))

A running server is spoken to over its control socket; without one the installation is opened in this process. Either
way the operation goes through `perform`, as the principal that this user is, and is on record before it is answered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from keystead import config
from keystead.app.layout import Layout
from keystead.app.sockets import connect_unix
from keystead.cli.here import Here, with_here
from keystead.config import Config
from keystead.core.errors import NotFound

if TYPE_CHECKING:
    from keystead.core.operations import AccessKey, IssueToken, Operation
    from keystead.doors.control.codec import ShownOnce, ShownToken
    from keystead.doors.control.lifecycle import SlotStatus

R = TypeVar("R")


class Session(Protocol):
    """What a command speaks to. Everything raises KeysteadError."""

    settings: Config

    def perform(self, op: Operation[R]) -> R: ...

    def show(self, op: Operation[AccessKey]) -> ShownOnce:
        """Perform what makes an access key: the one answer that holds a secret."""
        ...

    def issue(self, op: IssueToken) -> ShownToken:
        """The same of a token."""
        ...

    def back_up(self, path: str) -> str:
        """Write a new file; the slot generation that it opens with."""
        ...

    def rotate_slot(self) -> None: ...
    def slots(self) -> list[SlotStatus]: ...
    def add_slot(self, name: str) -> None: ...
    def remove_slot(self, name: str, *, lost: bool) -> None: ...
    def close(self) -> None: ...


def is_running(here: Here) -> bool:
    """Raises PermissionError where this user may not know."""
    try:
        connect_unix(Layout(here.directory).control).close()
    except PermissionError:
        raise
    except OSError:
        return False
    return True


def is_installed(here: Here) -> None:
    """Raises NotFound, with both ways to make one."""
    if not Layout(at := here.directory).seal.exists():
        raise NotFound(
            Layout(at).lost_seal
            or f"{at} holds no installation; `keystead dev --data {at}` or `keystead init {at}` makes one",
            "data",
        )


@contextmanager
def session(here: Here, unseal: Sequence[str] = ()) -> Iterator[Session]:
    """Raises what opening raises: NotFound, Sealed, Unauthenticated, Unavailable."""
    is_installed(here)
    opened: Session
    if is_running(here):
        from keystead.cli.remote import Remote

        opened = Remote(here.directory, config.read(here.directory))
    else:
        from keystead.cli.local import Local

        opened = Local(here.directory, config.read(here.directory), unseal)
    try:
        yield opened
    finally:
        opened.close()


UNSEAL = click.option(
    "--unseal",
    multiple=True,
    metavar="REF",
    help="Without a server: a passphrase or share, as file:PATH, env:NAME or fd:N. Repeatable.",
)


def with_session(run: Callable[..., Any]) -> Callable[..., Any]:
    """`run` gets an Output and a Session first, and its command --data, --json and --unseal."""

    @UNSEAL
    @with_here
    @functools.wraps(run)
    def wrapped(here: Here, *args: Any, unseal: Sequence[str], **options: Any) -> Any:
        with session(here, unseal) as opened:
            return run(here.out, opened, *args, **options)

    return wrapped
