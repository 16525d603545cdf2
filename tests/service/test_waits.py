"""An appointed destruction is waited for in time that has really passed (research/security.md §4, row 107)."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from tests.doors.aws_kms.managing import ask, made
from tests.harness import REGION, TENANT, stack

from keystead.core import operations as ops
from keystead.core.audit.record import parse
from keystead.core.entities import Key
from keystead.core.errors import Conflict, Denied, Unavailable, WrongState
from keystead.core.states import KeyState
from keystead.service.scheduler import Scheduler
from keystead.service.trusted_time import LEAP, TrustedTime
from keystead.service.waits import TOLERANCE
from keystead.stores.disk import LocalDisk

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
YEARS = 3653 * DAY


class Server:
    """The supervisor's part of one, once a second or whenever a test says so."""

    def __init__(self, path) -> None:
        self.office, self.path = stack(), path
        self.admin, self.clock = self.office.admin, self.office.clock
        self.key = made(self.admin)
        self.start()

    def start(self, *, word: bool = False) -> None:
        self.time = TrustedTime(self.clock, LocalDisk(), self.path, believe=word)
        self.scheduler = Scheduler(self.office.barrier, self.office.store, self.clock, self.office.by_system)
        self.step()

    def step(self) -> None:
        """As app.chores has it."""
        self.time.keep()
        self.scheduler.step(self.time.look())
        if self.scheduler.settled:
            self.time.paid()
        self.time.keep()

    def appoint(self, days: int = 7) -> None:
        ask(self.admin, "ScheduleKeyDeletion", KeyId=self.key, PendingWindowInDays=days)
        self.step()

    def leap(self, by: timedelta) -> None:
        self.clock.leap(by)
        self.step()

    def forward(self, by: timedelta) -> None:
        self.clock.forward(by)
        self.step()

    @property
    def row(self) -> Key:
        return self.office.barrier.get(Key, self.key)

    @property
    def destroyed(self) -> bool:
        return self.row.lifecycle.state is KeyState.DESTROYED


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path / "clock")


@pytest.mark.parametrize("behind", [YEARS, LEAP + SECOND, LEAP - SECOND, HOUR])
def test_row_107_an_appointment_made_while_the_clock_was_behind_waits_in_full_when_it_is_right(server, behind) -> None:
    server.leap(-behind)
    server.appoint()
    server.leap(behind)
    assert not server.destroyed
    told = ask(server.admin, "DescribeKey", KeyId=server.key)["KeyMetadata"]
    assert told["KeyState"] == "PendingDeletion"
    assert abs(told["DeletionDate"] - (server.clock.now() + 7 * DAY).timestamp()) < 1, "and the date that is told is it"
    server.forward(7 * DAY - SECOND)
    assert not server.destroyed
    server.forward(SECOND)
    assert server.destroyed


def test_row_107_what_puts_it_off_is_on_record_and_only_the_installations_own(server) -> None:
    server.leap(-YEARS)
    server.appoint()
    _, line = server.office.store.records(0, 1000)[-1]
    record = parse(line)
    assert record.operation == "PutOffDestruction" and record.outcome == "performed"
    date = server.row.lifecycle.destroy_at
    assert date == server.clock.now() + YEARS + 7 * DAY
    at = ops.KeyRef(f"aws:{TENANT}:{REGION}", id=server.key)
    with pytest.raises(Denied):
        server.office.perform(ops.PutOffDestruction(key=at, until=date + DAY))
    with pytest.raises(Conflict):
        server.office.by_system(ops.PutOffDestruction(key=at, until=date))
    ask(server.admin, "CancelKeyDeletion", KeyId=server.key)
    with pytest.raises(WrongState):
        server.office.by_system(ops.PutOffDestruction(key=at, until=date + DAY))


def test_row_107_what_was_made_before_keeps_its_date(server) -> None:
    server.appoint()
    date = server.row.lifecycle.destroy_at
    for leap in (-YEARS, YEARS, HOUR, -HOUR, YEARS, -YEARS, -HOUR, HOUR):
        server.leap(leap)
    assert server.row.lifecycle.destroy_at == date + HOUR, "an hour that the clock was put forward, nobody has waited"
    server.forward(7 * DAY + HOUR)
    assert server.destroyed


def test_row_107_nothing_comes_earlier_than_was_answered(server) -> None:
    server.leap(YEARS)
    server.appoint()
    server.leap(-YEARS)
    server.forward(30 * DAY)
    assert not server.destroyed and server.row.lifecycle.destroy_at == server.clock.now() + YEARS - 23 * DAY


@pytest.mark.parametrize("started", [True, False], ids=["seen", "killed before it was seen"])
def test_row_107_a_restart_in_between_forgets_nothing(server, started) -> None:
    server.leap(-YEARS)
    if started:
        server.appoint()
    else:
        ask(server.admin, "ScheduleKeyDeletion", KeyId=server.key, PendingWindowInDays=7)
    server.clock._monotonic = 5.0  # a reboot
    server.start()
    server.leap(YEARS)
    server.start()
    server.forward(7 * DAY - HOUR)
    assert not server.destroyed
    server.forward(HOUR)
    assert server.destroyed


def test_row_107_the_word_that_the_clock_is_right_is_no_word_that_time_was_waited(server) -> None:
    """A machine that begins its life in 1970, and hears the time once it is on the net."""
    server.path.unlink()
    server.clock.leap(-YEARS)
    server.start()
    server.appoint()
    server.forward(DAY)
    server.leap(YEARS)
    assert not server.destroyed and server.time.trouble
    for _ in range(2):  # killed before it has looked, and started again
        server.time = TrustedTime(server.clock, LocalDisk(), server.path, believe=True)
        server.time.keep()
    server.start(word=True)
    assert not server.destroyed and not server.time.trouble
    server.start()
    assert not server.destroyed and not server.time.trouble, "and the word need not be given again"
    server.forward(6 * DAY - HOUR)
    assert not server.destroyed
    server.forward(HOUR)
    assert server.destroyed


def test_row_107_what_could_not_be_put_off_is_not_destroyed_either(server, monkeypatch) -> None:
    def silent(op):
        raise Unavailable("the store does not answer")

    server.leap(-23 * HOUR)
    server.appoint()
    with monkeypatch.context() as patch:
        patch.setattr(server.scheduler, "_perform", silent)
        server.leap(23 * HOUR)
        server.forward(6 * DAY + 2 * HOUR)
        assert server.row.lifecycle.destroy_at < server.clock.now()
        assert not server.destroyed and not server.scheduler.settled
    server.step()
    assert not server.destroyed and server.scheduler.settled
    server.forward(22 * HOUR)
    assert server.destroyed


@pytest.mark.parametrize("seed", range(40))
def test_row_107_whatever_the_clock_does_seven_days_are_seven_days(server, seed) -> None:
    """Leaps of every size while it runs, restarts and reboots, and the word given or not."""
    chance = random.Random(seed)
    waited, wrong = None, timedelta(0)  # wrong: how far the clock is off
    unknown = timedelta(0)  # leaps of less than a day, made while nobody looked

    def pass_(by: timedelta) -> None:
        nonlocal waited
        server.clock.forward(by)
        waited = None if waited is None else waited + by

    def leap(by: timedelta) -> None:
        nonlocal wrong
        server.clock.leap(by)
        wrong += by

    for _ in range(60):
        what = chance.choice(["pass", "pass", "leap", "right", "appoint", "restart", "down"])
        if what == "pass":
            pass_(chance.choice([SECOND, HOUR, 20 * HOUR, 3 * DAY]))
        elif what == "leap":
            leap(chance.choice([-1, 1]) * chance.choice([HOUR, 23 * HOUR, 40 * DAY, YEARS]))
        elif what == "right":
            leap(-wrong)
        elif what == "appoint" and waited is None:
            waited = timedelta(0)
            server.appoint()
        elif what == "restart":
            server.start(word=chance.random() < 0.3)
        elif what == "down":
            pass_(chance.choice([HOUR, 23 * HOUR]))
            if chance.random() < 0.5:
                by = chance.choice([-1, 1]) * chance.choice([HOUR, 40 * DAY, YEARS])
                leap(by)
                unknown += max(by, timedelta(0)) if abs(by) < LEAP else timedelta(0)
            server.clock._monotonic = chance.choice([0.0, server.clock._monotonic])
            server.start(word=chance.random() < 0.5)
        server.step()
        if server.destroyed:
            break
    if server.destroyed:
        assert waited is not None and waited >= 7 * DAY - unknown - 60 * TOLERANCE
