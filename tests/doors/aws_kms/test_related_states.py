"""Generated: every operation of management on a primary and on a replica, in every key state.

KMS Developer Guide, "Key states of AWS KMS keys": a related key fares as any other, but for what only a primary may.
"""

from __future__ import annotations

import pytest
from tests.doors.aws_kms.managing import ask
from tests.doors.aws_kms.related import THIRD_REGION, arn, primary, replicated, three_regions
from tests.doors.aws_kms.test_management_states import (
    DISABLED,
    GONE,
    GRANT,
    IMPORT,
    LIKE,
    OK,
    PENDING,
    TABLE,
    members_of,
    put_into,
)
from tests.harness import OTHER_REGION, REGION

from keystead.core.entities import Key
from keystead.core.family import known_as

NOT_PRIMARY = ("UnsupportedOperationException", "{} is not a multi-Region primary key.")
FOLLOWS = {"EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"}
REGIONS = {"primary": REGION, "replica": OTHER_REGION}
NOWHERE = ("replica", "PendingReplicaDeletion")  # a state that only a primary is in
# operation -> members, and what comes of it for a primary in the first five of LIKE: as the documentation says
ONLY_A_PRIMARY = {
    "ReplicateKey": ({"ReplicaRegion": THIRD_REGION}, (OK, DISABLED, PENDING, IMPORT, GONE)),
    "UpdatePrimaryRegion": ({"PrimaryRegion": OTHER_REGION}, (OK, DISABLED, PENDING, IMPORT, GONE)),
}


class Asked:
    """A key as members_of wants it."""

    def __init__(self, id_: str) -> None:
        self.id = id_


def pair(office):
    """The primary, and its replica, as they are stored."""
    key_id = primary(office)
    replicated(office, key_id)
    found = {key.is_primary: key for key in office.barrier.every(Key)}
    return key_id, {"primary": found[True], "replica": found[False]}


def held_to(reply, expected, named) -> None:
    if expected is OK:
        assert reply.status == 200, (reply.code, reply.message)
        return
    code, words = expected
    assert reply.code == code
    assert reply.message == (words.format(named) if words else reply.message)


@pytest.mark.parametrize(
    ("role", "state"), [(role, state) for role in REGIONS for state in LIKE if (role, state) != NOWHERE]
)
@pytest.mark.parametrize("operation", [*TABLE, *ONLY_A_PRIMARY])
def test_operation_on_a_related_key_in_state(operation, role, state) -> None:
    office = three_regions()
    key_id, keys = pair(office)
    region, key = REGIONS[role], keys[role]
    ask(office.admin, "CreateAlias", AliasName="alias/old", TargetKeyId=key_id, region=region)
    office.grant_id = ask(office.admin, "CreateGrant", KeyId=key_id, region=region, **GRANT)["GrantId"]
    put_into(office, key, state)
    before = office.barrier.every(Key)
    members, row = {**TABLE, **ONLY_A_PRIMARY}[operation]
    expected = row[LIKE[state]]
    if role == "replica" and operation in {*FOLLOWS, *ONLY_A_PRIMARY} and state != "Destroyed":
        expected = NOT_PRIMARY
    if operation in {"RetireGrant", "RevokeGrant", "DeleteAlias", "UpdateAlias"}:
        members = {}
    reply = office.admin.call(operation, region=region, **members_of(office, Asked(key_id), operation, members))
    held_to(reply, expected, arn(key_id, region))
    if reply.status != 200:
        assert office.barrier.every(Key) == before
        assert office.record().outcome.startswith("refused: ")


@pytest.mark.parametrize("state", [state for state in LIKE if state != NOWHERE[1]])
def test_the_state_of_the_primary_to_be(state) -> None:
    office = three_regions()
    key_id, keys = pair(office)
    put_into(office, keys["replica"], state)
    reply = office.admin.call("UpdatePrimaryRegion", KeyId=key_id, PrimaryRegion=OTHER_REGION)
    held_to(reply, (OK, DISABLED, PENDING, IMPORT, GONE)[LIKE[state]], arn(key_id, OTHER_REGION))
    assert known_as(keys["replica"].id) == key_id
    assert office.stored(keys["replica"]).is_primary is (state == "Enabled")


@pytest.mark.parametrize("state", LIKE)
def test_what_becomes_of_the_primary_does_not_touch_its_replica(state) -> None:
    office = three_regions()
    key_id, keys = pair(office)
    put_into(office, keys["primary"], state)
    assert ask(office.admin, "Encrypt", KeyId=key_id, Plaintext="eA==", region=OTHER_REGION)
    assert ask(office.admin, "DescribeKey", KeyId=key_id, region=OTHER_REGION)["KeyMetadata"]["Enabled"]
