"""Group E of research/security.md §4 at this door: what is on record, of whatever is asked, and what never is."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from msgspec.structs import fields
from tests import harness

from keystead.core.audit.record import Record, parse
from keystead.core.errors import Unavailable
from keystead.wire.http import Refusal

JSON = {"X-Amz-Target": "TrentService.GenerateRandom", "Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CANARY = "canary-7f3a9c-do-not-show"
SCOPE = "20261125/us-east-1/kms/aws4_request"
ANYTHING = {
    "nothing": ({}, b"", "GET", "/"),
    "a path": ({}, b"", "POST", "/admin"),
    "a query": ({}, b"", "GET", f"/?X-Amz-Signature={CANARY}&Action=x"),
    "no operation": ({"X-Amz-Target": "TrentService."}, b"{}", "POST", "/"),
    "another's operation": ({"X-Amz-Target": f"Other.{CANARY}"}, b"{}", "POST", "/"),
    "what is not offered": ({"X-Amz-Target": "TrentService.ImportKeyMaterial"}, b"{}", "POST", "/"),
    "another method": (JSON, b"{}", "PUT", "/"),
    "no credential": (JSON, b"{}", "POST", "/"),
    "half a credential": (JSON | {"Authorization": f"AWS4-HMAC-SHA256 Credential={CANARY}"}, b"{}", "POST", "/"),
    "another scheme": (JSON | {"Authorization": f"Bearer {CANARY}"}, b"{}", "POST", "/"),
    "an unknown credential": (
        JSON
        | {
            "X-Amz-Date": "20261125T120000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIA{'A' * 16}/{SCOPE}, SignedHeaders=host;x-amz-date;"
            f"x-amz-target, Signature={'0' * 64}",
        },
        b"{}",
        "POST",
        "/",
    ),
    "a form": (FORM, b"Action=GetCallerIdentity&Version=2011-06-15", "POST", "/"),
    "no form": (FORM, b"%zz", "POST", "/"),
    "a header that nobody reads": (JSON | {f"X-{CANARY}": CANARY, "User-Agent": CANARY}, b"{}", "POST", "/"),
}


def strange(stack, what: str) -> harness.Reply:
    headers, body, method, path = ANYTHING[what]
    raw = {name.lower().encode(): value.encode() for name, value in headers.items()}
    request = stack.request(method, f"https://kms.test{path}", {b"host": b"kms.test", **raw}, body)
    return harness.Reply.of(stack.serve(request))


@pytest.mark.parametrize("what", ANYTHING)
def test_row_75_every_request_is_on_record_once_whatever_it_is(stack, what, caplog) -> None:
    """CVE-2025-62513, CVE-2026-46358: and nothing of its body or of a header that nobody reads is (rows 67, 70)."""
    before = len(stack.records())
    with caplog.at_level(logging.DEBUG):
        assert strange(stack, what).status in {400, 403}
    assert len(stack.records()) == before + 1
    assert stack.record().outcome.startswith("refused: ")
    assert CANARY.encode() not in stack.journal.lines[-1]
    assert CANARY not in caplog.text


@pytest.mark.parametrize("what", ANYTHING)
def test_row_75_what_is_signed_and_still_no_request_is_on_record_once(stack, what) -> None:
    headers, body, method, path = ANYTHING[what]
    if "Authorization" in headers or "X-Amz-Signature" in path:
        return
    before = len(stack.records())
    service = "sts" if headers is FORM else "kms"
    stack.admin.send(headers, body, method=method, url=f"https://kms.test{path}", service=service)
    assert len(stack.records()) == before + 1
    assert stack.record().who.id == stack.admin.principal.id


@pytest.mark.parametrize("refusal", Refusal)
def test_row_75_what_the_listener_refuses_is_answered_and_not_on_record(stack, refusal) -> None:
    """Bytes that are no request have no operation, and nobody sent them: the one exception, said in SPEC.md."""
    before = len(stack.records())
    assert stack.front.reject(refusal, 0).startswith(b"HTTP/1.1 %d " % refusal.status)
    assert len(stack.records()) == before


@pytest.mark.parametrize("what", ANYTHING)
def test_row_76_without_a_record_nobody_is_told_more_than_that(stack, what) -> None:
    stack.journal.fails = Unavailable("the audit journal cannot be written")
    reply = strange(stack, what)
    assert reply.status in {500, 503}


def test_row_69_a_record_has_these_fields_and_no_others(stack) -> None:
    """A list of what is said: whatever a request has beside it is hidden by default."""
    assert [field.encode_name for field in fields(Record)] == [
        "v",
        "t",
        "req",
        "tenant",
        "ns",
        "who",
        "src",
        "door",
        "op",
        "targets",
        "ctx",
        "made",
        "rule",
        "outcome",
        "why",
        "n",
    ]
    key = stack.key()
    stack.name(key, f"alias/{CANARY}")
    members = {"KeyId": f"alias/{CANARY}", "Plaintext": CANARY.encode(), "EncryptionContext": {CANARY: CANARY}}
    assert stack.admin.call("Encrypt", **members).status == 200
    assert stack.admin.call("TagResource", KeyId=key.id, Tags=[{"TagKey": CANARY, "TagValue": CANARY}]).status == 200
    assert stack.admin.call("UpdateKeyDescription", KeyId=key.id, Description=CANARY).status == 200
    lines = [*stack.journal.lines, *(line for _, line in stack.store.records(0, 1000))]
    assert len(lines) > 4
    assert not any(CANARY.encode() in line for line in lines)


@pytest.mark.parametrize("injected", ['","outcome":"performed"}\n{"v":1', "\r\n\x1b[2J\x1b[31m", "\u2028\u0085\ud800"])
def test_row_71_nothing_that_is_sent_makes_another_line_or_moves_a_cursor(stack, injected) -> None:
    for members in (
        {"KeyId": injected, "Plaintext": b"x"},
        {"KeyId": stack.key().id, "Plaintext": b"x", "GrantTokens": [injected]},
        {"KeyId": stack.key().id, "Plaintext": b"x", "EncryptionContext": {"k": injected}},
    ):
        stack.forget_records()
        try:
            stack.admin.call("Encrypt", **members)
        except UnicodeEncodeError:  # the client cannot send a lone surrogate: this is what one would have to write
            text = harness.msgspec.json.encode(dict.fromkeys(members)).decode()
            stack.admin.post("Encrypt", text.replace("null", '"\\ud800"').encode())
        (line,) = stack.journal.lines
        assert all(0x20 <= byte < 0x7F for byte in line)
        assert parse(line).operation == "TrentService.Encrypt"


def test_row_78_a_clock_that_steps_back_changes_no_order(stack) -> None:
    """The log is in the order in which things happened, whatever the time says."""
    key = stack.key()
    for by in (0, -3600, 7200):
        stack.clock.leap(timedelta(seconds=by))
        assert stack.admin.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200
    times = [parse(line).at for line in stack.journal.lines[-3:]]
    assert times[1] < times[0] < times[2]


def test_row_11_a_lone_surrogate_is_no_text(stack) -> None:
    key = stack.key()
    for member in ('"KeyId":"\\ud800"', f'"KeyId":"{key.id}","EncryptionContext":{{"\\udfff":"x"}}'):
        reply = stack.admin.post("Encrypt", b'{"Plaintext":"eA==",%b}' % member.encode())
        assert reply.code in {"SerializationException", "ValidationException"}
