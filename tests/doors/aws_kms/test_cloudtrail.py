"""Audit records as CloudTrail records: the members AWS documents, what our record holds, and nothing beside it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests import harness
from tests.harness import ALLOW_ALL, OTHER_TENANT, PEER, REGION, TENANT, Person

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.audit.record import Record, Target, Who, parse, refused
from keystead.core.entities import PrincipalKind
from keystead.core.errors import Malformed, said_of
from keystead.doors import aws_kms
from keystead.doors.aws_kms import cloudtrail, sts
from keystead.doors.aws_kms.errors import ERRORS

AT = ops.TenantRef(TENANT)
# AWS CloudTrail User Guide, "CloudTrail record contents for management, data, and network activity events", 1.11
DOCUMENTED = frozenset(
    """eventTime eventVersion userIdentity eventSource eventName awsRegion sourceIPAddress userAgent errorCode
    errorMessage requestParameters responseElements additionalEventData requestID eventID eventType apiVersion
    managementEvent readOnly resources recipientAccountId serviceEventDetails sharedEventID vpcEndpointId
    vpcEndpointAccountId eventCategory addendum sessionCredentialFromConsole eventContext edgeDeviceDetails
    tlsDetails""".split()  # noqa: SIM905 - a list to be compared with AWS's page
)
# "CloudTrail userIdentity element", Fields
TYPES = {
    "Root",
    "IAMUser",
    "AssumedRole",
    "Role",
    "FederatedUser",
    "Directory",
    "AWSAccount",
    "AWSService",
    "IdentityCenterUser",
    "WebIdentityUser",  # "Values for AWS STS APIs with SAML and web identity federation"
    "Unknown",
}
ISSUER = {"type", "userName", "principalId", "arn", "accountId"}
IDENTITY = {
    *ISSUER,
    "accessKeyId",
    "sessionContext",
    "invokedBy",
    "onBehalfOf",
    "inScopeOf",
    "credentialId",
    "identityProvider",
}


def lines(stack) -> list[bytes]:
    changes = [line for _, line in stack.store.records(0, harness.MAX_PAGE)]
    return [*changes, *stack.journal.lines]


def events(stack) -> list[dict]:
    """The events of everything on record: of changes, then of uses and refusals."""
    return [event for index, line in enumerate(lines(stack)) for event in cloudtrail.events(index, line)]


def last(stack, name: str) -> dict:
    return [event for event in events(stack) if event.get("eventName") == name][-1]


def said(outcome: str, why: str = "", operation: str = "TrentService.Encrypt", **more) -> dict:
    """The event of a record made by hand."""
    record = Record(
        at=harness.stack().clock.now(),
        tenant=TENANT,
        namespace=f"aws:{TENANT}:{REGION}",
        who=Who("p-1", "user", "AKIAX", "ada"),
        door="aws_kms",
        operation=operation,
        outcome=outcome,
        why=why,
    )
    (event,) = cloudtrail.events(0, replace(record, **more).encode())
    return event


@pytest.fixture(scope="module")
def shared() -> harness.Stack:
    return harness.stack()


@pytest.fixture(scope="module")
def alice(shared) -> Person:
    return shared.user("alice", ALLOW_ALL)


# --- the tables


def test_every_documented_member_is_told_or_known_not_to_be() -> None:
    assert cloudtrail.MEMBERS.keys() | cloudtrail.NEVER_SAID == DOCUMENTED
    assert not cloudtrail.MEMBERS.keys() & cloudtrail.NEVER_SAID


def test_every_operation_has_a_service_and_is_read_only_or_not() -> None:
    model = set(botocore.session.get_session().get_service_model("kms").operation_names)
    assert model >= cloudtrail.READS
    for name in aws_kms.DOOR.table():
        assert sum(name.startswith(service.prefix) for service in cloudtrail.SERVICES) == 1, name
    for name in model:  # a verb that says it changes something does, the others read or use
        changes = re.match(
            "Cancel|Connect|Create|Delete|Disable|Disconnect|Enable|Import|Put|Replicate|Retire|Revoke|Rotate|Schedule|"
            "Tag|Untag|Update",
            name,
        )
        assert (name in cloudtrail.READS) != bool(changes), name


def test_every_kind_of_principal_has_a_type_of_cloudtrails() -> None:
    assert cloudtrail.IDENTITIES.keys() == set(PrincipalKind)
    assert {each for row in cloudtrail.IDENTITIES.values() for each in (row.type, row.in_session)} <= TYPES


@pytest.mark.parametrize(("prefix", "table"), [("TrentService.", ERRORS), ("sts:", sts.ERRORS)])
def test_every_row_of_the_doors_errors_is_found_again_by_the_words_on_record(prefix, table) -> None:
    (service,) = [one for one in cloudtrail.SERVICES if one.prefix == prefix]
    for key, row in table.items():
        kind, detail = key if isinstance(key, tuple) else (key, None)
        why = said_of(detail)
        assert (detail is None) == (why == ""), key
        outcome = "dry run" if kind is e.DryRun else refused(kind)
        assert said(outcome, why, f"{prefix}Anything")["errorCode"] == row.code, key
        assert service.fault(Record(at=harness.stack().clock.now(), outcome=outcome, why=f"{why}.MEMBER")).code
    assert len(cloudtrail.by_words(table)) == len(table)


# --- one of each


def test_an_encryption(shared, alice) -> None:
    key = shared.key()
    assert alice.call("Encrypt", KeyId=key.id, Plaintext=b"canary", EncryptionContext={"app": "canary"}).status == 200
    record, event = shared.record(), last(shared, "Encrypt")
    id_ = UUID(event.pop("eventID"))
    assert id_.version == 8 and id_.variant == "specified in RFC 4122"
    assert event.pop("additionalEventData") == {
        "logIndex": len(lines(shared)) - 1,
        "decidedBy": record.rule,
        "keyVersions": [1],
        "encryptionContextDigest": record.context,
    }
    assert event == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": alice.principal.id,
            "arn": f"arn:aws:iam::{TENANT}:user/alice",
            "accountId": TENANT,
            "accessKeyId": alice.access_key_id,
            "userName": "alice",
        },
        "eventTime": "2026-11-25T12:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": REGION,
        "sourceIPAddress": PEER,
        "requestID": record.request_id,
        "readOnly": True,
        "resources": [{"accountId": TENANT, "type": "AWS::KMS::Key", "ARN": shared.arn(key)}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": TENANT,
        "eventCategory": "Management",
    }


def test_a_re_encryption_has_two_resources_the_source_first(shared, alice) -> None:
    old, new = shared.key(), shared.key()
    blob = alice.call("Encrypt", KeyId=old.id, Plaintext=b"x").json["CiphertextBlob"]
    assert alice.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=new.id).status == 200
    event = last(shared, "ReEncrypt")
    assert [one["ARN"] for one in event["resources"]] == [shared.arn(old), shared.arn(new)]
    assert event["additionalEventData"]["keyVersions"] == [1, 1] and event["readOnly"]


def test_what_is_made_is_named(shared, alice) -> None:
    made = alice.call("CreateKey", Description="canary").json["KeyMetadata"]
    event = last(shared, "CreateKey")
    assert [one["ARN"] for one in event["resources"]] == [made["Arn"]] and not event["readOnly"]
    assert event["responseElements"]["keyMetadata"] == {
        "aWSAccountId": TENANT,
        "keyId": made["KeyId"],
        "arn": made["Arn"],
    }
    grant = alice.call("CreateGrant", KeyId=made["Arn"], GranteePrincipal=alice.arn, Operations=["Encrypt"]).json
    event = last(shared, "CreateGrant")
    assert event["responseElements"] == {"grantId": grant["GrantId"], "keyId": made["Arn"]}
    assert grant["GrantToken"] not in json.dumps(event)


def test_a_key_made_with_tags_is_the_only_resource(shared, alice) -> None:
    made = alice.call("CreateKey", Tags=[{"TagKey": "a", "TagValue": "b"}]).json["KeyMetadata"]
    assert [one["ARN"] for one in last(shared, "CreateKey")["resources"]] == [made["Arn"]]


def test_what_touches_two_regions_is_an_event_of_each() -> None:
    """KMS Developer Guide, "Examples of AWS KMS log entries": ReplicateKey and CreateKey, UpdatePrimaryRegion twice."""
    stack = harness.stack(regions=(REGION, harness.OTHER_REGION))
    admin, there = stack.admin, harness.OTHER_REGION
    key_id = admin.call("CreateKey", MultiRegion=True).json["KeyMetadata"]["KeyId"]
    here_arn, there_arn = (f"arn:aws:kms:{region}:{TENANT}:key/{key_id}" for region in (REGION, there))
    made = last(stack, "CreateKey")
    assert made["responseElements"]["keyMetadata"] == {"aWSAccountId": TENANT, "keyId": key_id, "arn": here_arn}
    tagged = {"Tags": [{"TagKey": "a", "TagValue": "b"}]}
    assert admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=there, **tagged).status == 200
    copied, created = events(stack)[-2:]
    metadata = {"aWSAccountId": TENANT, "keyId": key_id, "arn": there_arn}
    told = [
        (copied, "ReplicateKey", REGION, here_arn, {"replicaKeyMetadata": metadata}),
        (created, "CreateKey", there, there_arn, {"keyMetadata": metadata}),
    ]
    for event, name, region, arn, response in told:
        assert (event["eventName"], event["awsRegion"], event["responseElements"]) == (name, region, response)
        assert event["resources"] == [{"accountId": TENANT, "type": "AWS::KMS::Key", "ARN": arn}]
        assert event["readOnly"] is False
    assert admin.call("UpdatePrimaryRegion", KeyId=key_id, PrimaryRegion=there).status == 200
    old, new = events(stack)[-2:]
    for event, region, arn in ((old, REGION, here_arn), (new, there, there_arn)):
        assert (event["eventName"], event["awsRegion"]) == ("UpdatePrimaryRegion", region)
        assert [one["ARN"] for one in event["resources"]] == [arn] and "responseElements" not in event
    for one, other in ((copied, created), (old, new)):
        assert one["requestID"] == other["requestID"] and one["eventID"] != other["eventID"]
        assert "invokedBy" not in one["userIdentity"] and other["userIdentity"]["invokedBy"] == "kms.amazonaws.com"
    refused = admin.call("UpdatePrimaryRegion", KeyId=key_id, PrimaryRegion=there)
    event = events(stack)[-1]
    assert event["errorCode"] == refused.code and event["errorMessage"] == refused.message
    assert [one["ARN"] for one in event["resources"]] == [here_arn]
    used = admin.call("Encrypt", KeyId=key_id, Plaintext=b"x", region=there)
    assert used.status == 200 and last(stack, "Encrypt")["resources"][0]["ARN"] == there_arn


@pytest.mark.parametrize(
    ("verb", "members"),
    [
        ("EnableKeyRotation", {}),
        ("RotateKeyOnDemand", {}),
        ("TagResource", {"Tags": [{"TagKey": "a", "TagValue": "canary"}]}),
        ("UpdateKeyDescription", {"Description": "canary"}),
        ("DisableKey", {}),
        ("EnableKey", {}),
        ("ScheduleKeyDeletion", {}),
        ("CancelKeyDeletion", {}),
    ],
)
def test_a_change_is_of_its_key(shared, alice, managed, verb, members) -> None:
    assert alice.call(verb, KeyId=managed.id, **members).status == 200
    event = last(shared, verb)
    assert [one["ARN"] for one in event["resources"]] == [shared.arn(managed)]
    assert not event["readOnly"] and "errorCode" not in event and "canary" not in json.dumps(event)


@pytest.fixture(scope="module")
def managed(shared):
    return shared.key()


def test_a_request_of_sts(shared, alice) -> None:
    alice.client("sts").get_caller_identity()
    event = last(shared, "GetCallerIdentity")
    assert event["eventSource"] == "sts.amazonaws.com" and event["readOnly"] and "resources" not in event


def test_what_has_no_key_has_no_resource(shared, alice) -> None:
    assert alice.call("GenerateRandom", NumberOfBytes=8).status == 200
    assert "resources" not in last(shared, "GenerateRandom")
    assert alice.call("ListKeys").status == 200
    assert "resources" not in last(shared, "ListKeys") and last(shared, "ListKeys")["awsRegion"] == REGION


def test_another_accounts_key_is_anothers(stack) -> None:
    stack.keyring()
    policy = (
        '{"Version":"2012-10-17","Statement":['
        f'{{"Effect":"Allow","Principal":{{"AWS":"{TENANT}"}},"Action":"kms:*","Resource":"*"}},'
        f'{{"Effect":"Allow","Principal":{{"AWS":"{OTHER_TENANT}"}},"Action":"kms:*","Resource":"*"}}]}}'
    )
    other = stack.user("bob", ALLOW_ALL, tenant=OTHER_TENANT)
    key = stack.key(policy=policy, by=other)
    alice = stack.user("alice", ALLOW_ALL)
    assert alice.call("Encrypt", KeyId=stack.arn(key), Plaintext=b"x").status == 200
    event = last(stack, "Encrypt")
    assert event["resources"] == [{"accountId": OTHER_TENANT, "type": "AWS::KMS::Key", "ARN": stack.arn(key)}]
    assert event["recipientAccountId"] == event["userIdentity"]["accountId"] == TENANT


# --- refusals


def test_a_refusal_has_the_code_that_was_answered_and_its_words_where_they_are_known(shared, alice) -> None:
    key = shared.key()
    bob = shared.user("bob")
    alice.call("DisableKey", KeyId=key.id)
    signing = shared.key("ECC_NIST_P256")
    for person, verb, members in (
        (alice, "Encrypt", {"KeyId": key.id, "Plaintext": b"x"}),
        (alice, "Encrypt", {"KeyId": signing.id, "Plaintext": b"x"}),
        (alice, "Encrypt", {"KeyId": shared.key().id, "Plaintext": b"x", "DryRun": True}),
        (alice, "Encrypt", {"KeyId": "alias/none", "Plaintext": b"x"}),
        (alice, "Encrypt", {"KeyId": shared.key().id, "Plaintext": b""}),
        (alice, "Encrypt", {"KeyId": 7}),
        (alice, "Decrypt", {"CiphertextBlob": b"x"}),
        (alice, "CancelKeyDeletion", {"KeyId": key.id}),
        (alice, "PutKeyPolicy", {"KeyId": key.id, "Policy": "{}"}),
        (alice, "CreateAlias", {"AliasName": "alias/aws/x", "TargetKeyId": key.id}),
        (alice, "TagResource", {"KeyId": key.id, "Tags": [{"TagKey": "aws:x", "TagValue": ""}]}),
        (alice, "ListKeys", {"Marker": "x"}),
        (alice, "ReplicateKey", {}),
        (bob, "Encrypt", {"KeyId": key.id, "Plaintext": b"x"}),
        (bob, "DescribeKey", {"KeyId": "00000000-0000-4000-8000-000000000000"}),
    ):
        reply = person.call(verb, **members)
        event = last(shared, verb)
        assert reply.status != 200 and event["errorCode"] == reply.code, verb
        assert event.get("errorMessage", reply.message) == reply.message, verb
        assert ("errorMessage" in event) <= (reply.message is not None)
    alice.call("Encrypt", KeyId=key.id, Plaintext=b"x")
    event = last(shared, "Encrypt")
    assert (event["errorCode"], event["errorMessage"]) == ("DisabledException", f"{shared.arn(key)} is disabled.")
    assert event["additionalEventData"]["refusedFor"] == "WrongState: KeyState.SUSPENDED"


def test_a_key_behind_a_ciphertext_is_refused_as_it_was(stack) -> None:
    alice = stack.user("alice", ALLOW_ALL)
    blob = alice.call("Encrypt", KeyId=stack.key().id, Plaintext=b"x").json["CiphertextBlob"]
    bob = stack.user("bob")
    assert bob.call("Decrypt", CiphertextBlob=blob).code == "AccessDeniedException"
    assert last(stack, "Decrypt")["errorCode"] == "AccessDeniedException"
    event = said(refused(e.NotFound), "KeyRef.by_ciphertext", "TrentService.Decrypt")
    assert event["errorCode"] == "AccessDeniedException" and event["errorMessage"].startswith("The ciphertext refers")
    assert said(refused(e.NotFound), "KeyRef", "TrentService.Decrypt")["errorCode"] == "NotFoundException"


@pytest.mark.parametrize(
    ("spec", "verb", "members"),
    [
        ("ECC_NIST_P256", "Verify", {"Signature": b"x" * 64, "SigningAlgorithm": "ECDSA_SHA_256"}),
        ("HMAC_256", "VerifyMac", {"Mac": b"x" * 32, "MacAlgorithm": "HMAC_SHA_256"}),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_what_does_not_verify_is_an_error_here_as_it_was_at_the_door(stack, spec, verb, members, dry) -> None:
    key = stack.key(spec)
    reply = stack.admin.call(verb, KeyId=key.id, Message=b"x", DryRun=dry, **members)
    event = last(stack, verb)
    assert event["errorCode"] == reply.code != "DryRunOperationException"
    assert stack.record().outcome == ("refused: InvalidArgument" if dry else "performed") and stack.record().why
    if spec == "HMAC_256":
        tag = stack.admin.call("GenerateMac", KeyId=key.id, Message=b"x", MacAlgorithm="HMAC_SHA_256").json["Mac"]
        assert stack.admin.call(verb, KeyId=key.id, Message=b"x", **(members | {"Mac": tag})).status == 200
        assert "errorCode" not in last(stack, verb) and not stack.record().why


def test_a_request_of_nobody_says_who_it_claimed_to_be_from_and_no_more(stack) -> None:
    request = stack.user("alice").signed({"X-Amz-Target": "TrentService.ListKeys"}, b"{}")
    headers = dict(request.headers)
    headers[b"authorization"] = headers[b"authorization"][:-64] + b"0" * 64
    stack.serve(stack.request("POST", "https://kms.test/", headers, b"{}"))
    event = last(stack, "ListKeys")
    claimed = headers[b"authorization"].decode().partition("Credential=")[2][:20]
    assert event["userIdentity"] == {"type": "Unknown", "accessKeyId": claimed}
    assert event["errorCode"] == "InvalidSignatureException"
    assert not {"awsRegion", "recipientAccountId", "resources"} & event.keys()

    stack.serve(stack.request("POST", "https://kms.test/", {b"x-amz-target": b"TrentService.ListKeys"}, b"{}"))
    event = last(stack, "ListKeys")
    assert event["userIdentity"] == {"type": "Unknown"}
    assert event["errorCode"] == "MissingAuthenticationTokenException"


def test_what_is_no_operation_of_awss_has_no_name(stack) -> None:
    stack.user("alice").send({"X-Amz-Target": "Other.Thing"}, b"{}")
    (event,) = [event for event in events(stack) if "eventName" not in event]
    assert not {"eventSource", "readOnly", "errorCode"} & event.keys()
    assert event["additionalEventData"]["refusedFor"] == "Unsupported: X-Amz-Target"


# --- who


def test_a_session_is_of_its_user(stack) -> None:
    alice = stack.user("alice", ALLOW_ALL)
    made = stack.by_system(ops.IssueSession(tenant=AT, name="alice", seconds=900))
    token = made.session_token.reveal().decode()
    guest = Person(stack, alice.principal, made.credential.id, made.secret.reveal(), token)
    assert guest.call("ListKeys").status == 200
    event = last(stack, "ListKeys")
    identity = event["userIdentity"]
    assert (identity["type"], identity["userName"], identity["accessKeyId"]) == (
        "IAMUser",
        "alice",
        made.credential.id,
    )
    assert token not in json.dumps(event)
    stack.clock.forward(timedelta(hours=1))
    assert guest.call("ListKeys").code == last(stack, "ListKeys")["errorCode"] == "ExpiredTokenException"


def who(kind: str, via: str, name: str = "ops", session: str = "") -> dict:
    identity = said("performed", who=Who("p-1", kind, via, name, session))["userIdentity"]
    assert identity.keys() <= IDENTITY and identity["type"] in TYPES
    return identity


def test_every_kind_of_principal() -> None:
    root = {"principalId": TENANT, "arn": f"arn:aws:iam::{TENANT}:root", "accountId": TENANT}
    assert who("root", "AKIAX") == {"type": "Root", **root, "accessKeyId": "AKIAX"}
    arn = f"arn:aws:iam::{TENANT}:role/ops"
    role = {"principalId": "p-1", "arn": arn, "accountId": TENANT, "userName": "ops"}
    assert who("role", "AKIAX") == {"type": "Role", **role, "accessKeyId": "AKIAX"}
    assumed = who("role", "ASIAX")
    assert assumed.pop("sessionContext") == {"sessionIssuer": {"type": "Role", **role}} and role.keys() <= ISSUER
    assert assumed == {"type": "AssumedRole", "accountId": TENANT, "accessKeyId": "ASIAX"}
    assert who("role", "ASIAX", session="s-1") == {
        "type": "AssumedRole",
        "principalId": "p-1:s-1",
        "arn": f"arn:aws:sts::{TENANT}:assumed-role/ops/s-1",
        "accountId": TENANT,
        "accessKeyId": "ASIAX",
        "sessionContext": {"sessionIssuer": {"type": "Role", **role}},
    }
    assert who("service", "AKIAX", "x.amazonaws.com")["invokedBy"] == "x.amazonaws.com"
    assert who("system", "uid:0")["type"] == "Unknown"


def test_a_record_of_before_tells_less_and_invents_nothing() -> None:
    event = said("performed", namespace="", who=Who("p-1", "user", "AKIAX"), targets=(Target("key:encrypt", "k", 1),))
    assert not {"awsRegion", "resources"} & event.keys()
    assert event["userIdentity"] == {
        "type": "IAMUser",
        "principalId": "p-1",
        "accountId": TENANT,
        "accessKeyId": "AKIAX",
    }


def test_a_socket_has_no_address() -> None:
    assert "sourceIPAddress" not in said("performed", source="uid:0")
    assert said("performed", source="2001:db8::1")["sourceIPAddress"] == "2001:db8::1"


# --- a log of them


def test_a_log_is_a_file_of_cloudtrails_or_lines_and_other_doors_are_left_out(shared, alice) -> None:
    alice.call("ListKeys")
    kept = list(enumerate(lines(shared), 40))
    whole = json.loads(b"".join(cloudtrail.export(kept, "cloudtrail")))
    assert list(whole) == ["Records"]
    text = b"".join(cloudtrail.export(kept, "jsonl"))
    assert text.endswith(b"\n") and [json.loads(line) for line in text.splitlines()] == whole["Records"]
    assert 0 < len(whole["Records"]) == sum(parse(line).door == "aws_kms" for _, line in kept) < len(kept)
    assert len({event["eventID"] for event in whole["Records"]}) == len(whole["Records"])
    for event in whole["Records"]:
        assert parse(kept[event["additionalEventData"]["logIndex"] - 40][1]).request_id == event["requestID"]
        assert event.keys() <= DOCUMENTED and event["userIdentity"].keys() <= IDENTITY


@pytest.mark.parametrize(("format_", "empty"), [("cloudtrail", b'{"Records":[]}\n'), ("jsonl", b"")])
def test_a_log_of_nothing(format_, empty) -> None:
    assert b"".join(cloudtrail.export([], format_)) == empty


texts = st.text(max_size=8)
KINDS = st.sampled_from(["", *cloudtrail.KINDS])
OPERATIONS = st.sampled_from(["", "sts:", *aws_kms.DOOR.table()])
OUTCOMES = st.sampled_from(["performed", "dry run", *map(refused, e.KeysteadError.__subclasses__())])


@given(
    st.builds(
        Record,
        at=st.datetimes(timezones=st.just(UTC)),
        tenant=texts,
        namespace=texts,
        who=st.builds(Who, texts, KINDS | texts, st.just("ASIAX") | texts, texts, texts),
        source=texts,
        door=st.just("aws_kms"),
        operation=OPERATIONS | texts,
        targets=st.lists(st.builds(Target, texts, texts, st.integers(0, 9), texts, texts), max_size=3).map(tuple),
        made=texts,
        outcome=OUTCOMES | texts,
        why=texts,
        n=st.integers(0, 9),
    )
)
def test_any_record_is_an_event_of_documented_members(record) -> None:
    record = parse(record.encode())
    pieces = [*cloudtrail.export([(7, record.encode())], "jsonl")][1:-1]
    told = [json.loads(piece) for piece in pieces]
    assert told == [*cloudtrail.events(7, record.encode())]
    for event in told:
        assert event.keys() <= DOCUMENTED and event["userIdentity"].keys() <= IDENTITY
        assert event["userIdentity"]["type"] in TYPES and event["additionalEventData"]["logIndex"] == 7
        assert None not in event.values()
    assert len({event["eventID"] for event in told}) == len(told) >= 1


def test_one_event_is_held_at_a_time(shared) -> None:
    line = next(line for line in lines(shared) if parse(line).door == "aws_kms")
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield len(asked), line

    pieces = cloudtrail.export(endless(), "jsonl")
    for _ in range(100):
        next(pieces)
    assert len(asked) <= 100


def test_a_record_that_is_none_is_not_passed_over() -> None:
    with pytest.raises(Malformed):
        list(cloudtrail.export([(0, b"{}")], "jsonl"))


def test_nothing_secret_is_in_an_event(stack) -> None:
    """Whatever was sent or answered: plaintext, data keys, contexts, ciphertexts, tokens, secrets, names of tags."""
    alice, key = stack.user("alice", ALLOW_ALL), stack.key()
    secrets = [alice.credentials.secret_key, "canary"]
    answer = alice.call("GenerateDataKey", KeyId=key.id, KeySpec="AES_256", EncryptionContext={"canary": "canary"}).json
    secrets += [answer["Plaintext"], answer["CiphertextBlob"]]
    alice.call("CreateAlias", AliasName="alias/canary", TargetKeyId=key.id)
    alice.call("Encrypt", KeyId="alias/canary", Plaintext=b"canary")
    alice.call("Encrypt", KeyId="alias/not-a-canary", Plaintext=b"canary")
    alice.call("Sign", KeyId=key.id, Message=b"canary", SigningAlgorithm="canary")
    text = b"".join(cloudtrail.export(enumerate(lines(stack)), "cloudtrail")).decode()
    assert text.count("eventID") > 4
    for secret in (*secrets, harness.b64(b"canary")):
        assert secret not in text


def test_nothing_that_somebody_is_called_moves_the_cursor_of_whoever_reads_it() -> None:
    """security.md §4-E, check 71."""
    hostile = 'a\x1b[2J\x9b2J\u2028\u202eb\U0001f511"'
    record = Record(
        at=datetime(2026, 11, 25, 12, tzinfo=UTC),
        tenant=TENANT,
        namespace=f"aws:{TENANT}:{REGION}",
        who=Who(id="p", kind="user", via="AKIA", name=hostile),
        door="aws_kms",
        operation="TrentService.ListKeys",
        outcome="performed",
    )
    told = b"".join(cloudtrail.export([(0, record.encode())], "jsonl"))
    assert all(0x20 <= one <= 0x7E for one in told.rstrip(b"\n"))
    assert json.loads(told)["userIdentity"]["userName"] == hostile
