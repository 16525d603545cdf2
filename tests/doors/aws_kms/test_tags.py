"""KMS API Reference: TagResource, UntagResource, ListResourceTags."""

import pytest
from tests.doors.aws_kms.managing import ROOT_MAY, allow, ask, made, policy
from tests.harness import stack


@pytest.fixture(scope="module")
def office():
    return stack()


@pytest.fixture(scope="module")
def admin(office):
    return office.admin


def tag(key, value=""):
    return {"TagKey": key, "TagValue": value}


def tags(person, key_id):
    found = ask(person, "ListResourceTags", KeyId=key_id)["Tags"]
    return {entry["TagKey"]: entry["TagValue"] for entry in found}


def test_tags_come_are_changed_and_go(admin) -> None:
    key_id = made(admin, Tags=[tag("a", "1"), tag("b", "")])
    assert tags(admin, key_id) == {"a": "1", "b": ""}
    assert admin.call("TagResource", KeyId=key_id, Tags=[tag("a", "2"), tag("A", "é" * 256)]).body == b""
    assert tags(admin, key_id) == {"a": "2", "b": "", "A": "é" * 256}
    assert admin.call("UntagResource", KeyId=key_id, TagKeys=["a", "never there"]).body == b""
    assert tags(admin, key_id) == {"b": "", "A": "é" * 256}
    assert admin.call("UntagResource", KeyId=key_id, TagKeys=["A", "b"]).status == 200
    assert ask(admin, "ListResourceTags", KeyId=key_id) == {"Tags": [], "Truncated": False}


def test_what_a_tag_is_made_of(admin) -> None:
    """General Reference, "Tag naming limits and requirements": letters, numbers, spaces, and _ . : / = + - @."""
    whole = {"Größe_1": "ü 2.:/=+-@", "鍵": "\u0661\u00a0"}
    key_id = made(admin, Tags=[tag(*pair) for pair in whole.items()])
    assert tags(admin, key_id) == whole


@pytest.mark.parametrize(
    ("new", "code", "words"),
    [
        ([tag("aws:x", "1")], "TagException", "reserved"),
        ([tag("AWS:x", "1")], "TagException", "reserved"),
        ([tag("a", "1"), tag("a", "2")], "TagException", "Duplicate"),
        ([tag(f"k{n}") for n in range(51)], "TagException", "Too many tags"),
        ([tag("k" * 129)], "ValidationException", "'tags.1.member.tagKey'"),
        ([tag("")], "ValidationException", "greater than or equal to 1"),
        ([tag("k", "v" * 257)], "ValidationException", "'tags.1.member.tagValue'"),
        ([{"TagKey": "k"}], "ValidationException", ""),
        ([tag("k", "mine & yours")], "TagException", "Invalid tag"),
        ([tag("a,b")], "TagException", "Invalid tag"),
        ([tag("k", "line\n")], "TagException", "Invalid tag"),
    ],
)
def test_tags_that_no_key_gets(admin, new, code, words) -> None:
    key_id = made(admin, Tags=[tag("kept", "1")])
    for reply in (admin.call("TagResource", KeyId=key_id, Tags=new), admin.call("CreateKey", Tags=new)):
        assert reply.code == code and words in (reply.message or "")
    assert tags(admin, key_id) == {"kept": "1"}


def test_a_key_has_at_most_fifty_tags(admin) -> None:
    key_id = made(admin, Tags=[tag(f"k{n}") for n in range(50)])
    assert admin.call("TagResource", KeyId=key_id, Tags=[tag("one more")]).code == "TagException"
    assert admin.call("TagResource", KeyId=key_id, Tags=[tag("k7", "changed")]).status == 200
    assert len(tags(admin, key_id)) == 50


def test_the_tags_of_aws_are_not_taken_away(admin) -> None:
    assert admin.call("UntagResource", KeyId=made(admin), TagKeys=["aws:x"]).code == "TagException"


def test_a_tag_opens_and_shuts_a_key(office) -> None:
    """KMS Developer Guide, "ABAC for AWS KMS"."""
    condition = {"StringEquals": {"aws:ResourceTag/team": "pay"}}
    alice = office.user("alice", policy(allow("kms:Encrypt", Condition=condition)))
    key_id = made(office.admin, Policy=policy(ROOT_MAY))
    body = {"KeyId": key_id, "Plaintext": "aGVsbG8="}
    assert alice.call("Encrypt", **body).code == "AccessDeniedException"
    ask(office.admin, "TagResource", KeyId=key_id, Tags=[tag("team", "pay")])
    assert alice.call("Encrypt", **body).status == 200
    ask(office.admin, "UntagResource", KeyId=key_id, TagKeys=["team"])
    assert alice.call("Encrypt", **body).code == "AccessDeniedException"
