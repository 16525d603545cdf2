"""Salts drawn ahead of use, many per call to the operating system: for salts that format v1 hedges, nothing else."""

from __future__ import annotations

import os
import weakref
from collections import deque

from keystead.core.ports import Entropy

AHEAD = 256


class Draws:
    """Draws of `n_bytes`, each given out once. Safe from any thread; a forked child forgets what its parent drew."""

    def __init__(self, entropy: Entropy, n_bytes: int) -> None:
        self._entropy, self._n_bytes = entropy, n_bytes
        self._ready: deque[bytes] = deque()  # append and pop are atomic
        _POOLS.add(self)

    def __call__(self) -> bytes:
        while True:
            try:
                return self._ready.pop()
            except IndexError:
                drawn = self._entropy(self._n_bytes * AHEAD)
                self._ready.extend(drawn[i : i + self._n_bytes] for i in range(0, len(drawn), self._n_bytes))

    def forget(self) -> None:
        self._ready.clear()


_POOLS: weakref.WeakSet[Draws] = weakref.WeakSet()


def _forget_all() -> None:
    for pool in list(_POOLS):
        pool.forget()


os.register_at_fork(after_in_child=_forget_all)
