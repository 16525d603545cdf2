"""The five ports, driven by a seed (HOUSE §2 rule 8): what a test says happens, happens, and happens again."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import add, sub

from keystead.core.errors import Unavailable
from keystead.core.keytree import generation
from keystead.core.limits import Counts, require_room
from keystead.core.ports import Store
from keystead.core.sensitive import Sensitive


class SeededEntropy:
    """The same bytes for the same seed. Never outside a test."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def __call__(self, n: int) -> bytes:
        return self._random.randbytes(n)


class FakeClock:
    """Stands still until told."""

    def __init__(self, now: datetime = datetime(2026, 11, 25, 12, tzinfo=UTC)) -> None:
        self._now, self._monotonic = now, 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def forward(self, by: timedelta) -> None:
        self._now += by
        self._monotonic += by.total_seconds()

    def leap(self, by: timedelta) -> None:
        """Somebody sets the time of day; nothing has passed."""
        self._now += by


class MemorySlot:
    """core.ports.Slot in a dict."""

    def __init__(self) -> None:
        self.held: dict[str, Sensitive] = {}

    def read(self) -> dict[str, Sensitive]:
        return dict(self.held)

    def stage(self, secret: Sensitive) -> str:
        name = generation(secret.reveal())
        self.held[name] = secret
        return name

    def retire(self, keep: str) -> None:
        self.held = {keep: self.held[keep]}

    def copy(self) -> MemorySlot:
        """The slot as it is now: what a thief of the slot has."""
        thief = MemorySlot()
        thief.held = dict(self.held)
        return thief


class MemoryPage:
    """service.meter.Page in a dict: [used, reserved] by id."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Counts]] = {}
        self._turn = threading.Lock()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._turn:
            yield

    def take(self, id: str, more: Counts, most: Counts) -> bool:
        with self._lock:
            if id not in self.kept:
                return False
            used, reserved = self.kept[id]
            require_room(used, more, most)
            sums = tuple(map(add, used, more))
            if any(m and s > r for m, s, r in zip(more, sums, reserved, strict=True)):
                return False
            self.kept[id][0] = sums
            return True

    def give_back(self, id: str, counts: Counts) -> None:
        with self._lock:
            self.kept[id][0] = tuple(map(sub, self.kept[id][0], counts))

    def used(self, id: str) -> Counts | None:
        return self.kept[id][0] if id in self.kept else None

    def begin(self, id: str, used: Counts) -> None:
        self.kept.setdefault(id, [used, used])

    def reserve(self, id: str, upto: Counts) -> None:
        self.kept[id][1] = tuple(map(max, self.kept[id][1], upto))

    def withdraw(self, id: str) -> Counts | None:
        if id in self.kept:
            self.kept[id][1] = self.kept[id][0]
        return self.used(id)

    def ids(self) -> list[str]:
        return list(self.kept)

    def close(self) -> None:
        self.kept.clear()


class FaultyStore:
    """core.ports.Store that fails at the `fail_at`-th operation from now (1: the next), once or for good.

    Operations are every method of the store and of its transactions, and the beginning and the commit of each.
    `also_lost=False` makes a failing commit one that was in truth kept: the answer was lost, not the change.
    """

    def __init__(self, store: Store) -> None:
        self.store, self.n_operations = store, 0
        self._fail_at: int | None = None
        self._for_good = False
        self._lost = True

    def fail(self, at: int | None, *, for_good: bool = False, also_lost: bool = True) -> None:
        """Count from here; None: never again."""
        self.n_operations, self._fail_at, self._for_good, self._lost = 0, at, for_good, also_lost

    def _failing(self) -> bool:
        self.n_operations += 1
        at = self._fail_at
        return at is not None and (self.n_operations >= at if self._for_good else self.n_operations == at)

    def _step(self) -> None:
        if self._failing():
            raise Unavailable("this operation was made to fail")

    def __getattr__(self, name: str) -> Callable[..., object]:
        return _stepping(getattr(self.store, name), self._step)

    @contextmanager
    def transaction(self) -> Iterator[_FaultyTransaction]:
        self._step()
        kept_but_failed = False
        with self.store.transaction() as begun:
            yield _FaultyTransaction(begun, self._step)
            if self._failing():
                kept_but_failed = not self._lost
                if not kept_but_failed:
                    raise Unavailable("this commit was made to fail")
        if kept_but_failed:
            raise Unavailable("the answer to this commit was lost")


class _FaultyTransaction:
    def __init__(self, begun: object, step: Callable[[], None]) -> None:
        self._begun, self._step = begun, step

    def __getattr__(self, name: str) -> Callable[..., object]:
        return _stepping(getattr(self._begun, name), self._step)


def _stepping(method: Callable[..., object], step: Callable[[], None]) -> Callable[..., object]:
    def stepped(*args: object, **kwargs: object) -> object:
        step()
        return method(*args, **kwargs)

    return stepped
