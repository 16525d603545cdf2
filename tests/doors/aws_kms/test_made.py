"""What came into being, or was cut, is on record by the id that everything else on record knows it by.

research/security.md §4-E, rows 75 and 76: without it, nobody can say which session did what, or which grant went.
"""

from __future__ import annotations

import json

import pytest
from tests.doors.aws_kms.test_cloudtrail import last
from tests.doors.aws_kms.test_sessions import ACCOUNT, ARN, MAY_ASSUME, person_of, role, trust
from tests.doors.aws_kms.test_webidentity import Cluster
from tests.harness import ALLOW_ALL, TENANT, stack

from keystead.core import operations as ops

AT = ops.TenantRef(TENANT)


@pytest.fixture
def office():
    return stack()


def made_by(office, operation: str) -> str:
    return next(record.made for record in reversed(office.records()) if record.operation == operation)


def test_a_session_is_on_record_by_the_access_key_that_it_has(office) -> None:
    role(office, trust(ACCOUNT))
    alice = office.user("alice", MAY_ASSUME)
    made = alice.client("sts").assume_role(RoleArn=ARN, RoleSessionName="build-7")["Credentials"]
    assert office.record().made == made["AccessKeyId"]
    event = last(office, "AssumeRole")
    assert event["responseElements"] == {"credentials": {"accessKeyId": made["AccessKeyId"]}}
    assert made["SecretAccessKey"] not in json.dumps(event) and made["SessionToken"] not in json.dumps(event)
    assert person_of(office, made).call("ListKeys").status == 200
    assert (
        last(office, "ListKeys")["userIdentity"]["accessKeyId"]
        == event["responseElements"]["credentials"]["accessKeyId"]
    )


def test_so_is_one_of_a_web_identity_and_one_of_a_user(office) -> None:
    _, answer = Cluster(office).ask()
    assert office.record().made == answer["Credentials"]["AccessKeyId"]
    made = office.admin.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    assert office.record().made == made["AccessKeyId"]
    issued = office.by_system(ops.IssueSession(tenant=AT, name="admin", seconds=900))
    assert office.record().made == issued.credential.id


def test_a_grant_that_is_revoked_or_retired(office) -> None:
    alice, key = office.user("alice", ALLOW_ALL), office.key()
    for operation in ("RevokeGrant", "RetireGrant"):
        given = alice.call(
            "CreateGrant", KeyId=key.id, GranteePrincipal=alice.arn, RetiringPrincipal=alice.arn, Operations=["Encrypt"]
        )
        id_ = given.json["GrantId"]
        assert alice.call(operation, KeyId=office.arn(key), GrantId=id_).status == 200
        assert made_by(office, f"TrentService.{operation}") == id_


def test_a_boundary_that_is_taken_away(office) -> None:
    iam = office.admin.client("iam")
    policy = iam.create_policy(PolicyName="most", PolicyDocument=ALLOW_ALL)["Policy"]
    iam.create_user(UserName="bob", PermissionsBoundary=policy["Arn"])
    iam.delete_user_permissions_boundary(UserName="bob")
    user = iam.get_user(UserName="bob")["User"]["UserId"]
    assert made_by(office, "iam:DeleteUserPermissionsBoundary") == f"{policy['PolicyId']}/{user}/boundary"


def test_what_the_operator_makes(office) -> None:
    ring = office.by_system(ops.CreateKeyring(tenant=TENANT, name="eu", namespaces=(f"xks:{TENANT}:/",)))
    assert made_by(office, "CreateKeyring") == ring.id
    user = office.by_system(ops.CreatePrincipal(tenant=AT, name="proxy"))
    assert made_by(office, "CreatePrincipal") == user.id
    key = office.by_system(ops.CreateXksCredential(tenant=AT, name="proxy", namespace=f"xks:{TENANT}:/"))
    assert made_by(office, "CreateXksCredential") == key.credential.id


def test_which_access_key_and_which_version_of_a_policy(office) -> None:
    """A user has two of the one, a policy five of the other: that one of them changed says too little."""
    iam = office.admin.client("iam")
    iam.create_user(UserName="bob")
    first, second = (iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"] for _ in range(2))
    iam.update_access_key(UserName="bob", AccessKeyId=second, Status="Inactive")
    assert made_by(office, "iam:UpdateAccessKey") == second
    iam.delete_access_key(UserName="bob", AccessKeyId=first)
    assert made_by(office, "iam:DeleteAccessKey") == first
    office.by_system(ops.SetCredentialEnabled(tenant=AT, credential_id=second, enabled=True))
    assert made_by(office, "SetCredentialEnabled") == second
    office.by_system(ops.DeleteCredential(tenant=AT, credential_id=second))
    assert made_by(office, "DeleteCredential") == second
    policy = iam.create_policy(PolicyName="most", PolicyDocument=ALLOW_ALL)["Policy"]
    iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=ALLOW_ALL)
    iam.set_default_policy_version(PolicyArn=policy["Arn"], VersionId="v2")
    assert made_by(office, "iam:SetDefaultPolicyVersion") == f"{policy['PolicyId']}/2"
    iam.delete_policy_version(PolicyArn=policy["Arn"], VersionId="v1")
    assert made_by(office, "iam:DeletePolicyVersion") == f"{policy['PolicyId']}/1"
