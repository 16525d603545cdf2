"""The choke point itself: what holds for every operation, whatever it is."""

import pytest
from tests import harness

from keystead.core import operations as ops
from keystead.core.entities import Key
from keystead.core.errors import Internal
from keystead.service.pipeline import Outcome

NAMESPACE = f"aws:{harness.TENANT}:{harness.REGION}"


def test_an_operation_that_changes_without_saying_so_is_a_bug_and_changes_nothing(monkeypatch, caplog) -> None:
    """`changes` is what keeps a commit off the event loop."""
    stack = harness.stack()
    stored = stack.barrier.get(Key, stack.key().id)

    def sly(_op, targets, _act) -> Outcome:
        return Outcome(answer=None, put=(targets[0].key,))

    monkeypatch.setattr(stack.service, "_handlers", {ops.DescribeKey: sly})
    with pytest.raises(Internal):
        stack.perform(ops.DescribeKey(key=ops.KeyRef(NAMESPACE, id=stored.id)), stack.admin)
    assert stack.record().outcome == "refused: Internal"
    assert stack.barrier.get(Key, stored.id) == stored


def test_two_targets_are_both_asked_for_before_either_is_said_to_be_absent() -> None:
    stack = harness.stack()
    key = stack.key()
    nobody = stack.user("nobody")
    for first, second in ((key.id, "0" * 8 + key.id[8:]), ("0" * 8 + key.id[8:], key.id)):
        reply = nobody.call(
            "ReEncrypt", CiphertextBlob=b"\xa5\x01" + bytes(100), SourceKeyId=first, DestinationKeyId=second
        )
        assert reply.code == "AccessDeniedException"
