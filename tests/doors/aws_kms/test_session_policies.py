"""Session policies of AssumeRole: what a session may is what its role may and one of its own policies allows.

STS API Reference, AssumeRole, Policy and PolicyArns; IAM User Guide, "Session policies".
How they are decided: tests/core/test_policy_limits.py.
"""

import json

import pytest
from tests.doors.aws_kms.managing import EVERYTHING, NOTHING, ROOT_MAY, allow, ask, deny, made, policy
from tests.doors.aws_kms.test_sessions import ACCOUNT, ARN, assume, not_assumed, person_of, role, trust
from tests.harness import TENANT, Person, stack

from keystead.core.errors import LimitExceeded
from keystead.core.ports import WouldBlock
from keystead.service.credentials.session import Sessions

ENCRYPT = policy(allow("kms:Encrypt"))


@pytest.fixture
def office():
    found = stack()
    role(found, trust(ACCOUNT), may=policy(allow("kms:*", "iam:*", "sts:AssumeRole")))
    return found


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def managed(iam, name: str, document: str) -> str:
    return iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]


def may(person: Person, key_id: str, operation: str = "Encrypt") -> bool:
    members = {"Plaintext": b"x"} if operation == "Encrypt" else {}
    return person.call(operation, KeyId=key_id, **members).code is None


def test_a_session_may_what_its_policy_and_its_role_allow(office) -> None:
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    whole, part = assume(office, office.admin), assume(office, office.admin, Policy=ENCRYPT)
    for _ in range(2):  # what one may is not kept for the other
        assert may(whole, key_id) and may(whole, key_id, "DescribeKey")
        assert may(part, key_id) and not may(part, key_id, "DescribeKey")
    words = part.call("DescribeKey", KeyId=key_id).message
    assert words.endswith("because no session policy allows the kms:DescribeKey action")
    more = assume(office, office.admin, Policy=policy(allow("s3:*")))
    assert not may(more, key_id)  # it gives nothing that the role does not have
    assert part.client("sts").get_caller_identity()["Account"] == TENANT


def test_a_session_retires_a_grant_of_its_role_within_its_policies(office) -> None:
    """Whatever uses the key by it comes to an end: of a session that may encrypt nobody expects that."""
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    given = {"KeyId": key_id, "GranteePrincipal": ARN, "RetiringPrincipal": ARN, "Operations": ["Decrypt"]}
    grant = {"KeyId": key_id, "GrantId": ask(office.admin, "CreateGrant", **given)["GrantId"]}
    part = assume(office, office.admin, Policy=ENCRYPT)
    words = part.call("RetireGrant", **grant).message
    assert words.endswith("because no session policy allows the kms:RetireGrant action")
    whole = assume(office, office.admin, Policy=policy(allow("kms:RetireGrant")))
    assert whole.call("RetireGrant", **grant).status == 200


def test_a_deny_of_a_session_policy_holds(office) -> None:
    key_id = made(office.admin, Policy=policy(ROOT_MAY, allow("kms:*", principal="*")))
    guest = assume(office, office.admin, Policy=policy(allow("kms:*"), deny("kms:Encrypt")))
    assert may(guest, key_id, "DescribeKey") and not may(guest, key_id)
    assert "explicit deny in a session policy" in guest.call("Encrypt", KeyId=key_id, Plaintext=b"x").message


def test_managed_policies_of_a_session(office, iam) -> None:
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    one, other = managed(iam, "one", ENCRYPT), managed(iam, "other", policy(allow("kms:DescribeKey")))
    guest = assume(office, office.admin, PolicyArns=[{"arn": one}, {"arn": other}])
    assert may(guest, key_id) and may(guest, key_id, "DescribeKey") and not may(guest, key_id, "GetKeyPolicy")
    mixed = assume(office, office.admin, PolicyArns=[{"arn": one}], Policy=policy(allow("kms:DescribeKey")))
    assert may(mixed, key_id) and may(mixed, key_id, "DescribeKey") and not may(mixed, key_id, "GetKeyPolicy")
    assert iam.get_policy(PolicyArn=one)["Policy"]["AttachmentCount"] == 0  # to give it to a session attaches nothing


def test_a_policy_that_changes_or_goes_is_felt_by_the_session_at_once(office, iam) -> None:
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    one, other = managed(iam, "one", ENCRYPT), managed(iam, "other", policy(allow("kms:DescribeKey")))
    guest = assume(office, office.admin, PolicyArns=[{"arn": one}, {"arn": other}])
    assert may(guest, key_id)
    iam.create_policy_version(PolicyArn=one, PolicyDocument=NOTHING, SetAsDefault=True)
    assert not may(guest, key_id) and may(guest, key_id, "DescribeKey")
    iam.set_default_policy_version(PolicyArn=one, VersionId="v1")
    assert may(guest, key_id)
    iam.put_role_policy(RoleName="deploy", PolicyName="may", PolicyDocument=NOTHING)
    assert not may(guest, key_id)
    iam.put_role_policy(RoleName="deploy", PolicyName="may", PolicyDocument=EVERYTHING)
    assert may(guest, key_id)
    iam.delete_policy(PolicyArn=other)  # it may have said no: what is left of the session is nothing
    assert not may(guest, key_id)
    managed(iam, "other", EVERYTHING)  # one of the same name is another
    assert not may(guest, key_id)


def test_the_boundary_of_the_role_holds_beside_it(office, iam) -> None:
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    limit = managed(iam, "limit", policy(allow("kms:DescribeKey", "kms:ListKeys")))
    guest = assume(office, office.admin, Policy=ENCRYPT)
    assert may(guest, key_id)
    iam.put_role_permissions_boundary(RoleName="deploy", PermissionsBoundary=limit)
    assert not may(guest, key_id) and not may(guest, key_id, "DescribeKey")


def test_a_session_takes_on_another_role_only_where_its_policy_lets_it(office) -> None:
    role(office, trust(ACCOUNT), name="next")
    target = ARN.replace("deploy", "next")
    part = assume(office, office.admin, Policy=ENCRYPT)
    assert not_assumed(part, target)[0] == "AccessDenied"
    through = assume(office, office.admin, Policy=policy(allow("sts:AssumeRole")))
    assert assume(office, through, target).call("ListKeys").status == 200  # the next session is the next role's


def test_what_a_session_may_not_it_may_not_when_it_is_decided_again(office) -> None:
    """A commit that comes second is decided again, and by what the session may: not by what its role may."""
    guest = assume(office, office.admin, Policy=policy(allow("iam:CreateUser")))
    rights = []
    commit, require = office.barrier.commit, office.authorizer.require

    def watched(caller, *rest):
        rights.append(caller.rights)
        return require(caller, *rest)

    def overtaken(change):
        office.barrier.commit = commit
        office.authorizer.require = require
        office.admin.client("iam").put_role_policy(
            RoleName="deploy", PolicyName="may", PolicyDocument=policy(allow("iam:*", "kms:*"))
        )
        office.authorizer.require = watched
        commit(change)

    office.barrier.commit, office.authorizer.require = overtaken, watched
    guest.client("iam").create_user(UserName="eve")
    assert len(rights) == 2 and rights[0] is not rights[1]
    assert all(one.session is not None and one.key == rights[0].key for one in rights)
    assert len(rights[1].policies[0].text) != len(rights[0].policies[0].text)


def test_how_much_of_a_token_it_takes(office, iam) -> None:
    sts = office.admin.client("sts")
    plain = sts.assume_role(RoleArn=ARN, RoleSessionName="build-7")
    assert "PackedPolicySize" not in plain
    for one in (plain, sts.get_session_token(), sts.get_session_token(MinimumSessionTokenSize=0)):
        token = one["Credentials"]["SessionToken"]
        assert (one["SessionTokenSize"], one["SessionTokenUtilization"]) == (len(token), len(token) * 100 // 4096)
    part = sts.assume_role(RoleArn=ARN, RoleSessionName="build-7", Policy=ENCRYPT)
    assert part["PackedPolicySize"] == part["SessionTokenUtilization"] == part["SessionTokenSize"] * 100 // 4096
    most = ENCRYPT.ljust(2048)
    arns = [{"arn": managed(iam, f"p{n}", NOTHING)} for n in range(10)]
    full = sts.assume_role(RoleArn=ARN, RoleSessionName="b" * 64, Policy=most, PolicyArns=arns)
    assert part["PackedPolicySize"] < full["PackedPolicySize"] <= 100
    guest = person_of(office, full["Credentials"])
    assert may(guest, made(office.admin, Policy=policy(ROOT_MAY)))


def test_what_is_too_much(office, iam) -> None:
    assert not_assumed(office.admin, Policy=ENCRYPT.ljust(2049))[0] == "PackedPolicyTooLarge"
    long = json.dumps({"Statement": [{**allow("kms:*"), "Sid": "ÿ" * 1900}]}, ensure_ascii=False)
    assert len(long) < 2048 and not_assumed(office.admin, Policy=long)[0] == "PackedPolicyTooLarge"
    arns = [{"arn": managed(iam, f"p{n}", NOTHING)} for n in range(11)]
    assert not_assumed(office.admin, PolicyArns=arns)[0] == "ValidationError"
    with pytest.raises(LimitExceeded):
        Sessions(office.barrier.subkey("session-token"), office.entropy).mint_session(
            "p", name="n" * 4096, issued=0, lasts_for=1
        )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Policy": "{}"}, "MalformedPolicyDocument"),
        ({"Policy": policy({**allow("kms:*"), "Principal": "*"})}, "MalformedPolicyDocument"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{TENANT}:policy/none"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{TENANT}:user/admin"}]}, "ValidationError"),
    ],
    ids=str,
)
def test_what_is_no_policy_is_refused(office, more, code) -> None:
    assert not_assumed(office.admin, **more)[0] == code
    assert office.record().operation == "sts:AssumeRole" and office.record().outcome.startswith("refused")


def test_no_policy_arns_are_no_policy(office) -> None:
    guest = assume(office, office.admin, PolicyArns=[])
    assert may(guest, made(office.admin, Policy=policy(ROOT_MAY)))


@pytest.mark.parametrize("managed_one", [True, False])
def test_what_a_session_may_is_gathered_once_and_off_the_loop(office, iam, managed_one) -> None:
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    more = {"PolicyArns": [{"arn": managed(iam, "one", ENCRYPT)}]} if managed_one else {"Policy": ENCRYPT}
    guest = assume(office, office.admin, **more)
    office.on_the_loop()
    headers = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}
    request = guest.signed(headers, json.dumps({"KeyId": key_id, "Plaintext": "eA=="}).encode())
    with pytest.raises(WouldBlock):
        office.front.serve(request)
    assert office.serve(request).startswith(b"HTTP/1.1 200")
    assert office.front.serve(request).startswith(b"HTTP/1.1 200")


# --- tags of a session


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def tagging_role(office, **more) -> str:
    text = json.loads(trust(ACCOUNT, **more))
    text["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    same = {"StringEquals": {"kms:EncryptionContext:team": "${aws:PrincipalTag/team}"}}
    role(office, json.dumps(text), may=policy(allow("kms:Encrypt", Condition=same)), name="tagged")
    return ARN.replace("deploy", "tagged")


def test_the_tags_of_a_session_stand_over_those_of_its_role(office, iam) -> None:
    """STS API Reference, AssumeRole, Tags."""
    arn, key_id = tagging_role(office), made(office.admin, Policy=policy(ROOT_MAY))
    iam.tag_role(RoleName="tagged", Tags=pairs(Team="red"))

    def may_as(person: Person, team: str) -> bool:
        reply = person.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext={"team": team})
        return reply.code is None

    plain, blue = assume(office, office.admin, arn), assume(office, office.admin, arn, Tags=pairs(team="blue"))
    assert may_as(plain, "red") and not may_as(plain, "blue")
    assert may_as(blue, "blue") and not may_as(blue, "red")
    iam.tag_role(RoleName="tagged", Tags=pairs(Team="green"))
    assert may_as(plain, "green") and may_as(blue, "blue") and not may_as(blue, "green")
    both = assume(office, office.admin, arn, Tags=pairs(team="blue"), Policy=policy(deny("kms:*")))
    assert not may_as(both, "blue")


def test_to_tag_a_session_is_a_right_of_its_own(office) -> None:
    code, _ = not_assumed(office.user("bob", policy(allow("sts:AssumeRole"))), Tags=pairs(a="b"))
    assert code == "AccessDenied"  # neither the role nor bob's policy says sts:TagSession
    arn = tagging_role(office, Condition={"StringEquals": {"aws:RequestTag/team": "red"}})
    carol = office.user("carol", policy(allow("sts:AssumeRole", "sts:TagSession")))
    assume(office, carol, arn, Tags=pairs(team="red"))
    assert [one.action for one in office.record().targets] == ["principal:assume", "principal:tag-session"]
    for tags in (pairs(team="blue"), []):
        assert not_assumed(carol, arn, Tags=tags)[0] == "AccessDenied"
    assert not_assumed(office.user("bob2", policy(allow("sts:AssumeRole"))), arn, Tags=pairs(team="red"))[0] == (
        "AccessDenied"
    )


def test_what_is_no_tag_of_a_session(office) -> None:
    arn = tagging_role(office)
    for tags in (pairs(a="1", A="2"), [*pairs(a="1"), *pairs(a="1")], [{"Key": "aws:a", "Value": "b"}]):
        assert not_assumed(office.admin, arn, Tags=tags)[0] == "ValidationError"
    many = pairs(**{f"{n:03}" + "k" * 100: "v" * 100 for n in range(50)})
    assert not_assumed(office.admin, arn, Tags=many)[0] == "PackedPolicyTooLarge"
