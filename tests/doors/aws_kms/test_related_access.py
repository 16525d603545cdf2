"""Who may replicate, use and manage related keys. KMS Developer Guide, "Controlling access to multi-Region keys"."""

from __future__ import annotations

import pytest
from tests.doors.aws_kms.managing import ROOT_MAY, allow, ask, deny, policy
from tests.doors.aws_kms.related import (
    REGIONS,
    THIRD_REGION,
    arn,
    only,
    primary,
    replicated,
    three_regions,
)
from tests.harness import OTHER_REGION, OTHER_TENANT, REGION, TENANT, b64

from keystead.core.entities import Key


@pytest.fixture
def office():
    return three_regions()


# --- who may


def copier(office, name, key_id, *statements):
    """A user who may replicate the key by its policy, with an identity policy beside."""
    person = office.user(name, policy(*statements))
    text = policy(ROOT_MAY, allow("kms:ReplicateKey", principal=person.arn))
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=text)
    return person


CREATE = "kms:CreateKey"
MAY_NOT_CREATE = [
    [allow("kms:DescribeKey")],
    [allow(CREATE, **only(aws_RequestedRegion=REGION))],
    [allow(CREATE), deny(CREATE, **only(aws_RequestedRegion=OTHER_REGION))],
    [allow(CREATE), deny(CREATE, **only(kms_MultiRegionKeyType="REPLICA"))],
    [allow(CREATE), deny(CREATE, Condition={"Bool": {"kms:MultiRegion": "true"}})],
    [allow(CREATE), deny(CREATE, **only(kms_KeySpec="SYMMETRIC_DEFAULT"))],
    [allow(CREATE), deny(CREATE, **only(kms_KeyOrigin="AWS_KMS"))],
    [allow(CREATE, **only(kms_KeyUsage="SIGN_VERIFY"))],
]


@pytest.mark.parametrize("statements", MAY_NOT_CREATE)
def test_to_replicate_takes_the_right_to_create_in_the_replica_s_region(office, statements) -> None:
    """ "kms:CreateKey in an IAM policy in the replica Region", with the conditions that a key to be can be told by."""
    key_id = primary(office)
    alice = copier(office, "alice", key_id, *statements)
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert reply.code == "AccessDeniedException" and "perform: kms:CreateKey on resource: *" in reply.message
    assert office.admin.call("DescribeKey", KeyId=key_id, region=OTHER_REGION).code == "NotFoundException"


MAY_CREATE = [
    [allow(CREATE)],
    [allow(CREATE, **only(aws_RequestedRegion=OTHER_REGION))],
    [allow(CREATE, **only(kms_MultiRegionKeyType="REPLICA"))],
    [allow(CREATE, **only(kms_KeySpec="SYMMETRIC_DEFAULT", kms_KeyUsage="ENCRYPT_DECRYPT", kms_KeyOrigin="AWS_KMS"))],
    [allow(CREATE), deny(CREATE, **only(kms_MultiRegionKeyType="PRIMARY"))],
]


@pytest.mark.parametrize("statements", MAY_CREATE)
def test_who_may_create_there_and_copy_here_replicates(office, statements) -> None:
    key_id = primary(office)
    alice = copier(office, "alice", key_id, *statements)
    tagged = {"Tags": [{"TagKey": "a", "TagValue": "b"}]}
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION, **tagged)
    assert reply.code == "AccessDeniedException" and "kms:TagResource" in reply.message
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert reply.status == 200, reply.json


@pytest.mark.parametrize(("region", "allowed"), [(OTHER_REGION, True), (THIRD_REGION, False)])
def test_the_regions_a_key_may_be_copied_to(office, region, allowed) -> None:
    key_id = primary(office)
    alice = office.user("alice", policy(allow(CREATE)))
    here = allow("kms:ReplicateKey", principal=alice.arn, **only(kms_ReplicaRegion=OTHER_REGION))
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, here))
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=region)
    assert reply.code == (None if allowed else "AccessDeniedException"), reply.json
    assert allowed or f"kms:ReplicateKey on resource: {arn(key_id)}" in reply.message


def test_a_policy_of_one_region_says_nothing_of_another(office) -> None:
    key_id = primary(office)
    alice = office.user("alice")
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, allow("kms:Decrypt", principal=alice.arn)))
    replicated(office, key_id)
    blob = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    assert alice.call("Decrypt", CiphertextBlob=blob).status == 200
    assert alice.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION).code == "AccessDeniedException"
    granted = ask(office.admin, "CreateGrant", KeyId=key_id, GranteePrincipal=alice.arn, Operations=["Encrypt"])
    asked = {"KeyId": key_id, "Plaintext": b64(b"x")}
    assert alice.call("Encrypt", **asked).status == 200
    for token in ({}, {"GrantTokens": [granted["GrantToken"]]}):
        assert alice.call("Encrypt", region=OTHER_REGION, **asked, **token).status == 400
    ask(office.admin, "RevokeGrant", KeyId=key_id, GrantId=granted["GrantId"])
    assert alice.call("Encrypt", **asked).code == "AccessDeniedException"


def test_resources_and_key_types_tell_related_keys_apart(office) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    everywhere = f"arn:aws:kms:*:{TENANT}:key/{key_id}"
    tests = [
        ("one", allow("kms:DescribeKey", resource=arn(key_id)), [True, False]),
        ("all", allow("kms:DescribeKey", resource=everywhere), [True, True]),
        ("mrk", allow("kms:DescribeKey", resource=f"arn:aws:kms:*:{TENANT}:key/mrk-*"), [True, True]),
        ("type", allow("kms:DescribeKey", **only(kms_MultiRegionKeyType="REPLICA")), [False, True]),
        ("any", allow("kms:DescribeKey", Condition={"Bool": {"kms:MultiRegion": "true"}}), [True, True]),
        ("none", allow("kms:DescribeKey", Condition={"Bool": {"kms:MultiRegion": "false"}}), [False, False]),
    ]
    for name, statement, expected in tests:
        person = office.user(name, policy(statement))
        found = [person.call("DescribeKey", KeyId=key_id, region=r).status == 200 for r in (REGION, OTHER_REGION)]
        assert found == expected, name


def test_other_accounts_replicate_nothing(office) -> None:
    """ "Cross-account use: No."""
    for region in REGIONS[:2]:
        office.keyring(OTHER_TENANT, region)
    eve = office.user("eve", policy(allow("kms:*")), tenant=OTHER_TENANT)
    key_id = primary(office)
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, allow("kms:*", principal=eve.arn)))
    assert eve.call("DescribeKey", KeyId=arn(key_id)).status == 200
    replicated(office, key_id)
    for operation, member in (("ReplicateKey", "ReplicaRegion"), ("UpdatePrimaryRegion", "PrimaryRegion")):
        for named in (key_id, arn(key_id)):
            reply = eve.call(operation, **{"KeyId": named, member: OTHER_REGION})
            assert reply.code in {"AccessDeniedException", "NotFoundException"}, (operation, named, reply.json)
    assert len(office.barrier.every(Key)) == 2
