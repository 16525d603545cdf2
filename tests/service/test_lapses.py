"""Requests that are over are taken away, on record, and no others."""

from __future__ import annotations

from datetime import timedelta

from tests.service.test_quorum import Office

from keystead.core.entities import INSTALLATION
from keystead.core.errors import Unavailable
from keystead.service.lapses import EVERY, Lapses


def test_what_is_over_goes_and_what_waits_stays() -> None:
    office = Office(waits_for=3600)
    first = office.asked().request
    office.stack.clock.forward(timedelta(minutes=30))
    second = office.asked(days=8).request
    lapses = Lapses(office.stack.barrier, office.stack.clock, office.stack.by_system)
    assert lapses.step() == 0
    office.stack.clock.forward(timedelta(minutes=30))
    assert lapses.step() == 1
    record = office.changed()
    assert (record.made, record.why) == (first, "expired")
    assert [one.id for one in office.requests()] == [second]


def test_it_looks_from_time_to_time_and_again_at_what_could_not_be_ended_and_says_why(caplog) -> None:
    office = Office(waits_for=60)
    office.asked()
    told: list[str] = []

    def fails(op) -> None:
        told.append(op.scope)
        raise Unavailable("later")

    lapses = Lapses(office.stack.barrier, office.stack.clock, fails)
    office.stack.clock.forward(timedelta(seconds=60))
    assert [lapses.step(), lapses.step()] == [0, 0]
    assert told == [office.requests()[0].scope]
    assert "is not taken away yet: later" in caplog.text
    assert INSTALLATION not in told
    office.stack.clock.forward(timedelta(seconds=EVERY))
    lapses.step()
    assert len(told) == 2
