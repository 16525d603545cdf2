"""Lives, one a seed, one after the other until power was lost often enough: what run_store and run_kv share."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from tests.faults.crashvfs import CrashVFS, crash_vfs


class Life(Protocol):
    n_losses: int
    n_acknowledged: int

    def run(self) -> None: ...


L = TypeVar("L", bound=Life)


def over(seed: int, begin: Callable[[int, Path, CrashVFS], L]) -> L:
    """The life of that seed, in a directory of its own, over. Raises whatever went wrong."""
    directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108 - faster
    try:
        one = begin(seed, directory, crash_vfs())
        one.run()
    finally:
        shutil.rmtree(directory)
    return one


def main(about: str, n: int, acknowledged: str, life: Callable[[int], Life]) -> int:
    """As a command: `--n` power losses from `--seed` on; each seed that failed is told. Returns the exit status."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--n", type=int, default=n, help="power losses")
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
        f"{n_losses} power losses (seeds {asked.seed} to {seed - 1}), {n_acknowledged} acknowledged {acknowledged}, "
        f"{len(failed)} failures, {spent:.0f} s"
    )
    return 1 if failed else 0
