"""Tags of users, roles and policies: IAM User Guide, "Tags for IAM resources". And what conditions make of them."""

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from tests.doors.aws_kms.managing import EVERYTHING, NOTHING, ROOT_MAY, allow, made, policy
from tests.doors.aws_kms.test_iam import TRUST, refused
from tests.harness import TENANT, stack

from keystead.service.rights import tagged_over

POLICY = f"arn:aws:iam::{TENANT}:policy/who"


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


KINDS = {
    "user": ({"UserName": "who"}, {}),
    "role": ({"RoleName": "who"}, {"AssumeRolePolicyDocument": TRUST}),
    "policy": ({"PolicyArn": POLICY}, {"PolicyName": "who", "PolicyDocument": NOTHING}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_life_of_tags(iam, kind) -> None:
    who, more = KINDS[kind]
    named = {} if kind == "policy" else who
    create, get = getattr(iam, f"create_{kind}"), getattr(iam, f"get_{kind}")
    tag, untag, listed = (getattr(iam, name) for name in (f"tag_{kind}", f"untag_{kind}", f"list_{kind}_tags"))
    shown = create(Tags=pairs(Team="red", Env="prod"), **named, **more)[kind.title()]
    assert shown["Tags"] == pairs(Team="red", Env="prod") and get(**who)[kind.title()]["Tags"] == shown["Tags"]
    plural = "policies" if kind == "policy" else f"{kind}s"
    assert all("Tags" not in one for one in getattr(iam, f"list_{plural}")()[plural.title()])
    tag(Tags=pairs(team="blue", Cost="low"), **who)  # the case of a name's letters makes no other tag
    assert listed(**who)["Tags"] == pairs(Cost="low", Env="prod", team="blue")
    first = listed(MaxItems=2, **who)
    rest = listed(MaxItems=2, Marker=first["Marker"], **who)
    assert first["Tags"] + rest["Tags"] == pairs(Cost="low", Env="prod", team="blue") and not rest["IsTruncated"]
    untag(TagKeys=["TEAM", "none"], **who)
    assert listed(**who)["Tags"] == pairs(Cost="low", Env="prod")
    untag(TagKeys=["Cost", "Env"], **who)
    assert listed(**who)["Tags"] == [] and "Tags" not in get(**who)[kind.title()]
    tag(Tags=[], **who)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_tag(iam, kind) -> None:
    who, more = KINDS[kind]
    named = {} if kind == "policy" else who
    create, tag = getattr(iam, f"create_{kind}"), getattr(iam, f"tag_{kind}")
    bad = (pairs(a="1", A="2"), [*pairs(a="1"), *pairs(a="2")], [{"Key": "aws:x", "Value": ""}])
    for tags in bad:
        assert refused(create, Tags=tags, **named, **more)[:2] == ("InvalidInput", 400)
    create(**named, **more)
    for tags in bad:
        assert refused(tag, Tags=tags, **who)[:2] == ("InvalidInput", 400)
    tag(Tags=pairs(**{f"t{n}": "v" for n in range(50)}), **who)
    assert refused(tag, Tags=pairs(more="v"), **who)[:2] == ("LimitExceeded", 409)
    tag(Tags=pairs(t1="w"), **who)
    for tags in ([{"Key": "k", "Value": "v" * 257}], [{"Key": "k\n", "Value": ""}], [{"Key": "k", "Value": "a,b"}]):
        with pytest.raises((ClientError, ParamValidationError), match=r"ValidationError|Parameter validation failed"):
            tag(Tags=tags, **who)


KELVIN = "\N{KELVIN SIGN}"
"""Unicode folds it to a k; policies do not (core.policy.fold)."""


@pytest.mark.parametrize("kind", KINDS)
def test_no_letter_that_a_policy_tells_from_another_takes_a_tag_away(office, iam, kind) -> None:
    """CWE-178: what is decided on is what is acted on."""
    who, more = KINDS[kind]
    named = {} if kind == "policy" else who
    getattr(iam, f"create_{kind}")(Tags=pairs(Blocked="yes"), **named, **more)
    listed = getattr(iam, f"list_{kind}_tags")
    odd = f"bloc{KELVIN}ed"
    not_blocked = {"ForAnyValue:StringEqualsIgnoreCase": {"aws:TagKeys": "blocked"}}
    denied = policy(allow("iam:*"), {**allow("iam:*"), "Effect": "Deny", "Condition": not_blocked})
    eve = office.user("eve", denied).client("iam")
    tag, untag = (getattr(eve, f"{verb}_{kind}") for verb in ("tag", "untag"))
    assert refused(untag, TagKeys=["BLOCKED"], **who)[1] == 403
    untag(TagKeys=[odd], **who)
    assert listed(**who)["Tags"] == pairs(Blocked="yes")
    tag(Tags=pairs(**{odd: "no"}), **who)
    assert listed(**who)["Tags"] == pairs(Blocked="yes", **{odd: "no"})


def test_nor_does_a_tag_of_a_session() -> None:
    assert tagged_over({"Blocked": "yes"}, {f"bloc{KELVIN}ed": "no"})["Blocked"] == "yes"
    assert tagged_over({"Blocked": "yes"}, {"BLOCKED": "no"}) == {"BLOCKED": "no"}


def test_what_is_absent_has_no_tags(iam) -> None:
    for kind, (who, _) in KINDS.items():
        for verb, more in (("tag", {"Tags": pairs(a="b")}), ("untag", {"TagKeys": ["a"]})):
            assert refused(getattr(iam, f"{verb}_{kind}"), **who, **more)[:2] == ("NoSuchEntity", 404)
        assert refused(getattr(iam, f"list_{kind}_tags"), **who)[0] == "NoSuchEntity"


def test_what_a_principal_is_tagged_with_counts_at_once(office, iam) -> None:
    """IAM User Guide, "Define permissions based on attributes with ABAC authorization"."""
    same = {"StringEquals": {"kms:EncryptionContext:team": "${aws:PrincipalTag/team}"}}
    alice = office.user("alice", policy(allow("kms:Encrypt", Condition=same)))
    key_id = made(office.admin, Policy=policy(ROOT_MAY))

    def may(team: str) -> bool:
        reply = alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext={"team": team})
        return reply.code is None

    assert not may("red")
    iam.tag_user(UserName="alice", Tags=pairs(Team="red"))
    assert may("red") and not may("blue")
    iam.tag_user(UserName="alice", Tags=pairs(team="blue"))
    assert may("blue") and not may("red")
    iam.untag_user(UserName="alice", TagKeys=["team"])
    assert not may("blue")


def test_the_tags_of_what_is_managed_may_be_asked_for(office, iam) -> None:
    """Service Authorization Reference, IAM: aws:ResourceTag, iam:ResourceTag, aws:RequestTag, aws:TagKeys."""
    of_red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    as_red = {
        "StringEquals": {"aws:RequestTag/team": "red"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    may = (
        allow("iam:PutUserPolicy", "iam:TagUser", "iam:GetPolicy", Condition=of_red),
        allow("iam:DeleteUserPolicy", Condition={"StringEquals": {"iam:ResourceTag/team": "red"}}),
        allow("iam:CreateUser", "iam:TagUser", Condition=as_red),
        allow("iam:UntagUser", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["cost"]}}),
    )
    lead = office.user("lead", policy(*may)).client("iam")
    assert refused(lead.create_user, UserName="new")[0] == "AccessDenied"
    assert refused(lead.create_user, UserName="new", Tags=pairs(team="blue"))[0] == "AccessDenied"
    assert refused(lead.create_user, UserName="new", Tags=pairs(team="red", x="y"))[0] == "AccessDenied"
    lead.create_user(UserName="new", Tags=pairs(team="red"))
    iam.create_user(UserName="other", Tags=pairs(team="blue"))
    document = {"PolicyName": "p", "PolicyDocument": EVERYTHING}
    lead.put_user_policy(UserName="new", **document)
    assert refused(lead.put_user_policy, UserName="other", **document)[0] == "AccessDenied"
    lead.delete_user_policy(UserName="new", PolicyName="p")
    assert refused(lead.untag_user, UserName="new", TagKeys=["team"])[0] == "AccessDenied"
    lead.untag_user(UserName="new", TagKeys=["cost"])
    iam.untag_user(UserName="new", TagKeys=["team"])
    assert refused(lead.put_user_policy, UserName="new", **document)[0] == "AccessDenied"  # as soon as it is answered
    red = iam.create_policy(PolicyName="red", PolicyDocument=NOTHING, Tags=pairs(team="red"))["Policy"]["Arn"]
    blue = iam.create_policy(PolicyName="blue", PolicyDocument=NOTHING)["Policy"]["Arn"]
    assert lead.get_policy(PolicyArn=red)["Policy"]["Tags"] == pairs(team="red")
    assert refused(lead.get_policy, PolicyArn=blue)[0] == "AccessDenied"


@pytest.mark.parametrize(("kind", "action"), [("user", "User"), ("role", "Role"), ("policy", "Policy")])
def test_to_make_something_with_tags_needs_the_right_to_tag_it(office, kind, action) -> None:
    """IAM User Guide, "Tags for IAM resources"."""
    who, more = KINDS[kind]
    members = {**({} if kind == "policy" else who), **more}
    lead = office.user("lead", policy(allow(f"iam:Create{action}"))).client("iam")
    code, _, words = refused(getattr(lead, f"create_{kind}"), Tags=pairs(a="b"), **members)
    assert code == "AccessDenied" and f"iam:Tag{action} on resource: arn:aws:iam::{TENANT}:{kind}/who" in words
    getattr(lead, f"create_{kind}")(**members)


def test_everything_is_on_record_with_what_it_was_done_to(office, iam) -> None:
    user = iam.create_user(UserName="alice", Tags=pairs(a="b"))["User"]
    iam.tag_user(UserName="alice", Tags=pairs(c="d"))
    created, tagged = (record for record in office.records() if record.operation in {"iam:CreateUser", "iam:TagUser"})
    assert created.made == user["UserId"]
    assert [one.action for one in created.targets] == ["tenant:create-user", "principal:tag-user"]
    assert [(one.action, one.key) for one in tagged.targets] == [("principal:tag-user", user["UserId"])]
