"""The threads that wait for an HSM: how many, in whose turn, and when what they did comes back to the loop."""

import asyncio
import threading
import time

import pytest

from keystead.kit import lane as lanes
from keystead.kit import pace as paces
from keystead.kit.lane import Lane, Turns
from keystead.kit.pace import STEP, Pace, Spent, spent


class Told:
    """A job that tells what became of it."""

    def __init__(self, tenant="a", act=lambda: None, told=None):
        self.tenant, self.act, self.since = tenant, act, 0.0
        self.told = told if told is not None else []

    def run(self):
        self.act()
        self.told.append(("run", self.tenant, threading.get_ident()))

    def back(self):
        self.told.append(("back", self.tenant, threading.get_ident()))

    def late(self):
        self.told.append(("late", self.tenant, threading.get_ident()))

    def lost(self):
        self.told.append(("lost", self.tenant, threading.get_ident()))


def on_a_loop(test, most=3, wait_for=60.0):
    async def within():
        lane = Lane("hsm", most, wait_for, asyncio.get_running_loop())
        try:
            await test(lane)
        finally:
            lane.close()

    asyncio.run(within())


async def until(true):
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.001)


def words(told, which):
    return [tenant for word, tenant, _ in told if word == which]


# --- in whose turn


def test_tenants_take_turns_and_each_has_its_order():
    turns, given = Turns(), [Told("a") for _ in range(3)] + [Told("b"), Told("c"), Told("b")]
    for job in given:
        turns.put(job)
    taken = [turns.take() for _ in given]
    assert [job.tenant for job in taken] == ["a", "b", "c", "a", "b", "a"] and not turns
    assert [job for job in taken if job.tenant == "a"] == given[:3]


def test_who_waited_too_long_is_taken_out_and_nobody_else():
    turns, given = Turns(), [Told(tenant) for tenant in "aabb"]
    for since, job in zip((1.0, 3.0, 2.5, 2.6), given, strict=True):
        job.since = since
        turns.put(job)
    assert turns.overdue(2.6) == [given[0], given[2]]
    assert [turns.take(), turns.take()] == [given[1], given[3]] and not turns
    turns.put(given[0])
    assert turns.overdue(9.0) == [given[0]] and not turns


# --- how many threads


def pace(most=8, cpus=2, every=STEP / 10):
    made = Pace(most, lambda: cpus)
    for n in range(100):
        made.served(1.0 + n * every, others=True)
    return made


WAITED, COMPUTED = Spent(0.001, 0.0, 0.01, 0.01), Spent(0.0099, 0.0, 0.01, 0.0199)
QUEUED = Spent(0.004, 0.006, 0.01, 0.008)
WITH_TIME = WAITED._replace(together=0.008)  # nobody else computes either


@pytest.mark.parametrize(
    ("every", "used", "n"),
    [
        (STEP / 10, WAITED, 1),  # there is no need
        (STEP * 10, WAITED, 8),
        (STEP / 10, WITH_TIME, 8),
        (STEP / 10, WITH_TIME._replace(queueing=0.003), 1),
        (STEP * 10, COMPUTED, 2),
        (STEP * 10, QUEUED, 1),  # for a CPU: more threads would queue too
    ],
)
def test_a_thread_more_where_who_waits_is_served_sooner_for_it(every, used, n):
    made = pace(every=every)
    for _ in range(20):
        made.consider(used)
        for _ in range(100):
            made.served(made._last + every, others=True)
    assert made.n == n


def test_a_thread_less_where_one_is_enough_or_where_they_queue_for_a_cpu():
    fast, slow = pace(), pace(every=STEP * 10)
    for made in (fast, slow):
        made.add()
        made.add()
    fast.consider(WAITED)
    slow.consider(QUEUED)
    assert (fast.n, slow.n) == (2, 2)
    for _ in range(5):
        fast.consider(WAITED)
        slow.consider(QUEUED)
    assert (fast.n, slow.n) == (1, 1)


@pytest.mark.parametrize(("every", "n"), [(STEP * 0.5, 2), (STEP * 0.7, 3)])
def test_a_thread_goes_only_where_it_would_not_be_wanted_again(every, n):
    made = pace(every=every)
    made.n = 3
    made.consider(WAITED)
    assert made.n == n


def test_time_in_which_nobody_waited_says_nothing():
    made = Pace(8, lambda: 2)
    for n in range(100):
        made.served(1.0 + n, others=n % 2 == 1)  # served at once, then nobody, then somebody again
        made.consider(WAITED)
    assert made.n > 1, "one of two was waited for"
    alone = Pace(8, lambda: 2)
    for n in range(100):
        alone.served(1.0 + n, others=False)
        alone.consider(WAITED)
    assert alone.n == 1


def test_what_a_thread_has_spent():
    before = spent()
    time.sleep(0.02)
    slept = spent().since(before)
    assert slept.in_all >= 0.02 and slept.computing < slept.in_all / 2
    before, until_then = spent(), time.thread_time() + 0.02
    while time.thread_time() < until_then:
        pass
    worked = spent().since(before)
    assert worked.computing >= 0.015 and worked.in_all >= worked.computing - 0.005  # of two clocks


# --- a lane


def test_one_thread_serves_what_is_served_at_once_and_comes_back_once_for_many(monkeypatch):
    calls = []

    async def test(lane):
        loop, told, all_wait = asyncio.get_running_loop(), [], threading.Event()
        monkeypatch.setattr(loop, "call_soon_threadsafe", lambda act: (calls.append(act), was(act)), raising=False)
        lane.put(Told("first", all_wait.wait, told=told))
        for _ in range(50):
            lane.put(Told(told=told))
        all_wait.set()
        await until(lambda: len(words(told, "back")) == 51)
        ran = {ident for word, _, ident in told if word == "run"}
        assert len(ran) == 1 and threading.get_ident() not in ran
        assert {ident for word, _, ident in told if word == "back"} == {threading.get_ident()}

    was = None

    async def with_loop(lane):
        nonlocal was
        was = asyncio.get_running_loop().call_soon_threadsafe
        await test(lane)

    for name in ("HOLD_FOR", "LOOK", "SAMPLE"):  # nothing that a busy machine does takes as long
        monkeypatch.setattr(lanes, name, 100.0)
    on_a_loop(with_loop)
    assert len(calls) == 1


def test_where_a_token_stands_still_others_are_served_by_as_many_threads_as_there_may_be():
    async def test(lane):
        gates, told = [threading.Event() for _ in range(4)], []
        stuck = [Told("stuck", gate.wait, told) for gate in gates]
        for job in stuck[:2]:
            lane.put(job)
        lane.put(Told("next", told=told))
        await until(lambda: words(told, "back") == ["next"])
        for job in stuck[2:]:
            lane.put(job)
        lane.put(Told("last", told=told))
        await asyncio.sleep(lanes.LOOK * 6)
        assert words(told, "run") == ["next"], "three threads, and three that stand still"
        for gate in gates:
            gate.set()
        await until(lambda: len(words(told, "back")) == 6)

    on_a_loop(test, most=3)


def test_a_process_that_stands_still_itself_adds_no_thread(monkeypatch):
    monkeypatch.setattr(lanes, "LOOK", 100.0)  # it looks when the test says so

    async def test(lane):
        gate, told = threading.Event(), []
        lane.put(Told("stuck", gate.wait, told))
        lane.put(Told("next", told=told))
        for _ in range(3):
            lane._looked_at -= lanes.LOOK * 3
            lane._look()
        assert lane._pace.n == 1 and told == []
        lane._look()
        assert lane._pace.n == 2
        await until(lambda: words(told, "run") == ["next"])
        gate.set()

    on_a_loop(test)


def test_an_answer_is_not_held_up_by_who_is_served_after_it(monkeypatch):
    monkeypatch.setattr(lanes, "HOLD_FOR", 10.0)

    async def test(lane):
        gate, told = threading.Event(), []
        lane.put(Told("first", told=told))
        lane.put(Told("stuck", gate.wait, told))
        await until(lambda: words(told, "back") == ["first"])
        gate.set()
        await until(lambda: words(told, "back") == ["first", "stuck"])

    on_a_loop(test, most=1)


def test_nobody_is_held_for_others_longer_than_is_said(monkeypatch):
    monkeypatch.setattr(lanes, "LOOK", 10.0)

    async def test(lane):
        gate, told = threading.Event(), []
        lane.put(Told("long", lambda: time.sleep(lanes.HOLD_FOR * 2), told))
        lane.put(Told("stuck", gate.wait, told))
        await until(lambda: words(told, "back") == ["long"])
        gate.set()

    on_a_loop(test, most=1)


def test_several_threads_hold_nobody_as_long_as_one_does(monkeypatch):
    for name in ("LOOK", "HOLD_FOR"):
        monkeypatch.setattr(lanes, name, 100.0)

    async def test(lane):
        begun, gate, told = threading.Event(), threading.Event(), []
        lane._pace.n = 2
        lane.put(Told("stuck", lambda: begun.set() or gate.wait(), told))
        await until(begun.is_set)
        lane.put(Told("long", lambda: time.sleep(lanes.HOLD_AMONG * 2), told))
        lane.put(Told("stuck", gate.wait, told))
        await until(lambda: words(told, "back") == ["long"])
        gate.set()

    on_a_loop(test, most=2)


def test_nobody_waits_longer_than_is_said_and_what_is_late_is_not_done():
    async def test(lane):
        begun, gate, told = threading.Event(), threading.Event(), []
        lane.put(Told("stuck", lambda: begun.set() or gate.wait(), told))
        await until(begun.is_set)
        lane._wait_for = 0.02
        lane.put(Told("late", told=told))
        await until(lambda: words(told, "late") == ["late"])
        lane._wait_for = 60.0
        gate.set()
        await until(lambda: words(told, "back") == ["stuck"])
        lane.put(Told("well", told=told))
        await until(lambda: words(told, "back") == ["stuck", "well"])
        assert "late" not in words(told, "run")

    on_a_loop(test, most=1)


def test_where_no_thread_is_to_be_had_one_is_late_and_the_next_has_one(monkeypatch):
    def none(_thread):
        raise RuntimeError("can't start new thread")

    async def test(lane):
        told = []
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", none)
            patched.setattr(lane, "_wait_for", 0.02)
            lane.put(Told("early", told=told))
            await until(lambda: words(told, "late") == ["early"])
        lane.put(Told("well", told=told))
        await until(lambda: words(told, "back") == ["well"])
        assert words(told, "run") == ["well"]

    on_a_loop(test)


def test_where_one_cannot_be_answered_the_others_are(monkeypatch):
    monkeypatch.setattr(lanes, "HOLD_FOR", 10.0)

    async def test(lane):
        told, broken = [], []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: broken.append(context["exception"]))
        bad = Told("bad", told=told)
        bad.back = lambda: 1 // 0
        for job in (Told("first", told=told), bad, Told("last", told=told)):
            lane.put(job)
        await until(lambda: words(told, "back") == ["first", "last"])
        assert [type(one) for one in broken] == [ZeroDivisionError]

    on_a_loop(test, most=1)


def test_where_one_cannot_be_told_that_it_is_late_the_others_are():
    async def test(lane):
        begun, gate, told, broken = threading.Event(), threading.Event(), [], []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: broken.append(context["exception"]))
        lane.put(Told("stuck", lambda: begun.set() or gate.wait(), told))
        await until(begun.is_set)
        lane._wait_for = 0.02
        bad = Told("bad", told=told)
        bad.late = lambda: 1 // 0
        for job in (Told("first", told=told), bad, Told("last", told=told)):
            lane.put(job)
        await until(lambda: words(told, "late") == ["first", "last"])
        assert [type(one) for one in broken] == [ZeroDivisionError]
        gate.set()

    on_a_loop(test, most=1)


@pytest.mark.parametrize("content", [None, b"", b"what?"])
def test_where_the_kernel_does_not_tell_a_thread_never_queues(content, monkeypatch, tmp_path):
    path = tmp_path / "schedstat"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(paces, "_SCHEDSTAT", path)
    told = spent()
    assert told.queueing == 0.0 and 0.0 < told.computing <= time.thread_time() and told.in_all <= time.monotonic()


def test_a_thread_that_the_token_keeps_does_not_keep_the_end(monkeypatch):
    monkeypatch.setattr(lanes, "CLOSES_IN", 0.05)
    gate = threading.Event()

    begun = threading.Event()

    async def test(lane):
        lane.put(Told("stuck", lambda: begun.set() or gate.wait()))
        await until(begun.is_set)

    on_a_loop(test)  # or this does not end
    gate.set()
