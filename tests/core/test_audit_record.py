"""A record is one line of printable ASCII, in one form, with no room for a secret."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keystead.core.audit.record import PERFORMED, Record, Recorder, Target, Who, parse, refused, timestamp
from keystead.core.caller import Caller
from keystead.core.entities import Principal, PrincipalKind
from keystead.core.errors import Malformed, WrongState
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive

T0 = datetime(2026, 11, 25, 17, 46, 48, 123456, tzinfo=UTC)
RECORD = Record(
    at=T0,
    request_id="0f8f-1",
    tenant="111122223333",
    namespace="aws:111122223333:eu-west-1",
    who=Who("p-1", "user", "AKIAX", "ada"),
    source="127.0.0.1",
    door="aws_kms",
    operation="TrentService.Encrypt",
    targets=(Target("key:encrypt", "k-1", 1),),
    context="ab" * 32,
    made="k-2",
    rule="key policy",
    outcome=PERFORMED,
    why="KeyState.SUSPENDED",
    n=3,
)
LINE = (
    b'{"v":1,"t":"2026-11-25T17:46:48.123456Z","req":"0f8f-1","tenant":"111122223333",'
    b'"ns":"aws:111122223333:eu-west-1","who":{"id":"p-1","kind":"user","via":"AKIAX","name":"ada"},"src":"127.0.0.1","door":"aws_kms","op":"TrentService.Encrypt",'
    b'"targets":[{"action":"key:encrypt","key":"k-1","version":1}],"ctx":"' + b"ab" * 32 + b'",'
    b'"made":"k-2","rule":"key policy","outcome":"performed","why":"KeyState.SUSPENDED","n":3}'
)
BEFORE = (
    b'{"v":1,"t":"2026-11-25T17:46:48.123456Z","req":"0f8f-1","tenant":"111122223333",'
    b'"who":{"id":"p-1","kind":"user","via":"AKIAX"},"src":"127.0.0.1","door":"aws_kms","op":"TrentService.Encrypt",'
    b'"targets":[{"action":"key:encrypt","key":"k-1","version":1}],"ctx":"' + b"ab" * 32 + b'",'
    b'"rule":"key policy","outcome":"performed","n":3}'
)
"""A record as it was before namespaces, names, what was made and why stood on record."""
TEXTS = [
    "request_id",
    "tenant",
    "namespace",
    "source",
    "door",
    "operation",
    "context",
    "made",
    "rule",
    "outcome",
    "why",
]
HOSTILE = '\r\n\x1b[31m\x00\x7f\x85\x9b\u2028\u202e\\"\ud800\U0001f511}'

texts = st.text(st.characters(codec=None), max_size=12)
records = st.builds(
    Record,
    at=st.datetimes(timezones=st.just(UTC)),
    request_id=texts,
    tenant=texts,
    namespace=texts,
    who=st.builds(Who, texts, texts, texts, texts, texts),
    source=texts,
    door=texts,
    operation=texts,
    targets=st.lists(st.builds(Target, texts, texts, st.integers(0, 2**40), texts), max_size=3).map(tuple),
    context=texts,
    made=texts,
    rule=texts,
    outcome=texts,
    why=texts,
    n=st.integers(0, 2**40),
)


def caller(**facts: object) -> Caller:
    principal = Principal(
        id="p-1",
        tenant="111122223333",
        principal_kind=PrincipalKind.USER,
        name="ada",
        name_digest="",
        created_at=T0,
    )
    known = {
        "principal": principal,
        "rights": Rights.alone(principal),
        "credential_id": "AKIAX",
        "namespace": "aws:111122223333:eu-west-1",
        "door": "aws_kms",
        "wire_operation": "TrentService.Encrypt",
        "request_id": "0f8f-1",
        "source": "127.0.0.1",
        "now": T0,
    }
    return Caller(**(known | facts))


def test_the_form() -> None:
    assert RECORD.encode() == LINE
    assert parse(LINE) == RECORD


def test_a_record_of_before_is_read_and_written_as_it_was() -> None:
    assert parse(BEFORE) == replace(RECORD, namespace="", who=Who("p-1", "user", "AKIAX"), made="", why="")
    assert parse(BEFORE).encode() == BEFORE


def test_whose_a_key_is_stands_on_record_where_it_is_anothers() -> None:
    own, other = (Target("key:encrypt", "k-1", 1, tenant) for tenant in (RECORD.tenant, "444455556666"))
    assert replace(RECORD, targets=(own,)).encode() == LINE
    line = replace(RECORD, targets=(other,)).encode()
    assert b'"version":1,"of":"444455556666"}' in line and parse(line).targets == (other,)
    with pytest.raises(Malformed):
        parse(line.replace(b'"of":"444455556666"', b'"of":"111122223333"'))


def test_absent_facts_are_left_out() -> None:
    line = Record(at=T0.replace(microsecond=0), outcome=refused(WrongState)).encode()
    assert line == b'{"v":1,"t":"2026-11-25T17:46:48.000000Z","outcome":"refused: WrongState"}'
    assert parse(line) == Record(at=T0.replace(microsecond=0), outcome="refused: WrongState")


@given(records)
def test_any_record_is_one_line_of_printable_ascii_and_json(record: Record) -> None:
    line = record.encode()
    assert all(0x20 <= byte < 0x7F for byte in line)
    assert json.loads(line)["outcome"] == record.outcome.encode("utf-8", "replace").decode()
    assert parse(line).encode() == line


@pytest.mark.parametrize("field", TEXTS)
def test_row_71_log_injection_is_impossible(field: str) -> None:  # research/security.md §4, check 71
    line = replace(RECORD, **{field: HOSTILE}).encode()
    assert all(0x20 <= byte < 0x7F for byte in line)
    assert list(json.loads(line)) == list(json.loads(LINE))


@pytest.mark.parametrize("secret", [Sensitive(b"canary"), Sensitive(b""), b"canary", None, 1.5])
@pytest.mark.parametrize("field", [*TEXTS, "n"])
def test_nothing_but_texts_and_numbers_can_be_put_in(field: str, secret: object) -> None:
    """CVE-2026-93333."""
    with pytest.raises(TypeError) as caught:
        replace(RECORD, **{field: secret}).encode()
    assert "canary" not in str(caught.value)


def test_nothing_but_texts_can_be_put_into_a_recorder() -> None:
    secret = Sensitive(b"canary")
    for facts in ({"source": secret}, {"wire_operation": secret}, {"request_id": secret}, {"credential_id": secret}):
        with pytest.raises((TypeError, AttributeError)):
            Recorder().encode(caller(**facts), ())
    with pytest.raises(AttributeError):
        Recorder().encode(caller(), (), context=secret)
    for more in ({"made": secret}, {"why": secret}):
        with pytest.raises(TypeError):
            Recorder().encode(caller(), (), **more)
    with pytest.raises(TypeError):
        Recorder().encode(caller(), (Target("key:encrypt", secret),))  # type: ignore[arg-type]  # refused


@pytest.mark.parametrize(
    "line",
    [
        LINE + b" ",
        LINE.replace(b'"n":3', b'"n": 3'),
        LINE.replace(b'"v":1', b'"v":2'),
        LINE.replace(b"{", b'{"x":1,', 1),
        LINE.replace(b"TrentService", b"\\u0054rentService"),
        LINE.replace(b"123456Z", b"123456+00:00"),
        LINE.replace(b'"n":3', b'"n":0'),
        b"",
        b"[]",
        b"\xff",
    ],
)
def test_only_the_one_form_is_parsed(line: bytes) -> None:
    with pytest.raises(Malformed):
        parse(line)


def test_time_is_utc() -> None:
    assert timestamp(T0) == "2026-11-25T17:46:48.123456Z"
    for wrong in (T0.replace(tzinfo=None), T0.astimezone(timezone(timedelta(hours=1)))):
        with pytest.raises(ValueError):
            timestamp(wrong)


@given(texts, texts, st.binary(max_size=8), st.integers(0, 9), st.booleans())
def test_a_recorder_writes_what_a_record_would(request_id: str, rule: str, context: bytes, n: int, later: bool) -> None:
    recorder = Recorder(capacity=2)
    target = Target("key:encrypt", "k-1", 1)
    for version in (1, 2, 3, 1):  # more than it keeps
        targets = (Target("key:encrypt", "k-1", version),)
        at = T0 + timedelta(seconds=version) if later else T0
        more = {"made": rule, "rule": rule, "why": rule, "n": n}
        line = recorder.encode(caller(request_id=request_id, now=at), targets, context=context, **more)
        expected = replace(
            RECORD, at=at, request_id=request_id, targets=targets, context=context.hex(), **more
        ).encode()
        assert line == expected
    more = {"made": "k-2", "rule": "key policy", "why": "KeyState.SUSPENDED", "n": 3}
    assert recorder.encode(caller(), (target,), context=b"\xab" * 32, **more) == LINE


def test_of_what_comes_once_the_beginning_alone_is_kept_and_no_more_of_them_than_of_anything() -> None:
    recorder = Recorder(capacity=2)
    for version, via in enumerate("abcaab", 1):
        targets = (Target("secret:write", "s-1", version),)
        line = recorder.encode(caller(credential_id=via), targets, once=True)
        expected = replace(
            RECORD, targets=targets, who=replace(RECORD.who, via=via), context="", made="", rule="", why="", n=0
        )
        assert line == expected.encode()
        assert not recorder._parts
        assert len(recorder._beginnings) <= 2
