"""KMS Developer Guide, "Deleting multi-Region keys"; docs/adr/0006 and 0014."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.managing import ask, made, scheduled, wait
from tests.doors.aws_kms.related import (
    THIRD_REGION,
    arn,
    described,
    entry,
    overtaken,
    primary,
    replicated,
    schedule,
    state,
    three_regions,
    update,
)
from tests.harness import OTHER_REGION, REGION, TENANT, b64
from tests.memorystore import MemoryStore

from keystead.core import operations as ops
from keystead.core.entities import Key, KeyVersion
from keystead.core.errors import WrongState
from keystead.core.states import KeyState
from keystead.service.barrier import Barrier, Commit
from keystead.service.custody import export_tree, graft
from keystead.service.proof import prove_destroyed
from keystead.service.restoring import restore
from keystead.service.since import NOTHING


@pytest.fixture
def office():
    return three_regions()


# --- deletion: KMS Developer Guide, "Deleting multi-Region keys"


def test_a_replica_s_deletion_destroys_its_own_copy_alone(office) -> None:
    key_id, clockwork = primary(office), scheduled(office)
    replicated(office, key_id)
    blob = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"), region=OTHER_REGION)["CiphertextBlob"]
    ask(office.admin, "CreateAlias", AliasName="alias/app", TargetKeyId=key_id, region=OTHER_REGION)
    at = office.clock.now().timestamp() + 7 * 86400
    assert schedule(office, key_id, OTHER_REGION) == {
        "KeyId": arn(key_id, OTHER_REGION),
        "DeletionDate": at,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": 7,
    }
    assert (state(office, key_id), state(office, key_id, OTHER_REGION)) == ("Enabled", "PendingDeletion")
    assert described(office, key_id)["MultiRegionConfiguration"]["ReplicaKeys"] == [entry(key_id, OTHER_REGION)]
    assert office.admin.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION).code == "KMSInvalidStateException"
    assert wait(office, clockwork, days=7) == 1
    assert described(office, key_id)["MultiRegionConfiguration"]["ReplicaKeys"] == []
    reply = office.admin.call("DescribeKey", KeyId=key_id, region=OTHER_REGION)
    assert (reply.code, reply.message) == ("NotFoundException", f"Key '{arn(key_id, OTHER_REGION)}' does not exist")
    assert office.admin.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION).status == 400
    assert ask(office.admin, "ListKeys", region=OTHER_REGION)["Keys"] == []
    assert ask(office.admin, "ListAliases", region=OTHER_REGION)["Aliases"] == []
    assert ask(office.admin, "Decrypt", CiphertextBlob=blob)["Plaintext"] == b64(b"x")


def test_a_replica_made_anew_is_another_key_that_opens_the_same(office) -> None:
    """ "You can also recreate the replica key by replicating the primary key again"; and what was granted is gone."""
    admin, key_id, there = office.admin, primary(office), {"region": OTHER_REGION}
    replicated(office, key_id)
    granted = ask(admin, "CreateGrant", KeyId=key_id, GranteePrincipal=admin.arn, Operations=["Decrypt"], **there)
    blob = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"), **there)["CiphertextBlob"]
    schedule(office, key_id, OTHER_REGION)
    assert admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION).code == "AlreadyExistsException"
    assert wait(office, days=7) == 1
    assert admin.call("DescribeKey", KeyId=key_id, **there).code == "NotFoundException"  # and nobody keeps that in mind
    replicated(office, key_id)
    assert state(office, key_id, OTHER_REGION) == "Enabled"
    assert ask(admin, "Decrypt", CiphertextBlob=blob, **there)["Plaintext"] == b64(b"x")
    assert ask(admin, "ListGrants", KeyId=key_id, **there)["Grants"] == []
    reply = admin.call("Decrypt", CiphertextBlob=blob, GrantTokens=[granted["GrantToken"]], **there)
    assert reply.code == "InvalidGrantTokenException"
    copies = office.barrier.linked(Key, key_id)
    assert len(copies) == len({key.id for key in copies}) == 3


def test_a_primary_waits_for_its_replicas_and_then_its_own_days(office) -> None:
    """ "The minimum time to delete a primary key with replicas is 14 days." """
    key_id, clockwork = primary(office), scheduled(office)
    replicated(office, key_id)
    replicated(office, key_id, THIRD_REGION)
    assert schedule(office, key_id, days=7) == {
        "KeyId": arn(key_id),
        "KeyState": "PendingReplicaDeletion",
        "PendingWindowInDays": 7,
    }
    found = described(office, key_id)
    assert (found["KeyState"], found["PendingDeletionWindowInDays"]) == ("PendingReplicaDeletion", 7)
    assert found["Enabled"] is False and "DeletionDate" not in found
    for region in (OTHER_REGION, THIRD_REGION):
        assert state(office, key_id, region) == "Enabled"
        assert ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"), region=region)
    assert wait(office, clockwork, days=400) == 0  # "This status can continue indefinitely"
    schedule(office, key_id, OTHER_REGION, days=7)
    schedule(office, key_id, THIRD_REGION, days=8)
    assert wait(office, clockwork, days=7) == 1 and state(office, key_id) == "PendingReplicaDeletion"
    assert wait(office, clockwork, days=1) == 1
    found = described(office, key_id)
    assert found["KeyState"] == "PendingDeletion" and "PendingDeletionWindowInDays" not in found
    assert found["DeletionDate"] == office.clock.now().timestamp() + 7 * 86400
    assert wait(office, clockwork, days=7, seconds=-1) == 0
    assert wait(office, clockwork, seconds=1) == 1
    assert office.admin.call("DescribeKey", KeyId=key_id).code == "NotFoundException"


@pytest.mark.parametrize("late", [False, True])
def test_a_primary_s_deletion_is_called_off(office, late) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    schedule(office, key_id)
    if late:
        schedule(office, key_id, OTHER_REGION)
        assert wait(office, days=7) == 1 and state(office, key_id) == "PendingDeletion"
    assert ask(office.admin, "CancelKeyDeletion", KeyId=key_id) == {"KeyId": arn(key_id)}
    found = described(office, key_id)
    assert found["KeyState"] == "Disabled"
    assert not {"DeletionDate", "PendingDeletionWindowInDays"} & found.keys()
    ask(office.admin, "EnableKey", KeyId=key_id)
    if not late:
        schedule(office, key_id, OTHER_REGION)
    assert wait(office, days=40) == (0 if late else 1)
    assert state(office, key_id) == "Enabled"
    assert schedule(office, key_id)["KeyState"] == "PendingDeletion"  # it has no replicas


def test_nobody_destroys_a_primary_before_its_replicas(office) -> None:
    """Not even the scheduler, were it to come with a date that somebody put there."""
    key_id = primary(office)
    replicated(office, key_id)
    (key,) = (key for key in office.barrier.linked(Key, key_id) if key.is_primary)
    office.change(key, lifecycle=replace(key.lifecycle, state=KeyState.SUSPENDED, destroy_at=office.clock.now()))
    with pytest.raises(WrongState):
        office.by_system(ops.DestroyKey(key=ops.KeyRef(f"aws:{TENANT}:{REGION}", id=key.id)))


def test_a_replica_made_while_the_primary_is_appointed(office) -> None:
    """Appointing puts the primary, and so does replicating it: one of the two is decided again."""
    key_id = primary(office)

    overtaken(office, lambda: replicated(office, key_id))
    assert schedule(office, key_id)["KeyState"] == "PendingReplicaDeletion"


def test_the_last_copy_s_destruction_is_for_good_from_old_backups_too(office) -> None:
    """docs/adr/0006: an old backup with today's slot opens what survives, and nothing that was destroyed.

    Every copy has leaves of its own, so each destruction erases what it destroys, and the last one the last of it.
    """
    key_id, spared, clockwork = primary(office), made(office.admin), scheduled(office)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    replicated(office, key_id)
    replicated(office, key_id, THIRD_REGION)
    backup = MemoryStore()
    backup._content = deepcopy(office.store._content)
    versions = {
        key.id: office.barrier.children(KeyVersion, key.id) for key in office.barrier.every(Key) if key.multi_region
    }
    (kept,) = office.barrier.children(KeyVersion, spared)
    schedule(office, key_id)
    for n, region in enumerate((OTHER_REGION, THIRD_REGION, REGION), 1):
        if region != REGION:
            schedule(office, key_id, region)
        assert wait(office, clockwork, days=7) == 1
        proof = prove_destroyed(backup, office.barrier, office.store)
        assert proof.holds and (proof.n_destroyed, proof.n_survivors) == (2 * n, 7 - 2 * n)
    assert len(versions) == 3 and office.barrier.material(kept).reveal()
    for version in (version for copy in versions.values() for version in copy):
        with pytest.raises(WrongState):  # the old row, under today's tree
            office.barrier.material(version)


def test_under_today_s_key_tree_an_old_backup_s_primary_waits_no_longer_for_what_is_gone(office) -> None:
    """custody.graft: its replicas turn out destroyed, so its days begin."""
    key_id, clockwork = primary(office), scheduled(office)
    replicated(office, key_id)
    schedule(office, key_id, days=9)
    backup = MemoryStore()
    backup._content = deepcopy(office.store._content)
    schedule(office, key_id, OTHER_REGION)
    assert wait(office, clockwork, days=7) == 1
    unseal_key, tree = office.barrier._keys.opened.unseal_key, export_tree(office.barrier, office.store)
    now = office.clock.now()
    grafted = graft(backup, tree, office.slot, office.entropy, unseal_key, now)
    again = Barrier(backup, office.slot, office.entropy)
    again.open(unseal_key)
    found = {key.is_primary: key for key in again.linked(Key, key_id)}
    assert grafted.destroyed == (f"{found[False].id}/1",)
    assert found[False].lifecycle.state is KeyState.DESTROYED
    assert found[True].lifecycle.destroy_at == now + timedelta(days=9) and not found[True].lifecycle.destroy_in_days


def test_a_copy_that_was_lost_does_not_come_back_as_a_second_primary(office) -> None:
    """custody.restore: it was the primary then, and another one is today."""
    key_id = primary(office)
    replicated(office, key_id)
    backup = MemoryStore()
    backup._content = deepcopy(office.store._content)
    assert update(office, key_id, OTHER_REGION).status == 200
    (lost,) = (key for key in office.barrier.linked(Key, key_id) if not key.is_primary)
    office.barrier.commit(Commit(delete=(lost,)))
    assert restore(backup, office.barrier, office.store, NOTHING, office.clock.now()).restored == (f"key {lost.id}",)
    found = {key.keyring: key.is_primary for key in office.barrier.linked(Key, key_id)}
    assert sorted(found.values()) == [False, True] and not found[lost.keyring]
