"""A process that is killed before its n-th step onto the disk, and an installation whose seals change in this one."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from keystead.app.compose import Core
from keystead.app.installation import read_seal
from keystead.app.seals import SealChanges
from keystead.config import read
from keystead.core.entities import Tenant
from keystead.core.errors import Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.seals import Seals
from keystead.stores.sqlite import SqliteStore

T = TypeVar("T")
MOST = 200  # steps: more than there are
EVERY = bool(os.environ.get("KEYSTEAD_TORTURE"))


def steps(*seed: str) -> Iterator[int]:
    """Before which step it dies: each in turn (`make torture`), or every 36th, from another one for each seed."""
    yield from range(1, MOST) if EVERY else range(1 + crc32(repr(seed).encode()) % 36, MOST, 36)


def killed_at(n: int, act: Callable[..., None], before: Callable[[], Any] | None = None) -> bool:
    """Do `act` in a process that is gone before its n-th step onto the disk. False: it had no more.

    `before`: done first, its steps uncounted; `act` gets what it returns.
    """
    child = os.fork()
    if not child:
        left, given = n, () if before is None else (before(),)

        def step() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def stepping(*args: Any, **named: Any) -> Any:
                step()
                return real(*args, **named)

            return stepping

        for name in ("fsync", "rename", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        transaction = SqliteStore.transaction

        @contextmanager
        def stepped(self: SqliteStore) -> Iterator[Any]:
            step()
            with transaction(self) as txn:
                yield txn
                step()
            step()

        SqliteStore.transaction = stepped  # type: ignore[method-assign,assignment]  # in this process alone
        try:
            act(*given)
        except BaseException:  # noqa: BLE001 - the parent is told
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 9}, "the act failed"
    return code == 9


class Holding:
    """app.seals.Holder: an installation that this process has open, and what changes its seals."""

    def __init__(self, directory: Path, offered: list[Sensitive]) -> None:
        self.core = Core(directory, read(directory), journal="test", worker=0, check=True)
        self.seals = read_seal(directory)
        self.unseal_key = self.seals.open(offered)
        self.core.open(self.unseal_key)
        self.changes = SealChanges(self, read(directory), lambda: read_seal(directory))

    def hold(self, unseal_key: Sensitive, seals: Seals) -> None:
        self.unseal_key, self.seals = unseal_key, seals

    def __enter__(self) -> Holding:
        return self

    def __exit__(self, *_: object) -> None:
        self.core.close()


def apart(act: Callable[[], T]) -> T:
    """What `act` answers in a process of its own: an HSM's module that this process has not loaded is loaded there."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = (act(), None)
        except BaseException as error:  # noqa: BLE001 - the parent is told
            said = (None, f"{type(error).__name__}: {error}")
        os.write(theirs, pickle.dumps(said))
        os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        answer, wrong = pickle.loads(pipe.read())  # noqa: S301 - our own
    os.waitpid(child, 0)
    assert wrong is None, wrong
    return answer


def opens(directory: Path, offered: list[Sensitive]) -> bool:
    """As `_opens`, in a process of its own."""
    return apart(lambda: _opens(directory, offered))


def _opens(directory: Path, offered: list[Sensitive]) -> bool:
    """Whether that opens it, as a server that starts finds it; and what was there is there. []: it opens by itself."""
    core = Core(directory, read(directory), journal="test", worker=0, check=True)
    try:
        seals = read_seal(directory)
        if offered and not seals.by_hand:
            return False
        core.open(seals.open(offered))
        return len(core.barrier.every(Tenant)) == 1
    except Unauthenticated:
        return False
    finally:
        core.close()
