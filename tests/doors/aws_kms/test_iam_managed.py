"""Managed policies: IAM User Guide, "Managed policies and inline policies", "Versioning IAM policies"."""

import json

import pytest
from tests.doors.aws_kms.managing import EVERYTHING, NOTHING, ROOT_MAY, allow, deny, made, policy
from tests.doors.aws_kms.test_iam import TRUST, refused
from tests.harness import ALLOW_ALL, OTHER_TENANT, TENANT, Person, stack

from keystead.core import operations as ops
from keystead.core.entities import Kind, ManagedPolicy
from keystead.core.errors import Internal

ARN = f"arn:aws:iam::{TENANT}:policy/use"
AWS_OWN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def test_the_life_of_a_policy(office, iam) -> None:
    one = iam.create_policy(
        PolicyName="use", Path="/team/a/", PolicyDocument=ALLOW_ALL, Description="whoever uses keys"
    )["Policy"]
    arn = one["Arn"]
    assert arn == f"arn:aws:iam::{TENANT}:policy/team/a/use" and one["Path"] == "/team/a/"
    assert (one["DefaultVersionId"], one["AttachmentCount"], one["IsAttachable"]) == ("v1", 0, True)
    assert one["PermissionsBoundaryUsageCount"] == 0
    assert iam.get_policy(PolicyArn=arn)["Policy"] == one
    (listed,) = iam.list_policies()["Policies"]
    assert listed == {name: value for name, value in one.items() if name != "Description"}
    assert refused(iam.create_policy, PolicyName="use", PolicyDocument=ALLOW_ALL) == (
        "EntityAlreadyExists",
        409,
        "A policy called use already exists. Duplicate names are not allowed.",
    )
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == json.loads(ALLOW_ALL)
    iam.delete_policy(PolicyArn=arn)
    for gone in (iam.get_policy, iam.delete_policy, iam.list_policy_versions, iam.list_entities_for_policy):
        assert refused(gone, PolicyArn=arn) == ("NoSuchEntity", 404, f"Policy {arn} was not found.")
    again = iam.create_policy(PolicyName="use", PolicyDocument=ALLOW_ALL)["Policy"]
    assert again["PolicyId"] != one["PolicyId"]
    assert refused(iam.get_policy, PolicyArn=arn)[0] == "NoSuchEntity"  # its path is another


def test_listings(iam) -> None:
    for name, path in (("a", "/"), ("b", "/team/"), ("c", "/team/x/"), ("d", "/teams/")):
        iam.create_policy(PolicyName=name, Path=path, PolicyDocument=NOTHING)
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=f"arn:aws:iam::{TENANT}:policy/team/b")

    def names(**members) -> list[str]:
        pages = iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 1}, **members)
        return sorted(one["PolicyName"] for page in pages for one in page["Policies"])

    assert names() == names(Scope="All") == names(Scope="Local") == ["a", "b", "c", "d"]
    assert names(Scope="AWS") == []
    assert names(PathPrefix="/team/") == ["b", "c"]
    assert names(OnlyAttached=True) == names(PolicyUsageFilter="PermissionsPolicy") == ["b"]
    assert names(OnlyAttached=True, PathPrefix="/teams/") == names(PolicyUsageFilter="PermissionsBoundary") == []


def test_versions(iam) -> None:
    iam.create_policy(PolicyName="use", PolicyDocument=NOTHING)

    def versions() -> list[tuple[str, bool]]:
        pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=ARN, PaginationConfig={"PageSize": 2})
        return [(one["VersionId"], one["IsDefaultVersion"]) for page in pages for one in page["Versions"]]

    second = iam.create_policy_version(PolicyArn=ARN, PolicyDocument=EVERYTHING)["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"], "Document" in second) == ("v2", False, False)
    assert versions() == [("v2", False), ("v1", True)]
    assert iam.get_policy(PolicyArn=ARN)["Policy"]["DefaultVersionId"] == "v1"
    third = iam.create_policy_version(PolicyArn=ARN, PolicyDocument=EVERYTHING, SetAsDefault=True)["PolicyVersion"]
    assert (third["VersionId"], third["IsDefaultVersion"]) == ("v3", True)
    assert refused(iam.delete_policy_version, PolicyArn=ARN, VersionId="v3") == (
        "DeleteConflict",
        409,
        "Cannot delete the default version of a policy.",
    )
    assert refused(iam.delete_policy, PolicyArn=ARN)[:2] == ("DeleteConflict", 409)
    for _ in range(2):
        iam.create_policy_version(PolicyArn=ARN, PolicyDocument=NOTHING)
    assert versions() == [("v5", False), ("v4", False), ("v3", True), ("v2", False), ("v1", False)]
    assert refused(iam.create_policy_version, PolicyArn=ARN, PolicyDocument=NOTHING)[:2] == ("LimitExceeded", 409)
    iam.set_default_policy_version(PolicyArn=ARN, VersionId="v5")
    for number in (4, 3, 2, 1):
        iam.delete_policy_version(PolicyArn=ARN, VersionId=f"v{number}")
    assert iam.create_policy_version(PolicyArn=ARN, PolicyDocument=NOTHING)["PolicyVersion"]["VersionId"] == "v6"
    for call in (iam.get_policy_version, iam.delete_policy_version, iam.set_default_policy_version):
        for number in ("v1", "v7", "v6.x", "v" + "9" * 100):
            code, status, words = refused(call, PolicyArn=ARN, VersionId=number)
            assert (code, status) == ("NoSuchEntity", 404) and number in words


def test_a_document_has_its_form_and_its_size(iam) -> None:
    bad = '{"Statement":[{"Effect":"Allow","Action":"kms:*"}]}'
    most = policy(allow("kms:*", resource=f"arn:aws:kms:*:*:key/{'x' * 6000}"))
    padded = most.ljust(20_000)  # "IAM doesn't count white space"
    iam.create_policy(PolicyName="use", PolicyDocument=padded)
    assert iam.get_policy_version(PolicyArn=ARN, VersionId="v1")["PolicyVersion"]["Document"] == json.loads(most)
    long = policy(allow("kms:*", resource=f"arn:aws:kms:*:*:key/{'x' * 6144}"))
    for call, name in ((iam.create_policy, {"PolicyName": "new"}), (iam.create_policy_version, {"PolicyArn": ARN})):
        assert refused(call, PolicyDocument=bad, **name)[:2] == ("MalformedPolicyDocument", 400)
        assert refused(call, PolicyDocument=long, **name) == (
            "LimitExceeded",
            409,
            "Cannot exceed quota for PolicySize: 6144",
        )
    assert [one["PolicyName"] for one in iam.list_policies()["Policies"]] == ["use"]


@pytest.mark.parametrize("kind", ["user", "role", "group"])
def test_attached_to_each_kind_of_principal(office, iam, kind) -> None:
    make = {
        "user": lambda: iam.create_user(UserName="who")["User"]["UserId"],
        "role": lambda: iam.create_role(RoleName="who", AssumeRolePolicyDocument=TRUST)["Role"]["RoleId"],
        "group": lambda: iam.create_group(GroupName="who")["Group"]["GroupId"],
    }
    id_, who = make[kind](), {f"{kind.title()}Name": "who"}
    attach, detach = getattr(iam, f"attach_{kind}_policy"), getattr(iam, f"detach_{kind}_policy")
    listed = getattr(iam, f"list_attached_{kind}_policies")
    arns = [
        iam.create_policy(PolicyName=f"p{n}", Path="/t/" if n == 3 else "/", PolicyDocument=NOTHING)["Policy"]["Arn"]
        for n in range(11)
    ]
    assert refused(detach, PolicyArn=arns[0], **who) == ("NoSuchEntity", 404, f"Policy {arns[0]} was not found.")
    for arn in arns[:10]:
        attach(PolicyArn=arn, **who)
        attach(PolicyArn=arn, **who)  # nothing happens
    assert refused(attach, PolicyArn=arns[10], **who) == (
        "LimitExceeded",
        409,
        f"Cannot exceed quota for PoliciesPer{kind.title()}: 10",
    )
    first = listed(MaxItems=6, **who)
    rest = listed(MaxItems=6, Marker=first["Marker"], **who)
    found = first["AttachedPolicies"] + rest["AttachedPolicies"]
    assert sorted(one["PolicyArn"] for one in found) == sorted(arns[:10]) and rest["IsTruncated"] is False
    assert [one["PolicyName"] for one in listed(PathPrefix="/t/", **who)["AttachedPolicies"]] == ["p3"]
    assert iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 1
    entities = iam.list_entities_for_policy(PolicyArn=arns[0])
    title = kind.title()
    assert entities[f"Policy{title}s"] == [{f"{title}Name": "who", f"{title}Id": id_}]
    assert iam.list_entities_for_policy(PolicyArn=arns[0], EntityFilter=title)[f"Policy{title}s"]
    other = "Role" if kind != "role" else "User"
    assert iam.list_entities_for_policy(PolicyArn=arns[0], EntityFilter=other)[f"Policy{title}s"] == []
    delete = getattr(iam, f"delete_{kind}")
    assert refused(delete, **who) == ("DeleteConflict", 409, "Cannot delete entity, must detach all policies first.")
    assert refused(iam.delete_policy, PolicyArn=arns[0]) == (
        "DeleteConflict",
        409,
        "Cannot delete a policy attached to entities.",
    )
    for arn in arns[:10]:
        detach(PolicyArn=arn, **who)
    delete(**who)
    for arn in arns:
        iam.delete_policy(PolicyArn=arn)
    assert office.store.count(Kind.ATTACHMENT) == office.store.count(Kind.MANAGED_POLICY) == 0


def test_whom_a_policy_is_attached_to_comes_in_pages(iam) -> None:
    iam.create_policy(PolicyName="use", PolicyDocument=NOTHING)
    for n in range(3):
        iam.create_user(UserName=f"u{n}")
        iam.create_role(RoleName=f"r{n}", AssumeRolePolicyDocument=TRUST)
        iam.attach_user_policy(UserName=f"u{n}", PolicyArn=ARN)
        iam.attach_role_policy(RoleName=f"r{n}", PolicyArn=ARN)
    pages = list(
        iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=ARN, PaginationConfig={"PageSize": 2})
    )
    assert len(pages) == 3
    assert sorted(one["UserName"] for page in pages for one in page["PolicyUsers"]) == ["u0", "u1", "u2"]
    assert sorted(one["RoleName"] for page in pages for one in page["PolicyRoles"]) == ["r0", "r1", "r2"]
    assert refused(iam.list_entities_for_policy, PolicyArn=ARN, Marker="forged")[0] == "ValidationError"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:policy/",
        "arn:aws:iam::111122223333:policy//use",
        "arn:aws:iam::111122223333:policy/../use",
        "arn:aws:iam::1:policy/usepolicyuse",
        "arn:aws:iam:eu-west-1:111122223333:policy/use",
        "arn:aws:iam::111122223333:policy/use*",
        "x" * 30,
    ],
)
def test_what_is_no_policys_arn_is_told_so(iam, arn) -> None:
    iam.create_user(UserName="alice")
    if ".." in arn:  # a path like any other, and of no policy
        assert refused(iam.get_policy, PolicyArn=arn)[0] == "NoSuchEntity"
        return
    for call, more in ((iam.get_policy, {}), (iam.attach_user_policy, {"UserName": "alice"})):
        assert refused(call, PolicyArn=arn, **more) == ("InvalidInput", 400, f"ARN {arn} is not valid.")


def test_policies_of_aws_and_of_another_account_are_not_held_here(office, iam) -> None:
    office.keyring(OTHER_TENANT)
    theirs = office.user("carol", policy(allow("iam:*")), tenant=OTHER_TENANT).client("iam")
    foreign = theirs.create_policy(PolicyName="use", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    iam.create_user(UserName="alice")
    assert refused(iam.get_policy, PolicyArn=AWS_OWN) == ("NoSuchEntity", 404, f"Policy {AWS_OWN} was not found.")
    assert refused(iam.get_policy, PolicyArn=foreign)[0] == "AccessDenied"
    for arn in (AWS_OWN, foreign):
        assert refused(iam.attach_user_policy, UserName="alice", PolicyArn=arn) == (
            "NoSuchEntity",
            404,
            f"Policy {arn} does not exist or is not attachable.",
        )
    assert iam.list_policies()["Policies"] == []


# --- decisions


def test_what_an_attached_policy_says_counts_as_soon_as_it_is_answered(office, iam) -> None:
    alice, bob = office.user("alice"), office.user("bob")
    key_id = made(office.admin, Policy=policy(ROOT_MAY))

    def may(person: Person) -> bool:
        return person.call("Encrypt", KeyId=key_id, Plaintext=b"x").code is None

    iam.create_policy(PolicyName="use", PolicyDocument=ALLOW_ALL)
    assert not may(alice)
    iam.attach_user_policy(UserName="alice", PolicyArn=ARN)
    assert may(alice) and not may(bob)
    iam.create_policy_version(PolicyArn=ARN, PolicyDocument=NOTHING)
    assert may(alice)  # not the default one
    iam.set_default_policy_version(PolicyArn=ARN, VersionId="v2")
    assert not may(alice)
    iam.create_policy_version(PolicyArn=ARN, PolicyDocument=ALLOW_ALL, SetAsDefault=True)
    assert may(alice)
    iam.detach_user_policy(UserName="alice", PolicyArn=ARN)
    assert not may(alice)
    iam.create_group(GroupName="staff")
    for name in ("alice", "bob"):
        iam.add_user_to_group(GroupName="staff", UserName=name)
    iam.attach_group_policy(GroupName="staff", PolicyArn=ARN)
    assert may(alice) and may(bob)
    iam.set_default_policy_version(PolicyArn=ARN, VersionId="v2")
    assert not may(alice) and not may(bob)
    iam.set_default_policy_version(PolicyArn=ARN, VersionId="v1")
    no = iam.create_policy(PolicyName="no", PolicyDocument=policy(deny("kms:Encrypt")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="bob", PolicyArn=no)
    assert may(alice) and not may(bob)  # row 39
    iam.detach_group_policy(GroupName="staff", PolicyArn=ARN)
    assert not may(alice)


def test_the_view_drops_whoever_rests_on_a_policy_and_nobody_else(office, iam) -> None:
    alice, bob, carol = (office.user(name) for name in ("alice", "bob", "carol"))
    iam.create_policy(PolicyName="use", PolicyDocument=NOTHING)
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="bob")
    iam.attach_user_policy(UserName="alice", PolicyArn=ARN)
    iam.attach_group_policy(GroupName="staff", PolicyArn=ARN)

    def held(person: Person):
        return office.view.credential(person.access_key_id).rights

    before = {person: held(person) for person in (alice, bob, carol)}
    iam.create_policy_version(PolicyArn=ARN, PolicyDocument=ALLOW_ALL, SetAsDefault=True)
    assert [one.text for one in held(alice).policies] == [one.text for one in held(bob).policies] == [ALLOW_ALL]
    assert held(carol) is before[carol]
    assert held(alice) is not before[alice] and held(alice) is held(alice)


def test_nothing_is_read_for_it_while_a_request_waits(office, iam) -> None:
    """Policies are gathered when a principal is found, so the event loop is never blocked by how many there are."""
    alice = office.user("alice")
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    iam.create_policy(PolicyName="use", PolicyDocument=ALLOW_ALL)
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    iam.attach_group_policy(GroupName="staff", PolicyArn=ARN)
    alice.call("Encrypt", KeyId=key_id, Plaintext=b"x")
    office.on_the_loop()
    request = alice.signed(
        {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"},
        json.dumps({"KeyId": key_id, "Plaintext": "eA=="}).encode(),
    )
    assert office.front.serve(request).startswith(b"HTTP/1.1 200")  # no WouldBlock


def test_a_policy_that_was_lost_allows_nothing_and_hides_nothing(office, iam) -> None:
    """It may have been one that says no."""
    alice = office.user("alice", ALLOW_ALL)
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    iam.create_policy(PolicyName="use", PolicyDocument=policy(deny("kms:*")))
    iam.attach_user_policy(UserName="alice", PolicyArn=ARN)
    lost = office.barrier.every(ManagedPolicy)[0]
    with office.store.transaction() as txn:
        txn.delete(Kind.MANAGED_POLICY, lost.id)
    office.view.forget()
    with pytest.raises(Internal):
        office.view.rights(alice.principal.id)
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=b"x").status == 500


def test_an_operator_who_deletes_a_user_leaves_no_attachment(office, iam) -> None:
    iam.create_policy(PolicyName="use", PolicyDocument=NOTHING)
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=ARN)
    office.by_system(ops.DeletePrincipal(tenant=ops.TenantRef(TENANT), name="alice"))
    assert iam.get_policy(PolicyArn=ARN)["Policy"]["AttachmentCount"] == 0
    iam.delete_policy(PolicyArn=ARN)
    assert office.store.count(Kind.ATTACHMENT) == 0


# --- who may


def test_who_may_is_decided_on_the_arn_and_on_which_policy_is_attached(office, iam) -> None:
    """Service Authorization Reference: iam:PolicyARN; the resource of CreatePolicy is the policy to be."""
    may_attach = allow(
        "iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": f"arn:aws:iam::{TENANT}:policy/team/*"}}
    )
    may_make = allow("iam:CreatePolicy", "iam:GetPolicy", resource=f"arn:aws:iam::{TENANT}:policy/team/*")
    lead = office.user("lead", policy(may_attach, may_make)).client("iam")
    iam.create_user(UserName="alice")
    mighty = iam.create_policy(PolicyName="mighty", PolicyDocument=EVERYTHING)["Policy"]["Arn"]
    mine = lead.create_policy(PolicyName="use", Path="/team/", PolicyDocument=NOTHING)["Policy"]["Arn"]
    assert refused(lead.create_policy, PolicyName="use2", PolicyDocument=NOTHING)[0] == "AccessDenied"
    lead.attach_user_policy(UserName="alice", PolicyArn=mine)
    assert refused(lead.attach_user_policy, UserName="alice", PolicyArn=mighty)[0] == "AccessDenied"
    assert lead.get_policy(PolicyArn=mine)["Policy"]["PolicyName"] == "use"
    code, _, words = refused(lead.get_policy, PolicyArn=mighty)
    assert code == "AccessDenied" and f"iam:GetPolicy on resource: {mighty}" in words
    absent = f"arn:aws:iam::{TENANT}:policy/none"
    assert refused(lead.get_policy, PolicyArn=absent)[0] == "AccessDenied"  # absence is a secret
