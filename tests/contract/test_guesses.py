"""Wrong passwords of an HSM's user, counted: in memory, and in files for every process and after a restart."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from tests.fakes import FakeClock
from tests.faults.simdisk import PowerLoss, SimDisk
from tests.waiting import ended

from keystead.app.clock import boot
from keystead.providers import guesses
from keystead.providers.guesses import LOCKED_FOR, MOST_WRONG, GuessFiles, MemoryGuesses
from keystead.stores.disk import LocalDisk

BOOT, AFTER = b"boot of the test", b"the next of them"
AT = Path("guesses")


def wrong() -> bool:
    return False


def right() -> bool:
    return True


def never() -> bool:
    raise AssertionError("it was compared")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["memory", "files"])
def counted(request, clock, tmp_path):
    if request.param == "memory":
        return MemoryGuesses(clock.monotonic)
    return GuessFiles(LocalDisk(), tmp_path / "guesses", clock, BOOT)


def test_after_so_many_wrong_ones_none_is_compared_for_an_hour(counted, clock) -> None:
    for _ in range(MOST_WRONG):
        assert counted.compared("luna", right) is True
        assert counted.compared("luna", wrong) is False
        clock.forward(timedelta(seconds=1))
    assert counted.compared("luna", never) is None
    assert counted.compared("another", right) is True
    clock.forward(timedelta(seconds=LOCKED_FOR - MOST_WRONG))
    assert counted.compared("luna", wrong) is False, "the oldest of them is an hour ago"
    assert counted.compared("luna", never) is None


def test_processes_and_a_restart_count_together(clock, tmp_path) -> None:
    workers = [GuessFiles(LocalDisk(), tmp_path, clock, BOOT) for _ in range(3)]
    said = [workers[n % 3].compared("luna", wrong) for n in range(MOST_WRONG)]
    assert said == [False] * MOST_WRONG
    assert [one.compared("luna", never) for one in workers] == [None] * 3
    assert GuessFiles(LocalDisk(), tmp_path, clock, BOOT).compared("luna", never) is None


def test_across_a_boot_the_time_of_day_counts_and_never_backwards(clock, tmp_path) -> None:
    before = GuessFiles(LocalDisk(), tmp_path, clock, BOOT)
    for _ in range(MOST_WRONG):
        before.compared("luna", wrong)
    after = GuessFiles(LocalDisk(), tmp_path, clock, AFTER)
    assert after.compared("luna", never) is None
    clock.leap(timedelta(days=-1))
    assert after.compared("luna", never) is None
    clock.leap(timedelta(days=1, seconds=LOCKED_FOR))
    assert before.compared("luna", never) is None, "by which nobody leaps within one"
    assert after.compared("luna", right) is True


def test_of_many_at_once_no_more_are_compared(clock, tmp_path) -> None:
    said: list[bool | None] = []
    tries = [GuessFiles(LocalDisk(), tmp_path, clock, BOOT) for _ in range(2 * MOST_WRONG)]
    threads = [threading.Thread(target=lambda one=one: said.append(one.compared("luna", wrong))) for one in tries]
    for thread in threads:
        thread.start()
    ended(*threads)
    assert said.count(False) == MOST_WRONG and said.count(None) == MOST_WRONG


def test_what_cannot_be_counted_is_not_compared(clock, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("no directory")
    assert GuessFiles(LocalDisk(), tmp_path / "file", clock, BOOT).compared("luna", never) is None
    monkeypatch.setattr(guesses, "TURN_IN", 0.0)
    held = GuessFiles(LocalDisk(), tmp_path, clock, BOOT)
    with held._alone(tmp_path / "luna"):
        assert held.compared("luna", never) is None


def test_a_wrong_one_that_was_answered_is_counted_whenever_the_power_goes(clock) -> None:
    """At every operation of the disk: what was answered before it counts after it, and at most one more."""
    for at in range(1, 400):
        disk, n_answered = SimDisk(Random(at)), 0
        disk.dies_at = at
        counting = GuessFiles(disk, AT, clock, BOOT)
        try:
            for _ in range(4):
                assert counting.compared("luna", wrong) is False
                n_answered += 1
        except PowerLoss:
            pass
        disk.reboot()
        after = GuessFiles(disk, AT, clock, BOOT)
        left = 0
        while after.compared("luna", wrong) is False:
            left += 1
        assert n_answered <= MOST_WRONG - left <= n_answered + 1, at
        if n_answered == 4:
            break
    else:
        pytest.fail("there is no end of operations")
    assert at > 15


def test_a_boot_is_the_same_for_every_process() -> None:
    assert boot() == boot() and len(boot()) == 16
