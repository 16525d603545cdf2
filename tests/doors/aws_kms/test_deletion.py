"""KMS API Reference: ScheduleKeyDeletion, CancelKeyDeletion; KMS Developer Guide, "Delete AWS KMS keys"."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.managing import ask, made, scheduled, wait
from tests.harness import TENANT, b64, stack

from keystead.core import operations as ops
from keystead.core.entities import Grant, Key, KeyVersion, Name
from keystead.core.errors import Denied, WrongState
from keystead.core.operations import KeyRef
from keystead.core.states import KeyState

DAY = 86400


@pytest.fixture
def office():
    return stack()


def ref(key_id):
    return KeyRef(f"aws:{TENANT}:us-east-1", id=key_id)


def state(person, key_id):
    return ask(person, "DescribeKey", KeyId=key_id)["KeyMetadata"]["KeyState"]


@pytest.mark.parametrize(("asked", "days"), [({}, 30), ({"PendingWindowInDays": 7}, 7)])
def test_a_key_is_appointed_to_be_deleted(office, asked, days) -> None:
    key, at = office.key(), office.clock.now().timestamp() + days * DAY
    assert ask(office.admin, "ScheduleKeyDeletion", KeyId=key.id, **asked) == {
        "KeyId": office.arn(key),
        "DeletionDate": at,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }
    found = ask(office.admin, "DescribeKey", KeyId=key.id)["KeyMetadata"]
    assert (found["KeyState"], found["Enabled"], found["DeletionDate"]) == ("PendingDeletion", False, at)
    reply = office.admin.call("ScheduleKeyDeletion", KeyId=key.id)
    assert (reply.code, reply.message) == ("KMSInvalidStateException", f"{office.arn(key)} is pending deletion.")


@pytest.mark.parametrize("days", [1, 6, 31, 365, 0, 366])
def test_waiting_periods_out_of_range(office, days) -> None:
    """PendingWindowInDays: "it must be between 7 and 30, inclusive"; the model says 1 to 365."""
    key_id = made(office.admin)
    reply = office.admin.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=days)
    assert reply.code == "ValidationException" and f"Value '{days}' at 'pendingWindowInDays'" in reply.message
    assert state(office.admin, key_id) == "Enabled"


@pytest.mark.parametrize("disabled", [False, True])
def test_row_109_a_deletion_that_is_cancelled_leaves_the_key_disabled(office, disabled) -> None:
    key, admin = office.key(), office.admin
    if disabled:
        ask(admin, "DisableKey", KeyId=key.id)
    reply = admin.call("CancelKeyDeletion", KeyId=key.id)
    assert (reply.code, reply.message) == ("KMSInvalidStateException", f"{office.arn(key)} is not pending deletion.")
    ask(admin, "ScheduleKeyDeletion", KeyId=key.id)
    assert ask(admin, "CancelKeyDeletion", KeyId=key.id) == {"KeyId": office.arn(key)}
    found = ask(admin, "DescribeKey", KeyId=key.id)["KeyMetadata"]
    assert found["KeyState"] == "Disabled" and "DeletionDate" not in found
    ask(admin, "EnableKey", KeyId=key.id)
    assert ask(admin, "Encrypt", KeyId=key.id, Plaintext=b64(b"x"))


def test_row_97_at_its_date_a_key_is_gone_with_names_grants_and_every_version(office) -> None:
    admin, key_id = office.admin, made(office.admin)
    kept = made(admin)
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=key_id)
    ask(admin, "CreateGrant", KeyId=key_id, GranteePrincipal=admin.arn, Operations=["Decrypt"])
    blobs = [ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]]
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    blobs.append(ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"])
    survivor = ask(admin, "Encrypt", KeyId=kept, Plaintext=b64(b"x"))["CiphertextBlob"]
    ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clockwork, epoch = scheduled(office), office.barrier.epoch
    assert wait(office, clockwork, days=7, seconds=-1) == 0
    assert wait(office, clockwork, seconds=1) == 1
    assert office.barrier.epoch == epoch + 1
    arn = f"arn:aws:kms:us-east-1:{TENANT}:key/{key_id}"
    reply = admin.call("DescribeKey", KeyId=key_id)
    assert (reply.code, reply.message) == ("NotFoundException", f"Key '{arn}' does not exist")
    assert [entry["KeyId"] for entry in ask(admin, "ListKeys")["Keys"]] == [kept]
    assert admin.call("DescribeKey", KeyId="alias/app").code == "NotFoundException"
    assert ask(admin, "ListAliases")["Aliases"] == []
    for blob in blobs:
        assert admin.call("Decrypt", CiphertextBlob=blob).status == 400
    assert ask(admin, "Decrypt", CiphertextBlob=survivor)["Plaintext"] == b64(b"x")
    # What stays is metadata: no material, no name, no grant, and the state says destroyed.
    key = office.barrier.get(Key, key_id)
    assert key.lifecycle.state is KeyState.DESTROYED and key.rotation is None
    versions = office.barrier.children(KeyVersion, key_id)
    assert [(v.number, v.wrapped, v.lifecycle.state) for v in versions] == [
        (1, b"", KeyState.DESTROYED),
        (2, b"", KeyState.DESTROYED),
    ]
    assert not office.barrier.children(Grant, key_id) and not office.barrier.linked(Name, key_id)
    assert office.by_system(ops.DestroyKey(key=ref(key_id))) is not None  # done already


def test_row_98_schedule_and_cancel_at_the_deadline(office) -> None:
    """The date decides, not the scheduler: a second before it the deletion can be cancelled, at it no more."""
    admin, early, late = office.admin, made(office.admin), made(office.admin)
    for key_id in (early, late):
        ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    office.clock.forward(timedelta(days=7, seconds=-1))
    for key_id in (early, late):
        with pytest.raises(WrongState):
            office.by_system(ops.DestroyKey(key=ref(key_id)))
    ask(admin, "CancelKeyDeletion", KeyId=early)
    office.clock.forward(timedelta(seconds=1))
    for operation in ("CancelKeyDeletion", "DescribeKey", "EnableKey", "GetKeyPolicy", "ScheduleKeyDeletion"):
        assert admin.call(operation, KeyId=late).code == "NotFoundException"
    assert wait(office) == 1
    assert state(admin, early) == "Disabled"


def test_row_98_cancelled_between_looking_and_destroying(office) -> None:
    """Both are commits on the key's revision: the one that comes second decides again on what the first one left."""
    admin, key_id = office.admin, made(office.admin)
    ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    commit, found = office.barrier.commit, []

    def overtaken(change):
        office.barrier.commit = commit
        found.append(office.stored(office.barrier.get(Key, key_id)).lifecycle.destroy_at)
        life = office.barrier.get(Key, key_id).lifecycle
        office.change(office.barrier.get(Key, key_id), lifecycle=replace(life, destroy_at=None))
        commit(change)

    office.barrier.commit = overtaken
    office.clock.forward(timedelta(days=7))
    with pytest.raises(WrongState):
        office.by_system(ops.DestroyKey(key=ref(key_id)))
    assert found and office.barrier.get(Key, key_id).lifecycle.state is KeyState.SUSPENDED
    ask(admin, "EnableKey", KeyId=key_id)


def test_nobody_destroys_but_the_scheduler(office) -> None:
    admin, key_id = office.admin, made(office.admin)
    ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    office.clock.forward(timedelta(days=8))
    with pytest.raises(Denied):
        office.perform(ops.DestroyKey(key=ref(key_id)))
    with pytest.raises(WrongState):
        office.by_system(ops.DestroyKey(key=ref(made(admin))))


def test_an_alias_of_a_key_that_is_pending_can_be_moved_away(office) -> None:
    """KMS Developer Guide, "Key states", note [10]: the source may be pending deletion, the destination may not."""
    admin, doomed, other = office.admin, made(office.admin), made(office.admin)
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=doomed)
    ask(admin, "ScheduleKeyDeletion", KeyId=doomed)
    ask(admin, "UpdateAlias", AliasName="alias/app", TargetKeyId=other)
    reply = admin.call("UpdateAlias", AliasName="alias/app", TargetKeyId=doomed)
    words = f"arn:aws:kms:us-east-1:{TENANT}:key/{doomed} is pending deletion."
    assert (reply.code, reply.message) == ("KMSInvalidStateException", words)
