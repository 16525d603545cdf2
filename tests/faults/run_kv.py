"""Lose power under the Vault door, again and again: `python -m tests.faults.run_kv --n 2000 --seed 1`.

Each seed is one life of an installation in one process: the door, the pipeline, the barrier and the real store on a
disk that drops and tears what was not synced. Requests write, patch, delete, undelete, destroy and erase secrets until
the power goes; what is left is opened again and asked through the door. A failure names its seed.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import harness
from tests.fakes import MemorySlot
from tests.faults import kv, lives
from tests.faults.crashvfs import CHANGING, CrashVFS, PowerLoss

from keystead.core.sensitive import Sensitive
from keystead.doors import vault
from keystead.stores.sqlite import SqliteStore

LOSSES, LONGEST = 3, 3000  # in one life; changes to the disk between two
U = Sensitive(b"unseal key of the run".ljust(32))
NAMES = ["a", "b/c", "b/d", "e/f/g"]


class Life:
    """One installation from its first minute through its power losses. Raises AssertionError when a promise breaks."""

    def __init__(self, seed: int, directory: Path, vfs: CrashVFS) -> None:
        self.rng, self.seed, self.directory, self.vfs = random.Random(seed), seed, directory, vfs
        self.slot, self.owner, self.contest = MemorySlot(), kv.Owner(NAMES), kv.Contest()
        self.token = ""
        self.n_acknowledged = self.n_losses = 0
        self.n_opened = 0

    def run(self) -> None:
        current = self.directory / "0"
        store = self._open(current)
        bearer = self._bearer(store)
        assert bearer.ask("POST", "sys/mounts/kv2", {"type": "kv-v2"}).status == 204
        for loss in range(1, LOSSES + 1):
            self._live(bearer)
            after = self.directory / str(loss)
            self.vfs.disk.lose_power(self.rng, current, after)
            self.vfs.disk.heal()
            store.close()
            shutil.rmtree(current, ignore_errors=True)
            self.n_losses += 1
            current = after
            self.vfs.disk.reset()
            store = self._open(current)
            store.check()
            bearer = self._bearer(store)
            for _ in self.owner.check(asking(bearer)):
                pass
            self.contest.check(asking(bearer))
        store.close()

    def _open(self, directory: Path) -> SqliteStore:
        return SqliteStore(directory / "store.db", vfs=CrashVFS.NAME, checkpoint_pages=self.rng.choice((4, 16, 1000)))

    def _bearer(self, store: SqliteStore) -> harness.Bearer:
        """Whoever has the token of the first minute."""
        self.n_opened += 1
        stack = harness.stack(
            seed=self.seed * 100 + self.n_opened, door=vault.DOOR, store=store, slot=self.slot, unseal=U
        )
        if not self.token:
            self.token = stack.bearer().token
        return harness.Bearer(stack, self.token)

    def _live(self, bearer: harness.Bearer) -> None:
        rng, disk, after = self.rng, self.vfs.disk, self.rng.randrange(LONGEST)
        ask = asking(bearer, lambda: disk.n_operations > after)
        disk.fail(after, PowerLoss, for_good=True, of=CHANGING)
        try:
            while True:
                if rng.random() < 0.2:
                    self.contest.bid(ask, rng)
                else:
                    self.owner.change(ask, rng)
                self.n_acknowledged += 1
        except Refused:
            return


class Refused(Exception):
    """The power is gone, and the door says so."""


def asking(bearer: harness.Bearer, is_dark: Callable[[], bool] = lambda: False) -> kv.Ask:
    def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
        reply = bearer.ask(method, f"kv2/{path}", body)
        if reply.status >= 500:
            assert is_dark(), (method, path, reply.status, reply.body)
            raise Refused
        return reply.status, json.loads(reply.body) if reply.body else None

    return ask


def life(seed: int) -> Life:
    """One life of that seed, over. Raises whatever went wrong."""
    log = logging.getLogger("keystead")
    level = log.level
    log.setLevel(logging.CRITICAL)  # a disk without power is no error of the server
    try:
        return lives.over(seed, Life)
    finally:
        log.setLevel(level)


if __name__ == "__main__":
    sys.exit(lives.main(__doc__, 2_000, "requests", life))
