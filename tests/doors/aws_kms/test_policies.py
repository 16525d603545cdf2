"""KMS API Reference: PutKeyPolicy, GetKeyPolicy, ListKeyPolicies; KMS Developer Guide, "Key policies"."""

import json

import pytest
from tests.doors.aws_kms.managing import EVERYTHING, ROOT_MAY, allow, ask, deny, made, policy, root
from tests.harness import OTHER_TENANT, TENANT, stack

from keystead.core import operations as ops


@pytest.fixture
def office():
    return stack()


def test_the_default_policy_is_aws_own(office) -> None:
    """KMS Developer Guide, "Default key policy when you create a KMS key programmatically"."""
    found = ask(office.admin, "GetKeyPolicy", KeyId=made(office.admin))
    assert found["PolicyName"] == "default"
    assert json.loads(found["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{TENANT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def test_a_policy_reads_back_to_the_letter(office) -> None:
    key_id, text = made(office.admin), json.dumps(json.loads(policy(ROOT_MAY)), indent=3) + "\n"
    assert office.admin.call("PutKeyPolicy", KeyId=key_id, PolicyName="default", Policy=text).body == b""
    for name in ({}, {"PolicyName": "default"}):
        assert ask(office.admin, "GetKeyPolicy", KeyId=key_id, **name)["Policy"] == text
    assert ask(office.admin, "ListKeyPolicies", KeyId=key_id) == {"PolicyNames": ["default"], "Truncated": False}


def test_there_is_no_other_policy(office) -> None:
    key_id = made(office.admin)
    other = {"KeyId": key_id, "PolicyName": "other"}
    assert office.admin.call("GetKeyPolicy", **other).code == "NotFoundException"
    assert office.admin.call("PutKeyPolicy", **other, Policy=policy(ROOT_MAY)).code == "NotFoundException"
    assert office.admin.call("ListKeyPolicies", KeyId=key_id, Marker="x").code == "ValidationException"
    shared = {"KeyId": key_id, "PolicyName": "AWS_RAM"}
    assert office.admin.call("GetKeyPolicy", **shared).code == "NotFoundException"
    reply = office.admin.call("PutKeyPolicy", **shared, Policy=policy(ROOT_MAY))
    assert (reply.code, reply.message) == (
        "ValidationException",
        "The AWS_RAM policy can only be managed by the RAM service.",
    )


def test_a_condition_on_the_name_of_the_policy(office) -> None:
    """GetKeyPolicy: "If the request doesn't include PolicyName, the value of kms:PolicyName is default"."""
    named = {"StringEquals": {"kms:PolicyName": "default"}}
    alice = office.user("alice", policy(allow("kms:GetKeyPolicy", "kms:PutKeyPolicy", Condition=named)))
    key_id = made(office.admin)
    assert alice.call("GetKeyPolicy", KeyId=key_id).status == 200
    assert alice.call("PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY)).status == 200
    for name in ("AWS_RAM", "other"):
        assert alice.call("GetKeyPolicy", KeyId=key_id, PolicyName=name).code == "AccessDeniedException"
    put = alice.call("PutKeyPolicy", KeyId=key_id, PolicyName="other", Policy=policy(ROOT_MAY))
    assert put.code == "AccessDeniedException"


@pytest.mark.parametrize("operation", ["GetKeyPolicy", "PutKeyPolicy"])
def test_a_key_is_looked_for_before_its_policy(office, operation) -> None:
    absent = {"KeyId": "00000000-0000-4000-8000-000000000000", "PolicyName": "other"}
    text = {"Policy": policy(ROOT_MAY)} if operation == "PutKeyPolicy" else {}
    reply = office.admin.call(operation, **absent, **text)
    assert reply.code == "NotFoundException" and absent["KeyId"] in reply.message
    reply = office.admin.call(operation, **{**absent, "KeyId": made(office.admin)}, **text)
    assert (reply.code, reply.message) == ("NotFoundException", "No such policy exists")
    assert office.record().outcome == "refused: NotFound"


@pytest.mark.parametrize(
    "principal", ["arn:aws:iam:::root", "arn:aws:iam::12345678901:root", f"arn:aws:iam::{TENANT}:group/a"]
)
def test_an_arn_that_is_no_principals(office, principal) -> None:
    """InvalidArnException: "or an ARN in a key policy, is not valid"; as against a principal that is not there."""
    text = policy(ROOT_MAY, allow("kms:*", principal=principal))
    for reply in (
        office.admin.call("CreateKey", Policy=text),
        office.admin.call("PutKeyPolicy", KeyId=made(office.admin), Policy=text),
    ):
        assert (reply.code, reply.message) == (
            "InvalidArnException",
            "An ARN in the specified key policy is invalid.",
        )


def test_row_42_a_policy_that_locks_its_author_out_is_not_put(office) -> None:
    """PutKeyPolicy, BypassPolicyLockoutSafetyCheck: "must allow the calling principal to make a subsequent request"."""
    key_id, admin = made(office.admin), office.admin
    mallory = office.user("mallory")
    shut = policy(allow("kms:*", principal=mallory.arn))
    blind = policy(allow("kms:Encrypt", "kms:GetKeyPolicy", principal=admin.arn))
    denied = policy(ROOT_MAY, deny("kms:PutKeyPolicy", principal="*"))
    before = ask(admin, "GetKeyPolicy", KeyId=key_id)
    for text in (shut, blind, denied):
        for reply in (
            admin.call("PutKeyPolicy", KeyId=key_id, Policy=text),
            admin.call("CreateKey", Policy=text),
        ):
            assert reply.code == "MalformedPolicyDocumentException"
            assert "will not allow you to update the key policy" in reply.message
    assert ask(admin, "GetKeyPolicy", KeyId=key_id) == before
    assert admin.call("PutKeyPolicy", KeyId=key_id, Policy=shut, BypassPolicyLockoutSafetyCheck=True).status == 200
    assert admin.call("GetKeyPolicy", KeyId=key_id).code == "AccessDeniedException"
    assert mallory.call("GetKeyPolicy", KeyId=key_id).status == 200


@pytest.mark.parametrize(
    "text",
    [
        "my policy",
        "{}",
        "[]",
        policy(allow("kms:*", principal=f"arn:aws:iam::{TENANT}:user/nobody")),
        policy(allow("kms:*", principal="arn:aws:iam::999999999999:root")),
        policy(allow("kms:*", principal=root(), Effect="allow")),
        '{"Statement":[],"Statement":[]}',
        policy(allow("kms:*")),
    ],
)
def test_what_is_no_policy_is_not_put(office, text) -> None:
    key_id = made(office.admin)
    for reply in (
        office.admin.call("PutKeyPolicy", KeyId=key_id, Policy=text, BypassPolicyLockoutSafetyCheck=True),
        office.admin.call("CreateKey", Policy=text, BypassPolicyLockoutSafetyCheck=True),
    ):
        assert reply.code == "MalformedPolicyDocumentException"


def test_how_long_a_policy_may_be(office) -> None:
    """KMS Developer Guide, "Resource quotas": key policy document size, 32 KB."""
    key_id, text = made(office.admin), policy(ROOT_MAY)
    fits = text + " " * (32 * 1024 - len(text))
    assert office.admin.call("PutKeyPolicy", KeyId=key_id, Policy=fits).status == 200
    assert office.admin.call("PutKeyPolicy", KeyId=key_id, Policy=fits + " ").code == "LimitExceededException"
    assert office.admin.call("PutKeyPolicy", KeyId=key_id, Policy=" " * 131073).code == "ValidationException"


def test_an_identity_policy_alone_opens_no_key(office) -> None:
    """KMS Developer Guide, "Allows access to the AWS account and enables IAM policies"."""
    key_id = made(office.admin)
    alice = office.user("alice", EVERYTHING)
    assert alice.call("DescribeKey", KeyId=key_id).status == 200
    only_admin = policy(allow("kms:*", principal=office.admin.arn))
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=only_admin)
    assert alice.call("DescribeKey", KeyId=key_id).code == "AccessDeniedException"
    assert alice.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").code == "AccessDeniedException"


def test_a_key_policy_alone_opens_a_key_to_its_own_account(office) -> None:
    alice = office.user("alice")
    key_id = made(office.admin, Policy=policy(ROOT_MAY, allow("kms:Encrypt", principal=alice.arn)))
    assert alice.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").status == 200
    assert alice.call("DescribeKey", KeyId=key_id).code == "AccessDeniedException"


def test_a_deny_beats_every_allow(office) -> None:
    """IAM User Guide, "Policy evaluation logic": in the key policy, or in the identity policy."""
    held_back = office.user("bob", policy(allow("kms:*"), deny("kms:Encrypt")))
    alice = office.user("alice", EVERYTHING)
    key_id = made(office.admin, Policy=policy(ROOT_MAY, deny("kms:Encrypt", principal=alice.arn)))
    for person in (held_back, alice):
        assert person.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").code == "AccessDeniedException"
        assert person.call("DescribeKey", KeyId=key_id).status == 200


def test_a_condition_on_the_context_and_on_the_alias(office) -> None:
    """KMS Developer Guide, "kms:EncryptionContext:context-key", "kms:RequestAlias"."""
    alice = office.user("alice")
    pinned = allow(
        "kms:Encrypt",
        principal=alice.arn,
        Condition={"StringEquals": {"kms:EncryptionContext:app": "pay", "kms:RequestAlias": "alias/pay"}},
    )
    key_id = made(office.admin, Policy=policy(ROOT_MAY, pinned))
    ask(office.admin, "CreateAlias", AliasName="alias/pay", TargetKeyId=key_id)
    body = {"Plaintext": "aGVsbG8=", "EncryptionContext": {"app": "pay"}}
    assert alice.call("Encrypt", KeyId="alias/pay", **body).status == 200
    assert alice.call("Encrypt", KeyId=key_id, **body).code == "AccessDeniedException"
    for context in ({"app": "Pay"}, {"App": "x"}, {}):
        reply = alice.call("Encrypt", KeyId="alias/pay", Plaintext="aGVsbG8=", EncryptionContext=context)
        assert reply.code == "AccessDeniedException"


def test_a_change_of_policy_is_enforced_from_the_answer_on(office) -> None:
    alice = office.user("alice")
    key_id = made(office.admin, Policy=policy(ROOT_MAY, allow("kms:Encrypt", principal=alice.arn)))
    assert alice.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").status == 200
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY))
    assert alice.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").code == "AccessDeniedException"


def test_a_name_made_anew_does_not_inherit(office) -> None:
    """Row 14: what a policy says of a principal's name, it says of who had that name when it was put."""
    alice = office.user("alice")
    text = policy(ROOT_MAY, allow("kms:Encrypt", principal=alice.arn))
    key_id = made(office.admin, Policy=text)
    office.by_system(ops.DeletePrincipal(tenant=ops.TenantRef(TENANT), name="alice"))
    assert alice.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").code == "UnrecognizedClientException"
    namesake = office.user("alice")
    assert namesake.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").code == "AccessDeniedException"
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=text)
    assert namesake.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").status == 200


def test_another_account_needs_both_sides(office) -> None:
    """IAM User Guide, "Cross-account policy evaluation logic"; the operation must allow it at all."""
    office.keyring(OTHER_TENANT)
    stranger = office.user("carol", EVERYTHING, tenant=OTHER_TENANT)
    powerless = office.user("dave", tenant=OTHER_TENANT)
    key = office.key(policy=policy(ROOT_MAY, allow("kms:*", principal=root(OTHER_TENANT))))
    body = {"KeyId": office.arn(key), "Plaintext": "aGVsbG8="}
    assert stranger.call("Encrypt", **body).json["KeyId"] == office.arn(key)
    assert powerless.call("Encrypt", **body).code == "AccessDeniedException"
    assert stranger.call("DisableKey", KeyId=office.arn(key)).code == "AccessDeniedException"
    assert stranger.call("PutKeyPolicy", KeyId=office.arn(key), Policy=policy(ROOT_MAY)).code == "AccessDeniedException"
    closed = office.key()
    assert stranger.call("Encrypt", KeyId=office.arn(closed), Plaintext="aGVsbG8=").code == "AccessDeniedException"
