"""The SQLite store under a failing disk (security.md §4-H): the short forms of `make torture`."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import apsw
import pytest
from tests.contract.store_model import Model, contents
from tests.faults import run_rot, run_store
from tests.faults.crashvfs import CHANGING, CrashVFS, PowerLoss, crash_vfs
from tests.faults.workload import a_row, change_everything, merged

from keystead.core.entities import Kind
from keystead.core.errors import Internal, KeysteadError, Unavailable
from keystead.stores import connection
from keystead.stores.sqlite import SqliteStore

EVERY_OPERATION = frozenset({"open", "read", "write", "truncate", "sync", "delete"})


# --- power loss (row 111)


@pytest.mark.torture
def test_row_111_power_loss_loses_nothing_acknowledged():
    lives = [run_store.life(seed) for seed in range(100)]
    assert sum(life.n_losses for life in lives) == 300
    assert sum(life.n_acknowledged for life in lives) > 1000


@pytest.mark.parametrize(("setting", "value"), [("synchronous", "NORMAL"), ("synchronous", "OFF")])
def test_the_rig_sees_a_store_that_does_not_sync(monkeypatch, setting, value):
    weakened = tuple((name, value if name == setting else wanted) for name, wanted in connection.PRAGMAS)
    monkeypatch.setattr(connection, "PRAGMAS", weakened)
    broken = 0
    for seed in range(40):
        try:
            run_store.life(seed)
        except (AssertionError, KeysteadError):
            broken += 1
    assert broken > 5


def test_a_seed_replays():
    one, two = run_store.life(7), run_store.life(7)
    assert (one.n_acknowledged, one.acknowledged.contents()) == (two.n_acknowledged, two.acknowledged.contents())


def test_row_117_power_loss_during_any_operation_of_a_migration(tmp_path):
    """Row 117, at each operation of the disk instead of each statement."""
    vfs = crash_vfs()
    n_losses = 0
    for after in range(1000):
        directory = tmp_path / f"before {after}"
        directory.mkdir(mode=0o700)
        vfs.disk.reset()
        vfs.disk.fail(after, PowerLoss, for_good=True, of=CHANGING)
        try:
            SqliteStore(directory / "store.db", vfs=CrashVFS.NAME).close()
        except PowerLoss:
            n_losses += 1
        else:
            break
        for seed in range(5):
            left = tmp_path / f"after {after} {seed}"
            vfs.disk.lose_power(random.Random(seed), directory, left)
            store = SqliteStore(left / "store.db")
            store.check()
            assert contents(store, Model()) == Model().contents()
            store.close()
    assert n_losses > 20


# --- the n-th operation of the disk fails (row 113)


ERRORS = {
    "disk full": (lambda: apsw.FullError("made to fail"), frozenset({"write", "truncate"})),
    "I/O error": (lambda: apsw.IOError("made to fail"), EVERY_OPERATION),
    "read-only": (lambda: apsw.ReadOnlyError("made to fail"), CHANGING),
}


def photographed(path: Path, copy: Path) -> SqliteStore:
    """The store as another process would find it, were this one killed now."""
    if copy.exists():
        shutil.rmtree(copy)
    copy.mkdir(mode=0o700)
    for file in path.parent.iterdir():
        shutil.copy2(file, copy / file.name)
    return SqliteStore(copy / path.name)


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("name", ERRORS)
def test_row_113_a_failing_disk_leaves_the_last_commit_and_the_store_resumes(tmp_path, name, for_good):
    error, operations = ERRORS[name]
    vfs = crash_vfs()
    path = tmp_path / "data" / "store.db"
    store = SqliteStore(path, vfs=CrashVFS.NAME, checkpoint_pages=8)
    model = change_everything(store, 1)
    outcomes: Counter[str] = Counter()
    for after in range(2000):
        revision = 2 + after % 200
        vfs.disk.fail(after, error, for_good=for_good, of=operations)
        try:
            change = change_everything(store, revision)
        except Unavailable:
            outcomes["refused"] += 1
        else:
            outcomes["kept"] += 1
            model = merged(model, change)
        reached = vfs.disk.n_operations > after
        vfs.disk.heal()
        assert contents(store, model) == model.contents(), f"operation {after}"
        if not reached:
            break
        model = merged(model, change_everything(store, 201))  # it resumes by itself
    assert not reached, "every operation has had its turn"
    assert outcomes["refused"] > 10
    store.check()
    store.close()
    reopened = SqliteStore(path)
    reopened.check()
    model.assert_same(reopened)
    reopened.close()


@pytest.mark.parametrize("name", ERRORS)
def test_a_commit_that_failed_does_not_come_back_after_a_kill(tmp_path, name):
    """What was answered with Unavailable stays undone, even by the recovery of the next process."""
    error, operations = ERRORS[name]
    vfs = crash_vfs()
    path = tmp_path / "data" / "store.db"
    store = SqliteStore(path, vfs=CrashVFS.NAME)
    model = change_everything(store, 1)
    n_refused = 0
    for after in range(2000):
        vfs.disk.fail(after, error, for_good=False, of=operations)
        try:
            model = merged(model, change_everything(store, 2 + after % 200))
        except Unavailable:
            n_refused += 1
        reached = vfs.disk.n_operations > after
        vfs.disk.heal()
        copy = photographed(path, tmp_path / "copy")
        assert contents(copy, model) == model.contents(), f"operation {after}"
        copy.close()
        if not reached:
            break
    assert n_refused > 10
    store.close()


@pytest.mark.parametrize("name", ERRORS)
def test_a_start_on_a_failing_disk_is_refused_and_does_no_harm(tmp_path, name):
    error, operations = ERRORS[name]
    vfs = crash_vfs()
    path = tmp_path / "data" / "store.db"
    n_refused = 0
    for after in range(1000):
        vfs.disk.fail(after, error, for_good=True, of=operations)
        try:
            store = SqliteStore(path, vfs=CrashVFS.NAME)
        except Unavailable:
            n_refused += 1
        else:
            vfs.disk.heal()
            store.close()
            if vfs.disk.n_operations <= after:
                break
    assert n_refused > 3
    store = SqliteStore(path)
    change_everything(store, 1)
    store.check()
    store.close()


def test_a_reading_disk_that_fails_is_unavailable_and_heals(tmp_path):
    vfs = crash_vfs()
    store = SqliteStore(tmp_path / "data" / "store.db", vfs=CrashVFS.NAME)
    change_everything(store, 1)
    for after in range(40):
        vfs.disk.fail(after, lambda: apsw.IOError("made to fail"), for_good=True, of=frozenset({"open", "read"}))
        other = None
        try:
            other = SqliteStore(tmp_path / "data" / "store.db", vfs=CrashVFS.NAME)
            other.every(Kind.KEY)
        except Unavailable:
            pass
        vfs.disk.heal()
        if other:
            assert other.get(Kind.KEY, "01") == a_row("01", 1, 900)
            other.close()
    store.close()


# --- byte rot (row 114)


def test_row_114_rot_is_an_error_or_shows_in_the_row(tmp_path):
    outcomes = run_rot.sweep(tmp_path / "data", seed=1, step=97)
    assert set(outcomes) <= {"refused", "another row", "the same", "missing, found by check"}
    assert min(outcomes["refused"], outcomes["another row"], outcomes["the same"]) > 10


# --- the log (row 116)


LOGS = {
    "missing": lambda mine, other: None,
    "empty": lambda mine, other: b"",
    "garbage": lambda mine, other: bytes(len(mine)),
    "cut": lambda mine, other: mine[: len(mine) * 2 // 3],
    "another database's": lambda mine, other: other,
}


@pytest.mark.parametrize("name", LOGS)
def test_row_116_a_log_that_is_not_ours_gives_an_earlier_commit_or_an_error(tmp_path, name):
    """An earlier commit is whole; that it is not the last, the slot's generation tells (service.barrier)."""
    logs, commits = {}, []
    for owner in ("other", "mine"):
        path = tmp_path / owner / "store.db"
        store = SqliteStore(path, checkpoint_pages=10**6)
        model = change_everything(store, 1 if owner == "mine" else 9)
        store.close()
        store = SqliteStore(path, checkpoint_pages=10**6)
        commits = [model]
        for revision in (2, 3):
            commits.append(merged(commits[-1], change_everything(store, revision)))
        logs[owner] = path.with_name("store.db-wal").read_bytes()
        shutil.copytree(path.parent, tmp_path / f"{owner} killed")
        store.close()
    path = tmp_path / "mine killed" / "store.db"
    put = LOGS[name](logs["mine"], logs["other"])
    path.with_name("store.db-wal").unlink()
    path.with_name("store.db-shm").unlink()
    if put is not None:
        path.with_name("store.db-wal").touch(mode=0o600)
        path.with_name("store.db-wal").write_bytes(put)
    try:
        store = SqliteStore(path)
    except Internal:
        assert name == "another database's"
        return
    found = contents(store, commits[-1])
    if found not in [model.contents() for model in commits]:
        with pytest.raises(Internal):
            store.check()
    store.close()
