"""KMS Developer Guide, "Importing key material into multi-Region keys"; KMS API Reference, ImportKeyMaterial,
DeleteImportedKeyMaterial ("Considerations for multi-Region symmetric encryption keys"), "RotationsListEntry".
"""

from __future__ import annotations

import pytest
from tests.doors.aws_kms.managing import ask, made, scheduled, wait
from tests.doors.aws_kms.related import (
    REGIONS,
    THIRD_REGION,
    arn,
    described,
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
from tests.doors.aws_kms.wrapped import AGAIN, NEW, importing
from tests.harness import OTHER_REGION, REGION, b64

from keystead.core.entities import Key, KeyVersion

ONE, TWO, THREE = (bytes([n]) * 16 + bytes(range(16)) for n in (1, 2, 3))
WRAPPED = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
SCATTERED, WAITS = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION", "PENDING_ROTATION"


@pytest.fixture
def office():
    return three_regions()


def parameters(office, key_id, region=REGION):
    return ask(office.admin, "GetParametersForImport", KeyId=key_id, region=region, **WRAPPED)


def imported(office, key_id, material, region=REGION, **members):
    """The reply to the whole procedure in one region."""
    given = parameters(office, key_id, region)
    return importing(office.admin, key_id, material, given=given, region=region, **members)


def lent(office, *regions, **members):
    """The id of a primary with its first material, and of replicas of it that wait for theirs."""
    key_id = primary(office, Origin="EXTERNAL", **members)
    assert imported(office, key_id, ONE).status == 200
    for region in regions:
        replicated(office, key_id, region)
    return key_id


def complete(office, key_id, material, **members):
    for region in REGIONS:
        assert imported(office, key_id, material, region, **members).status == 200, region
    return key_id


def materials(office, key_id, region=REGION):
    found = rotations(office, key_id, region, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    return [(one["KeyMaterialState"], one["ImportState"]) for one in found]


def delete(office, key_id, region=REGION, **members):
    return ask(office.admin, "DeleteImportedKeyMaterial", KeyId=key_id, region=region, **members)


def test_the_same_material_is_imported_into_every_related_key(office) -> None:
    key_id = lent(office, OTHER_REGION)
    original, found = described(office, key_id), described(office, key_id, OTHER_REGION)
    assert (found["KeyState"], found["Origin"], found["Enabled"]) == ("PendingImport", "EXTERNAL", False)
    assert "ExpirationModel" not in found
    assert materials(office, key_id, OTHER_REGION) == [("CURRENT", "PENDING_IMPORT")]
    assert materials(office, key_id) == [("CURRENT", "IMPORTED")]
    blob = sealed(office, key_id)
    reply = office.admin.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION)
    assert reply.message == f"{arn(key_id, OTHER_REGION)} is pending import."
    for members in ({}, AGAIN):
        assert imported(office, key_id, TWO, OTHER_REGION, **members).code == "IncorrectKeyMaterialException"
    reply = imported(office, key_id, ONE, OTHER_REGION)
    assert reply.json == {
        "KeyId": arn(key_id, OTHER_REGION),
        "KeyMaterialId": original["CurrentKeyMaterialId"],
    }
    assert state(office, key_id, OTHER_REGION) == "Enabled"
    opens_everywhere(office, blob, REGIONS[:2])
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION), REGIONS[:2])


def test_a_primary_without_its_material_is_not_replicated(office) -> None:
    key_id = primary(office, Origin="EXTERNAL")
    reply = office.admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert (reply.code, reply.message) == ("KMSInvalidStateException", f"{arn(key_id)} is pending import.")


def test_a_token_is_good_in_the_region_that_gave_it(office) -> None:
    """ "You need a different public key and import token for each replica key"."""
    key_id = lent(office, OTHER_REGION)
    given = parameters(office, key_id)
    reply = importing(office.admin, key_id, ONE, given=given, region=OTHER_REGION)
    assert reply.code == "InvalidImportTokenException"
    assert importing(office.admin, key_id, ONE, given=given).status == 200


@pytest.mark.parametrize(
    ("spec", "usage", "material"), [("HMAC_256", "GENERATE_VERIFY_MAC", ONE), ("SYMMETRIC_DEFAULT", None, ONE)]
)
def test_key_types_and_expiry_are_each_region_s_own(office, spec, usage, material) -> None:
    usage = {} if usage is None else {"KeyUsage": usage}
    key_id, clockwork = lent(office, OTHER_REGION, KeySpec=spec, **usage), scheduled(office)
    due = office.clock.now().timestamp() + 86400
    short = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": due}
    assert imported(office, key_id, material, OTHER_REGION, **short).status == 200
    assert described(office, key_id, OTHER_REGION)["ValidTo"] == due and "ValidTo" not in described(office, key_id)
    assert wait(office, clockwork, days=1) == 1
    assert (state(office, key_id), state(office, key_id, OTHER_REGION)) == ("Enabled", "PendingImport")
    assert imported(office, key_id, material, OTHER_REGION).status == 200
    assert state(office, key_id, OTHER_REGION) == "Enabled"


def test_material_that_a_replica_loses_the_others_keep(office) -> None:
    """ "If you delete any key material of a replica Region key, the primary … and other replica … remain unchanged"."""
    key_id = complete(office, lent(office, *REGIONS[1:]), ONE)
    blob = sealed(office, key_id)
    delete(office, key_id, OTHER_REGION)
    assert [state(office, key_id, region) for region in REGIONS] == ["Enabled", "PendingImport", "Enabled"]
    delete(office, key_id)
    assert [state(office, key_id, region) for region in REGIONS] == ["PendingImport", "PendingImport", "Enabled"]
    opens_everywhere(office, blob, [THIRD_REGION])
    complete(office, key_id, ONE)
    opens_everywhere(office, blob)


# --- rotation between several materials


def test_new_material_comes_to_the_primary_then_to_the_replicas_and_is_rotated_to_at_once(office) -> None:
    key_id = complete(office, lent(office, *REGIONS[1:]), ONE)
    early = sealed(office, key_id, THIRD_REGION)
    reply = imported(office, key_id, TWO, OTHER_REGION, **NEW)
    words = f"{arn(key_id, OTHER_REGION)} is not a multi-Region primary key."
    assert (reply.code, reply.message) == ("UnsupportedOperationException", words)
    assert imported(office, key_id, TWO, **NEW).status == 200
    assert materials(office, key_id) == [("CURRENT", "IMPORTED"), (SCATTERED, "IMPORTED")]
    for region in REGIONS[1:]:
        assert materials(office, key_id, region) == [("CURRENT", "IMPORTED"), (SCATTERED, "PENDING_IMPORT")]
        assert state(office, key_id, region) == "Enabled"
    assert imported(office, key_id, THREE, OTHER_REGION, **AGAIN).code == "IncorrectKeyMaterialException"
    assert imported(office, key_id, TWO, OTHER_REGION, **AGAIN).status == 200
    reply = office.admin.call("RotateKeyOnDemand", KeyId=key_id)
    nothing = f"No available key material pending rotation for the key: {arn(key_id)}."
    assert (reply.code, reply.message) == ("KMSInvalidStateException", nothing)
    assert materials(office, key_id, OTHER_REGION) == [("CURRENT", "IMPORTED"), (SCATTERED, "IMPORTED")]
    assert imported(office, key_id, TWO, THIRD_REGION).status == 200
    for region in REGIONS:
        assert materials(office, key_id, region) == [("CURRENT", "IMPORTED"), (WAITS, "IMPORTED")]
    ids = {described(office, key_id, region)["CurrentKeyMaterialId"] for region in REGIONS}
    n_commits = office.barrier.n_commits
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert office.barrier.n_commits == n_commits + 1
    for region in REGIONS:
        assert materials(office, key_id, region) == [("NON_CURRENT", "IMPORTED"), ("CURRENT", "IMPORTED")]
    assert len(ids | {described(office, key_id, region)["CurrentKeyMaterialId"] for region in REGIONS}) == 2
    opens_everywhere(office, early)
    for region in REGIONS:
        opens_everywhere(office, sealed(office, key_id, region))


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_what_the_primary_gives_up_before_its_rotation_is_gone_everywhere(office, how) -> None:
    """ "…you'll also be deleting the key materials for the replica Region keys"; and other material takes its place."""
    key_id, clockwork = complete(office, lent(office, *REGIONS[1:]), ONE), scheduled(office)
    due = office.clock.now().timestamp() + 86400
    expiry = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": due} if how == "expired" else {}
    came = imported(office, key_id, TWO, **NEW, **expiry)
    assert imported(office, key_id, TWO, OTHER_REGION).status == 200
    epoch = office.barrier.epoch
    if how == "deleted":
        delete(office, key_id, KeyMaterialId=came.json["KeyMaterialId"])
    else:
        assert wait(office, clockwork, days=1) == 1
    assert office.barrier.epoch == epoch + 1
    for region in REGIONS:
        assert materials(office, key_id, region) == [("CURRENT", "IMPORTED")]
        assert state(office, key_id, region) == "Enabled"
    kept = [v for key in office.barrier.every(Key) for v in office.barrier.children(KeyVersion, key.id) if v.wrapped]
    assert len(kept) == 3
    assert imported(office, key_id, TWO, OTHER_REGION).code == "IncorrectKeyMaterialException"
    assert imported(office, key_id, THREE, **NEW).status == 200
    complete(office, key_id, THREE)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION))


def test_what_a_replica_loses_before_its_rotation_it_is_given_again(office) -> None:
    key_id = complete(office, lent(office, *REGIONS[1:]), ONE)
    waits = imported(office, key_id, TWO, **NEW).json["KeyMaterialId"]
    complete(office, key_id, TWO)
    delete(office, key_id, OTHER_REGION, KeyMaterialId=waits)
    assert materials(office, key_id) == [("CURRENT", "IMPORTED"), (SCATTERED, "IMPORTED")]
    assert materials(office, key_id, OTHER_REGION) == [("CURRENT", "IMPORTED"), (SCATTERED, "PENDING_IMPORT")]
    assert state(office, key_id, OTHER_REGION) == "Enabled"
    assert office.admin.call("RotateKeyOnDemand", KeyId=key_id).code == "KMSInvalidStateException"
    assert imported(office, key_id, TWO, OTHER_REGION, **AGAIN).json["KeyMaterialId"] == waits
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION))


def test_a_replica_made_while_material_waits_waits_for_it_too(office) -> None:
    key_id = lent(office, OTHER_REGION)
    assert imported(office, key_id, ONE, OTHER_REGION).status == 200
    assert imported(office, key_id, TWO, **NEW).status == 200
    assert imported(office, key_id, TWO, OTHER_REGION).status == 200
    assert materials(office, key_id)[1] == (WAITS, "IMPORTED")
    replicated(office, key_id, THIRD_REGION)
    assert materials(office, key_id)[1] == (SCATTERED, "IMPORTED")
    assert office.admin.call("RotateKeyOnDemand", KeyId=key_id).code == "KMSInvalidStateException"
    assert imported(office, key_id, TWO, THIRD_REGION).status == 200
    assert state(office, key_id, THIRD_REGION) == "PendingImport"  # its first has not come
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert state(office, key_id, THIRD_REGION) == "PendingImport"
    assert imported(office, key_id, ONE, THIRD_REGION).status == 200
    assert state(office, key_id, THIRD_REGION) == "Enabled"
    opens_everywhere(office, sealed(office, key_id, THIRD_REGION))


def test_a_replica_that_has_lost_what_is_current_is_rotated_with_the_others(office) -> None:
    key_id = complete(office, lent(office, *REGIONS[1:]), ONE)
    early = sealed(office, key_id)
    delete(office, key_id, OTHER_REGION)
    assert imported(office, key_id, TWO, **NEW).status == 200
    complete(office, key_id, TWO)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert materials(office, key_id, OTHER_REGION) == [("NON_CURRENT", "PENDING_IMPORT"), ("CURRENT", "IMPORTED")]
    assert state(office, key_id, OTHER_REGION) == "PendingImport"
    assert imported(office, key_id, ONE, OTHER_REGION).status == 200
    opens_everywhere(office, early)
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION))


def test_a_new_primary_may_give_up_what_it_never_had(office) -> None:
    key_id = complete(office, lent(office, *REGIONS[1:]), ONE)
    waits = imported(office, key_id, TWO, **NEW).json["KeyMaterialId"]
    assert update(office, key_id, OTHER_REGION).status == 200
    assert imported(office, key_id, THREE, OTHER_REGION, **NEW).code == "KMSInvalidStateException"
    assert delete(office, key_id, OTHER_REGION, KeyMaterialId=waits)["KeyMaterialId"] == waits
    assert all(materials(office, key_id, region) == [("CURRENT", "IMPORTED")] for region in REGIONS)
    assert imported(office, key_id, THREE, OTHER_REGION, **NEW).status == 200
    complete(office, key_id, THREE)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id, region=OTHER_REGION)
    opens_everywhere(office, sealed(office, key_id))


def test_material_that_came_while_the_key_was_replicated_is_expected_of_the_replica(office) -> None:
    key_id = lent(office)
    overtaken(office, lambda: replicated(office, key_id))
    given = parameters(office, key_id)
    assert importing(office.admin, key_id, TWO, given=given, **NEW).status == 200
    assert materials(office, key_id, OTHER_REGION) == [("CURRENT", "PENDING_IMPORT"), (SCATTERED, "PENDING_IMPORT")]


def test_imported_copies_are_destroyed_one_by_one(office) -> None:
    key_id, clockwork = complete(office, lent(office, *REGIONS[1:]), ONE), scheduled(office)
    blob, spared = sealed(office, key_id), made(office.admin)
    assert schedule(office, key_id)["KeyState"] == "PendingReplicaDeletion"
    delete(office, key_id, THIRD_REGION)
    for region in REGIONS[1:]:
        schedule(office, key_id, region)
    assert wait(office, clockwork, days=7) == 2
    assert state(office, key_id) == "PendingDeletion"
    ask(office.admin, "CancelKeyDeletion", KeyId=key_id)
    ask(office.admin, "EnableKey", KeyId=key_id)
    opens_everywhere(office, blob, [REGION])
    schedule(office, key_id)
    assert wait(office, clockwork, days=7) == 1
    kept = [v for key in office.barrier.every(Key) for v in office.barrier.children(KeyVersion, key.id) if v.wrapped]
    assert [version.key_id for version in kept] == [spared]
    assert office.admin.call("Decrypt", CiphertextBlob=blob).status == 400
    assert ask(office.admin, "Encrypt", KeyId=spared, Plaintext=b64(b"x"))
