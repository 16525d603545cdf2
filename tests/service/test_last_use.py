"""What counts as use: KMS API Reference, "GetKeyLastUsage"; IAM API Reference, "GetAccessKeyLastUsed"."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.managing import allow, deny, policy
from tests.harness import Person, stack

from keystead.app.chores import Chores, access_keys_used, keys_used
from keystead.core.entities import Key, LastUse
from keystead.doors.aws_kms import cloudtrail
from keystead.service.barrier import Commit


@pytest.fixture(scope="module")
def office():
    return stack()


def test_cryptography_is_use_of_every_key_in_it(office) -> None:
    one, two, signer = office.key(), office.key(), office.key("ECC_NIST_P256")
    office.forget_records()
    blob = office.admin.call("Encrypt", KeyId=one.id, Plaintext=b"x").json["CiphertextBlob"]
    office.admin.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=two.id)
    office.admin.call("Sign", KeyId=signer.id, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    office.admin.call("Encrypt", KeyId=two.id, Plaintext=b"x")
    assert keys_used(office.journal.lines) == {one.id: 1, two.id: 3, signer.id: 2}
    assert keys_used(office.journal.lines[:1]) == {one.id: 0}


@pytest.mark.parametrize("name", ["/a[b]/c", '[{"action":"key:encrypt","key":"x"}]'])
def test_brackets_in_a_name_hide_no_use(office, name) -> None:
    key = office.key()
    office.forget_records()
    office.admin.call("Encrypt", KeyId=key.id, Plaintext=b"x")
    record = office.record()
    named = replace(record, who=replace(record.who, name=name)).encode()
    assert keys_used([named]) == {key.id: 0} == keys_used([record.encode()])
    assert keys_used([named, record.encode()]) == {key.id: 1}


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("CreateKey", {}),
        ("RotateKeyOnDemand", {}),
        ("DescribeKey", {}),
        ("ScheduleKeyDeletion", {}),
        ("GetPublicKey", {}),
        ("Encrypt", {"Plaintext": b"x", "DryRun": True}),
        ("Encrypt", {"Plaintext": b"x", "GrantTokens": ["none"]}),
    ],
)
def test_nothing_else_is(office, operation, members) -> None:
    key = office.key("ECC_NIST_P256" if operation == "GetPublicKey" else "SYMMETRIC_DEFAULT")
    named = {} if operation == "CreateKey" else {"KeyId": key.id}
    reply = office.admin.call(operation, **named, **members)
    (record,) = (r for r in office.records() if r.request_id == reply.headers["x-amzn-requestid"])
    assert keys_used([record.encode()]) == {}


def test_what_does_not_verify_is_no_use(office) -> None:
    """GetKeyLastUsage: "the last successful cryptographic operation"."""
    signer, mac = office.key("ECC_NIST_P256"), office.key("HMAC_256")
    signing = {"KeyId": signer.id, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    sealing = {"KeyId": mac.id, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}
    signature = office.admin.call("Sign", **signing).json["Signature"]
    tag = office.admin.call("GenerateMac", **sealing).json["Mac"]
    office.forget_records()
    assert office.admin.call("Verify", **signing, Signature=b"x").code == "KMSInvalidSignatureException"
    assert office.admin.call("VerifyMac", **sealing, Mac=b"x").code == "KMSInvalidMacException"
    assert keys_used(office.journal.lines) == {}
    assert office.admin.call("Verify", **signing, Signature=signature).status == 200
    assert office.admin.call("VerifyMac", **sealing, Mac=tag).status == 200
    assert keys_used(office.journal.lines) == {signer.id: 2, mac.id: 3}


def test_an_access_key_is_used_by_whatever_it_signs(office) -> None:
    alice = office.user("alice")
    office.forget_records()
    assert office.admin.call("ListKeys").status == 200
    assert alice.call("ListKeys").code == "AccessDeniedException"
    assert alice.client("sts").get_caller_identity()
    office.admin.call("Encrypt", KeyId="alias/absent", Plaintext=b"x")
    assert access_keys_used(office.journal.lines) == {office.admin.access_key_id: 3, alice.access_key_id: 2}


def test_nobody_else_uses_it_by_naming_it(office) -> None:
    """Neither a request that is not signed with its secret, nor a text that looks like a record."""
    known = office.admin.access_key_id
    office.forget_records()
    forged = Person(office, office.admin.principal, known, b"x" * 40, None)
    assert forged.call("ListKeys").code == "InvalidSignatureException"
    record = office.record()
    assert record.who.via == known and record.outcome == "refused: Unauthenticated"
    sly = replace(
        record, request_id=f'","who":{{"id":"a","kind":"user","via":"{known}"', who=replace(record.who, via="x")
    )
    assert access_keys_used([*office.journal.lines, sly.encode()]) == {}


def test_row_99_a_key_that_was_used_lately_is_kept_where_a_policy_says_so() -> None:
    """KMS Developer Guide, "kms:TrailingDaysWithoutKeyUsage": whole days, since the last use or since it was made."""
    office = stack()
    recent = {"Condition": {"NumericLessThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "30"}}}
    kept = deny("kms:ScheduleKeyDeletion", "kms:DisableKey", **recent)
    alice, key = office.user("alice", policy(allow("kms:*"), kept)), office.key()

    def codes() -> set[str | None]:
        return {alice.call(name, KeyId=key.id).code for name in ("DisableKey", "ScheduleKeyDeletion")}

    assert codes() == {"AccessDeniedException"}
    office.clock.forward(timedelta(days=31, seconds=-1))
    assert codes() == {"AccessDeniedException"}, "30 days"
    use = LastUse(id=key.id, operation="Encrypt", at=office.clock.now(), request_id="r", index=1)
    office.barrier.commit(Commit(put=(use,)))
    office.clock.forward(timedelta(days=2))
    assert codes() == {"AccessDeniedException"}, "made long ago, and used lately"
    office.clock.forward(timedelta(days=29))
    assert codes() == {None}


def test_the_event_of_the_last_use_is_the_one_that_is_exported() -> None:
    """GetKeyLastUsage: "…and associated CloudTrail event ID". A use at another door is none of CloudTrail's events."""
    office = stack()
    key = office.key()
    office.admin.call("Encrypt", KeyId=key.id, Plaintext=b"x")
    line, chores = office.journal.lines[-1], Chores.__new__(Chores)
    chores._core, chores._uses = SimpleNamespace(barrier=office.barrier), {key.id: (7, line)}
    chores._write_uses()
    used = office.admin.call("GetKeyLastUsage", KeyId=key.id).json["KeyLastUsage"]
    (event,) = cloudtrail.events(7, line)
    assert (used["CloudTrailEventId"], used["KmsRequestId"]) == (event["eventID"], event["requestID"])
    use = office.barrier.get(LastUse, key.id)
    office.barrier.commit(Commit(put=(replace(use, operation="transit write encrypt/{name}"),)))
    assert "CloudTrailEventId" not in office.admin.call("GetKeyLastUsage", KeyId=key.id).json["KeyLastUsage"]


def test_the_use_of_a_key_that_goes_meanwhile_leaves_no_row_behind() -> None:
    """Keys go, with all that is kept of them, when a namespace ends: what has been read of one may be so no more."""
    office = stack()
    gone, stays = office.key(), office.key()
    barrier = office.barrier
    for key in (gone, stays):
        office.admin.call("Encrypt", KeyId=key.id, Plaintext=b"x")
    lines = office.journal.lines[-2:]

    class Meanwhile:
        def get(self, of, id_):
            found = barrier.get(of, id_)
            if of is LastUse and (key := barrier.get(Key, gone.id)) is not None:
                barrier.commit(Commit(delete=(key,)))
            return found

        commit = staticmethod(barrier.commit)

    chores = Chores.__new__(Chores)
    chores._core = SimpleNamespace(barrier=Meanwhile())
    chores._uses = {key.id: (n, lines[n]) for n, key in enumerate((gone, stays))}
    chores._write_uses()
    chores._write_uses()
    assert barrier.get(LastUse, gone.id) is None and barrier.get(LastUse, stays.id) is not None
