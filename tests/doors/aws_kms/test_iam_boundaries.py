"""Permissions boundaries: IAM User Guide, "Permissions boundaries for IAM entities". Decided: test_policy_limits."""

import pytest
from tests.doors.aws_kms.managing import EVERYTHING, ROOT_MAY, allow, deny, made, policy
from tests.doors.aws_kms.test_iam import IAM_ALL, TRUST, refused
from tests.harness import ALLOW_ALL, TENANT, Person, stack

from keystead.core import operations as ops
from keystead.core.entities import Kind, ManagedPolicy
from keystead.core.errors import Internal


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def managed(iam, name: str, document: str) -> str:
    return iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]


def usage(iam, arn: str) -> int:
    return iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"]


@pytest.mark.parametrize("kind", ["user", "role"])
def test_the_life_of_a_boundary(office, iam, kind) -> None:
    title, who = kind.title(), {f"{kind.title()}Name": "who"}
    one, other = managed(iam, "one", EVERYTHING), managed(iam, "other", EVERYTHING)
    more = {"AssumeRolePolicyDocument": TRUST} if kind == "role" else {}
    create, get = getattr(iam, f"create_{kind}"), getattr(iam, f"get_{kind}")
    put = getattr(iam, f"put_{kind}_permissions_boundary")
    delete = getattr(iam, f"delete_{kind}_permissions_boundary")

    def shown(arn: str) -> dict:
        return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}

    made = create(PermissionsBoundary=one, **who, **more)[title]
    assert made["PermissionsBoundary"] == shown(one) and get(**who)[title] == made
    (listed,) = (found for found in getattr(iam, f"list_{kind}s")()[f"{title}s"] if found[f"{title}Name"] == "who")
    assert "PermissionsBoundary" not in listed
    assert (usage(iam, one), usage(iam, other)) == (1, 0)
    assert iam.list_entities_for_policy(PolicyArn=one)[f"Policy{title}s"][0][f"{title}Name"] == "who"
    for usage_filter, n in (("PermissionsBoundary", 1), ("PermissionsPolicy", 0)):
        found = iam.list_entities_for_policy(PolicyArn=one, PolicyUsageFilter=usage_filter)
        assert len(found[f"Policy{title}s"]) == n
    assert [p["PolicyName"] for p in iam.list_policies(PolicyUsageFilter="PermissionsBoundary")["Policies"]] == ["one"]
    assert getattr(iam, f"list_attached_{kind}_policies")(**who)["AttachedPolicies"] == []
    put(PermissionsBoundary=other, **who)
    put(PermissionsBoundary=other, **who)
    assert get(**who)[title]["PermissionsBoundary"] == shown(other)
    assert (usage(iam, one), usage(iam, other)) == (0, 1)
    getattr(iam, f"attach_{kind}_policy")(PolicyArn=other, **who)  # the same policy, both ways: one holder
    assert len(iam.list_entities_for_policy(PolicyArn=other)[f"Policy{title}s"]) == 1
    getattr(iam, f"detach_{kind}_policy")(PolicyArn=other, **who)
    assert refused(iam.delete_policy, PolicyArn=other)[0] == "DeleteConflict"
    delete(**who)
    delete(**who)  # whoever has none stays without
    assert "PermissionsBoundary" not in get(**who)[title] and usage(iam, other) == 0
    put(PermissionsBoundary=one, **who)
    getattr(iam, f"delete_{kind}")(**who)  # its boundary goes with it
    for arn in (one, other):
        assert usage(iam, arn) == 0
        iam.delete_policy(PolicyArn=arn)
    assert office.store.count(Kind.ATTACHMENT) == 0


def test_a_boundary_that_is_not_there(office, iam) -> None:
    absent = f"arn:aws:iam::{TENANT}:policy/none"
    iam.create_user(UserName="alice")
    said = ("NoSuchEntity", 404, f"Policy {absent} does not exist or is not attachable.")
    assert refused(iam.put_user_permissions_boundary, UserName="alice", PermissionsBoundary=absent) == said
    assert refused(iam.create_user, UserName="bob", PermissionsBoundary=absent) == said
    members = {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": absent}
    assert refused(iam.create_role, **members) == ("InvalidInput", 400, said[2])  # the model lists no NoSuchEntity
    members = {"UserName": "alice", "PermissionsBoundary": "arn:aws:iam::aws:role/x"}
    assert refused(iam.put_user_permissions_boundary, **members)[0] == "InvalidInput"
    assert refused(iam.put_user_permissions_boundary, UserName="none", PermissionsBoundary=absent)[0] == "NoSuchEntity"
    assert {one["UserName"] for one in iam.list_users()["Users"]} == {"admin", "alice"}


def test_it_holds_as_soon_as_it_is_answered(office, iam) -> None:
    alice = office.user("alice", ALLOW_ALL)
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    arn = managed(iam, "limit", policy(allow("kms:Decrypt")))

    def may(person: Person = alice) -> bool:
        return person.call("Encrypt", KeyId=key_id, Plaintext=b"x").code is None

    assert may()
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=arn)
    assert not may()
    words = alice.call("Encrypt", KeyId=key_id, Plaintext=b"x").message
    assert words.endswith("because no permissions boundary allows the kms:Encrypt action")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=EVERYTHING, SetAsDefault=True)
    assert may()
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("kms:*"), deny("kms:Encrypt")))
    assert may()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v3")
    assert not may()
    iam.delete_user_permissions_boundary(UserName="alice")
    assert may()


def test_it_bounds_what_groups_and_attached_policies_give(office, iam) -> None:
    alice = office.user("alice")
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    everything = managed(iam, "everything", EVERYTHING)
    iam.create_group(GroupName="staff")
    iam.attach_group_policy(GroupName="staff", PolicyArn=everything)
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=b"x").status == 200
    limit = managed(iam, "limit", policy(allow("kms:Describe*")))
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=limit)
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=b"x").code == "AccessDeniedException"
    assert alice.call("DescribeKey", KeyId=key_id).status == 200
    named = made(office.admin, Policy=policy(ROOT_MAY, allow("kms:*", principal=alice.arn)))
    assert alice.call("Encrypt", KeyId=named, Plaintext=b"x").status == 200  # given to the user directly


def test_the_lockout_check_knows_of_boundaries(office, iam) -> None:
    """PutKeyPolicy: whoever puts a policy must be able to put the next one."""
    lead = office.user("lead", EVERYTHING)
    limit = managed(iam, "limit", policy(allow("kms:CreateKey")))
    iam.put_user_permissions_boundary(UserName="lead", PermissionsBoundary=limit)
    asked = {"Policy": policy(ROOT_MAY)}
    assert lead.call("CreateKey", **asked).code == "MalformedPolicyDocumentException"
    assert lead.call("CreateKey", BypassPolicyLockoutSafetyCheck=True, **asked).status == 200


def test_an_administrator_can_delegate_within_a_boundary(office, iam) -> None:
    """IAM User Guide, "Delegating responsibility to others using permissions boundaries"."""
    limit, none = managed(iam, "limit", policy(allow("kms:*"))), managed(iam, "none", EVERYTHING)
    bounded = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": limit}}}
    actions = [f"iam:{verb}" for verb in ("CreateUser", "PutUserPolicy", "AttachUserPolicy", "PutUser*Boundary")]
    may = allow(*actions, **bounded)
    lead = office.user("lead", policy(may, deny("iam:DeleteUserPermissionsBoundary"))).client("iam")
    for more in ({}, {"PermissionsBoundary": none}):
        assert refused(lead.create_user, UserName="new", **more)[0] == "AccessDenied"
    lead.create_user(UserName="new", PermissionsBoundary=limit)
    lead.put_user_policy(UserName="new", PolicyName="all", PolicyDocument=IAM_ALL)
    lead.attach_user_policy(UserName="new", PolicyArn=none)
    for call, more in (
        (lead.put_user_permissions_boundary, {"PermissionsBoundary": none}),
        (lead.delete_user_permissions_boundary, {}),
    ):
        assert refused(call, UserName="new", **more)[0] == "AccessDenied"
    iam.create_user(UserName="free")
    assert refused(lead.put_user_policy, UserName="free", PolicyName="all", PolicyDocument=IAM_ALL)[0] == "AccessDenied"
    assert refused(lead.put_user_policy, UserName="lead", PolicyName="all", PolicyDocument=IAM_ALL)[0] == "AccessDenied"
    key = iam.create_access_key(UserName="new")["AccessKey"]
    principal = office.view.credential(key["AccessKeyId"]).principal
    new = Person(office, principal, key["AccessKeyId"], key["SecretAccessKey"].encode(), None)
    assert refused(new.client("iam").list_users)[0] == "AccessDenied" and new.call("ListKeys").status == 200


def test_a_boundary_that_was_lost_lets_nobody_through(office, iam) -> None:
    alice = office.user("alice", ALLOW_ALL)
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=managed(iam, "limit", EVERYTHING))
    lost = office.barrier.every(ManagedPolicy)[0]
    with office.store.transaction() as txn:
        txn.delete(Kind.MANAGED_POLICY, lost.id)
    office.view.forget()
    with pytest.raises(Internal):
        office.view.rights(alice.principal.id)
    assert alice.call("ListKeys").status == 500


def test_an_operator_who_deletes_a_user_frees_its_boundary(office, iam) -> None:
    limit = managed(iam, "limit", EVERYTHING)
    iam.create_user(UserName="alice", PermissionsBoundary=limit)
    iam.attach_user_policy(UserName="alice", PolicyArn=limit)
    office.by_system(ops.DeletePrincipal(tenant=ops.TenantRef(TENANT), name="alice"))
    found = iam.get_policy(PolicyArn=limit)["Policy"]
    assert (found["AttachmentCount"], found["PermissionsBoundaryUsageCount"]) == (0, 0)
    assert office.store.count(Kind.ATTACHMENT) == 0
