"""AWS IAM at this door: IAM API Reference 2010-05-08, through boto3; who may; and what it cannot do."""

import json
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError
from tests.doors.aws_kms.managing import allow, deny, policy
from tests.harness import ALLOW_ALL, OTHER_TENANT, TENANT, Person, stack

from keystead.core import operations as ops
from keystead.core.entities import Kind
from keystead.core.errors import Denied

IAM_ALL = policy(allow("iam:*"))
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{TENANT}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def refused(call, **members) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    said = caught.value.response
    return said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Message"]


def root_of(office) -> Person:
    made = office.by_system(ops.CreateAccessKey(tenant=ops.TenantRef(TENANT), name="root"))
    return Person(office, office.first.root, made.credential.id, made.secret.reveal(), None)


def test_the_life_of_a_user(office, iam) -> None:
    made = iam.create_user(UserName="alice")["User"]
    assert made["Arn"] == f"arn:aws:iam::{TENANT}:user/alice" and made["Path"] == "/"
    assert made["CreateDate"] == office.clock.now().replace(microsecond=0)
    assert iam.get_user(UserName="alice")["User"] == made
    assert refused(iam.create_user, UserName="alice") == (
        "EntityAlreadyExists",
        409,
        "User with name alice already exists.",
    )
    listed = iam.list_users()
    assert [one["UserName"] for one in listed["Users"]] and listed["IsTruncated"] is False
    assert {one["UserName"] for one in listed["Users"]} == {"admin", "alice"}  # no role, and not the root
    assert iam.list_users(PathPrefix="/staff/")["Users"] == []
    iam.delete_user(UserName="alice")
    for gone in (iam.get_user, iam.delete_user):
        assert refused(gone, UserName="alice") == ("NoSuchEntity", 404, "The user with name alice cannot be found.")
    again = iam.create_user(UserName="alice")["User"]
    assert again["UserId"] != made["UserId"]  # a name made anew is somebody else


def test_whoever_asks_without_a_name_means_himself(office, iam) -> None:
    assert iam.get_user()["User"]["UserName"] == "admin"
    assert [one["AccessKeyId"] for one in iam.list_access_keys()["AccessKeyMetadata"]] == [office.admin.access_key_id]
    own = root_of(office)
    assert own.client("iam").get_user()["User"]["Arn"] == f"arn:aws:iam::{TENANT}:root"
    assert own.client("iam").list_access_keys()["AccessKeyMetadata"][0]["AccessKeyId"] == own.access_key_id


def test_an_access_key_comes_works_is_turned_off_and_goes(office, iam) -> None:
    alice = iam.create_user(UserName="alice")["User"]
    iam.put_user_policy(UserName="alice", PolicyName="use", PolicyDocument=ALLOW_ALL)
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    assert key["Status"] == "Active" and key["UserName"] == "alice"
    principal = office.view.credential(key["AccessKeyId"]).principal
    person = Person(office, principal, key["AccessKeyId"], key["SecretAccessKey"].encode(), None)
    assert person.call("ListKeys").status == 200
    assert person.client("sts").get_caller_identity()["Arn"] == alice["Arn"]
    for status, code in (("Inactive", "UnrecognizedClientException"), ("Active", None)):
        iam.update_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"], Status=status)
        (listed,) = iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]
        assert listed["Status"] == status and "SecretAccessKey" not in listed
        assert person.call("ListKeys").code == code
    iam.create_access_key(UserName="alice")
    assert refused(iam.create_access_key, UserName="alice")[:2] == ("LimitExceeded", 409)
    first = iam.list_access_keys(UserName="alice", MaxItems=1)
    second = iam.list_access_keys(UserName="alice", MaxItems=1, Marker=first["Marker"])
    assert first["IsTruncated"] is True and second["IsTruncated"] is False
    ids = {page["AccessKeyMetadata"][0]["AccessKeyId"] for page in (first, second)}
    assert len(ids) == 2
    assert refused(iam.delete_user, UserName="alice") == (
        "DeleteConflict",
        409,
        "Cannot delete entity, must delete access keys first.",
    )
    for one in ids:
        iam.delete_access_key(UserName="alice", AccessKeyId=one)
        assert refused(iam.delete_access_key, UserName="alice", AccessKeyId=one) == (
            "NoSuchEntity",
            404,
            f"The Access Key with id {one} cannot be found.",
        )
    assert person.call("ListKeys").code == "UnrecognizedClientException"
    assert refused(iam.delete_user, UserName="alice") == (
        "DeleteConflict",
        409,
        "Cannot delete entity, must delete policies first.",
    )
    iam.delete_user_policy(UserName="alice", PolicyName="use")
    iam.delete_user(UserName="alice")


def test_an_access_key_is_its_own_users(office, iam) -> None:
    """IAM API Reference, UpdateAccessKey: the key is looked for with the user that is named."""
    iam.create_user(UserName="alice")
    for change in ({"Status": "Inactive"}, None):
        call = iam.delete_access_key if change is None else iam.update_access_key
        code = refused(call, UserName="alice", AccessKeyId=office.admin.access_key_id, **(change or {}))
        assert code[0] == "NoSuchEntity"
    assert office.admin.call("ListKeys").status == 200


@pytest.mark.parametrize("kind", ["user", "role", "group"])
def test_inline_policies(office, iam, kind) -> None:
    def do(verb, **members):
        return getattr(iam, f"{verb}_{kind}_{'policies' if verb == 'list' else 'policy'}")(
            **{f"{kind.title()}Name": "who"}, **members
        )

    if kind == "user":
        iam.create_user(UserName="who")
    elif kind == "role":
        iam.create_role(RoleName="who", AssumeRolePolicyDocument=TRUST)
    else:
        iam.create_group(GroupName="who")
    for name in ("b", "a", "c"):
        do("put", PolicyName=name, PolicyDocument=ALLOW_ALL)
    assert do("get", PolicyName="a")["PolicyDocument"] == json.loads(ALLOW_ALL)
    page = do("list", MaxItems=2)
    rest = do("list", MaxItems=2, Marker=page["Marker"])
    assert (page["PolicyNames"], rest["PolicyNames"], rest["IsTruncated"]) == (["a", "b"], ["c"], False)
    do("delete", PolicyName="a")
    for verb in ("get", "delete"):
        with pytest.raises(ClientError, match=f"The {kind} policy with name a cannot be found"):
            do(verb, PolicyName="a")
    with pytest.raises(ClientError) as caught:
        do("put", PolicyName="bad", PolicyDocument='{"Statement":[{"Effect":"Allow","Action":"kms:*"}]}')
    assert caught.value.response["Error"]["Code"] == "MalformedPolicyDocument"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_the_life_of_a_role(office, iam) -> None:
    made = iam.create_role(
        RoleName="deploy", AssumeRolePolicyDocument=TRUST, Description="of deployments", MaxSessionDuration=7200
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{TENANT}:role/deploy"
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert (made["Description"], made["MaxSessionDuration"]) == ("of deployments", 7200)
    assert iam.get_role(RoleName="deploy")["Role"] == made
    assert [one["RoleName"] for one in iam.list_roles()["Roles"]] == ["deploy"]
    assert refused(iam.create_role, RoleName="deploy", AssumeRolePolicyDocument=TRUST)[:2] == (
        "EntityAlreadyExists",
        409,
    )
    other = TRUST.replace("Allow", "Deny")
    iam.update_assume_role_policy(RoleName="deploy", PolicyDocument=other)
    assert iam.get_role(RoleName="deploy")["Role"]["AssumeRolePolicyDocument"] == json.loads(other)
    iam.put_role_policy(RoleName="deploy", PolicyName="p", PolicyDocument=ALLOW_ALL)
    assert refused(iam.delete_role, RoleName="deploy")[:2] == ("DeleteConflict", 409)
    iam.delete_role_policy(RoleName="deploy", PolicyName="p")
    iam.delete_role(RoleName="deploy")
    assert refused(iam.get_role, RoleName="deploy") == (
        "NoSuchEntity",
        404,
        "The role with name deploy cannot be found.",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"Resource": "*"},
        {"Action": "kms:Encrypt"},
        {"Action": ["sts:AssumeRole", "iam:*"]},
        {"Principal": {"AWS": f"arn:aws:iam::{TENANT}:user/nobody"}},
        {"Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/x"}},
        {"Principal": None},
        {"Effect": "allow"},
    ],
    ids=str,
)
def test_trust_policies_that_are_none(office, iam, change) -> None:
    document = json.loads(TRUST)
    statement = document["Statement"][0] | change
    document["Statement"] = [{name: value for name, value in statement.items() if value is not None}]
    members = {"RoleName": "r", "AssumeRolePolicyDocument": json.dumps(document)}
    assert refused(iam.create_role, **members)[:2] == ("MalformedPolicyDocument", 400)
    assert iam.list_roles()["Roles"] == []


def test_a_parameter_that_is_not_offered_is_refused_and_not_passed_over(office, iam) -> None:
    members = {"RoleName": "u", "AssumeRolePolicyDocument": TRUST, "MaxSigninSessionDuration": 3600}
    assert refused(iam.create_role, **members)[:2] == ("InvalidInput", 400)
    assert not iam.list_roles()["Roles"]


def test_long_lists_come_in_pages(office, iam) -> None:
    for number in range(5):
        iam.create_user(UserName=f"u{number}")
        iam.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=TRUST)
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}))
    assert sorted(one["UserName"] for page in pages for one in page["Users"]) == ["admin", *(f"u{n}" for n in range(5))]
    assert len(pages) >= 3 and all(len(page["Users"]) <= 2 for page in pages)
    roles = [one["RoleName"] for page in iam.get_paginator("list_roles").paginate() for one in page["Roles"]]
    assert sorted(roles) == [f"r{n}" for n in range(5)]
    assert refused(iam.list_users, Marker="forged")[:2] == ("ValidationError", 400)


# --- who may


def test_each_action_is_a_right_of_its_own_on_an_arn(office) -> None:
    """IAM User Guide, "IAM: Allows IAM users to rotate their own credentials"."""
    own = policy(
        {
            "Effect": "Allow",
            "Action": ["iam:*AccessKey", "iam:ListAccessKeys"],
            "Resource": f"arn:aws:iam::{TENANT}:user/${{aws:username}}",
        }
    )
    alice, bob = office.user("alice", own), office.user("bob")
    client = alice.client("iam")
    made = client.create_access_key()["AccessKey"]
    assert made["UserName"] == "alice" and len(client.list_access_keys(UserName="alice")["AccessKeyMetadata"]) == 2
    code, status, words = refused(client.create_access_key, UserName="bob")
    assert (code, status) == ("AccessDenied", 403)
    assert words == (
        f"User: {alice.arn} is not authorized to perform: iam:CreateAccessKey on resource: {bob.arn} "
        "because no identity-based policy allows the iam:CreateAccessKey action"
    )
    assert refused(client.create_access_key, UserName="nobody")[0] == "AccessDenied"  # absence is a secret
    assert (
        refused(client.put_user_policy, UserName="alice", PolicyName="p", PolicyDocument=IAM_ALL)[0] == "AccessDenied"
    )
    assert refused(client.list_users)[0] == "AccessDenied"
    assert office.record().outcome == "refused: Denied"


def test_a_user_of_keys_is_no_administrator(office) -> None:
    client = office.user("alice", ALLOW_ALL).client("iam")
    for call, members in (
        (client.create_user, {"UserName": "eve"}),
        (client.create_role, {"RoleName": "eve", "AssumeRolePolicyDocument": TRUST}),
        (client.create_access_key, {"UserName": "admin"}),
        (client.get_user, {}),
        (client.list_roles, {}),
        (client.delete_user, {"UserName": "admin"}),
    ):
        assert refused(call, **members)[:2] == ("AccessDenied", 403)


def test_a_deny_holds_for_the_name_it_says(office) -> None:
    spared = {"Effect": "Deny", "Action": "iam:*", "Resource": f"arn:aws:iam::{TENANT}:user/admin*"}
    client = office.user("lead", policy(allow("iam:*"), spared)).client("iam")
    client.create_user(UserName="new")
    assert refused(client.create_user, UserName="admin2")[0] == "AccessDenied"  # one that is not there yet, too
    assert refused(client.create_access_key, UserName="admin")[0] == "AccessDenied"


def test_the_root_may_and_a_policy_that_names_no_iam_does_not_bind_it(office) -> None:
    client = root_of(office).client("iam")
    client.create_user(UserName="alice")
    assert office.records()[-1].rule != "" and client.get_user(UserName="alice")["User"]["UserName"] == "alice"
    assert office.record().rule == "root"


def test_row_40_the_root_is_out_of_reach(office) -> None:
    """No action of IAM names it: what stands in a request is the name of a user or of a role."""
    root = root_of(office)
    client = office.user("lead", IAM_ALL).client("iam")
    before = office.store.count(Kind.CREDENTIAL)
    for call, more in (
        (client.create_access_key, {}),
        (client.list_access_keys, {}),
        (client.delete_user, {}),
        (client.delete_access_key, {"AccessKeyId": root.access_key_id}),
        (client.update_access_key, {"AccessKeyId": root.access_key_id, "Status": "Inactive"}),
        (client.put_user_policy, {"PolicyName": "p", "PolicyDocument": policy(deny("*"))}),
    ):
        assert refused(call, UserName="root", **more)[0] == "NoSuchEntity"
    assert refused(client.create_user, UserName="root")[0] == "EntityAlreadyExists"
    assert refused(client.delete_access_key, UserName="lead", AccessKeyId=root.access_key_id)[0] == "NoSuchEntity"
    assert office.store.count(Kind.CREDENTIAL) == before and root.call("ListKeys").status == 200


def test_an_account_manages_its_own(office) -> None:
    office.keyring(OTHER_TENANT)
    carol = office.user("carol", IAM_ALL, tenant=OTHER_TENANT)
    theirs = carol.client("iam")
    assert {one["UserName"] for one in theirs.list_users()["Users"]} == {"carol"}
    assert refused(theirs.get_user, UserName="admin")[0] == "NoSuchEntity"
    assert refused(theirs.delete_access_key, AccessKeyId=office.admin.access_key_id)[0] == "NoSuchEntity"
    assert refused(office.admin.client("iam").get_user, UserName="carol")[0] == "NoSuchEntity"


# --- on the wire


def ask(person, body: str):
    return person.send(FORM, f"Version=2010-05-08&{body}".encode(), service="iam")


def test_an_error_has_the_form_of_iam(office) -> None:
    reply = ask(office.admin, "Action=GetUser&UserName=nobody")
    error = ElementTree.fromstring(reply.body)  # noqa: S314 - our own
    space = "{https://iam.amazonaws.com/doc/2010-05-08/}"
    assert (reply.status, error.tag) == (404, f"{space}ErrorResponse")
    assert error.find(f"{space}Error/{space}Code").text == "NoSuchEntity"
    assert error.find(f"{space}RequestId").text == office.record().request_id


def test_an_action_without_an_answer_has_no_result(office) -> None:
    ask(office.admin, "Action=CreateUser&UserName=alice")
    reply = ask(office.admin, "Action=DeleteUser&UserName=alice")
    assert reply.status == 200 and b"DeleteUserResult" not in reply.body and b"<RequestId>" in reply.body


@pytest.mark.parametrize(
    "body",
    [
        "Action=CreateUser",
        "Action=CreateUser&UserName=",
        "Action=CreateUser&UserName=a%20b",
        "Action=CreateUser&UserName=a%0A",
        "Action=CreateUser&UserName=%D0%B0lice",
        "Action=CreateUser&UserName=../root",
        f"Action=CreateUser&UserName={'a' * 65}",
        "Action=ListUsers&MaxItems=0",
        "Action=ListUsers&MaxItems=many",
        "Action=CreateUser&UserName=a&Path=%2Fno",
        "Action=UpdateAccessKey&AccessKeyId=AKIAAAAAAAAAAAAAAAAA&Status=Off",
        "Action=CreateUser&UserName.member.1=alice",
    ],
)
def test_what_breaks_a_constraint_is_refused_before_anything_is_done(office, body) -> None:
    reply = ask(office.admin, body)
    assert reply.status == 400 and b"<Code>ValidationError</Code>" in reply.body
    assert len(office.by_system(ops.ListPrincipals(tenant=ops.TenantRef(TENANT))).items) == 2


NAMES = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
PATHS = "It must begin and end with / and contain only alphanumeric characters and/or / characters."
ONE = "1 validation error detected: {} failed to satisfy constraint: Member must {}"
LONG = "a" * 65


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Action=CreateUser", ONE.format("Value null at 'userName'", "not be null")),
        ("Action=CreateUser&UserName=a%20b", f"The specified value for userName is invalid. {NAMES}"),
        ("Action=GetRole&RoleName=%00", f"The specified value for roleName is invalid. {NAMES}"),
        ("Action=CreateUser&UserName=a&Path=no", f"The specified value for path is invalid. {PATHS}"),
        (
            f"Action=CreateUser&UserName={LONG}&Path=no",
            ONE.format(f"Value '{LONG}' at 'userName'", "have length less than or equal to 64"),
        ),
        ("Action=ListUsers&MaxItems=0", ONE.format("Value '0' at 'maxItems'", "have value greater than or equal to 1")),
        ("Action=ListUsers&MaxItems=many", "The value of MaxItems is not of its type."),
        (
            "Action=UpdateAccessKey&AccessKeyId=AKIA&Status=Off",
            "2 validation errors detected: Value 'AKIA' at 'accessKeyId' failed to satisfy constraint: Member must have"
            " length greater than or equal to 16; Value 'Off' at 'status' failed to satisfy constraint: Member must"
            " satisfy enum value set: [Active, Expired, Inactive]",
        ),
        (
            "Action=TagUser&UserName=a&Tags.member.1.Key=a&Tags.member.1.Value=&Tags.member.2.Key=&Tags.member.2.Value=",
            "2 validation errors detected: Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must"
            " have length greater than or equal to 1; Value '' at 'tags.2.member.key' failed to satisfy constraint:"
            r" Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+",
        ),
    ],
)
def test_a_broken_constraint_is_said_as_iam_says_it(office, body, words) -> None:
    """cfn-lint #722, hashicorp/vault #567: those about names and paths are sentences of IAM's own."""
    error = ElementTree.fromstring(ask(office.admin, body).body)  # noqa: S314 - our own
    said = error.find("{*}Error/{*}Code"), error.find("{*}Error/{*}Message")
    assert [one.text for one in said if one is not None] == ["ValidationError", words]


def test_what_is_changed_is_on_record_with_whom_it_was_done_to(office, iam) -> None:
    alice = iam.create_user(UserName="alice")["User"]
    iam.create_access_key(UserName="alice")
    changes = [record for record in office.records() if record.operation == "iam:CreateAccessKey"]
    (target,) = changes[0].targets
    assert (target.action, target.key) == ("principal:create-access-key", alice["UserId"])
    assert changes[0].who.id == office.admin.principal.id and changes[0].outcome == "performed"


def test_a_session_of_a_user_makes_nothing_that_lasts(office) -> None:
    """GetSessionToken: "You cannot call any IAM API operations unless MFA …"; it would outlive itself."""
    made = office.by_system(ops.IssueSession(tenant=ops.TenantRef(TENANT), name="admin", seconds=900))
    token = made.session_token.reveal().decode()
    guest = Person(office, office.admin.principal, made.credential.id, made.secret.reveal(), token)
    assert guest.call("ListKeys").status == 200
    client = guest.client("iam")
    assert refused(client.create_access_key)[:2] == ("AccessDenied", 403)
    assert refused(client.create_user, UserName="eve")[:2] == ("AccessDenied", 403)
    assert refused(client.list_users)[:2] == ("AccessDenied", 403)
    with pytest.raises(Denied):
        office.perform(ops.CreateAccessKey(tenant=ops.TenantRef(TENANT), name="admin"), guest)
