"""The scheduler's own memory of what is due (service.scheduler); what it does is in tests/doors/aws_kms."""

from __future__ import annotations

from datetime import timedelta

from tests.doors.aws_kms.managing import ask, made, scheduled
from tests.harness import stack

from keystead.core.entities import Key
from keystead.core.errors import Unavailable
from keystead.service import scheduler as module


def test_appointments_that_are_made_and_called_off_for_ever_fill_no_memory(monkeypatch) -> None:
    """An entry for each would stand until its date, which may be seven years away."""
    monkeypatch.setattr(module, "SLACK", 10)
    office = stack()
    admin, key_id, scheduler = office.admin, made(office.admin), scheduled(office)
    for n in range(40):
        ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90 + n)
        scheduler.step()
        ask(admin, "TagResource", KeyId=key_id, Tags=[{"TagKey": "n", "TagValue": str(n)}])
        scheduler.step()
        ask(admin, "DisableKey", KeyId=key_id)
        scheduler.step()
        ask(admin, "EnableKey", KeyId=key_id)
        scheduler.step()
    assert len(scheduler._heap) <= 10 + module.KINDS
    key = office.barrier.get(Key, key_id)
    assert key is not None and key.rotation is not None
    assert scheduler.next_at() is not None and scheduler.next_at() <= key.rotation.next_at
    office.clock.forward(timedelta(days=130))
    assert scheduler.step() == 1
    assert office.barrier.get(Key, key_id).n_versions == 2
    assert scheduler.step() == 0


def test_a_change_that_appoints_nothing_new_leaves_one_entry() -> None:
    office = stack()
    admin, key_id, scheduler = office.admin, made(office.admin), scheduled(office)
    ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    for _ in range(20):
        office.change(office.barrier.get(Key, key_id))
        scheduler.step()
    assert len(scheduler._heap) == 1
    office.clock.forward(timedelta(days=7))
    assert scheduler.step() == 1 and scheduler.next_at() is None


def test_an_appointment_outlives_a_store_that_does_not_answer(monkeypatch) -> None:
    office = stack()
    key_id, scheduler = made(office.admin), scheduled(office)
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    scheduler.step()
    office.clock.forward(timedelta(days=7))

    def silent(*_):
        raise Unavailable("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(office.barrier, "get", silent)
        assert scheduler.step() == 0
    assert scheduler.next_at() is not None
    office.clock.forward(module.RETRY_MOST)
    assert scheduler.step() == 1
