"""core.ports.Store in one SQLite file (WAL). Threads share one object; processes share the file.

Rule 1: a read has a connection of its own (stores.readers) and sees the last commit, whoever made it.
Rule 2: one writer at a time: a lock among our threads, BEGIN IMMEDIATE among processes.
Rule 3: a commit that failed stays undone, here and in whatever process opens the file next.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from keystead.core.errors import DAMAGED, Internal, InvalidArgument, Unavailable
from keystead.stores import rows as sql
from keystead.stores.connection import FAILS, connect, create_private, failure, prepare_file, shut, sync_directory
from keystead.stores.migrations import migrate, schema_version
from keystead.stores.readers import Readers
from keystead.stores.rows import SqlReader
from keystead.stores.transaction import SqlTransaction

KEEP_CHANGES = 10_000
CHECKPOINT_PAGES = 1000  # of the WAL, 4 KiB each
BACKUP_PAGES = 256  # a step of the backup, between which the GIL is let go

log = logging.getLogger(__name__)


class SqliteStore(SqlReader):
    """Makes the file if there is none (mode 0600, its directory 0700).

    `check_for`: seconds that SQLite's quick_check may take at start; 0 for a worker whose supervisor has checked.
    `checked` says whether it came to an end.
    `busy_for`: seconds to wait for another writer. `keep_changes`: how many changes `changes()` remembers.
    `checkpoint_pages`: the length of the WAL that begins a checkpoint. `vfs`: the name of an apsw VFS.
    Raises InvalidArgument (a file open to others), Unsupported (not ours, or newer), Internal (damaged), Unavailable.
    """

    def __init__(
        self,
        path: Path,
        *,
        vfs: str | None = None,
        check_for: float = 0.5,
        busy_for: float = 5.0,
        keep_changes: int = KEEP_CHANGES,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> None:
        self._path, self._vfs, self._busy_for, self._keep_changes = path, vfs, busy_for, keep_changes
        self._readers = Readers(self._open_reader)
        self._turn = threading.Lock()
        self._checkpoint_pages = checkpoint_pages
        self._writing: int | None = None  # the thread whose turn it is
        self._unsettled = False
        self._wal_pages = 0
        try:
            prepare_file(path)
            self._writer = self._open_writer()
            try:
                self.checked = _quick_check(self._writer, check_for)
                migrate(self._writer)
            except BaseException:
                shut(self._writer)
                raise
        except FAILS as error:
            raise failure(error) from error
        except OSError as error:
            raise Unavailable(f"the store cannot be opened: {error.strerror}") from error

    # --- reading

    def _ask(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        db = self._readers.take()
        try:
            rows = db.execute(statement, values).fetchall()
        except FAILS as error:
            self._readers.drop(db)
            raise failure(error) from error
        except BaseException:
            self._readers.drop(db)
            raise
        self._readers.give_back(db)
        return rows

    def _open_reader(self) -> apsw.Connection:
        try:
            return connect(self._path, vfs=self._vfs, busy_for=self._busy_for, read_only=True)
        except FAILS as error:
            raise failure(error) from error

    # --- writing

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Durable when the block ends; nothing of it happened when the block raises.

        Raises Unavailable (disk full, I/O error, locked longer than `busy_for`), Internal (damaged).
        """
        self._take_turn()
        try:
            begun = SqlTransaction(self._writer, self._keep_changes)
            try:
                yield begun
                begun.commit()
            except BaseException:
                self._undo(begun)
                raise
            self._checkpoint()
        finally:
            self._writing = None
            self._turn.release()

    def _take_turn(self) -> None:
        if self._writing == threading.get_ident():
            raise RuntimeError("a transaction within a transaction")
        if not self._turn.acquire(timeout=self._busy_for):
            raise Unavailable("the store is busy")
        try:
            self._settle()
            self._writer.execute("BEGIN IMMEDIATE")
            self._writing = threading.get_ident()
        except FAILS as error:
            raise failure(error) from error
        finally:
            if self._writing is None:
                self._turn.release()

    def _open_writer(self) -> apsw.Connection:
        db = connect(self._path, vfs=self._vfs, busy_for=self._busy_for)
        try:
            schema_version(db)  # before anything is written into somebody else's file
            _use_wal(db)
            db.set_wal_hook(self._after_commit)
        except BaseException:
            shut(db)
            raise
        return db

    def _after_commit(self, _db: apsw.Connection, _name: str, n_pages: int) -> int:
        self._wal_pages = n_pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Move the WAL into the file now and then: apart from the commit, which has happened whatever comes of this."""
        if self._wal_pages < self._checkpoint_pages:
            return
        try:
            with suppress(apsw.BusyError):  # another process is at it
                self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            log.warning("checkpoint failed, will be tried again: %s", failure(error))

    def _undo(self, begun: SqlTransaction) -> None:
        begun.end()
        self._unsettled = self._unsettled or begun.commit_failed
        try:
            self._settle()
        except apsw.Error as error:
            log.warning("after a failed transaction: %s", failure(error))

    def _settle(self) -> None:
        """Roll back, and see that what failed stays undone. Raises apsw.Error; tried again before the next.

        A commit that failed may have left its frames whole in the WAL; were we killed now, recovery would count
        them. So a commit that changes nothing takes their place.
        """
        if self._writer.in_transaction:  # SQLite may have rolled back by itself
            self._writer.execute("ROLLBACK")
        if self._unsettled:
            version = self._writer.pragma("user_version")
            self._writer.execute(f"BEGIN IMMEDIATE; PRAGMA user_version = {version}; COMMIT")
            self._unsettled = False

    # --- the whole

    def check(self) -> None:
        """SQLite's integrity_check of everything, without a time limit. Raises Internal, Unavailable."""
        if self._ask("PRAGMA integrity_check", ()) != [("ok",)]:
            raise Internal("the store is damaged", DAMAGED)

    def backup(self, path: Path) -> None:
        """A consistent copy of the last commit into a new file of mode 0600, while others write; durable on return.

        Raises InvalidArgument when there is such a file, Unavailable.
        """
        if path.exists():
            raise InvalidArgument(f"{path} exists already", "path")
        partial = path.with_name(path.name + ".partial")
        try:
            descriptor = create_private(partial)
            try:
                self._copy_to(partial)
                os.fsync(descriptor)
                os.link(partial, path)  # unlike a rename, never over another file
            finally:
                os.close(descriptor)
                partial.unlink()
            sync_directory(path.parent)
        except FileExistsError as error:
            if error.filename2 is None:
                words = (
                    f"{partial} exists already: another backup is at it, or one that was killed left it; then remove it"
                )
                raise InvalidArgument(words, "path") from error
            raise InvalidArgument(f"{path} exists already", "path") from error
        except OSError as error:
            raise Unavailable(f"the backup cannot be written: {error.strerror}") from error

    def _copy_to(self, path: Path) -> None:
        source = self._readers.take()
        try:
            target = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                target.pragma("journal_mode", "off")  # an unfinished copy is thrown away
                source.execute("BEGIN")  # one snapshot, so that no commit makes the copy begin again
                source.execute(sql.NEWEST_CHANGE).fetchall()
                with target.backup("main", source, "main") as copy:
                    while not copy.done:
                        copy.step(BACKUP_PAGES)
                source.execute("COMMIT")
            finally:
                shut(target)
        except apsw.FullError as error:  # what is read takes no room
            self._readers.drop(source)
            raise Unavailable("the backup cannot be written: its disk is full") from error
        except FAILS as error:
            self._readers.drop(source)
            raise failure(error) from error
        except BaseException:
            self._readers.drop(source)
            raise
        self._readers.give_back(source)

    def close(self) -> None:
        """Waits for a running transaction. The last one to close the file leaves no WAL behind."""
        with self._turn:
            self._readers.close()
            shut(self._writer)


def _use_wal(db: apsw.Connection) -> None:
    if db.pragma("journal_mode", "wal") != "wal":
        raise apsw.CantOpenError("a file system without shared memory, which WAL needs")


def _quick_check(db: apsw.Connection, check_for: float) -> bool:
    """Whether quick_check came to its end within `check_for` seconds. Raises Internal when it finds anything."""
    if not check_for:
        return False
    until = time.monotonic() + check_for
    db.set_progress_handler(lambda: time.monotonic() > until, 1000)
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchall()
    except apsw.InterruptError:
        return False
    finally:
        db.set_progress_handler(None)
    if found != [("ok",)]:
        raise Internal("the store is damaged", DAMAGED)
    return True
