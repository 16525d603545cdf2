"""Old backups: reading one without writing to it, and making one the database again where that is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from keystead import config
from keystead.app.clock import SystemClock
from keystead.app.entropy import drawing
from keystead.app.hsms import Tokens
from keystead.app.installation import read_seal
from keystead.app.layout import Layout
from keystead.app.slots import SlotsOf
from keystead.app.treecopy import TreeCopy
from keystead.config import Config
from keystead.core.errors import AlreadyExists, Conflict, Internal, NotFound, Unavailable, Unsupported
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Barrier
from keystead.service.bootstrap import record_of_slots, record_recovery
from keystead.service.chained import Chained
from keystead.service.custody import access_of, graft, revive, tree_root
from keystead.service.log import Log
from keystead.service.progress import newest_of, rebase
from keystead.service.root import FILE, ROOT_META, Root
from keystead.service.signing import journal_key
from keystead.service.since import Deed, Since, newest_change, since
from keystead.service.slots import Slots
from keystead.service.undone import Undone, standing, undo
from keystead.stores.disk import LocalDisk
from keystead.stores.lock import DirectoryLock
from keystead.stores.sqlite import SqliteStore


@contextmanager
def reading(old: Path, layout: Layout) -> Iterator[SqliteStore]:
    """The store in a private copy of a backup, which may lie on a medium that cannot be written. Raises NotFound."""
    if not old.is_file():
        raise NotFound(f"{old} is no backup: there is no such file", "path")
    layout.run.mkdir(mode=0o700, exist_ok=True)
    copy = layout.run / "old-backup.db"
    files = [copy.with_name(copy.name + suffix) for suffix in ("", "-wal", "-shm")]
    try:
        for file in files:
            file.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        shutil.copyfile(old, copy)
        store = _opened(copy, old)
        try:
            yield store
        finally:
            store.close()
    except OSError as error:
        raise Unavailable(f"the backup cannot be read: {error.strerror}") from error
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _opened(copy: Path, old: Path) -> SqliteStore:
    try:
        return SqliteStore(copy)
    except Internal:
        raise Unsupported(f"{old} is no backup, or a damaged one", "path") from None


class Looking(Struct, frozen=True):
    """What somebody has to look at before a backup is served, as it will be as it was then."""

    is_known: bool  # whether there is a log that has the time after the backup
    backed_up_at: datetime | None
    standing: tuple[Deed, ...]  # acts since that are not done again (service.undone.standing)


class Recovered(Struct, frozen=True, kw_only=True):
    """What became of the backup: as Grafted and Undone have it."""

    destroyed: tuple[str, ...]
    suspended: tuple[str, ...]
    revoked: tuple[str, ...]
    access: tuple[str, ...]
    since: tuple[Deed, ...]
    is_known: bool  # whether there is a log that has the time after the backup, and that is as it was made
    backed_up_at: datetime | None  # when the last change was made that the backup has
    known_upto: datetime | None  # when the last record was made that the log has; what came after it, nobody knows
    not_renewed: str  # why the secret in the slots is still the one of before; "": it is not


class Recovery(Struct, frozen=True, kw_only=True):
    """What whoever restores has said.

    `tree`: the newest copy of the key tree, where the slot has moved on since the backup (custody, Rule 2).
    `takes_over`: it is the only one from now on; any other that has its secret in the same HSM or TPM loses it.
    `as_it_was`: what has been taken away since stays as it was then.
    `looked` hears of what stands as it was, before anything is made, and raises to have nothing made.
    """

    old: Path  # the backup
    tree: Path | None
    takes_over: bool
    as_it_was: bool
    looked: Callable[[Looking], None]


def recover(directory: Path, offered: Sequence[Sensitive], wanted: Recovery) -> Recovered:
    """Make a backup the database of an installation that has lost its own.

    What its audit log, where there is one in its place, has been taken away since is taken away again
    (service.undone). Raises AlreadyExists where there is a database, Conflict where backup, tree and slot do not belong
    together, or (detail "take-over") where it has to be said that it takes over; NotFound, Unauthenticated.
    """
    layout, settings = Layout(directory), config.read(directory)
    if layout.database.exists():
        raise AlreadyExists(f"{layout.database} is there", "data")
    tokens = Tokens(settings.hsms)
    unseal_key = read_seal(directory, settings, tokens).open(offered)
    destroyed: tuple[str, ...] = ()
    layout.run.mkdir(mode=0o700, exist_ok=True)
    lock = DirectoryLock(directory)
    try:
        with reading(wanted.old, layout) as copy, drawing(settings, tokens, at_any_price=True) as entropy:
            slots = SlotsOf(layout, settings, tokens, entropy).all
            tree = None if wanted.tree is None else _bytes(wanted.tree)
            if not wanted.takes_over:
                _require_its_own(copy.meta(ROOT_META) or b"" if tree is None else tree_root(tree))
            if tree is not None:
                destroyed = graft(copy, tree, slots, entropy, unseal_key, SystemClock().now()).destroyed

            said = Since(is_known=False)

            def look(barrier: Barrier) -> None:
                nonlocal said
                said = since(copy, Log(LocalDisk(), layout.audit), barrier)
                if not wanted.as_it_was:
                    wanted.looked(Looking(said.is_known, newest_change(copy), standing(barrier, said)))

            revive(copy, layout.database, slots, entropy, unseal_key, look)
            return _settle(layout, settings, slots, unseal_key, entropy, destroyed, said, as_it_was=wanted.as_it_was)
    finally:
        tokens.close()
        lock.close()


def reslot(directory: Path, offered: Sequence[Sensitive], recovery: Sensitive) -> tuple[str, ...]:
    """Every slot is lost: the root, opened by a recovery key, into the slots of the configuration anew; their names.

    Raises Unavailable where somebody has the installation, Unauthenticated, Conflict, DecryptionFailed.
    """
    layout, settings = Layout(directory), config.read(directory)
    unseal_key = read_seal(directory, settings).open(offered)
    tokens, lock = Tokens(settings.hsms), DirectoryLock(directory)
    try:
        with (
            closing(SqliteStore(layout.database)) as store,
            drawing(settings, tokens, at_any_price=True) as entropy,
        ):
            slots = SlotsOf(layout, settings, tokens, entropy)
            slots.make()
            barrier = Barrier(store, slots.all, entropy, clock=SystemClock())
            barrier.open(unseal_key, settle=False, recovery=recovery)
            record = record_of_slots(barrier, SystemClock().now(), "recover", " ".join(slots.all.first))
            barrier.reslot(slots.all.first, record)
    finally:
        tokens.close()
        lock.close()
    return slots.all.first


def _require_its_own(root: bytes) -> None:
    """Raises Conflict where a slot is not in files, which are this directory's own, but where others reach it too."""
    if shared := [name for name in Root.decode(root).generations if name != FILE]:
        raise Conflict(
            f"its secret is in {', '.join(shared)}, and is renewed there: an installation that still has this backup's "
            "secret there loses it for ever. Where this one is to be the only one, say --take-over",
            "take-over",
        )


def _settle(
    layout: Layout,
    settings: Config,
    slots: Slots,
    unseal_key: Sensitive,
    entropy: Entropy,
    destroyed: tuple[str, ...],
    said: Since,
    *,
    as_it_was: bool,
) -> Recovered:
    """The audit log goes on from here, and says so; and no other copy of the generation lives on.

    Or why one does: a slot that is away, or lost with the database, keeps nobody from what another one opens.
    """
    store, now = SqliteStore(layout.database), SystemClock().now()
    try:
        copy = TreeCopy(layout.tree_copy(settings), store)
        barrier = copy.of(Barrier(store, slots, entropy, copy, clock=SystemClock()))
        barrier.open(unseal_key)
        disk = LocalDisk()
        disk.make_directory(layout.audit)
        newest, backed_up_at, access = newest_of(store), newest_change(store), access_of(store)
        chain = Chained(barrier, store).chain()
        record_recovery(barrier, now)
        done = Undone(since=said.every()) if as_it_was else undo(barrier, said, now)
        # Last: until then nobody opens it beside the log.
        rebase(disk, layout.audit, store, journal_key(barrier), newest, chain)
        not_renewed = _renewed(barrier)
    finally:
        store.close()
    return Recovered(
        destroyed=destroyed,
        suspended=done.suspended,
        revoked=done.revoked,
        access=access,
        since=done.since,
        is_known=said.is_known,
        backed_up_at=backed_up_at,
        known_upto=said.upto,
        not_renewed=not_renewed,
    )


def _renewed(barrier: Barrier) -> str:
    """Why the secret in the slots is still the one of before; "": it is not."""
    try:
        barrier.rotate()
    except Unavailable as error:
        return str(error)
    return ""


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", "tree") from error
