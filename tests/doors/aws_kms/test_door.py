"""The door itself: who is let in, which protocol is spoken, and that every request is answered and on record."""

from __future__ import annotations

import logging

import msgspec
import pytest
from msgspec.structs import replace
from tests import harness
from tests.harness import Reply

from keystead.core.errors import Unavailable, WrongState
from keystead.core.states import KeyState
from keystead.doors.aws_kms import DOOR, constraints
from keystead.wire.http import Refusal

JSON = {"Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
WHO_AM_I = b"Action=GetCallerIdentity&Version=2011-06-15"


def request_of(stack, key=None):
    body = msgspec.json.encode({"KeyId": (key or stack.key()).id, "Plaintext": b"x"})
    return stack.admin.signed({**JSON, "X-Amz-Target": "TrentService.Encrypt"}, body)


def ask(stack, request, **changed) -> Reply:
    return Reply.of(stack.serve(replace(request, **changed)))


# --- who is let in. KMS API Reference, "Common Errors"; research/aws.md §5


def test_an_unsigned_request(stack) -> None:
    request = request_of(stack)
    headers = {name: value for name, value in request.headers.items() if name != b"authorization"}
    reply = ask(stack, request, headers=headers)
    assert (reply.status, reply.code) == (400, "MissingAuthenticationTokenException")


def test_a_credential_nobody_has(stack) -> None:
    request = request_of(stack)
    forged = request.headers[b"authorization"].replace(stack.admin.access_key_id.encode(), b"AKIAAAAAAAAAAAAAAAAA")
    reply = ask(stack, request, headers=request.headers | {b"authorization": forged})
    assert (reply.code, reply.message) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
    record = stack.record()
    assert (record.outcome, record.who.via, record.who.id) == ("refused: Unauthenticated", "AKIAAAAAAAAAAAAAAAAA", "")
    assert record.operation == "TrentService.Encrypt"


def test_a_body_that_was_not_signed(stack) -> None:
    reply = ask(stack, request_of(stack), body=b'{"NumberOfBytes":1}')
    assert reply.code == "InvalidSignatureException"
    assert reply.message.startswith("The request signature we calculated does not match the signature you provided.")


def test_a_signature_that_is_too_old_or_from_the_future(stack) -> None:
    request = request_of(stack)
    for seconds, words in ((301, "Signature expired: "), (-301, "Signature not yet current: ")):
        reply = ask(stack, request, second=request.second + seconds)
        assert reply.code == "InvalidSignatureException"
        assert reply.message.startswith(words)


def test_a_signature_for_another_service(stack) -> None:
    request = stack.admin.signed({**JSON, "X-Amz-Target": "TrentService.Encrypt"}, b"{}", service="s3")
    reply = ask(stack, request)
    assert reply.code == "InvalidSignatureException"
    assert reply.message.startswith("Credential should be scoped to correct service: 'kms'")


def test_who_is_not_let_in_learns_nothing_of_the_body(stack) -> None:
    """Rule 1: a request is authenticated before its body is looked at."""
    for body in (b"", b"not JSON", b'{"KeyId":""}', b'{"KeyId":"none","Plaintext":"eA=="}'):
        assert ask(stack, request_of(stack), body=body).code == "InvalidSignatureException"


# --- which protocol, which operation


@pytest.mark.parametrize(
    "target",
    [
        "TrentService.Fly",
        "TrentService.encrypt",
        "TrentService.",
        "Encrypt",
        "DynamoDB_20120810.Encrypt",
        "TrentService.En crypt",
    ],
)
def test_an_operation_that_does_not_exist(stack, target) -> None:
    reply = stack.admin.send({**JSON, "X-Amz-Target": target}, b"{}")
    assert (reply.status, reply.code, reply.message) == (400, "UnknownOperationException", None)
    assert (stack.record().outcome, stack.record().operation) == ("refused: Unsupported", "")


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "https://kms.test/"), ("POST", "https://kms.test/encrypt"), ("POST", "https://kms.test/?x=1")],
)
def test_the_one_address(stack, method, url) -> None:
    body = b"" if method == "GET" else b"{}"
    reply = stack.admin.send({**JSON, "X-Amz-Target": "TrentService.GenerateRandom"}, body, method=method, url=url)
    assert reply.code == "UnknownOperationException"


def test_every_reply_has_its_own_request_id_and_it_is_the_one_on_record(stack) -> None:
    key = stack.key()
    seen = set()
    for operation, members in (
        ("Encrypt", {"KeyId": key.id, "Plaintext": b"x"}),
        ("Encrypt", {"KeyId": "none", "Plaintext": b"x"}),
        ("Encrypt", {}),
        ("Fly", {}),
    ):
        reply = stack.admin.call(operation, **members)
        assert reply.headers["x-amzn-requestid"] == stack.record().request_id
        seen.add(reply.headers["x-amzn-requestid"])
    assert len(seen) == 4


def test_a_success_without_an_answer_has_no_body(stack) -> None:
    reply = stack.admin.call("DisableKey", KeyId=stack.key().id)
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("refusal", Refusal)
def test_what_is_no_request_is_answered_in_the_words_of_the_protocol(stack, refusal) -> None:
    reply = Reply.of(stack.front.reject(refusal, 0))
    assert (reply.status, reply.message) == (refusal.status, refusal.words)
    assert len(reply.headers["x-amzn-requestid"]) == 36


# --- STS, on the same port. STS API Reference, "GetCallerIdentity", "Common Errors"


def test_boto3_asks_who_it_is(stack) -> None:
    answer = stack.admin.client("sts").get_caller_identity()
    assert (answer["Account"], answer["Arn"]) == (harness.TENANT, stack.admin.arn)
    assert stack.record().operation == "sts:GetCallerIdentity"


def sts(stack, body: bytes, **options) -> Reply:
    return stack.admin.send(FORM, body, service="sts", **options)


def test_an_action_that_is_not_offered_is_refused_in_xml(stack) -> None:
    reply = sts(stack, b"Action=AssumeRoleWithSAML&Version=2011-06-15&RoleArn=x")
    assert reply.status == 400
    assert b"<Code>InvalidAction</Code>" in reply.body and b"<Type>Sender</Type>" in reply.body
    assert reply.headers["content-type"] == "text/xml"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Action=GetCallerIdentity",
        b"Action=GetCallerIdentity&Version=2010-05-08",
        b"Action.member.1=x&Version=y",
        b"xAction=GetCallerIdentity&Version=2011-06-15",
    ],
)
def test_an_action_has_a_version(stack, body) -> None:
    assert b"<Code>InvalidAction</Code>" in sts(stack, body).body


@pytest.mark.parametrize("body", [b"Action=a&Action=b", b"Action=%zz"])
def test_a_form_that_is_none(stack, body) -> None:
    assert b"<Code>MalformedInput</Code>" in sts(stack, body).body
    assert stack.record().outcome == "refused: Malformed"


def test_who_is_not_let_in_is_told_in_xml(stack) -> None:
    request = stack.admin.signed(FORM, WHO_AM_I, service="sts")
    reply = ask(stack, request, body=WHO_AM_I + b"&x=y")
    assert reply.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in reply.body
    unsigned = {name: value for name, value in request.headers.items() if name != b"authorization"}
    assert b"<Code>MissingAuthenticationToken</Code>" in ask(stack, request, headers=unsigned).body


def test_a_credential_for_sts_does_not_sign_for_kms(stack) -> None:
    request = stack.admin.signed({**JSON, "X-Amz-Target": "TrentService.GenerateRandom"}, b"{}", service="sts")
    assert ask(stack, request).code == "InvalidSignatureException"
    request = stack.admin.signed(FORM, WHO_AM_I, service="kms")
    assert b"<Code>SignatureDoesNotMatch</Code>" in ask(stack, request).body


def test_what_iam_has_and_this_door_has_not(stack) -> None:
    reply = stack.admin.send(FORM, b"Action=ListSAMLProviders&Version=2010-05-08", service="iam")
    assert b"<Code>InvalidAction</Code>" in reply.body
    assert b"https://iam.amazonaws.com/doc/2010-05-08/" in reply.body


# --- whatever happens, it is answered, and on record first


def test_row_76_without_a_record_there_is_no_answer(stack) -> None:
    """The record joins the journal before the reply is made; a journal that takes none makes every request fail."""
    request = request_of(stack)
    stack.journal.fails = Unavailable("the journal cannot be written")
    for body in (request.body, b"not what was signed"):
        reply = ask(stack, request, body=body)
        assert (reply.status, reply.code) == (500, "DependencyTimeoutException")
        assert b"CiphertextBlob" not in reply.body
    assert stack.admin.call("Fly").code == "DependencyTimeoutException"
    assert Reply.of(stack.serve(stack.admin.signed(FORM, WHO_AM_I, service="sts"))).status == 503


def test_row_76_every_request_is_on_record_before_its_reply(stack) -> None:
    key = stack.key()
    n = len(stack.journal.lines)
    requests = (
        ("Encrypt", {"KeyId": key.id, "Plaintext": b"x"}),
        ("Encrypt", {"KeyId": "none", "Plaintext": b"x"}),
        ("Encrypt", {"KeyId": key.id}),
        ("Decrypt", {"CiphertextBlob": b"x"}),
        ("ImportKeyMaterial", {}),
        ("Fly", {}),
    )
    for number, (operation, members) in enumerate(requests, 1):
        stack.admin.call(operation, **members)
        assert len(stack.journal.lines) == n + number


def test_a_bug_is_answered_without_words_and_logged_with_the_request_id(stack, monkeypatch, caplog) -> None:
    broken = next(op for op in DOOR.operations if op.name == "TrentService.GenerateRandom")

    def fail(*_):
        raise ZeroDivisionError("a secret detail")

    stack.front._json[broken.name.encode()] = replace(broken, run=fail)
    with caplog.at_level(logging.ERROR, logger="keystead"):
        reply = stack.admin.call("GenerateRandom", NumberOfBytes=1)
    assert (reply.status, reply.code, reply.message) == (500, "KMSInternalException", None)
    assert "secret detail" not in reply.body.decode()
    assert reply.headers["x-amzn-requestid"] in caplog.text
    assert stack.record().outcome == "refused: Internal"


def test_an_error_whose_words_cannot_be_found_is_said_without(stack, caplog) -> None:
    def fail(*_):
        raise WrongState("of a key that nobody knows", KeyState.SUSPENDED)

    name = "TrentService.GenerateRandom"
    stack.front._json[name.encode()] = replace(DOOR.table()[name], run=fail)
    with caplog.at_level(logging.ERROR, logger="keystead"):
        reply = Reply.of(stack.serve(stack.admin.signed({**JSON, "X-Amz-Target": name}, b"{}")))
    assert (reply.status, reply.code, reply.message) == (400, "DisabledException", None)
    assert reply.headers["x-amzn-requestid"] in caplog.text


def test_while_it_is_sealed_every_request_says_so(stack) -> None:
    request = request_of(stack)
    assert ask(stack, request).status == 200
    stack.barrier.close()
    reply = ask(stack, request)
    assert (reply.status, reply.code) == (500, "KeyUnavailableException")


def test_a_request_that_would_block_is_served_on_another_thread(stack) -> None:
    """HOUSE §5: WouldBlock passes through the door, and nothing has been done then."""
    key = stack.key()
    stack.on_the_loop()
    stack.view.catch_up()
    before = len(stack.journal.lines)
    for n in (1, 2):
        assert stack.admin.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200
        assert len(stack.journal.lines) == before + n


def test_constraints_are_looked_at_only_when_one_is_broken(stack, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(
        "keystead.doors.aws_kms.door.complaint", lambda *a: calls.append(a) or constraints.complaint(*a)
    )
    stack.admin.call("GenerateRandom", NumberOfBytes=1)
    assert not calls
    stack.admin.call("GenerateRandom", NumberOfBytes=0)
    assert len(calls) == 1


@pytest.mark.parametrize("service", ["iam", "sts", ""])
def test_what_is_no_request_is_told_in_xml_where_it_would_have_been_one_of_iam_or_sts(stack, service) -> None:
    """Their clients read nothing else: a body that is too large has had its head read."""
    scope = f"AKIA/20260101/us-east-1/{service}/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    headers = {b"content-type": b"application/x-www-form-urlencoded; charset=utf-8"}
    headers |= {b"authorization": signed.encode()} if service else {}
    said = Reply.of(stack.front.reject(Refusal.BODY_TOO_LARGE, 0, headers))
    assert said.status == 413 and said.headers["content-type"] == "text/xml"
    assert f"https://{service or 'sts'}.amazonaws.com/doc/".encode() in said.body
    assert b"<Message>body too large</Message>" in said.body
    for of_kms in ({}, {**headers, b"x-amz-target": b"TrentService.Encrypt"}):
        assert Reply.of(stack.front.reject(Refusal.BODY_TOO_LARGE, 0, of_kms)).body.startswith(b"{")
