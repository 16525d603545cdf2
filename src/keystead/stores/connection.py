"""One connection to the database file: how it is opened, what its failures mean, who may read the file.

Rule 1: durability over speed: WAL with synchronous=FULL, so a commit has been synced when it returns.
Rule 2: the file is not trusted: no triggers, no views, no schema functions, cell sizes checked.
Rule 3: nobody but the owner reads the files; looser modes are refused, not repaired.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from keystead.core.errors import DAMAGED, Internal, InvalidArgument, KeysteadError, Unavailable

CACHE_KIB, READER_KIB = 4096, 256  # of the writer, of each that reads; beyond it is the page cache of the kernel
WAL_LIMIT = 64 << 20  # bytes the WAL file is cut back to after a burst
POLL_FOR = 0.0005  # SQLite's own back-off grows to 100 ms, which starves a writer under load
ALL_OTHERS = stat.S_IRWXG | stat.S_IRWXO

PRAGMAS: tuple[tuple[str, str | int], ...] = (
    ("synchronous", "FULL"),
    ("fullfsync", 1),
    ("checkpoint_fullfsync", 1),
    ("cell_size_check", 1),
    ("trusted_schema", 0),
    ("secure_delete", 1),
    ("temp_store", "MEMORY"),  # nothing of ours in /tmp
    ("cache_size", -CACHE_KIB),
    ("journal_size_limit", WAL_LIMIT),
)
SETTINGS: tuple[tuple[int, int], ...] = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
)

FAILURES: tuple[tuple[tuple[type[Exception], ...], type[KeysteadError], str], ...] = (
    ((apsw.BusyError, apsw.LockedError), Unavailable, "the store is busy"),
    ((apsw.FullError,), Unavailable, "the disk of the store is full"),
    ((apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError), Unavailable, "the store may not be written"),
    ((apsw.IOError, apsw.CantOpenError, apsw.ProtocolError), Unavailable, "the store cannot be read or written"),
    ((apsw.NoMemError, apsw.InterruptError), Unavailable, "the store ran out of memory or time"),
    ((apsw.CorruptError, apsw.NotADBError, apsw.FormatError, UnicodeDecodeError), Internal, "the store is damaged"),
    ((apsw.ConnectionClosedError,), Unavailable, "the store is closed"),
)
FAILS = (apsw.Error, UnicodeDecodeError)


log = logging.getLogger(__name__)


def failure(error: Exception) -> KeysteadError:
    """What the caller of the store is told. SQLite's own text stays in the exception chain."""
    for kinds, meaning, text in FAILURES:
        if isinstance(error, kinds):
            return Internal(text, DAMAGED) if meaning is Internal else meaning(text)
    return Internal("the store refused a statement")


def connect(path: Path, *, vfs: str | None, busy_for: float, read_only: bool = False) -> apsw.Connection:
    """A connection under all the rules above. Raises apsw.Error."""
    db = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    try:
        db.set_busy_handler(patience(busy_for))
        for setting, value in SETTINGS:
            db.config(setting, value)
        for pragma, wanted in PRAGMAS:
            db.pragma(pragma, wanted)
        if read_only:
            db.pragma("query_only", 1)
            db.pragma("cache_size", -READER_KIB)  # there are several (stores.readers)
    except BaseException:
        shut(db)
        raise
    return db


def shut(db: apsw.Connection) -> None:
    """Close it whatever the disk says: what was committed is in the WAL, and stays there for the next opening."""
    try:
        db.close(force=True)
    except apsw.Error as error:
        log.warning("closing the store: %s", failure(error))


def patience(busy_for: float) -> Callable[[int], bool]:
    """A busy handler: ask again every half millisecond, for `busy_for` seconds."""
    until = 0.0

    def again(n_asked: int) -> bool:
        nonlocal until
        now = time.monotonic()
        if n_asked == 0:
            until = now + busy_for
        time.sleep(POLL_FOR)
        return now < until

    return again


def prepare_file(path: Path) -> None:
    """Make the file and its directory for the owner alone, or see that they are. Raises InvalidArgument, OSError.

    The umask plays no part: the mode is set when the file is made, and SQLite gives the WAL the mode of the database.
    """
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
        sync_directory(path.parent.parent)
    require_private(path.parent, stat.S_ISDIR)
    if not path.exists():
        os.close(create_private(path))
        sync_directory(path.parent)
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if suffix == "" or file.exists():
            require_private(file, stat.S_ISREG)


def create_private(path: Path) -> int:
    """A new file for reading and writing, mode 0600; its descriptor. Raises FileExistsError, OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def require_private(path: Path, is_type: Callable[[int], bool]) -> None:
    """Raises InvalidArgument unless it is of that type, this user's, and open to nobody else; OSError."""
    found = path.stat()
    mode = found.st_mode
    if not is_type(mode):
        raise InvalidArgument(f"{path} is not what is expected there", "path")
    require_own(path, found)
    if mode & ALL_OTHERS:
        fit = "0700" if stat.S_ISDIR(mode) else "0600"
        raise InvalidArgument(f"{path} is open to others (mode {mode & 0o7777:04o}); chmod {fit} it", "path")


def require_own(path: Path, found: os.stat_result) -> None:
    """Whoever owns a file may open it to himself again, whatever its mode. Raises InvalidArgument."""
    if found.st_uid != os.geteuid():
        raise InvalidArgument(f"{path} belongs to user {found.st_uid}, and this is user {os.geteuid()}", "path")


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
