"""Byte rot: copies of a file with one bit changed, to read and judge (security.md §4, row 114)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path


def rotted(source: Path, copy: Path, *, seed: int, step: int = 1) -> Iterator[int]:
    """Make `copy` as `source` (and its WAL, if any) with one bit flipped in every `step`-th byte in turn; the offset.

    The first offset comes from the seed. The copy is good for as long as the caller does not ask for the next.
    """
    rng = random.Random(seed)
    content = source.read_bytes()
    for offset in range(rng.randrange(step), len(content), step):
        for stale in copy.parent.glob(f"{copy.name}-*"):
            stale.unlink()
        changed = bytearray(content)
        changed[offset] ^= 1 << rng.randrange(8)
        copy.touch(mode=0o600)
        copy.write_bytes(changed)
        log = source.with_name(f"{source.name}-wal")
        if log.exists():
            shutil.copy(log, copy.with_name(f"{copy.name}-wal"))
        yield offset
