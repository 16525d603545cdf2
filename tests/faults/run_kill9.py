"""kill -9 of a process that commits to the store: `python -m tests.faults.run_kill9 --n 1000 --seed 1`.

The child (`--child PATH`) takes the lock, commits numbered records and rows, and writes each number to its standard
output once the transaction has ended. Nothing of what it has written may be missing, nothing half there.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.faults.kill9 import Kill9, Report

from keystead.core.entities import Kind
from keystead.core.ports import Row
from keystead.stores.lock import DirectoryLock
from keystead.stores.sqlite import SqliteStore

NUMBER = struct.Struct(">Q")
N_IDS = 50


def child(path: Path) -> None:
    """Until killed: transaction n puts a row that holds n and appends record n."""
    lock = DirectoryLock(path.parent)
    store = SqliteStore(path, checkpoint_pages=50)
    while lock:
        with store.transaction() as change:
            n = change.record(bytes(350))
            change.put(Row(Kind.KEY, f"{n % N_IDS:02}", "p", "", n, 0, bytes(n * 37 % 3000)))
            change.put_meta("newest", NUMBER.pack(n))
        os.write(sys.stdout.fileno(), NUMBER.pack(n))


def client(process: subprocess.Popen[bytes], acknowledge: Callable[[int], None]) -> None:
    assert process.stdout
    while len(number := process.stdout.read(NUMBER.size)) == NUMBER.size:
        acknowledge(NUMBER.unpack(number)[0])


def check(path: Path, facts: list[int]) -> None:
    if not path.exists():  # killed before it had begun
        assert not facts
        return
    lock = DirectoryLock(path.parent)
    store = SqliteStore(path)
    try:
        newest = NUMBER.unpack(store.meta("newest") or bytes(8))[0]
        assert newest >= max(facts, default=0), "acknowledged, and lost"
        assert sorted(set(facts)) == facts, "a number acknowledged twice"
        assert [n for n, _ in store.records(0, newest + 1)] == list(range(1, newest + 1))
        rows = store.every(Kind.KEY)
        expected = range(max(1, newest - N_IDS + 1), newest + 1)
        assert {row.revision: row.id for row in rows} == {n: f"{n % N_IDS:02}" for n in expected}
        assert all(row.sealed == bytes(row.revision * 37 % 3000) for row in rows)
        store.check()
    finally:
        store.close()
        lock.close()


def torture(directory: Path, *, n: int, seed: int, least: int = 0) -> Report:
    """`n` kills, and on until so many at `least` were acknowledged."""
    path = directory / "data" / "store.db"
    path.parent.mkdir(mode=0o700)
    command = [sys.executable, "-m", "tests.faults.run_kill9", "--child", str(path)]
    rig = Kill9(command, client=client, check=lambda facts: check(path, facts), seed=seed, stdout=subprocess.PIPE)
    return rig.run(n, lambda report: report.n_acknowledged >= least)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", type=Path, help="be the process that is killed")
    asked = parser.parse_args()
    if asked.child:
        child(asked.child)
    with tempfile.TemporaryDirectory() as directory:
        report = torture(Path(directory), n=asked.n, seed=asked.seed)
    print(f"{report} (seed {asked.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
