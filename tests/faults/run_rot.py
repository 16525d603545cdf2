"""Flip a bit in every byte of a small database and read it: `python -m tests.faults.run_rot --seed 1`.

At the level of the store a right outcome is an error of ours, or a row whose bytes show it: the AEAD of the barrier
binds every field. Never another exception, never a row under another id; and what is missing, `check` finds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.contract.store_model import Model, contents
from tests.faults.rot import rotted
from tests.faults.workload import change_everything

from keystead.core.errors import Internal, KeysteadError, Unavailable
from keystead.stores.sqlite import SqliteStore


def sweep(directory: Path, *, seed: int, step: int) -> Counter[str]:
    """outcome -> how often. Raises AssertionError naming the byte."""
    store = SqliteStore(directory / "store.db")
    model = change_everything(store, 1)
    store.close()
    copy = directory / "copy.db"
    return Counter(
        outcome(copy, model, offset) for offset in rotted(directory / "store.db", copy, seed=seed, step=step)
    )


def outcome(path: Path, model: Model, offset: int) -> str:
    store = None
    try:
        store = SqliteStore(path)
        found = contents(store, model)
        rows = {key: store.get(*key) for key in model.rows}
        return judged(store, model, found, rows)
    except KeysteadError as error:
        ours = isinstance(error, (Internal, Unavailable)) or "database" in str(error)  # the header: foreign, newer
        assert ours, f"byte {offset}: {error!r}"
        return "refused"
    except Exception as error:
        raise AssertionError(f"byte {offset}: {error!r}") from error
    finally:
        if store:
            store.close()


def judged(store: SqliteStore, model: Model, found: dict[str, Any], rows: dict[Any, Any]) -> str:
    assert all(row is None or (row.kind, row.id) == key for key, row in rows.items()), "a row under another id"
    if found == model.contents() and rows == model.rows:
        return "the same"
    if None not in rows.values() and found["rows"].keys() == model.rows.keys():
        return "another row"
    try:
        store.check()
    except Internal:
        return "missing, found by check"
    raise AssertionError("missing, and not found by check")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1, help="every n-th byte only")
    asked = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        outcomes = sweep(Path(directory) / "data", seed=asked.seed, step=asked.step)
    spent = time.perf_counter() - began
    print(f"{outcomes.total()} bytes (seed {asked.seed}): {dict(outcomes)}, {spent:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
