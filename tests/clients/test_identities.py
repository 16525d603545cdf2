"""boto3 makes, reads, changes and takes away identities as tools that keep a plan do: in this process, and at a server.

The order of calls is that of hashicorp/terraform-provider-aws (internal/service/iam): every resource is made, read
back until it is as it was asked for, changed, and deleted after whatever hangs on it.
"""

from __future__ import annotations

import json
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.doors.aws_kms.managing import allow, deny, policy


@pytest.fixture
def iam(aws):
    return aws("iam")


@pytest.fixture
def name():
    """Of everything of one test: the server outlives it."""
    return f"t{uuid.uuid4().hex[:10]}"


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def gone(call, **members) -> None:
    with pytest.raises(ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"


def conflict(call, **members) -> None:
    with pytest.raises(ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == "DeleteConflict"


def test_a_user_from_its_making_to_its_end(iam, name) -> None:
    limit = iam.create_policy(PolicyName=f"{name}-limit", PolicyDocument=policy(allow("kms:*")))["Policy"]["Arn"]
    made = iam.create_user(UserName=name, Path="/tf/", PermissionsBoundary=limit, Tags=pairs(Team="red"))["User"]
    assert made["Arn"].endswith(f":user/tf/{name}")
    read = iam.get_user(UserName=name)["User"]
    assert read == made and read["Tags"] == pairs(Team="red")
    assert read["PermissionsBoundary"] == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": limit}
    iam.tag_user(UserName=name, Tags=pairs(Team="blue", Env="prod"))
    iam.untag_user(UserName=name, TagKeys=["Env"])
    assert iam.list_user_tags(UserName=name)["Tags"] == pairs(Team="blue")
    iam.delete_user_permissions_boundary(UserName=name)
    assert "PermissionsBoundary" not in iam.get_user(UserName=name)["User"]
    iam.attach_user_policy(UserName=name, PolicyArn=limit)
    assert [one["PolicyArn"] for one in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]] == [limit]
    iam.detach_user_policy(UserName=name, PolicyArn=limit)
    iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=policy(allow("kms:ListKeys")))
    read = iam.get_user_policy(UserName=name, PolicyName="inline")["PolicyDocument"]
    assert read == json.loads(policy(allow("kms:ListKeys")))
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    conflict(iam.delete_user, UserName=name)
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    iam.delete_user_policy(UserName=name, PolicyName="inline")
    for page in iam.get_paginator("list_groups_for_user").paginate(UserName=name):
        assert page["Groups"] == []
    iam.delete_user(UserName=name)
    gone(iam.get_user, UserName=name)
    iam.delete_policy(PolicyArn=limit)


def test_a_role_from_its_making_to_its_end(aws, iam, name) -> None:
    account = aws("sts").get_caller_identity()["Account"]
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": ["sts:AssumeRole", "sts:TagSession"],
                }
            ],
        }
    )
    made = iam.create_role(
        RoleName=name, Path="/tf/", AssumeRolePolicyDocument=trust, Description="one", Tags=pairs(Team="red")
    )["Role"]
    assert iam.get_role(RoleName=name)["Role"] == made
    iam.update_role(RoleName=name, MaxSessionDuration=7200)
    iam.update_role_description(RoleName=name, Description="two")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    iam.tag_role(RoleName=name, Tags=pairs(Team="blue"))
    read = iam.get_role(RoleName=name)["Role"]
    assert (read["Description"], read["MaxSessionDuration"], read["Tags"]) == ("two", 7200, pairs(Team="blue"))
    use = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow("kms:*")))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=use)
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy(deny("kms:CreateKey")))
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=use)
    assert iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == use
    iam.delete_role_permissions_boundary(RoleName=name)
    iam.untag_role(RoleName=name, TagKeys=["Team"])
    assert iam.list_role_tags(RoleName=name)["Tags"] == []
    assert [one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]] == [use]
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["inline"]
    sts = aws("sts")
    only = policy(allow("kms:ListKeys"))
    session = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="plan", Policy=only, Tags=pairs(a="b"))
    assert 0 < session["PackedPolicySize"] <= 100
    conflict(iam.delete_role, RoleName=name)
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.detach_role_policy(RoleName=name, PolicyArn=use)
    iam.delete_role_policy(RoleName=name, PolicyName="inline")
    iam.delete_role(RoleName=name)
    gone(iam.get_role, RoleName=name)
    iam.delete_policy(PolicyArn=use)


def test_a_group_from_its_making_to_its_end(iam, name) -> None:
    made = iam.create_group(GroupName=name, Path="/tf/")["Group"]
    assert iam.get_group(GroupName=name)["Group"] == made
    assert made in iam.list_groups(PathPrefix="/tf/")["Groups"]
    users = [f"{name}-{n}" for n in range(3)]
    for user in users:
        iam.create_user(UserName=user)
        iam.add_user_to_group(GroupName=name, UserName=user)
    pages = iam.get_paginator("get_group").paginate(GroupName=name, PaginationConfig={"PageSize": 2})
    assert sorted(one["UserName"] for page in pages for one in page["Users"]) == users
    use = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow("kms:*")))["Policy"]["Arn"]
    iam.attach_group_policy(GroupName=name, PolicyArn=use)
    iam.put_group_policy(GroupName=name, PolicyName="inline", PolicyDocument=policy(deny("kms:CreateKey")))
    assert iam.get_group_policy(GroupName=name, PolicyName="inline")["PolicyName"] == "inline"
    assert iam.list_group_policies(GroupName=name)["PolicyNames"] == ["inline"]
    assert [one["PolicyArn"] for one in iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"]] == [use]
    entities = iam.list_entities_for_policy(PolicyArn=use, EntityFilter="Group")
    assert [one["GroupName"] for one in entities["PolicyGroups"]] == [name]
    iam.update_group(GroupName=name, NewGroupName=f"{name}x")
    name = f"{name}x"
    conflict(iam.delete_group, GroupName=name)
    conflict(iam.delete_policy, PolicyArn=use)
    for user in users:
        iam.remove_user_from_group(GroupName=name, UserName=user)
        iam.delete_user(UserName=user)
    iam.detach_group_policy(GroupName=name, PolicyArn=use)
    iam.delete_group_policy(GroupName=name, PolicyName="inline")
    iam.delete_group(GroupName=name)
    gone(iam.get_group, GroupName=name)
    iam.delete_policy(PolicyArn=use)


def test_a_policy_from_its_making_to_its_end(iam, name) -> None:
    one, two = policy(allow("kms:Encrypt")), policy(allow("kms:Decrypt"))
    made = iam.create_policy(
        PolicyName=name, Path="/tf/", PolicyDocument=one, Description="of a plan", Tags=pairs(Team="red")
    )["Policy"]
    arn = made["Arn"]
    assert iam.get_policy(PolicyArn=arn)["Policy"] == made
    read = iam.get_policy_version(PolicyArn=arn, VersionId=made["DefaultVersionId"])["PolicyVersion"]
    assert read["Document"] == json.loads(one) and read["IsDefaultVersion"]
    for n in range(6):  # a change makes a version and takes the oldest one away where there are five
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        if len(versions) == 5:
            oldest = min((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: int(v["VersionId"][1:]))
            iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=(one, two)[n % 2], SetAsDefault=True)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v7"
    iam.tag_policy(PolicyArn=arn, Tags=pairs(Team="blue"))
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == pairs(Team="blue")
    iam.untag_policy(PolicyArn=arn, TagKeys=["Team"])
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v6")
    assert arn in [one["Arn"] for one in iam.list_policies(Scope="Local", PathPrefix="/tf/")["Policies"]]
    conflict(iam.delete_policy, PolicyArn=arn)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)
    gone(iam.get_policy, PolicyArn=arn)


@pytest.mark.client
def test_what_a_group_gives_and_a_boundary_leaves_is_what_another_client_may(server, name) -> None:
    """The whole of it at a real server, the user being a client of its own."""
    iam, kms = server.client("iam"), server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    mine = boto3.client(
        "kms",
        region_name=server.region,
        endpoint_url=server.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )

    def may() -> bool:
        try:
            mine.encrypt(KeyId=key_id, Plaintext=b"x")
        except mine.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True

    use = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow("kms:*")))["Policy"]["Arn"]
    limit = iam.create_policy(PolicyName=f"{name}-l", PolicyDocument=policy(allow("kms:Decrypt")))["Policy"]["Arn"]
    iam.create_group(GroupName=name)
    iam.attach_group_policy(GroupName=name, PolicyArn=use)
    assert not may()
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert may()
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=limit)
    assert not may()
    iam.create_policy_version(PolicyArn=limit, PolicyDocument=policy(allow("kms:Encrypt")), SetAsDefault=True)
    assert may()
    iam.put_group_policy(GroupName=name, PolicyName="no", PolicyDocument=policy(deny("kms:Encrypt")))
    assert not may()
    iam.delete_group_policy(GroupName=name, PolicyName="no")
    iam.detach_group_policy(GroupName=name, PolicyArn=use)
    assert not may()
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.remove_user_from_group(GroupName=name, UserName=name)
    iam.delete_user(UserName=name)
    iam.delete_group(GroupName=name)
    iam.delete_policy_version(PolicyArn=limit, VersionId="v1")
    for arn in (use, limit):
        iam.delete_policy(PolicyArn=arn)
