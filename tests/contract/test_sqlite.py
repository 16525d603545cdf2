"""What only the SQLite store promises: its file, its modes, its schema, its backups, one server for a directory."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from keystead.core.entities import Kind
from keystead.core.errors import Internal, InvalidArgument, Unavailable, Unsupported
from keystead.core.ports import Row
from keystead.stores import rows
from keystead.stores.lock import DirectoryLock
from keystead.stores.migrations import MIGRATIONS, migrate
from keystead.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "store.db"


def a_row(id_: str = "a", sealed: bytes = b"sealed") -> Row:
    return Row(Kind.KEY, id_, "p", "l", 1, 7, sealed)


def put(store: SqliteStore, *ids: str) -> None:
    with store.transaction() as change:
        for id_ in ids:
            change.put(a_row(id_))


# --- the file


@pytest.mark.parametrize("umask", [0, 0o777 & ~0o700, 0o077])
def test_row_121_files_are_for_the_owner_alone_whatever_the_umask(path, umask):
    """CVE-2021-38553."""
    before = os.umask(umask)
    try:
        store = SqliteStore(path)
        put(store, "a")
        store.backup(path.with_name("copy.db"))
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    store.close()
    assert modes == dict.fromkeys(["store.db", "store.db-wal", "store.db-shm", "copy.db"], 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
@pytest.mark.parametrize("name", ["store.db", "store.db-wal", "store.db-shm"])
def test_a_file_open_to_others_is_refused(path, name, mode):
    SqliteStore(path).close()
    file = path.with_name(name)
    file.touch()
    file.chmod(mode)
    with pytest.raises(InvalidArgument, match=rf"{name} is open to others \(mode {mode:04o}\); chmod 0600"):
        SqliteStore(path)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701])
def test_a_directory_open_to_others_is_refused(path, mode):
    SqliteStore(path).close()
    path.parent.chmod(mode)
    with pytest.raises(InvalidArgument, match="chmod 0700"):
        SqliteStore(path)


def test_a_directory_in_the_place_of_the_file_is_refused(path):
    path.mkdir(mode=0o700, parents=True)
    path.parent.chmod(0o700)
    with pytest.raises(InvalidArgument):
        SqliteStore(path)


def test_a_file_of_another_program_is_not_touched(path):
    path.parent.mkdir(mode=0o700)
    for setup in ("CREATE TABLE t (a)", "PRAGMA user_version = 1", "PRAGMA application_id = 17"):
        db = apsw.Connection(str(path))
        db.execute(setup)
        db.close()
        path.chmod(0o600)
        before = path.read_bytes()
        with pytest.raises(Unsupported, match="not a Keystead database"):
            SqliteStore(path)
        assert path.read_bytes() == before
        path.unlink()


def test_a_file_that_is_no_database_is_damaged(path):
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"no database at all" * 500)
    path.chmod(0o600)
    with pytest.raises(Internal, match="damaged"):
        SqliteStore(path)


def test_damage_is_found_at_start(path):
    store = SqliteStore(path)
    put(store, *map(str, range(2000)))
    store.close()
    content = bytearray(path.read_bytes())
    content[-3 * 4096 : -2 * 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(Internal, match="damaged"):
        SqliteStore(path)


def test_the_check_at_start_keeps_to_its_time(path):
    store = SqliteStore(path)
    put(store, *map(str, range(3000)))
    store.close()
    for check_for, checked in ((30.0, True), (1e-9, False), (0, False)):
        store = SqliteStore(path, check_for=check_for)
        assert store.checked is checked
        store.check()
        store.close()


def test_a_clean_stop_leaves_one_file(path):
    store = SqliteStore(path)
    put(store, "a")
    assert store.get(Kind.KEY, "a") is not None
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


def test_what_was_deleted_is_not_in_the_file(path):
    store = SqliteStore(path)
    with store.transaction() as change:
        change.put(a_row("gone", b"canary" * 100))
    with store.transaction() as change:
        change.delete(Kind.KEY, "gone")
    store.close()
    assert b"canary" not in path.read_bytes()


# --- more than one process, more than one object


def test_two_stores_on_one_file_see_each_other_and_wait_for_each_other(path):
    one, two = SqliteStore(path), SqliteStore(path, check_for=0, busy_for=0.1)
    put(one, "a")
    assert two.get(Kind.KEY, "a") == a_row()
    with one.transaction() as change:
        change.put(a_row("b"))
        with pytest.raises(Unavailable, match="busy"), two.transaction():
            pass
        assert two.get(Kind.KEY, "b") is None
    put(two, "c")
    assert [row.id for row in one.every(Kind.KEY)] == ["a", "b", "c"]
    assert one.changes(2) == (3, [(Kind.KEY, "c")])
    one.close()
    two.close()


def test_row_115_a_second_server_is_refused_and_told_of_the_first(tmp_path):
    lock = DirectoryLock(tmp_path)
    with pytest.raises(Unavailable, match=f"in use by process {os.getpid()}"):
        DirectoryLock(tmp_path)
    lock.close()
    DirectoryLock(tmp_path).close()


def test_a_directory_stays_locked_while_a_worker_lives(tmp_path):
    lock = DirectoryLock(tmp_path)
    worker = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(lock.fileno(),)
    )
    lock.close()
    with pytest.raises(Unavailable, match="or by a worker"):
        DirectoryLock(tmp_path)
    worker.communicate(timeout=60)
    DirectoryLock(tmp_path).close()


def test_a_lock_in_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(Unavailable):
        DirectoryLock(tmp_path / "nowhere")


# --- backup


def test_a_backup_holds_everything_and_opens_as_a_store(path, tmp_path):
    store = SqliteStore(path)
    put(store, "a", "b")
    with store.transaction() as change:
        change.put_node(2, 3, b"node")
        change.put_meta("epoch", b"5")
        change.record(b"one")
        change.record(b"two")
        change.drop_records(1)
    store.backup(path.with_name("copy.db"))
    put(store, "later")
    store.close()
    copy = SqliteStore(path.with_name("copy.db"))
    copy.check()
    assert copy.every(Kind.KEY) == [a_row("a"), a_row("b")]
    assert (copy.node(2, 3), copy.meta("epoch"), copy.records(0, 9)) == (b"node", b"5", [(2, b"two")])
    assert copy.changes(0) == (2, [(Kind.KEY, "a"), (Kind.KEY, "b")])
    with copy.transaction() as change:
        assert change.record(b"three") == 3
    copy.close()


def test_a_backup_never_overwrites(path):
    store = SqliteStore(path)
    taken = path.with_name("taken")
    taken.write_bytes(b"precious")
    with pytest.raises(InvalidArgument, match="exists already"):
        store.backup(taken)
    assert taken.read_bytes() == b"precious"
    with pytest.raises(InvalidArgument, match=r"^/ exists already"):
        store.backup(Path("/"))
    with pytest.raises(Unavailable):
        store.backup(path.parent / "nowhere" / "copy.db")
    left = path.with_name("copy.db.partial")
    left.write_bytes(b"of one that was killed")
    with pytest.raises(InvalidArgument, match=f"^{left} exists already: .*remove it"):
        store.backup(path.with_name("copy.db"))
    left.unlink()
    store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.db", "taken"]


def test_a_backup_for_which_there_is_no_room_says_whose_disk_is_full(path, tmp_path, monkeypatch):
    class Full(apsw.Connection):
        def pragma(self, name, *value):
            if name == "journal_mode":  # a copy begins
                super().pragma("max_page_count", 1)
            return super().pragma(name, *value)

    store = SqliteStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(apsw, "Connection", Full)
        with pytest.raises(Unavailable, match="the backup cannot be written: its disk is full"):
            store.backup(tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy.db*"))
    store.backup(tmp_path / "copy.db")
    store.close()


def test_row_122_a_backup_is_one_moment_while_others_write(path):
    store = SqliteStore(path)
    with store.transaction() as change:
        for n in range(3000):
            change.put(a_row(f"{n:04}", bytes(600)))
            change.record(b"x")
    done = threading.Event()

    def write():
        n = 0
        while not done.is_set():
            with store.transaction() as change:
                change.put(a_row(f"more {n:06}"))
                change.record(b"x")
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    copies = []
    for n in range(3):
        copies.append(path.with_name(f"copy {n}.db"))
        store.backup(copies[-1])
    done.set()
    writer.join()
    store.close()
    sizes = []
    for copy in map(SqliteStore, copies):
        copy.check()
        sizes.append(copy.count(Kind.KEY))
        assert len(copy.records(0, 10**6)) == sizes[-1]
        copy.close()
    assert sizes == sorted(sizes)


# --- schema


@pytest.mark.parametrize(
    "statement", [rows.GET, rows.CHILDREN, rows.LINKED, rows.EVERY, rows.COUNT, rows.NODE, rows.META]
)
def test_every_read_goes_by_an_index(path, statement):
    store = SqliteStore(path)
    values = ("x",) * statement.count("?")
    plan = [row[3] for row in store._ask(f"EXPLAIN QUERY PLAN {statement}", values)]
    store.close()
    n_columns = statement.count("= ?") + statement.count("> ?")
    assert len(plan) == 1, "no sorting"
    assert plan[0].startswith("SEARCH")
    assert plan[0].count("=?") + plan[0].count(">?") == n_columns


def test_changes_that_nobody_can_be_told_are_not_read(path, monkeypatch):
    """What every process asks first when it starts: it has seen nothing, and some thousands are kept."""
    store = SqliteStore(path, keep_changes=20)
    put(store, *map(str, range(30)))
    ask, n_read = store._ask, []

    def asked(statement: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        found = ask(statement, values)
        n_read.append(len(found))
        return found

    monkeypatch.setattr(store, "_ask", asked)
    assert [store.changes(after) for after in (0, 9)] == [(30, None)] * 2
    assert sum(n_read) == 2
    assert store.changes(10) == (30, [(Kind.KEY, str(n)) for n in range(10, 30)])
    store.close()


def test_a_newer_database_is_refused(path):
    SqliteStore(path).close()
    db = apsw.Connection(str(path))
    db.pragma("user_version", len(MIGRATIONS) + 1)
    db.close()
    with pytest.raises(Unsupported, match="schema version 2; this program knows versions up to 1"):
        SqliteStore(path)


GROWN = (
    *MIGRATIONS,
    (
        "CREATE TABLE extra (name TEXT PRIMARY KEY) STRICT",
        "INSERT INTO extra SELECT name FROM meta",
        "DELETE FROM meta WHERE name = 'old'",
        "CREATE INDEX extra_name ON extra (name)",
    ),
    ("ALTER TABLE extra ADD COLUMN n INTEGER NOT NULL DEFAULT 1", "UPDATE extra SET n = 2"),
)


def schema_of(db: apsw.Connection) -> tuple[object, ...]:
    tables = db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    names = [name for type_, name, _ in tables if type_ == "table"]
    contents = [db.execute(f"SELECT * FROM {name}").fetchall() for name in names]  # noqa: S608 - names just read
    return db.pragma("user_version"), db.pragma("application_id"), tables, contents


@pytest.mark.parametrize("released", [0, 1])
def test_row_117_a_migration_killed_at_any_statement_happened_whole_or_not_at_all(path, released):
    """The files are photographed at each statement: what kill -9 would leave there (security.md §4, row 117)."""
    path.parent.mkdir()
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    migrate(db, GROWN[:released])
    if released:
        db.execute("INSERT INTO meta VALUES ('old', x'01'), ('epoch', x'02')")
    db.close()
    expected = states_on_the_way(path, released)

    photographs = []

    def photograph(*_: object) -> bool:
        photographs.append(path.parent.with_name(f"photograph {len(photographs)}"))
        shutil.copytree(path.parent, photographs[-1])
        return True

    db = apsw.Connection(str(path))
    db.pragma("cache_size", 1)  # spill into the WAL as early as can be
    db.set_exec_trace(photograph)
    migrate(db, GROWN)
    photograph()
    db.set_exec_trace(None)
    db.close()

    assert len(photographs) > sum(map(len, GROWN[released:]))
    seen = set()
    for copy in photographs:
        db = apsw.Connection(str(copy / path.name))
        found = schema_of(db)
        assert found in expected
        seen.add(expected.index(found))
        migrate(db, GROWN)  # and the next start finishes the work
        assert schema_of(db) == expected[-1]
        db.close()
    assert seen == set(range(len(expected)))


def states_on_the_way(path: Path, released: int) -> list[tuple[object, ...]]:
    """What may be found: each version from `released` on, made without any accident."""
    states = []
    for n in range(released, len(GROWN) + 1):
        copy = path.parent.with_name(f"version {n}")
        shutil.copytree(path.parent, copy)
        db = apsw.Connection(str(copy / path.name))
        migrate(db, GROWN[:n])
        states.append(schema_of(db))
        db.close()
    return states


def test_a_migration_that_fails_leaves_the_version_before(path):
    SqliteStore(path).close()
    db = apsw.Connection(str(path))
    before = schema_of(db)
    with pytest.raises(apsw.SQLError):
        migrate(db, (*MIGRATIONS, ("CREATE TABLE extra (a)", "no statement at all")))
    assert schema_of(db) == before
    db.close()


def test_an_index_out_of_order_never_answers_with_a_neighbour(path):
    """SQLite's exact seek trusts the order: the row it stops at may be another one (found by tests.faults.run_rot)."""
    store = SqliteStore(path)
    ids = [f"id{n:02}" for n in range(11)]
    put(store, *ids)
    store.close()
    whole = path.read_bytes()
    n_refused = 0
    for damaged in ids:
        path.write_bytes(whole.replace(b"key" + damaged.encode(), b"kgy" + damaged.encode()))
        store = SqliteStore(path, check_for=0)
        for id_ in ids:
            try:
                assert store.get(Kind.KEY, id_) in (None, a_row(id_))
            except Internal:
                n_refused += 1
        store.close()
    assert n_refused > 0


def test_a_transaction_with_a_failed_statement_cannot_be_kept(path):
    store = SqliteStore(path)
    with pytest.raises(Internal), store.transaction() as change:
        change.put(a_row("before"))
        with pytest.raises(Internal):
            change.put(a_row("bad", None))  # a strict table takes no NULL
        with pytest.raises(Internal):
            change.put(a_row("after"))
    assert store.every(Kind.KEY) == []
    put(store, "next")
    assert store.changes(0) == (1, [(Kind.KEY, "next")])
    store.close()
