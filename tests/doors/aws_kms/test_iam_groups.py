"""Groups: IAM User Guide, "IAM user groups". A group does nothing; what its policies say counts for its members."""

import pytest
from botocore.exceptions import ClientError
from tests.doors.aws_kms.managing import ROOT_MAY, allow, deny, made, policy
from tests.doors.aws_kms.test_iam import refused
from tests.harness import ALLOW_ALL, TENANT, Person, stack

from keystead.core import operations as ops
from keystead.core.entities import Kind, PrincipalKind
from keystead.core.errors import InvalidArgument, NotFound


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def test_the_life_of_a_group(office, iam) -> None:
    group = iam.create_group(GroupName="staff")["Group"]
    assert group["Arn"] == f"arn:aws:iam::{TENANT}:group/staff" and group["Path"] == "/"
    found = iam.get_group(GroupName="staff")
    assert (found["Group"], found["Users"], found["IsTruncated"]) == (group, [], False)
    assert iam.list_groups()["Groups"] == [group]
    assert refused(iam.create_group, GroupName="staff") == (
        "EntityAlreadyExists",
        409,
        "Group with name staff already exists.",
    )
    iam.create_user(UserName="staff")  # names of groups are their own
    assert {one["UserName"] for one in iam.list_users()["Users"]} == {"admin", "staff"}
    iam.delete_group(GroupName="staff")
    for gone in (iam.get_group, iam.delete_group):
        assert refused(gone, GroupName="staff") == ("NoSuchEntity", 404, "The group with name staff cannot be found.")
    assert iam.create_group(GroupName="staff")["Group"]["GroupId"] != group["GroupId"]


def test_who_is_in_it(office, iam) -> None:
    iam.create_group(GroupName="staff")
    for name in ("a", "b", "c"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="staff", UserName=name)
        iam.add_user_to_group(GroupName="staff", UserName=name)  # nothing happens
    first = iam.get_group(GroupName="staff", MaxItems=2)
    rest = iam.get_group(GroupName="staff", MaxItems=2, Marker=first["Marker"])
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    assert sorted(one["UserName"] for one in first["Users"] + rest["Users"]) == ["a", "b", "c"]
    assert [one["GroupName"] for one in iam.list_groups_for_user(UserName="a")["Groups"]] == ["staff"]
    assert refused(iam.delete_group, GroupName="staff")[:2] == ("DeleteConflict", 409)
    assert refused(iam.delete_user, UserName="a") == (
        "DeleteConflict",
        409,
        "Cannot delete entity, must remove users from group first.",
    )
    for name in ("a", "b", "c"):
        iam.remove_user_from_group(GroupName="staff", UserName=name)
    assert iam.list_groups_for_user(UserName="a")["Groups"] == []
    assert refused(iam.remove_user_from_group, GroupName="staff", UserName="a")[:2] == ("NoSuchEntity", 404)
    for change in (iam.add_user_to_group, iam.remove_user_from_group):
        code, _, words = refused(change, GroupName="staff", UserName="nobody")
        assert (code, words) == ("NoSuchEntity", "The user with name nobody cannot be found.")
        assert refused(change, GroupName="none", UserName="a")[2] == "The group with name none cannot be found."
    iam.put_group_policy(GroupName="staff", PolicyName="p", PolicyDocument=ALLOW_ALL)
    assert refused(iam.delete_group, GroupName="staff")[0] == "DeleteConflict"
    iam.delete_group_policy(GroupName="staff", PolicyName="p")
    iam.delete_group(GroupName="staff")
    assert office.store.count(Kind.MEMBERSHIP) == 0


def test_a_user_is_in_ten_groups_at_most(iam) -> None:
    iam.create_user(UserName="a")
    for n in range(11):
        iam.create_group(GroupName=f"g{n}")
    for n in range(10):
        iam.add_user_to_group(GroupName=f"g{n}", UserName="a")
    assert refused(iam.add_user_to_group, GroupName="g10", UserName="a") == (
        "LimitExceeded",
        409,
        "Cannot exceed quota for GroupsPerUser: 10",
    )
    first = iam.list_groups_for_user(UserName="a", MaxItems=7)
    rest = iam.list_groups_for_user(UserName="a", MaxItems=7, Marker=first["Marker"])
    assert sorted(one["GroupName"] for one in first["Groups"] + rest["Groups"]) == sorted(f"g{n}" for n in range(10))


def test_what_a_groups_policy_says_counts_for_its_members_as_soon_as_it_is_answered(office, iam) -> None:
    alice, bob = office.user("alice"), office.user("bob")
    key_id = made(office.admin, Policy=policy(ROOT_MAY))

    def may(person: Person) -> bool:
        return person.call("Encrypt", KeyId=key_id, Plaintext=b"x").code is None

    iam.create_group(GroupName="staff")
    assert not may(alice)
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    assert not may(alice)
    iam.put_group_policy(GroupName="staff", PolicyName="use", PolicyDocument=ALLOW_ALL)
    assert may(alice) and not may(bob)
    iam.put_group_policy(GroupName="staff", PolicyName="no", PolicyDocument=policy(deny("kms:Encrypt")))
    assert not may(alice)
    iam.put_user_policy(UserName="alice", PolicyName="mine", PolicyDocument=ALLOW_ALL)
    assert not may(alice)  # an explicit deny of the group's beats what is the user's own
    iam.delete_group_policy(GroupName="staff", PolicyName="no")
    iam.delete_user_policy(UserName="alice", PolicyName="mine")
    assert may(alice)
    iam.remove_user_from_group(GroupName="staff", UserName="alice")
    assert not may(alice)


def test_row_39_a_deny_in_any_of_the_policies_beats_every_allow(office, iam) -> None:
    alice = office.user("alice", ALLOW_ALL)
    key_id = made(office.admin, Policy=policy(ROOT_MAY, allow("kms:*", principal=alice.arn)))
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=b"x").status == 200
    iam.create_group(GroupName="shut")
    iam.put_group_policy(GroupName="shut", PolicyName="no", PolicyDocument=policy(deny("kms:*")))
    iam.add_user_to_group(GroupName="shut", UserName="alice")
    reply = alice.call("Encrypt", KeyId=key_id, Plaintext=b"x")
    assert reply.code == "AccessDeniedException" and "explicit deny in an identity-based policy" in reply.message


def test_what_is_said_of_a_group_is_held_by_every_worker(office, iam) -> None:
    """The view drops whoever rests on a group when it, or who is in it, changes; and nobody else."""
    alice, bob = office.user("alice"), office.user("bob")
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="alice")

    def held(person: Person):
        return office.view.credential(person.access_key_id).rights

    before, others = held(alice), held(bob)
    assert [one.name for one in before.rests_on] == ["staff"] and held(alice) is before
    iam.put_group_policy(GroupName="staff", PolicyName="use", PolicyDocument=ALLOW_ALL)
    after = held(alice)
    assert after is not before and [one.text for one in after.policies] == [ALLOW_ALL]
    assert held(bob) is others
    iam.remove_user_from_group(GroupName="staff", UserName="alice")
    assert held(alice).policies == () and held(bob) is others


def test_a_group_is_nobody(office, iam) -> None:
    """It cannot be named as a principal, has no credential, and stands in no list of those who act."""
    iam.create_group(GroupName="staff")
    arn = f"arn:aws:iam::{TENANT}:group/staff"
    reply = office.admin.call("CreateKey", Policy=policy(ROOT_MAY, allow("kms:*", principal=arn)))
    assert reply.code in {"MalformedPolicyDocumentException", "InvalidArnException"}
    assert refused(iam.create_access_key, UserName="staff")[0] == "NoSuchEntity"
    at = ops.TenantRef(TENANT)
    assert {one.name for one in office.by_system(ops.ListPrincipals(tenant=at)).items} == {"admin", "root"}
    for op in (
        ops.CreateAccessKey(tenant=at, name="staff"),
        ops.IssueSession(tenant=at, name="staff", seconds=900),
        ops.SetPrincipalEnabled(tenant=at, name="staff", enabled=False),
    ):
        with pytest.raises(NotFound):
            office.by_system(op)
    of_group = ops.PrincipalRef(TENANT, PrincipalKind.GROUP, "staff")
    with pytest.raises(InvalidArgument):
        office.by_system(ops.CreateUserAccessKey(principal=of_group))
    group_id = iam.get_group(GroupName="staff")["Group"]["GroupId"]
    assert office.view.rights(group_id) is None  # a token or a credential that named it would be nobody's


def test_an_operator_who_deletes_a_user_takes_it_out_of_its_groups(office, iam) -> None:
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    office.by_system(ops.DeletePrincipal(tenant=ops.TenantRef(TENANT), name="alice"))
    assert iam.get_group(GroupName="staff")["Users"] == [] and office.store.count(Kind.MEMBERSHIP) == 0


def test_each_action_on_a_group_is_a_right_of_its_own(office, iam) -> None:
    """Service Authorization Reference: AddUserToGroup is a right on the group."""
    iam.create_group(GroupName="staff")
    iam.create_group(GroupName="board")
    iam.create_user(UserName="new")
    mine = f"arn:aws:iam::{TENANT}:group/staff"
    lead = office.user("lead", policy(allow("iam:AddUserToGroup", resource=mine))).client("iam")
    lead.add_user_to_group(GroupName="staff", UserName="new")
    assert refused(lead.add_user_to_group, GroupName="board", UserName="new")[0] == "AccessDenied"
    assert refused(lead.remove_user_from_group, GroupName="staff", UserName="new")[0] == "AccessDenied"
    assert refused(lead.put_group_policy, GroupName="staff", PolicyName="p", PolicyDocument=ALLOW_ALL)[0] == (
        "AccessDenied"
    )


def test_what_a_change_rests_on_includes_the_groups_of_whoever_makes_it(office, iam) -> None:
    """A commit names every revision that the decision rested on: a group that lost its right meanwhile is seen."""
    alice = office.user("alice")
    iam.create_group(GroupName="makers")
    iam.put_group_policy(GroupName="makers", PolicyName="make", PolicyDocument=policy(allow("iam:CreateUser")))
    iam.add_user_to_group(GroupName="makers", UserName="alice")
    commit = office.barrier.commit

    def overtaken(change):
        office.barrier.commit = commit
        iam.delete_group_policy(GroupName="makers", PolicyName="make")
        commit(change)

    office.barrier.commit = overtaken
    with pytest.raises(ClientError, match="AccessDenied"):
        alice.client("iam").create_user(UserName="eve")
    assert refused(iam.get_user, UserName="eve")[0] == "NoSuchEntity"
