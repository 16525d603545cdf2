"""Paths: IAM User Guide, "IAM identifiers". A path is a part of how something is written; it is found by its name."""

import pytest
from tests.doors.aws_kms.managing import NOTHING, ROOT_MAY, allow, made, policy
from tests.doors.aws_kms.test_iam import TRUST, refused
from tests.doors.aws_kms.test_sessions import assume, not_assumed, trust
from tests.harness import ALLOW_ALL, TENANT, Person, stack

from keystead.core.entities import PrincipalKind
from keystead.core.policy.arn import principal_name

ACCOUNT = f"arn:aws:iam::{TENANT}"


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def person(office, iam, name: str) -> Person:
    key = iam.create_access_key(UserName=name)["AccessKey"]
    principal = office.view.credential(key["AccessKeyId"]).principal
    return Person(office, principal, key["AccessKeyId"], key["SecretAccessKey"].encode(), None)


@pytest.mark.parametrize("kind", ["user", "role", "group"])
def test_what_has_a_path_shows_it_and_is_listed_by_it(iam, kind) -> None:
    title, plural = kind.title(), f"{kind}s"
    more = {"AssumeRolePolicyDocument": TRUST} if kind == "role" else {}
    for name, path in (("a", "/"), ("b", "/team/"), ("c", "/team/x/"), ("d", "/teams/")):
        one = getattr(iam, f"create_{kind}")(**{f"{title}Name": name}, Path=path, **more)[title]
        assert (one["Path"], one["Arn"]) == (path, f"{ACCOUNT}:{kind}{path}{name}")
        assert getattr(iam, f"get_{kind}")(**{f"{title}Name": name})[title]["Arn"] == one["Arn"]

    def names(**members) -> list[str]:
        pages = iam.get_paginator(f"list_{plural}").paginate(PaginationConfig={"PageSize": 1}, **members)
        return sorted(one[f"{title}Name"] for page in pages for one in page[plural.title()])

    assert names(PathPrefix="/team/") == ["b", "c"] and names(PathPrefix="/team") == ["b", "c", "d"]
    assert set("abcd") <= set(names()) and names(PathPrefix="/none/") == []
    again = {f"{title}Name": "b", "Path": "/elsewhere/", **more}
    assert refused(getattr(iam, f"create_{kind}"), **again)[0] == "EntityAlreadyExists"  # names are unique without it
    assert refused(getattr(iam, f"create_{kind}"), **{**again, "Path": "/no"})[:2] == ("ValidationError", 400)


def test_a_key_policy_means_a_principal_by_its_whole_name(office, iam) -> None:
    iam.create_user(UserName="alice", Path="/team/x/")
    arn = f"{ACCOUNT}:user/team/x/alice"
    alice = person(office, iam, "alice")
    key_id = made(office.admin, Policy=policy(ROOT_MAY, allow("kms:Encrypt", principal=arn)))
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=b"x").status == 200
    assert alice.client("sts").get_caller_identity()["Arn"] == arn
    for other in (f"{ACCOUNT}:user/alice", f"{ACCOUNT}:user/team/alice", f"{ACCOUNT}:user/team/x/alice/"):
        reply = office.admin.call("CreateKey", Policy=policy(ROOT_MAY, allow("kms:*", principal=other)))
        assert reply.code == "MalformedPolicyDocumentException", other
        reply = office.admin.call("CreateGrant", KeyId=key_id, GranteePrincipal=other, Operations=["Encrypt"])
        assert reply.code == "InvalidArnException"
    made_of = office.admin.call("CreateGrant", KeyId=key_id, GranteePrincipal=arn, Operations=["Decrypt"])
    assert made_of.status == 200
    words = alice.call("DescribeKey", KeyId=key_id).message
    assert words.startswith(f"User: {arn} is not authorized")


def test_a_right_on_a_path_is_one_on_what_stands_there(office, iam) -> None:
    mine = f"{ACCOUNT}:user/team/*"
    lead = office.user("lead", policy(allow("iam:*User", "iam:*UserPolicy", resource=mine))).client("iam")
    lead.create_user(UserName="a", Path="/team/")
    assert refused(lead.create_user, UserName="b")[0] == "AccessDenied"
    assert refused(lead.create_user, UserName="b", Path="/teams/")[0] == "AccessDenied"
    iam.create_user(UserName="b")
    lead.put_user_policy(UserName="a", PolicyName="p", PolicyDocument=NOTHING)
    code, _, words = refused(lead.put_user_policy, UserName="b", PolicyName="p", PolicyDocument=NOTHING)
    assert code == "AccessDenied" and f"on resource: {ACCOUNT}:user/b" in words
    code, _, words = refused(lead.get_user, UserName="none")
    assert code == "AccessDenied" and f"on resource: {ACCOUNT}:user/none" in words


def test_a_role_is_taken_on_by_its_whole_name(office, iam) -> None:
    iam.create_role(RoleName="deploy", Path="/ci/", AssumeRolePolicyDocument=trust(f"{ACCOUNT}:root"))
    iam.put_role_policy(RoleName="deploy", PolicyName="may", PolicyDocument=ALLOW_ALL)
    guest = assume(office, office.admin, f"{ACCOUNT}:role/ci/deploy")
    assert guest.call("ListKeys").status == 200
    arn = f"arn:aws:sts::{TENANT}:assumed-role/deploy/build-7"  # without the path
    assert guest.client("sts").get_caller_identity()["Arn"] == arn
    absent = not_assumed(office.admin, f"{ACCOUNT}:role/deploy")
    assert absent[0] == "AccessDenied"
    assert not_assumed(office.admin, f"{ACCOUNT}:role/ci/ci/deploy")[0] == "AccessDenied"


def test_a_record_tells_the_whole_name(office, iam) -> None:
    iam.create_user(UserName="alice", Path="/team/")
    person(office, iam, "alice").client("sts").get_caller_identity()
    assert office.records()[-1].who.name == "team/alice"


def test_holders_are_listed_by_path(iam) -> None:
    arn = iam.create_policy(PolicyName="use", PolicyDocument=NOTHING)["Policy"]["Arn"]
    for name, path in (("a", "/"), ("b", "/team/")):
        iam.create_user(UserName=name, Path=path)
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    found = iam.list_entities_for_policy(PolicyArn=arn, PathPrefix="/team/")["PolicyUsers"]
    assert [one["UserName"] for one in found] == ["b"]


def test_a_group_moves_and_its_members_with_it(office, iam) -> None:
    """UpdateGroup: a right on what it is called, and on what it is to be called."""
    group = iam.create_group(GroupName="staff")["Group"]
    iam.create_group(GroupName="taken")
    alice = office.user("alice")
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    iam.put_group_policy(GroupName="staff", PolicyName="use", PolicyDocument=ALLOW_ALL)
    assert refused(iam.update_group, GroupName="staff", NewGroupName="taken") == (
        "EntityAlreadyExists",
        409,
        "Group with name taken already exists.",
    )
    iam.update_group(GroupName="staff", NewGroupName="people", NewPath="/all/")
    assert refused(iam.get_group, GroupName="staff")[0] == "NoSuchEntity"
    found = iam.get_group(GroupName="people")
    assert found["Group"] == {**group, "GroupName": "people", "Path": "/all/", "Arn": f"{ACCOUNT}:group/all/people"}
    assert [one["UserName"] for one in found["Users"]] == ["alice"] and alice.call("ListKeys").status == 200
    iam.update_group(GroupName="people", NewGroupName="people", NewPath="/")
    iam.create_group(GroupName="staff")
    mine = [f"{ACCOUNT}:group/people", f"{ACCOUNT}:group/mine/*"]
    lead = office.user("lead", policy(allow("iam:UpdateGroup", resource=mine))).client("iam")
    assert refused(lead.update_group, GroupName="people", NewGroupName="others")[0] == "AccessDenied"
    lead.update_group(GroupName="people", NewGroupName="others", NewPath="/mine/")


def test_what_a_role_may_be_changed_to(office, iam) -> None:
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=TRUST, Description="old")
    iam.update_role(RoleName="deploy", MaxSessionDuration=7200)
    role = iam.get_role(RoleName="deploy")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("old", 7200)
    iam.update_role(RoleName="deploy", Description="")
    role = iam.get_role(RoleName="deploy")["Role"]
    assert "Description" not in role and role["MaxSessionDuration"] == 7200
    assert iam.update_role_description(RoleName="deploy", Description="new")["Role"] == {**role, "Description": "new"}
    assert iam.get_role(RoleName="deploy")["Role"] == {**role, "Description": "new"}
    assert refused(iam.update_role_description, RoleName="none", Description="x")[0] == "NoSuchEntity"
    lead = office.user("lead", policy(allow("iam:UpdateRole"))).client("iam")
    lead.update_role(RoleName="deploy", Description="newer")
    assert refused(lead.update_role_description, RoleName="deploy", Description="x")[0] == "AccessDenied"
    assert refused(iam.update_role, RoleName="deploy", MaxSigninSessionDuration=3600)[:2] == ("InvalidInput", 400)
    assert refused(iam.update_role, RoleName="none", Description="x")[0] == "NoSuchEntity"
    assert iam.list_instance_profiles_for_role(RoleName="deploy")["InstanceProfiles"] == []
    assert refused(iam.list_instance_profiles_for_role, RoleName="none")[0] == "NoSuchEntity"


@pytest.mark.parametrize(
    ("rest", "name", "path"),
    [("user/a", "a", "/"), ("user/x/a", "a", "/x/"), ("role/x/y/a", "a", "/x/y/"), ("user//a", "a", "//")],
)
def test_an_arn_is_taken_apart_in_one_way(rest, name, path) -> None:
    found = principal_name(f"{ACCOUNT}:{rest}")
    assert (found.name, found.path) == (name, path) and found.kind in {PrincipalKind.USER, PrincipalKind.ROLE}
