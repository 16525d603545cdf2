"""KMS API Reference: EnableKeyRotation and its kin; KMS Developer Guide, "Rotate AWS KMS keys"."""

from datetime import timedelta

import pytest
from tests.doors.aws_kms.managing import ask, made, pages, scheduled, wait
from tests.fakes import FaultyStore
from tests.harness import b64, stack
from tests.memorystore import MemoryStore

from keystead.core import operations as ops
from keystead.core.errors import Conflict, Denied
from keystead.core.operations import KeyRef

DAY = 86400
PLAIN = b64(b"hello")


@pytest.fixture
def office():
    return stack()


def encrypted(person, key_id):
    return ask(person, "Encrypt", KeyId=key_id, Plaintext=PLAIN)["CiphertextBlob"]


def material(person, key_id):
    return ask(person, "DescribeKey", KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]


def status(person, key_id):
    return ask(person, "GetKeyRotationStatus", KeyId=key_id)


def test_a_schedule_is_made_changed_and_ended(office) -> None:
    key, admin, now = office.key(), office.admin, office.clock.now().timestamp()
    assert status(admin, key.id) == {"KeyRotationEnabled": False, "KeyId": office.arn(key)}
    assert admin.call("EnableKeyRotation", KeyId=key.id).body == b""
    assert status(admin, key.id) == {
        "KeyRotationEnabled": True,
        "KeyId": office.arn(key),
        "RotationPeriodInDays": 365,
        "NextRotationDate": now + 365 * DAY,
    }
    office.clock.forward(timedelta(days=1))
    ask(admin, "EnableKeyRotation", KeyId=key.id, RotationPeriodInDays=90)
    assert status(admin, key.id)["NextRotationDate"] == now + 91 * DAY
    office.clock.forward(timedelta(days=1))
    ask(admin, "EnableKeyRotation", KeyId=key.id, RotationPeriodInDays=90)  # the period it has: nothing moves
    assert status(admin, key.id)["NextRotationDate"] == now + 91 * DAY
    ask(admin, "EnableKeyRotation", KeyId=key.id)  # "If no value is specified, the default value is 365 days."
    assert status(admin, key.id)["RotationPeriodInDays"] == 365
    assert status(admin, key.id)["NextRotationDate"] == now + 367 * DAY
    assert admin.call("DisableKeyRotation", KeyId=key.id).body == b""
    assert status(admin, key.id) == {"KeyRotationEnabled": False, "KeyId": office.arn(key)}


@pytest.mark.parametrize("days", [0, 89, 2561, -90])
def test_periods_out_of_range(office, days) -> None:
    reply = office.admin.call("EnableKeyRotation", KeyId=made(office.admin), RotationPeriodInDays=days)
    assert reply.code == "ValidationException" and "rotationPeriodInDays" in reply.message


@pytest.mark.parametrize("days", [90, 2560])
def test_periods_at_the_edge(office, days) -> None:
    key_id = made(office.admin)
    ask(office.admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=days)
    assert status(office.admin, key_id)["RotationPeriodInDays"] == days


@pytest.mark.parametrize(("spec", "usage"), [("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")])
def test_only_symmetric_encryption_keys_are_rotated(office, spec, usage) -> None:
    """AWS has no words here: ls, test_rotate_key_on_demand_raises_error_given_non_symmetric_key."""
    key_id = made(office.admin, KeySpec=spec, KeyUsage=usage)
    for operation in ("EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations"):
        reply = office.admin.call(operation, KeyId=key_id)
        assert reply.code == "UnsupportedOperationException" and "message" not in reply.json
    assert status(office.admin, key_id)["KeyRotationEnabled"] is False


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"])
def test_a_key_out_of_service_is_told_before_one_that_is_never_rotated(office, operation) -> None:
    """ls, test_rotate_key_on_demand_raises_error_given_key_is_disabled: the key there is an RSA key."""
    key = office.key("ECC_NIST_P256")
    ask(office.admin, "DisableKey", KeyId=key.id)
    reply = office.admin.call(operation, KeyId=key.id)
    assert (reply.code, reply.message) == ("DisabledException", f"{office.arn(key)} is disabled.")


def test_row_102_every_version_decrypts_what_it_encrypted(office) -> None:
    admin, key_id = office.admin, made(office.admin)
    blobs, materials = [encrypted(admin, key_id)], [material(admin, key_id)]
    for _ in range(3):
        assert ask(admin, "RotateKeyOnDemand", KeyId=key_id)["KeyId"].endswith(f"key/{key_id}")
        blobs.append(encrypted(admin, key_id))
        materials.append(material(admin, key_id))
    assert len(set(materials)) == 4
    for blob, used in zip(blobs, materials, strict=True):
        opened = ask(admin, "Decrypt", CiphertextBlob=blob)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (PLAIN, used)
    moved = ask(admin, "ReEncrypt", CiphertextBlob=blobs[0], DestinationKeyId=key_id)
    assert moved["SourceKeyMaterialId"] == materials[0] and moved["DestinationKeyMaterialId"] == materials[-1]


def test_row_101_no_decryption_fails_while_a_key_is_rotated(office) -> None:
    """Between any two requests the key may be rotated: every ciphertext so far opens after every rotation."""
    admin, key_id = office.admin, made(office.admin)
    blobs = []
    for turn in range(20):
        blobs.append(encrypted(admin, key_id))
        if turn % 2:
            ask(admin, "RotateKeyOnDemand", KeyId=key_id)
        for blob in blobs:
            assert ask(admin, "Decrypt", CiphertextBlob=blob)["Plaintext"] == PLAIN


@pytest.mark.parametrize("lost", [False, True])
def test_row_103_a_rotation_that_fails_at_any_step_leaves_the_key_whole(lost) -> None:
    """The old material or the new, whichever the store has kept: never none, and what was encrypted before opens."""
    for at in range(1, 100):
        store = FaultyStore(MemoryStore())
        office = stack(store=store)
        admin, key_id = office.admin, made(office.admin)
        before, had = encrypted(admin, key_id), material(admin, key_id)
        store.fail(at, also_lost=lost)
        reply = admin.call("RotateKeyOnDemand", KeyId=key_id)
        was_due, store_was_asked = reply.status == 200, store.n_operations
        store.fail(None)
        for blob in (before, encrypted(admin, key_id)):
            assert ask(admin, "Decrypt", CiphertextBlob=blob)["Plaintext"] == PLAIN
        assert (material(admin, key_id) != had) or not was_due, "what was acknowledged is so"
        assert len(ask(admin, "ListKeyRotations", KeyId=key_id)["Rotations"]) == (material(admin, key_id) != had)
        if store_was_asked < at:
            break
    assert at > 5


def test_twenty_five_rotations_on_demand(office) -> None:
    """RotateKeyOnDemand: "a maximum of 25 times per KMS key"."""
    key, admin = office.key(), office.admin
    for _ in range(25):
        ask(admin, "RotateKeyOnDemand", KeyId=key.id)
    reply = admin.call("RotateKeyOnDemand", KeyId=key.id)
    assert reply.code == "LimitExceededException" and reply.message.endswith(f"for this key: {office.arn(key)}")
    assert len(ask(admin, "ListKeyRotations", KeyId=key.id)["Rotations"]) == 25


def test_on_demand_leaves_the_schedule_alone(office) -> None:
    """RotateKeyOnDemand: "On-demand rotations do not change existing automatic rotation schedules"."""
    admin, key_id = office.admin, made(office.admin)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=100)
    before = status(admin, key_id)
    office.clock.forward(timedelta(days=50))
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    assert status(admin, key_id) == before


def test_no_rotation_on_demand_just_before_a_scheduled_one(office) -> None:
    """ConflictException: "scheduled to begin within the next 20 minutes"."""
    admin, key_id = office.admin, made(office.admin)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    office.clock.forward(timedelta(days=90) - timedelta(minutes=20))
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    office.clock.forward(timedelta(seconds=1))
    assert admin.call("RotateKeyOnDemand", KeyId=key_id).code == "ConflictException"


def test_the_schedule_is_kept(office) -> None:
    """ "every 730 days thereafter": counted from the date, however late the scheduler came."""
    admin, key_id, begun = office.admin, made(office.admin), office.clock.now().timestamp()
    blob = encrypted(admin, key_id)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clockwork = scheduled(office)
    assert wait(office, clockwork, days=90, seconds=-1) == 0
    assert wait(office, clockwork, seconds=31) == 1  # half a minute late
    assert wait(office, clockwork) == 0
    assert status(admin, key_id)["NextRotationDate"] == begun + 180 * DAY
    assert wait(office, clockwork, days=90, seconds=-30) == 1  # on the second
    entries = ask(admin, "ListKeyRotations", KeyId=key_id)["Rotations"]
    assert [entry["RotationType"] for entry in entries] == ["AUTOMATIC", "AUTOMATIC"]
    assert [entry["KeyMaterialState"] for entry in entries] == ["NON_CURRENT", "CURRENT"]
    assert entries[0]["RotationDate"] == begun + 90 * DAY + 30
    assert ask(admin, "Decrypt", CiphertextBlob=blob)["Plaintext"] == PLAIN


def test_a_disabled_key_is_not_rotated_and_is_as_soon_as_it_is_enabled(office) -> None:
    """GetKeyRotationStatus, "Disabled": "KMS rotates it immediately, and every year thereafter"."""
    admin, key_id = office.admin, made(office.admin)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    ask(admin, "DisableKey", KeyId=key_id)
    clockwork, before = scheduled(office), material(admin, key_id)
    assert wait(office, clockwork, days=400) == 0
    assert status(admin, key_id)["KeyRotationEnabled"] is True
    ask(admin, "EnableKey", KeyId=key_id)
    assert wait(office, clockwork) == 1
    assert material(admin, key_id) != before
    assert status(admin, key_id)["NextRotationDate"] == office.clock.now().timestamp() + 90 * DAY


def test_pending_deletion_means_no_rotation(office) -> None:
    """GetKeyRotationStatus, "Pending deletion": false, and the old status once the deletion is cancelled."""
    admin, key_id = office.admin, made(office.admin)
    ask(admin, "EnableKeyRotation", KeyId=key_id)
    before = status(admin, key_id)
    ask(admin, "ScheduleKeyDeletion", KeyId=key_id)
    assert status(admin, key_id)["KeyRotationEnabled"] is False
    ask(admin, "CancelKeyDeletion", KeyId=key_id)
    assert status(admin, key_id) == before


def test_the_list_of_rotations(office) -> None:
    """ListKeyRotations, IncludeKeyMaterial: ROTATIONS_ONLY leaves the first material out."""
    key_id, admin = made(office.admin), office.admin
    assert ask(admin, "ListKeyRotations", KeyId=key_id) == {"Rotations": [], "Truncated": False}
    first = material(admin, key_id)
    for _ in range(3):
        ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    everything = {"KeyId": key_id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    (found,) = pages(admin, "ListKeyRotations", "Rotations", **everything)
    assert found[0] == {"KeyId": key_id, "KeyMaterialId": first, "KeyMaterialState": "NON_CURRENT"}
    assert found[-1]["KeyMaterialId"] == material(admin, key_id) and found[-1]["KeyMaterialState"] == "CURRENT"
    assert all(entry["RotationType"] == "ON_DEMAND" for entry in found[1:])
    assert [len(page) for page in pages(admin, "ListKeyRotations", "Rotations", **everything, Limit=3)] == [3, 1]
    assert pages(admin, "ListKeyRotations", "Rotations", KeyId=key_id, Limit=1) == [[entry] for entry in found[1:]]


def test_only_the_scheduler_rotates_by_schedule_and_only_what_is_due(office) -> None:
    key = office.key()
    due = ops.RotateKey(key=KeyRef("aws:111122223333:us-east-1", id=key.id), scheduled=True)
    with pytest.raises(Conflict):
        office.by_system(due)
    nobody = office.user("nobody")
    with pytest.raises(Denied):
        office.perform(due, nobody)
