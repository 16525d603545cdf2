"""Lose power under the Vault door, again and again: `python -m tests.faults.run_kv --n 2000 --seed 1`.

Each seed is one life of an installation in one process: the door, the pipeline, the barrier and the real store on a
disk that drops and tears what was not synced. Requests write, patch, delete, undelete, destroy and erase secrets until
the power goes; what is left is opened again and asked through the door. A failure names its seed.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import harness
from tests.fakes import MemorySlot
from tests.faults import kv
from tests.faults.crashvfs import CHANGING, CrashVFS, PowerLoss, crash_vfs

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
    directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108 - faster
    try:
        one = Life(seed, directory, crash_vfs())
        one.run()
    finally:
        log.setLevel(level)
        shutil.rmtree(directory)
    return one


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2_000, help="power losses")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    asked = parser.parse_args()
    n_losses = n_acknowledged = 0
    failed: list[int] = []
    began, seed = time.perf_counter(), asked.seed
    while n_losses < asked.n:
        try:
            one = life(seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has a seed
            failed.append(seed)
            n_losses += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
        else:
            n_losses += one.n_losses
            n_acknowledged += one.n_acknowledged
        seed += 1
    spent = time.perf_counter() - began
    print(
        f"{n_losses} power losses (seeds {asked.seed} to {seed - 1}), {n_acknowledged} acknowledged requests, "
        f"{len(failed)} failures, {spent:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
