"""Lose power under the real store, again and again: `python -m tests.faults.run_store --n 10000 --seed 1`.

Each seed is one life of a database: random transactions until the power goes, a check of what is left by the real
store, and on from there, three times over. A failure names its seed; `--n 1 --seed S` runs it again.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.contract.store_model import Model, contents
from tests.faults import lives
from tests.faults.crashvfs import CHANGING, CrashVFS, PowerLoss

from keystead.core.entities import Kind
from keystead.core.ports import Row, Transaction
from keystead.stores.sqlite import SqliteStore

LOSSES = 3  # in one life
LONGEST = 300  # changes to the disk between two losses
IDS = [f"id-{n:02}" for n in range(30)]
KINDS = [Kind.KEY, Kind.KEY_VERSION, Kind.GRANT]
SIZES = (0, 60, 700, 5000)


class Abandoned(Exception):
    """The caller changed its mind inside the block."""


def steps(rng: random.Random) -> Iterator[tuple[str, tuple[object, ...]]]:
    """What one transaction does, in the verbs of core.ports.Transaction."""
    for _ in range(rng.randrange(1, 6)):
        kind, id_ = rng.choice(KINDS), rng.choice(IDS)
        sealed = rng.randbytes(rng.choice(SIZES))
        row = Row(kind, id_, rng.choice("pqr"), rng.choice(["", "l", "m"]), rng.randrange(9), rng.randrange(9), sealed)
        yield rng.choice(
            [
                ("put", (row,)),
                ("put", (row,)),
                ("delete", (kind, id_)),
                ("put_node", (rng.randrange(3), rng.randrange(8), rng.randbytes(2048))),
                ("put_meta", (rng.choice("abc"), rng.randbytes(8))),
            ]
        )
    if rng.random() < 0.1:
        yield "drop_records", (rng.randrange(40),)
    yield "record", (rng.randbytes(rng.choice((100, 350))),)


class Life:
    """One database from its creation through its power losses. Raises AssertionError when a promise is broken."""

    def __init__(self, seed: int, directory: Path, vfs: CrashVFS) -> None:
        self.rng, self.directory, self.vfs = random.Random(seed), directory, vfs
        self.acknowledged = Model()
        self.in_flight = Model()  # what may have happened as well
        self.n_acknowledged = self.n_losses = 0

    def run(self) -> None:
        current = self.directory / "0"
        for loss in range(1, LOSSES + 1):
            self._live(current / "store.db")
            after = self.directory / str(loss)
            self.vfs.disk.lose_power(self.rng, current, after)
            self._bury(current)
            self.n_losses += 1
            current = after
            self._check(current / "store.db")

    def _open(self, path: Path) -> SqliteStore:
        return SqliteStore(path, vfs=CrashVFS.NAME, keep_changes=15, checkpoint_pages=self.rng.choice((4, 16, 1000)))

    def _live(self, path: Path) -> None:
        disk = self.vfs.disk
        disk.reset()
        disk.fail(self.rng.randrange(LONGEST), PowerLoss, for_good=True, of=CHANGING)
        self.store = None
        with suppress(PowerLoss):
            self.store = self._open(path)
            while True:
                self._transact(self.store)
                if self.rng.random() < 0.02:
                    self.store.close()
                    self.store = self._open(path)

    def _transact(self, store: SqliteStore) -> None:
        """Several commits in one transaction, as the barrier has them; some are given up, and now and then all are."""
        after = self.in_flight = self.acknowledged
        try:
            with store.transaction() as change:
                for _ in range(self.rng.choice((1, 1, 2, 4))):
                    after = self._part(change, after)
                if self.rng.random() < 0.1:
                    raise Abandoned  # noqa: TRY301 - the point is to leave the block so
                self.in_flight = after  # from here on it may happen
        except Abandoned:
            return
        self.acknowledged = after
        self.n_acknowledged += 1

    def _part(self, change: Transaction, before: Model) -> Model:
        after = before.copy()
        try:
            with change.attempt():
                for name, values in steps(self.rng):
                    apply(change, after, name, values)
                if self.rng.random() < 0.1:
                    raise Abandoned  # noqa: TRY301 - as above
        except Abandoned:
            return before
        return after

    def _bury(self, current: Path) -> None:
        self.vfs.disk.heal()
        if self.store:
            self.store.close()
        shutil.rmtree(current, ignore_errors=True)

    def _check(self, path: Path) -> None:
        self.vfs.disk.reset()
        store = self._open(path)
        try:
            store.check()
            expected = {"acknowledged": self.acknowledged, "in flight": self.in_flight}
            found = contents(store, self.in_flight)
            which = [name for name, model in expected.items() if model.contents() == found]
            assert which, "lost, or half done"
            self.acknowledged = self.in_flight = expected[which[0]]
            self.acknowledged.assert_same(store)
        finally:
            store.close()


def apply(change: Transaction, model: Model, name: str, values: tuple[object, ...]) -> None:
    assert getattr(change, name)(*values) == getattr(model, name)(*values)


def life(seed: int) -> Life:
    """One life of that seed, over. Raises whatever went wrong."""
    return lives.over(seed, Life)


if __name__ == "__main__":
    sys.exit(lives.main(__doc__, 10_000, "transactions", life))
