"""A clock that is set wrong, by years, destroys nothing (research/security.md §4, row 107)."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from tests.fakes import FakeClock

from keystead.app.installation import initialise, prepare
from keystead.app.library import Keystead
from keystead.config import Config
from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.entities import Key
from keystead.core.states import KeyState
from keystead.seals.file import FileSeal
from keystead.service.trusted_time import LEAP, TrustedTime
from keystead.stores.disk import LocalDisk

YEARS = timedelta(days=3653)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def begin(tmp_path, clock):
    """A start of the server."""
    return lambda **more: TrustedTime(clock, LocalDisk(), tmp_path / "clock", **more)


@pytest.mark.parametrize("leap", [YEARS, -YEARS, LEAP + SECOND, -LEAP - SECOND])
def test_row_107_a_leap_while_it_runs_is_not_believed_until_the_clock_is_right_again(begin, clock, leap) -> None:
    time = begin()
    assert time.is_believed()
    clock.leap(leap)
    assert not time.is_believed() and "no appointment is kept" in time.trouble
    clock.forward(timedelta(days=40))
    assert not time.is_believed(), "it does not become right by waiting"
    clock.leap(-leap)
    assert time.is_believed() and not time.trouble


@pytest.mark.parametrize("leap", [YEARS, -YEARS, LEAP + SECOND])
def test_row_107_nor_is_one_while_it_is_down_until_somebody_says_so(begin, clock, leap) -> None:
    assert begin().is_believed()
    clock.leap(leap)
    assert not begin().is_believed()
    assert not begin().is_believed(), "starting again is no word for it"
    told = begin(believe=True)
    assert told.is_believed()
    if leap > LEAP:
        assert not begin().is_believed(), "not before every destruction has been put off"
        told.paid()
        assert told.is_believed()
    assert begin().is_believed()


def test_time_that_passes_and_small_corrections_are_believed(begin, clock) -> None:
    time = begin()
    for _ in range(5):
        clock.forward(YEARS)
        assert time.is_believed()
        clock.leap(LEAP - SECOND)
        assert time.is_believed()
    clock.forward(timedelta(hours=23))
    assert begin().is_believed()


def test_a_file_that_says_nothing_is_none(begin, tmp_path) -> None:
    (tmp_path / "clock").write_bytes(b"\0" * 27)
    assert begin().is_believed()


@pytest.fixture
def installation(tmp_path):
    directory = tmp_path / "data"
    prepare(directory)
    initialise(directory, Config(), FileSeal.create(directory, os.urandom), regions=("us-east-1",))
    return directory


def test_row_107_a_clock_that_leaps_destroys_no_key(installation) -> None:
    with Keystead(installation) as keystead:
        clock = FakeClock(keystead._core.clock.now())
        keystead._core.clock = keystead._chores._scheduler._clock = keystead._time._clock = clock
        keystead._time._at = clock.monotonic()
        (ring,) = keystead.perform(ops.ListKeyrings(limit=10)).items
        at = ops.KeyringRef(ring.namespaces[0])
        made = keystead.perform(ops.CreateKey(keyring=at, spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER))
        ref = ops.KeyRef(ring.namespaces[0], id=made.key.id)
        keystead.perform(ops.ScheduleDestruction(key=ref, after_days=7))
        clock.leap(YEARS)
        assert keystead.keep_appointments() is False
        clock.leap(-YEARS)
        assert keystead.keep_appointments() is True
        keystead.perform(ops.CancelDestruction(key=ref))
        assert keystead.perform(ops.EnableKey(key=ref)) == ops.Nothing()
        keystead.perform(ops.ScheduleDestruction(key=ref, after_days=7))
        clock.forward(timedelta(days=7))
        assert keystead.keep_appointments() is True
        assert keystead._core.barrier.get(Key, made.key.id).lifecycle.state is KeyState.DESTROYED


def test_row_107_a_library_looks_at_what_it_has_appointed(installation) -> None:
    with Keystead(installation) as keystead:
        clock = FakeClock(keystead._core.clock.now())
        keystead._core.clock = keystead._chores._scheduler._clock = keystead._time._clock = clock
        keystead._time._at = clock.monotonic()
        (ring,) = keystead.perform(ops.ListKeyrings(limit=10)).items
        at = ops.KeyringRef(ring.namespaces[0])
        made = keystead.perform(ops.CreateKey(keyring=at, spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER))
        assert keystead.keep_appointments() is True
        clock.leap(-YEARS)
        ref = ops.KeyRef(ring.namespaces[0], id=made.key.id)
        keystead.perform(ops.ScheduleDestruction(key=ref, after_days=7))
        clock.leap(YEARS)
        assert keystead.keep_appointments() is True
        kept = keystead._core.barrier.get(Key, made.key.id).lifecycle
        assert kept.state is KeyState.SUSPENDED and kept.destroy_at == clock.now() + timedelta(days=7)
        clock.leap(YEARS)
        assert keystead.keep_appointments() is False
        assert keystead.keep_appointments(trust_clock=True) is True
        kept = keystead._core.barrier.get(Key, made.key.id).lifecycle
        assert kept.state is KeyState.SUSPENDED and kept.destroy_at == clock.now() + timedelta(days=7)
        clock.forward(timedelta(days=7))
        assert keystead.keep_appointments() is True
        assert keystead._core.barrier.get(Key, made.key.id).lifecycle.state is KeyState.DESTROYED
