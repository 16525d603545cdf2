"""Acts of many threads done as one (service/together.py)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests import harness

from keystead.core.entities import Tenant
from keystead.core.errors import Unavailable
from keystead.core.ports import Stale
from keystead.service.barrier import Commit
from keystead.service.together import MOST, Together


class _Gate:
    """An act that stands still until it is let go, once; what came meanwhile is done in one."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[Exception | None]:
        self.groups.append(list(items))
        self.began.set()
        assert self.go.wait(5)
        return [ZeroDivisionError(str(item)) if item % 10 == 7 else None for item in items]


def _gather(together: Together[int], gate: _Gate, n: int) -> list[BaseException | None]:
    """What `n` threads heard, of which one came first."""
    with ThreadPoolExecutor(n) as threads:
        first = threads.submit(together, 0)
        assert gate.began.wait(5)
        others = [threads.submit(together, item) for item in range(1, n)]
        while len(together._queue) < n - 1:
            threading.Event().wait(0.001)
        gate.go.set()
        return [one.exception(5) for one in (first, *others)]


def test_what_comes_while_one_is_acting_is_done_in_one_and_each_hears_its_own() -> None:
    gate = _Gate()
    errors = _gather(Together(gate), gate, 20)
    assert [len(group) for group in gate.groups] == [1, 19]
    assert sorted(gate.groups[1]) == list(range(1, 20))
    assert [n for n, error in enumerate(errors) if error is not None] == [7, 17]
    assert [str(errors[n]) for n in (7, 17)] == ["7", "17"]


def test_nobody_acts_for_more_than_so_many() -> None:
    gate = _Gate()
    assert len(_gather(Together(gate), gate, MOST + 2)) == MOST + 2
    assert [len(group) for group in gate.groups] == [1, MOST, 1]


def test_what_the_act_raises_has_happened_to_everybody() -> None:
    error = Unavailable("the disk is full")

    def act(_items: Sequence[int]) -> None:
        raise error

    together = Together(act)
    for _ in range(2):
        with pytest.raises(Unavailable, match="full") as told:
            together(1)
        assert told.value is not error  # whoever is told may write on it


def test_whoever_is_stopped_while_acting_leaves_nobody_waiting() -> None:
    entered, stopped = threading.Event(), threading.Event()

    def act(items: Sequence[int]) -> None:
        if items[0] == 0:
            entered.set()
            assert stopped.wait(5)
            raise KeyboardInterrupt

    together = Together(act)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(together, 0)
        assert entered.wait(5)
        second = threads.submit(together, 1)
        stopped.set()
        assert isinstance(first.exception(5), KeyboardInterrupt)
        assert second.exception(5) is None
        together(2)  # and the next may act


def test_of_commits_that_share_a_transaction_each_stands_for_itself() -> None:
    """One that rests on what has moved is Stale; those beside it are durable, with their records and their leaves."""
    stack = harness.stack()
    (tenant,) = stack.barrier.every(Tenant, limit=1)
    before = len(stack.store.records(0, 10_000))
    commits = [
        Commit(record=b"one"),
        Commit(seen=(tenant,), put=(tenant,), record=b"two"),
        Commit(seen=(tenant,), put=(tenant,), record=b"three"),
        Commit(record=b"four"),
    ]
    outcomes = stack.barrier._write(commits)
    assert [type(one) for one in outcomes] == [type(None), type(None), Stale, type(None)]
    kept = [record for _, record in stack.store.records(0, 10_000)][before:]
    assert kept == [b"one", b"two", b"four"]
    assert stack.barrier.head(stack.store).n_commits == stack.barrier.n_commits
