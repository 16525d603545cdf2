"""Who changes how destruction erases, and what the answers are: through `perform`, as every door does."""

import pytest
from tests import harness

from keystead.core import operations as ops
from keystead.core.entities import Mode
from keystead.core.errors import Conflict, Denied, InvalidArgument, NotFound
from keystead.core.sensitive import Sensitive
from keystead.crypto.hpke import RECOVERY
from keystead.service.escrow import id_of

P1, P2 = (RECOVERY.public_key(Sensitive(bytes([n]) * 32)) for n in (51, 52))
NAME = f"recovery:{id_of(P1)}"


@pytest.fixture
def stack():
    return harness.stack()


def test_the_mode_is_chosen_and_on_record(stack) -> None:
    stack.by_system(ops.SetSlotMode(mode="window", recovery_keys=(P1,)))
    rule = stack.barrier.slot_rule
    assert (rule.mode, [key.id for key in rule.recovery]) == (Mode.WINDOW, [id_of(P1)])
    (record,) = [text for _, text in stack.store.records(0, 100) if b"SetSlotMode" in text]
    assert f'"made":"window {NAME}"'.encode() in record
    since = rule.recovery[0].since
    stack.by_system(ops.SetSlotMode(mode="window", recovery_keys=(P2, P1)))
    assert {key.id: key.since for key in stack.barrier.slot_rule.recovery}[id_of(P1)] == since
    stack.by_system(ops.SetSlotMode(mode="off"))
    assert stack.barrier.slot_rule.recovery == ()


@pytest.mark.parametrize(
    ("mode", "keys"),
    [
        ("paper", ()),
        ("window", ()),
        ("strict", (P1,)),
        ("off", (P1,)),
        ("window", (P1, P1)),
        ("window", (P1[:-1],)),
        ("window", tuple(bytes([n]) + P1[1:] for n in range(9))),
    ],
)
def test_what_is_no_mode_is_refused(stack, mode, keys) -> None:
    with pytest.raises(InvalidArgument):
        stack.by_system(ops.SetSlotMode(mode=mode, recovery_keys=keys))
    assert stack.barrier.slot_rule.mode is Mode.STRICT


def test_a_report_is_taken_of_what_is_waited_for_alone(stack) -> None:
    def report(name):
        stack.by_system(ops.ReportErased(name=name))

    stack.by_system(ops.SetSlotMode(mode="window", recovery_keys=(P1,)))
    stack.barrier.settle()
    for name in (NAME, "file"):
        with pytest.raises(Conflict, match="opens the root of today"):
            report(name)
    for name in ("paper", "recovery:", "lost:file:0", ""):
        with pytest.raises(NotFound):
            report(name)
    stack.by_system(ops.SetSlotMode(mode="window", recovery_keys=(P2,)))
    with pytest.raises(Conflict):
        report(NAME)  # the root is still sealed to it
    stack.barrier.settle()
    report(NAME)
    assert stack.barrier.slot_rule.reported[NAME].by
    with pytest.raises(InvalidArgument, match="reported erased"):
        stack.by_system(ops.SetSlotMode(mode="window", recovery_keys=(P1,)))


def test_row_32_nobody_else_changes_it(stack) -> None:
    for op in (ops.SetSlotMode(mode="off"), ops.ReportErased(name="file")):
        with pytest.raises(Denied):
            stack.perform(op, by=stack.user(f"bob-{op.action.name}-{type(op).__name__}", harness.ALLOW_ALL))
    assert stack.barrier.slot_rule.mode is Mode.STRICT
