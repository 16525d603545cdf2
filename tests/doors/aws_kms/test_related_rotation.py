"""KMS Developer Guide, "Rotating multi-Region keys" and "Change the primary key in a set of multi-Region keys"."""

from __future__ import annotations

from base64 import b64decode

import pytest
from tests.doors.aws_kms.managing import ROOT_MAY, allow, ask, made, policy, scheduled, wait
from tests.doors.aws_kms.related import (
    REGIONS,
    THIRD_REGION,
    arn,
    described,
    entry,
    only,
    opens_everywhere,
    overtaken,
    primary,
    replicated,
    rotations,
    schedule,
    sealed,
    state,
    three_regions,
    update,
)
from tests.harness import OTHER_REGION, REGION

from keystead.core.entities import Key, KeyVersion
from keystead.core.envelope import peek
from keystead.core.family import in_header


@pytest.fixture
def office():
    return three_regions()


# --- rotation: KMS Developer Guide, "Rotating multi-Region keys"


def rotation_status(office, key_id, region=REGION):
    found = ask(office.admin, "GetKeyRotationStatus", KeyId=key_id, region=region)
    assert found.pop("KeyId") == arn(key_id, region)
    return found


def test_a_rotation_of_the_primary_is_one_of_every_related_key(office) -> None:
    """ "Any multi-Region key can decrypt any ciphertext encrypted by a related multi-Region key"."""
    key_id = primary(office)
    for region in REGIONS[1:]:
        replicated(office, key_id, region)
    blobs = [sealed(office, key_id, region) for region in REGIONS]
    ask(office.admin, "DisableKey", KeyId=key_id, region=THIRD_REGION)
    before = described(office, key_id)["CurrentKeyMaterialId"]
    n_commits, epoch = office.barrier.n_commits, office.barrier.epoch
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert (office.barrier.n_commits, office.barrier.epoch) == (n_commits + 1, epoch)
    assert state(office, key_id, THIRD_REGION) == "Disabled"
    ask(office.admin, "EnableKey", KeyId=key_id, region=THIRD_REGION)
    assert len({described(office, key_id, region)["CurrentKeyMaterialId"] for region in REGIONS} | {before}) == 2
    blobs += [sealed(office, key_id, region) for region in REGIONS]
    assert {peek(b64decode(blob)) for blob in blobs} == {(in_header(key_id), 1), (in_header(key_id), 2)}
    for blob in blobs:
        opens_everywhere(office, blob)
    (own,) = rotations(office, key_id)
    assert own["RotationType"] == "ON_DEMAND"
    assert all(rotations(office, key_id, region) == [own] for region in REGIONS[1:])


def test_the_schedule_is_the_primary_s_and_shown_by_all(office) -> None:
    admin, key_id, clockwork = office.admin, primary(office), scheduled(office)
    replicated(office, key_id)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    replicated(office, key_id, THIRD_REGION)
    at = office.clock.now().timestamp() + 90 * 86400
    shown = {"KeyRotationEnabled": True, "RotationPeriodInDays": 90, "NextRotationDate": at}
    assert all(rotation_status(office, key_id, region) == shown for region in REGIONS)
    blob = sealed(office, key_id)
    assert wait(office, clockwork, days=90) == 1  # once, and not once for each of them
    assert not [record for record in office.records() if record.outcome.startswith("refused")]
    shown["NextRotationDate"] = at + 90 * 86400
    assert all(rotation_status(office, key_id, region) == shown for region in REGIONS)
    assert [one["RotationType"] for one in rotations(office, key_id, THIRD_REGION)] == ["AUTOMATIC"]
    opens_everywhere(office, blob)
    opens_everywhere(office, sealed(office, key_id, THIRD_REGION))
    ask(admin, "DisableKeyRotation", KeyId=key_id)
    assert all(rotation_status(office, key_id, region) == {"KeyRotationEnabled": False} for region in REGIONS)
    assert wait(office, clockwork, days=400) == 0


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"])
def test_a_replica_follows_its_primary(office, operation) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    before = office.barrier.every(Key)
    reply = office.admin.call(operation, KeyId=key_id, region=OTHER_REGION)
    words = f"{arn(key_id, OTHER_REGION)} is not a multi-Region primary key."
    assert (reply.code, reply.message) == ("UnsupportedOperationException", words)
    assert office.barrier.every(Key) == before


def test_a_replica_that_is_gone_is_not_rotated(office) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    schedule(office, key_id, OTHER_REGION)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)  # pending deletion is not gone: it may be called off
    ask(office.admin, "CancelKeyDeletion", KeyId=key_id, region=OTHER_REGION)
    ask(office.admin, "EnableKey", KeyId=key_id, region=OTHER_REGION)
    opens_everywhere(office, sealed(office, key_id), REGIONS[:2])
    schedule(office, key_id, OTHER_REGION)
    assert wait(office, days=7) == 1
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    (gone,) = (key for key in office.barrier.linked(Key, key_id) if not key.is_primary)
    assert gone.n_versions == 2 and not any(v.wrapped for v in office.barrier.children(KeyVersion, gone.id))
    replicated(office, key_id)
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION), REGIONS[:2])


def test_a_rotation_that_a_replication_overtook_is_of_the_new_replica_too(office) -> None:
    key_id = primary(office)

    overtaken(office, lambda: replicated(office, key_id))
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    opens_everywhere(office, sealed(office, key_id), REGIONS[:2])
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION), REGIONS[:2])


def test_a_replication_that_a_rotation_overtook_has_the_new_material(office) -> None:
    key_id = primary(office)

    overtaken(office, lambda: ask(office.admin, "RotateKeyOnDemand", KeyId=key_id))
    replicated(office, key_id)
    opens_everywhere(office, sealed(office, key_id), REGIONS[:2])
    assert len(rotations(office, key_id, OTHER_REGION)) == 1


# --- UpdatePrimaryRegion


def types(office, key_id):
    found = [described(office, key_id, region) for region in REGIONS]
    return [one["MultiRegionConfiguration"]["MultiRegionKeyType"] for one in found]


def test_another_key_becomes_the_primary(office) -> None:
    admin, key_id, clockwork = office.admin, primary(office), scheduled(office)
    for region in REGIONS[1:]:
        replicated(office, key_id, region)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    blob, n_commits = sealed(office, key_id), office.barrier.n_commits
    reply = update(office, key_id, OTHER_REGION)
    assert reply.status == 200 and reply.body == b"" and office.barrier.n_commits == n_commits + 1
    assert types(office, key_id) == ["REPLICA", "PRIMARY", "REPLICA"]
    replicas = [entry(key_id, THIRD_REGION), entry(key_id, REGION)]
    for region in REGIONS:
        found = described(office, key_id, region)
        assert found["KeyState"] == "Enabled"
        assert found["MultiRegionConfiguration"]["PrimaryKey"] == entry(key_id, OTHER_REGION)
        assert found["MultiRegionConfiguration"]["ReplicaKeys"] == replicas
    # What only a primary may is now done there, and no longer here.
    for operation, members in (("RotateKeyOnDemand", {}), ("ReplicateKey", {"ReplicaRegion": "sa-east-1"})):
        assert admin.call(operation, KeyId=key_id, **members).code == "UnsupportedOperationException"
    assert update(office, key_id, THIRD_REGION).code == "UnsupportedOperationException"
    ask(admin, "RotateKeyOnDemand", KeyId=key_id, region=OTHER_REGION)
    assert wait(office, clockwork, days=90) == 1
    for one in (blob, *(sealed(office, key_id, region) for region in REGIONS)):
        opens_everywhere(office, one)
    # "If you must delete a primary key from a particular Region", this is how.
    assert schedule(office, key_id)["KeyState"] == "PendingDeletion"
    assert schedule(office, key_id, OTHER_REGION)["KeyState"] == "PendingReplicaDeletion"
    ask(admin, "CancelKeyDeletion", KeyId=key_id, region=OTHER_REGION)
    assert wait(office, clockwork, days=7) == 1
    assert described(office, key_id, OTHER_REGION)["MultiRegionConfiguration"]["ReplicaKeys"] == replicas[:1]


@pytest.mark.parametrize(
    ("to", "code", "words"),
    [
        (REGION, "UnsupportedOperationException", "{here} is not a multi-Region replica key."),
        (THIRD_REGION, "NotFoundException", "Key '{third}' does not exist"),
        ("sa-east-1", "NotFoundException", "does not exist"),
        ("nowhere", "ValidationException", "primaryRegion"),
    ],
)
def test_where_a_primary_does_not_go(office, to, code, words) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    reply = update(office, key_id, to)
    assert reply.code == code and words.format(here=arn(key_id), third=arn(key_id, THIRD_REGION)) in reply.message


def test_only_a_primary_key_hands_over(office) -> None:
    single, key_id = made(office.admin), primary(office)
    replicated(office, key_id)
    for reply, named in (
        (update(office, single, OTHER_REGION), arn(single)),
        (update(office, key_id, REGION, OTHER_REGION), arn(key_id, OTHER_REGION)),
        (update(office, key_id, OTHER_REGION, OTHER_REGION), arn(key_id, OTHER_REGION)),
    ):
        words = f"{named} is not a multi-Region primary key."
        assert (reply.code, reply.message) == ("UnsupportedOperationException", words)
    assert update(office, "mrk-" + "0" * 32, OTHER_REGION).code == "NotFoundException"


@pytest.mark.parametrize("region", REGIONS[:2])
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("DisableKey", "DisabledException", "is disabled."),
        ("ScheduleKeyDeletion", "KMSInvalidStateException", "is pending deletion."),
    ],
)
def test_both_keys_must_be_enabled(office, region, change, code, words) -> None:
    """KMS Developer Guide: "Both … must be in the Enabled key state when the operation starts"."""
    key_id = primary(office)
    replicated(office, key_id)
    ask(office.admin, change, KeyId=key_id, region=region)
    reply = update(office, key_id, OTHER_REGION)
    assert (reply.code, reply.message) == (code, f"{arn(key_id, region)} {words}")
    replica = office.admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=THIRD_REGION)
    assert replica.code == (code if region == REGION else None)


def test_to_hand_over_takes_the_right_on_both_keys(office) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    alice = office.user("alice")
    may = allow("kms:UpdatePrimaryRegion", principal=alice.arn, **only(kms_PrimaryRegion=OTHER_REGION))
    for region, before in ((REGION, arn(key_id)), (OTHER_REGION, arn(key_id, OTHER_REGION))):
        reply = update(office, key_id, OTHER_REGION, by=alice)
        assert reply.code == "AccessDeniedException" and before in reply.message
        ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, may), region=region)
    assert update(office, key_id, OTHER_REGION, by=alice).status == 200
    assert update(office, key_id, REGION, OTHER_REGION, by=alice).code == "AccessDeniedException"


def test_two_hand_overs_at_once_leave_one_primary(office) -> None:
    key_id = primary(office)
    for region in REGIONS[1:]:
        replicated(office, key_id, region)

    overtaken(office, lambda: update(office, key_id, THIRD_REGION))
    assert update(office, key_id, OTHER_REGION).code == "UnsupportedOperationException"
    assert types(office, key_id) == ["REPLICA", "REPLICA", "PRIMARY"]


def test_a_rotation_that_a_hand_over_overtook_is_refused(office) -> None:
    """The right was asked of the old primary; it is one no longer."""
    key_id = primary(office)
    replicated(office, key_id)

    overtaken(office, lambda: update(office, key_id, OTHER_REGION))
    assert office.admin.call("RotateKeyOnDemand", KeyId=key_id).code == "UnsupportedOperationException"
    assert rotations(office, key_id) == []


def test_a_hand_over_between_two_that_both_call_themselves_primary_leaves_one(office) -> None:
    """What rows put back out of an old backup may come to (docs/adr/0014)."""
    key_id = primary(office)
    replicated(office, key_id)
    (replica,) = (key for key in office.barrier.linked(Key, key_id) if not key.is_primary)
    office.change(replica, is_primary=True)
    assert update(office, key_id, OTHER_REGION).status == 200
    assert [key.is_primary for key in office.barrier.linked(Key, key_id)].count(True) == 1
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id, region=OTHER_REGION)
    opens_everywhere(office, sealed(office, key_id), REGIONS[:2])
