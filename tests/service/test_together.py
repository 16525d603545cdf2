"""Acts of many threads done as one (service/together.py)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from tests import harness
from tests.harness import TENANT

from keystead.core.entities import Principal, PrincipalKind, Secret, SecretVersion, Tenant
from keystead.core.errors import LimitExceeded, Unavailable
from keystead.core.ports import Stale
from keystead.core.quotas import Quotas
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Commit
from keystead.service.inspection import inspect
from keystead.service.together import MOST, Together, _Waiting

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Gate:
    """An act that stands still until it is let go, once; what came meanwhile is done in one."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[Exception | None]:
        self.groups.append(list(items))
        self.began.set()
        assert self.go.wait(60)
        return [ZeroDivisionError(str(item)) if item % 10 == 7 else None for item in items]


def _gather(together: Together[int], gate: _Gate, n: int) -> list[BaseException | None]:
    """What `n` threads heard, of which one came first."""
    with ThreadPoolExecutor(n) as threads:
        first = threads.submit(together, 0)
        assert gate.began.wait(60)
        others = [threads.submit(together, item) for item in range(1, n)]
        while len(together._queue) < n - 1:
            threading.Event().wait(0.001)
        gate.go.set()
        return [one.exception(60) for one in (first, *others)]


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
            assert stopped.wait(60)
            raise KeyboardInterrupt

    together = Together(act)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(together, 0)
        assert entered.wait(60)
        second = threads.submit(together, 1)
        stopped.set()
        assert isinstance(first.exception(60), KeyboardInterrupt)
        assert second.exception(60) is None
        together(2)  # and the next may act


def test_nobody_waits_for_what_came_after_it() -> None:
    """Whose turn is over returns while the next few are being acted for."""
    go = [threading.Event() for _ in range(3)]
    groups: list[list[int]] = []

    def act(items: Sequence[int]) -> None:
        groups.append(list(items))
        assert go[len(groups) - 1].wait(60)

    together = Together(act)
    with ThreadPoolExecutor(4) as threads:
        told = [threads.submit(together, 0)]
        for n, items in ((1, (10, 11)), (2, (20,))):
            while len(groups) < n:
                threading.Event().wait(0.001)
            told += [threads.submit(together, item) for item in items]
            while len(together._queue) < len(items):
                threading.Event().wait(0.001)
            go[n - 1].set()
        for one in told[:3]:
            one.result(60)
        assert not told[3].done()
        go[2].set()
        told[3].result(60)
    assert [sorted(group) for group in groups] == [[0], [10, 11], [20]]


class _Stopped:
    """A lock whose waiter is stopped."""

    def acquire(self) -> None:
        raise KeyboardInterrupt

    def release(self) -> None: ...


def test_whoever_is_stopped_while_waiting_is_not_acted_for_and_passes_on_what_it_was_to_do() -> None:
    done: list[int] = []
    together = Together[int](done.extend)
    mine, other = _Waiting(1), _Waiting(2)
    mine.woken, mine.leads = _Stopped(), True  # told to lead, and stopped before it could
    together._queue.extend((mine, other))
    together._is_led = True
    with pytest.raises(KeyboardInterrupt):
        together._wait(mine)
    assert other.leads and other.woken.acquire(timeout=60)
    together._step(other)
    together._pass_on()
    assert done == [2] and not together._is_led
    together(3)
    assert done == [2, 3]


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


def test_one_that_is_undone_leaves_no_leaf_and_its_place_goes_to_the_next() -> None:
    """It has grown the tree by the time that it is one too many; the tally, the tree and the counter are as if not."""
    stack = harness.stack()
    of = {"tenant": TENANT, "keyring": "", "folder": "", "created_at": NOW, "updated_at": NOW}
    secrets = [Secret(id=f"s{n}", path=f"p{n}", **of) for n in range(4)]
    versions = [SecretVersion(id=f"s{n}/1", secret_id=f"s{n}", number=1, created_at=NOW) for n in range(4)]
    values = [Sensitive(b"value %d" % n) for n in range(4)]
    commits = [
        Commit(put=(secret, version), material={version.id: value}, record=b"r")
        for secret, version, value in zip(secrets, versions, values, strict=True)
    ]
    commits[1] = replace(commits[1], put=(*commits[1].put, new_user(stack)), within=Quotas(users=0))
    before, n_commits = stack.barrier.head(stack.store).next_leaf, stack.barrier.n_commits
    outcomes = stack.barrier._write(commits)
    assert [type(one) for one in outcomes] == [type(None), LimitExceeded, type(None), type(None)]
    kept = [stack.barrier.get(SecretVersion, version.id) for version in versions]
    assert kept.pop(1) is None and [one.position for one in kept] == [before, before + 1, before + 2]
    assert [stack.barrier.material(one).reveal() for one in kept] == [b"value 0", b"value 2", b"value 3"]
    head = stack.barrier.head(stack.store)
    assert (head.next_leaf, head.n_commits) == (before + 3, n_commits + 3) == (before + 3, stack.barrier.n_commits)
    assert inspect(stack.barrier, stack.store).whole


def test_where_all_are_undone_nothing_is_written() -> None:
    stack = harness.stack()
    (tenant,) = stack.barrier.every(Tenant, limit=1)
    stack.barrier.commit(Commit(put=(tenant,)))
    sealed, n_commits = stack.store.meta("head"), stack.barrier.n_commits
    outcomes = stack.barrier._write([Commit(seen=(tenant,), record=b"r"), Commit(put=(tenant,))])
    assert [type(one) for one in outcomes] == [Stale, Stale]
    assert stack.store.meta("head") == sealed and stack.barrier.n_commits == n_commits


def test_what_one_of_them_moves_has_moved_for_the_next_and_not_if_it_is_undone() -> None:
    stack = harness.stack()
    (tenant,) = stack.barrier.every(Tenant, limit=1)
    other = Commit(put=(new_user(stack),), seen=(tenant,), within=Quotas(users=0))
    moves = replace(other, put=(tenant, *other.put))
    rests, deletes = Commit(seen=(tenant,), record=b"r"), Commit(seen=(tenant,), delete=(tenant,))
    outcomes = stack.barrier._write([rests, moves, rests, replace(moves, within=None), rests, deletes])
    assert [type(one) for one in outcomes] == [type(None), LimitExceeded, type(None), type(None), Stale, Stale]


def new_user(stack: harness.Stack) -> Principal:
    return Principal(
        id=stack.entropy(8).hex(),
        tenant=TENANT,
        principal_kind=PrincipalKind.USER,
        name="one too many",
        name_digest=stack.entropy(8).hex(),
        created_at=NOW,
    )
