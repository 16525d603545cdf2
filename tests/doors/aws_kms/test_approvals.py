"""What waits for approval at the AWS door: in AWS's words, approved with AWS's credentials, done by the same call."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs
from tests import harness
from tests.service.test_quorum import Office

from keystead.core import operations as ops
from keystead.doors.aws_kms.approvals import OWN


@pytest.fixture
def office() -> Office:
    return Office()


def ask(person: harness.Person, name: str, **members) -> harness.Reply:
    headers = {"X-Amz-Target": OWN + name, "Content-Type": "application/x-amz-json-1.1"}
    reply = person.send(headers, json.dumps(members).encode())
    declared = person.stack.door.table()[OWN + name]
    assert reply.code is None or reply.code in declared.errors
    return reply


ACTS = {
    "schedule_key_deletion": {"PendingWindowInDays": 7},
    "disable_key": {},
    "put_key_policy": {
        "Policy": harness.ALLOW_ALL.replace('"Resource"', '"Principal":"*","Resource"'),
        "BypassPolicyLockoutSafetyCheck": True,
    },
    "create_grant": {"GranteePrincipal": f"arn:aws:iam::{harness.TENANT}:user/ann", "Operations": ["Decrypt"]},
}


def refused(call, **members) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("act", ACTS)
def test_the_same_call_is_done_once_two_have_approved(office, act: str) -> None:
    call = getattr(office.ray.client("kms"), act)
    members = {"KeyId": office.key.id, **ACTS[act]}
    code, words = refused(call, **members)
    assert code == "AccessDeniedException"
    (request,) = ask(office.ann, "ListApprovals").json["Approvals"]
    assert request["Id"] in words
    assert "0 of 2" in words
    shown = ask(office.ann, "DescribeApproval", Id=request["Id"]).json
    assert shown["Targets"] == [office.key.id]
    assert shown["AskedBy"] == "ray"
    assert ask(office.ray, "Approve", Id=request["Id"]).code == "AccessDeniedException"
    assert ask(office.ann, "Approve", Id=request["Id"]).json["Standing"] == "pending"
    assert refused(call, **members) == (code, words.replace("0 of 2", "1 of 2"))
    assert ask(office.bob, "Approve", Id=request["Id"]).json["Standing"] == "approved"
    call(**members)
    assert ask(office.ann, "Approve", Id=request["Id"]).code == "NotFoundException", "used is used"
    code, words = refused(call, **members)
    assert request["Id"] not in words


def test_by_alias_by_arn_and_by_id_it_is_one_act(office) -> None:
    office.free()
    office.stack.name(office.key, "alias/a")
    office.put()
    kms = office.ray.client("kms")
    grants = ACTS["create_grant"]
    for key in (office.key.id, office.stack.arn(office.key)):
        refused(kms.create_grant, KeyId=key, **grants)
    assert len(office.requests()) == 1
    refused(kms.create_grant, KeyId=office.key.id, **{**grants, "Operations": ["Encrypt"]})
    assert len(office.requests()) == 2


def test_a_denied_one_says_so(office) -> None:
    kms = office.ray.client("kms")
    refused(kms.disable_key, KeyId=office.key.id)
    (request,) = office.requests()
    assert ask(office.ann, "Deny", Id=request.id).json["Standing"] == "denied"
    code, words = refused(kms.disable_key, KeyId=office.key.id)
    assert (code, "was denied" in words) == ("AccessDeniedException", True)
    assert ask(office.bob, "Approve", Id=request.id).code == "KMSInvalidStateException"


def test_a_dry_run_asks_nobody(office) -> None:
    code, words = refused(
        office.ray.client("kms").create_grant, KeyId=office.key.id, DryRun=True, **ACTS["create_grant"]
    )
    assert (code, "nobody has been asked" in words) == ("AccessDeniedException", True)
    assert office.requests() == []


def test_a_signature_is_brought_by_whoever_may(office) -> None:
    office.free()
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    named = tuple(
        ops.ApproverSaid(who=f"key:{n}", public_key=key.public_key().public_bytes_raw()) for n, key in enumerate(keys)
    )
    office.put(approvers=named)
    kms = office.ray.client("kms")
    refused(kms.disable_key, KeyId=office.key.id)
    (request,) = office.requests()
    text = b64decode(ask(office.ray, "DescribeApproval", Id=request.id).json["ToSign"])
    for key in keys:
        signature = harness.b64encode(key.sign(text)).decode()
        assert ask(office.ray, "Approve", Id=request.id, Signature=signature).status == 200
    kms.disable_key(KeyId=office.key.id)


def test_it_is_one_accounts_own(office) -> None:
    refused(office.ray.client("kms").disable_key, KeyId=office.key.id)
    (request,) = office.requests()
    office.stack.keyring()
    stranger = office.stack.user("ann", harness.ALLOW_ALL.replace("kms:*", "*"), tenant=harness.OTHER_TENANT)
    assert ask(stranger, "ListApprovals").json == {"Approvals": []}
    for name in ("DescribeApproval", "Approve", "Deny"):
        assert ask(stranger, name, Id=request.id).code == "NotFoundException"


def test_who_may_do_nothing_sees_nothing(office) -> None:
    nobody = office.stack.user("nobody")
    for name, members in (("ListApprovals", {}), ("DescribeApproval", {"Id": "x"}), ("Approve", {"Id": "x"})):
        assert ask(nobody, name, **members).code == "AccessDeniedException"


def test_iam_waits_in_its_own_words() -> None:
    office = Office(actions=("identities",))
    code, words = refused(office.ray.client("iam").create_access_key, UserName="ann")
    assert code == "AccessDenied"
    (request,) = office.requests()
    assert request.id in words
    for who in (office.ann, office.bob):
        ask(who, "Approve", Id=request.id)
    with pytest.raises(ClientError, match="LimitExceeded"):
        office.stack.service._quotas = structs.replace(office.stack.service._quotas, access_keys=1)
        office.ray.client("iam").create_access_key(UserName="ann")
    office.stack.service._quotas = structs.replace(office.stack.service._quotas, access_keys=2)
    assert office.ray.client("iam").create_access_key(UserName="ann")["AccessKey"]["UserName"] == "ann"
