"""Vault's wire by itself: round trips, both ways of reading agree, and nothing but its own errors whatever comes in."""

import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.costs import cost

from keystead.core.sensitive import Sensitive
from keystead.wire import Malformed, uri
from keystead.wire.http import head_of, header, no_content, reply
from keystead.wire.json import Bounds, check
from keystead.wire.vault import FieldError, Refused, envelope, fields, headers, scalars
from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import (
    CommaInts,
    CommaStrings,
    Duration,
    Header,
    Int,
    Kind,
    List,
    Lower,
    Map,
    Pairs,
    SignedDuration,
    Strings,
    Time,
)
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters, kind_of, reader
from keystead.wire.vault.request import Asked, Redirect, Verb, arguments, ask, pairs
from keystead.wire.vault.tree import BOUNDS, Number, tree


class Item(msgspec.Struct, frozen=True):
    plaintext: str = ""
    key_version: int = 0


class Everything(Parameters):
    name: str = CAPTURED
    text: str | None = None
    flag: bool = False
    ratio: float = 0.0
    number: Int = 0
    low: Lower = ""
    ttl: Duration | None = None
    signed: SignedDuration = 0
    comma: CommaStrings = ()
    strings: Strings = ()
    ints: CommaInts = ()
    many: List | None = None
    tree: Map | None = None
    pairs: Pairs | None = None
    header: Header | None = None
    batch: list[Item] | None = None


class Timed(Parameters):
    at: Time | None = None


READ, READ_TIMED = reader(Everything), reader(Timed)
NAMED = {"name": "app"}


def test_a_message_of_the_declared_types_needs_no_coercion() -> None:
    message, warnings = READ(NAMED, b'{"text":"aGk=","ttl":30,"comma":["a"],"batch":[{"plaintext":"x"}]}')
    assert (message.name, message.text, message.ttl, message.comma) == ("app", "aGk=", 30, ("a",))
    assert message.batch == [Item(plaintext="x")]
    assert warnings == ()


def test_values_of_other_types_are_made_to_fit() -> None:
    message, warnings = READ(
        NAMED,
        b'{"text":1.50,"flag":"T","ratio":"0.5","number":"0x10","low":"A\xc4\xb0\xce\xa3","ttl":"1h","signed":"-90s",'
        b'"comma":"a, b","strings":"a, b","ints":"1,2","many":"x","pairs":["k=v"],"header":["A:1","A:2"]}',
    )
    assert message == Everything(
        name="app",
        text="1.50",
        flag=True,
        ratio=0.5,
        number=16,
        low="ai\u03c3",
        ttl=3600,
        signed=-90,
        comma=("a", "b"),
        strings=("a, b",),
        ints=(1, 2),
        many=["x"],
        pairs={"k": "v"},
        header={"A": ["1", "2"]},
    )
    assert warnings == ()


def test_null_is_absent_for_durations_and_zero_for_the_others() -> None:
    assert READ(NAMED, b'{"text":null,"ttl":null,"flag":null}')[0] == Everything(name="app", text="")


@pytest.mark.parametrize(
    "value",
    [
        {"A": "1", "B": ["2", 3]},
        '{"A":"1","B":["2",3]}',
        b64encode(b'{"A":"1","B":["2",3]}').decode(),
        ["A:1", "B:2", "B:3"],
        [{"A": "1"}, {"B": ["2", "3"]}],
    ],
)
def test_a_header_comes_in_five_shapes(value) -> None:
    assert coerced(Kind.HEADER, "h", value) == {"A": ["1"], "B": ["2", "3"]}


@pytest.mark.parametrize("value", [5, "x", ["A"], [":x"], {"A": {}}, {"A": [None]}, '{"A":}', [1]])
def test_what_is_no_header(value) -> None:
    with pytest.raises(FieldError):
        coerced(Kind.HEADER, "h", value)


def test_times() -> None:
    at = READ_TIMED({}, b'{"at":"2030-01-02T03:04:05.123456+02:00"}')[0].at
    assert at == datetime(2030, 1, 2, 1, 4, 5, 123456, tzinfo=UTC)
    assert scalars.time_text(at) == "2030-01-02T01:04:05.123456Z"
    assert READ_TIMED({}, b'{"at":null}')[0].at is None
    with pytest.raises(FieldError):
        READ_TIMED({}, b'{"at":"2030-01-02T03:04:05"}')  # no zone; msgspec would have taken it


def test_the_first_misfit_is_named_and_shown_in_no_other_way() -> None:
    with pytest.raises(FieldError) as raised:
        READ(NAMED, b'{"ttl":"never tell"}')
    assert raised.value.path == "ttl"
    with pytest.raises(FieldError) as raised:
        READ(NAMED, b'{"batch":[{"plaintext":5}]}')
    assert raised.value.text == "error converting input for field \"batch\": '[0].plaintext' expected `str`, got `int`"
    with pytest.raises(FieldError) as raised:
        READ(NAMED, b'{"comma":[{"secret":"never tell"}]}')
    assert "never tell" not in str(raised.value)


def test_a_capture_goes_before_what_the_body_says_and_that_is_remarked_upon() -> None:
    for body in (b'{"name":"other"}', b'{"name":"other","ttl":"5"}'):
        message, warnings = READ(NAMED, body)
        assert message.name == "app"
        assert warnings[-1].endswith("captured from the endpoint's path: [name]")
    low, _ = READ({"name": "app", "low": "ABC"}, b"{}")
    assert (low.name, low.low) == ("app", "abc")
    assert READ(NAMED, {"name": "x", "b": "1", "a": "2"})[1] == (
        "Endpoint ignored these unrecognized parameters: [a b]",
        "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]",
    )


def test_a_message_never_goes_without_its_captures() -> None:
    with pytest.raises(KeyError):
        READ({}, b"{}")


def test_declarations_that_do_not_work_are_refused_when_they_are_prepared() -> None:
    class Required(Parameters):
        name: str

    class Bare(Parameters):
        count: int = 0

    for message in (Required, Bare):
        with pytest.raises(TypeError):
            reader(message)


def test_a_parameter_may_have_a_name_that_python_has_not() -> None:
    class Remount(Parameters):
        source: str = msgspec.field(name="from", default="")
        target: str = msgspec.field(name="to", default=CAPTURED)

    read = reader(Remount)
    for body in (b'{"from":"a"}', {"from": "a"}):
        assert read({"to": "b"}, body) == (Remount(source="a", target="b"), ())
    assert read({"to": "b"}, b'{"source":"a"}')[1] == ("Endpoint ignored these unrecognized parameters: [source]",)


def test_kinds_are_what_the_types_say() -> None:
    hints = get_type_hints(Everything, include_extras=True)
    assert [kind_of(hints[name]) for name in ("name", "ttl", "low", "comma", "batch", "flag", "pairs")] == [
        *(Kind.TEXT, Kind.DURATION, Kind.LOWER, Kind.COMMA_STRINGS, None, Kind.BOOL, Kind.PAIRS)
    ]


@pytest.mark.parametrize(
    "value",
    [Everything(name="a", text="secret"), Number("1.5"), Asked(Verb.READ, "secret", {}), Redirect(b"/v1/secret")],
)
def test_no_value_in_a_repr(value) -> None:
    assert "secret" not in repr(value)
    assert "1.5" not in repr(value)


# --- whatever comes in


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    return inner | st.lists(inner, max_size=3) | st.dictionaries(st.text("abk", max_size=3), inner, max_size=3)


JSON = nested(
    nested(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.sampled_from(["1h", "a,b", "k=v", "2030-01-02T03:04:05Z", "0x1", "true", "", "1_0"])
    )
)
FIELDS = [name for name in Everything.__struct_fields__ if name not in {"name", "batch"}]


def outcome(arguments):
    try:
        return READ(NAMED, arguments)
    except FieldError as error:
        return str(error)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3))
def test_a_body_reads_the_same_with_and_without_coercion(given_: dict) -> None:
    body = json.dumps(given_).encode()
    assert outcome(body) == outcome(tree(body))


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:truefalsn0123456789.eE+-\\ud8', max_size=40).map(str.encode))
def test_a_body_is_refused_in_words_of_ours_or_read(body: bytes) -> None:
    try:
        found = tree(body)
    except Refused as error:
        assert error.status == 400 and str(error).startswith("failed to decode JSON input: ")
    else:
        again = envelope.writer(lambda _: None)(found)
        assert tree(again) == found


@settings(deadline=None)
@given(st.sampled_from([b"GET", b"PUT", b"LIST", b"FOO"]), st.text("/v1kv.%2fe?&=;+é\x00list~", max_size=30))
def test_a_request_line_is_refused_or_clean(method: bytes, rest: str) -> None:
    try:
        found = ask(method, b"/v1/" + rest.encode())
    except Refused as error:
        assert error.status in {400, 404, 405}
        return
    if isinstance(found, Redirect):
        assert found.location.startswith(b"/v1/") and b"//" not in found.location.partition(b"?")[0]
        header(b"Location", found.location)
    else:
        assert found.path.isprintable() and ".." not in found.path.split("/")
        arguments(found, None, b"")


@settings(deadline=None)
@given(st.binary(max_size=40), st.sampled_from([Kind.DURATION, Kind.TIME, Kind.INT, Kind.FLOAT, Kind.BOOL]))
def test_text_becomes_a_value_or_a_field_error(raw: bytes, kind: Kind) -> None:
    try:
        coerced(kind, "f", raw.decode("latin-1"))
    except FieldError as error:
        assert error.text.startswith('error converting input for field "f": ')


@settings(deadline=None)
@given(JSON, st.sampled_from(list(Kind)))
def test_any_value_for_any_kind(value, kind: Kind) -> None:
    value = tree(json.dumps({"v": value}).encode())["v"]
    try:
        coerced(kind, "f", value)
    except FieldError as error:
        assert error.path == "f"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("text", ["9x", "0x", "9e9x", "1_", ".9x", "1.1x", "a,", "/", " x", "a=b,", "=", "1hx"])
def test_no_text_costs_more_than_it_is_long(kind: Kind, text: str) -> None:
    """One of 16,000 digits took six seconds to be no number, and a body may have a million: whoever had a token."""
    *first, last = text
    long = "".join(first or last) * (10_000 // len(first or last)) + last

    def read() -> None:
        with suppress(FieldError):
            coerced(kind, "f", long)

    assert cost(read, 2) < 0.05


@pytest.mark.parametrize("kind", [Kind.COMMA_STRINGS, Kind.COMMA_INTS])
def test_a_list_with_commas_has_no_more_values_than_another(kind: Kind) -> None:
    """A body of 1 MiB had a million: the event loop was held for more than a second."""
    assert len(coerced(kind, "f", ",".join(["1"] * BOUNDS.strings))) == BOUNDS.strings
    with pytest.raises(FieldError, match="too many values"):
        coerced(kind, "f", "," * BOUNDS.strings)


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1_0", " 1", "1 ", "0x1", "1e999", "\u0661"])
def test_what_is_no_number_with_a_fraction(text: str) -> None:
    with pytest.raises(FieldError):
        coerced(Kind.FLOAT, "f", text)


# --- scalars


@settings(deadline=None)
@given(st.binary(max_size=40), st.lists(st.integers(0, 60), max_size=4))
def test_base64_round_trip_with_line_breaks_anywhere(raw: bytes, breaks: list[int]) -> None:
    text = b64encode(raw).decode()
    for at in breaks:
        text = text[:at] + "\r\n"[at % 2] + text[at:]
    assert scalars.base64_decoded(text) == raw


@pytest.mark.parametrize(
    ("text", "at"),
    [("AAAA====", 4), ("AAAA\n====", 5), ("AAAA=", 4), ("AA======", 4), ("A===", 1), ("====", 0), ("AA==AAAA", 4)],
)
def test_padding_stands_only_where_something_is_lacking(text: str, at: int) -> None:
    with pytest.raises(Malformed, match=f"input byte {at}$"):
        scalars.base64_decoded(text)


@settings(deadline=None)
@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_durations_read_what_they_write(nano: int) -> None:
    assert scalars.nanoseconds(scalars.duration_text(nano)) == nano


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1\u00b5s"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (768 * 3600 * 10**9, "768h0m0s"),
        (-5_400_000_000_000, "-1h30m0s"),
    ],
)  # Go, time/time_test.go's cases
def test_durations_are_written_as_go_does(nano: int, text: str) -> None:
    assert scalars.duration_text(nano) == text


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 - bounds, not times
def test_times_read_what_they_write(at: datetime) -> None:
    at = at.replace(tzinfo=UTC)
    text = scalars.time_text(at)
    assert scalars.time_read(text) == at
    assert not text.endswith("0Z") or at.microsecond == 0


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_in_go_s_bases(number: int) -> None:
    sign, size = "-" if number < 0 else "", abs(number)
    for text in (str(number), f"{sign}0x{size:x}", f"{sign}0b{size:b}", f"{sign}0o{size:o}", f"{sign}0{size:o}"):
        assert scalars.integer(text) == number


# --- requests


def test_verbs() -> None:
    assert ask(b"POST", b"/v1/a") == ask(b"PUT", b"/v1/a") == Asked(Verb.WRITE, "a", {})
    assert (
        ask(b"LIST", b"/v1/a?after=x") == Asked(Verb.LIST, "a/", {"after": "x"}) == ask(b"GET", b"/v1/a?list=1&after=x")
    )
    assert ask(b"GET", b"/v1/a?list=false") == Asked(Verb.READ, "a", {"list": "false"})
    assert ask(b"GET", b"/v1/a%2Fb%252f?x=%41+b&x=2&help=") == Asked(Verb.READ, "a/b%2f", {"x": ["A b", "2"]})


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"DELETE", b"LIST", b"PATCH"])
@pytest.mark.parametrize("said", [b"1", b"0", b"no"])
def test_who_asks_for_help_asks_for_nothing_else(method: bytes, said: bytes) -> None:
    assert ask(method, b"/v1/a/?list=true&x=1&help=" + said) == Asked(Verb.HELP, "a/", {})


def test_nobody_is_sent_to_another_host_or_off_the_api() -> None:
    for target in (b"//evil.example/v1/a", b"/v1/../../evil", b"/\\evil//a", b"/x//y"):
        with pytest.raises(Refused):
            ask(b"GET", target)
    with pytest.raises(Refused):
        ask(b"GET", b"/v1//a\xff")


def test_too_many_parameters() -> None:
    assert len(pairs(b"&".join(b"a%d=1" % n for n in range(1000)))) == 1000
    with pytest.raises(Malformed):
        pairs(b"a=1&" * 1000 + b"b=1")


_PIECES = ["{", "}", "[", "]", ",", ":", '"a"', '"b"', '"{"', "1", " ", '{"a":1}', '"a":', ',"a":{"b":[1]}']


def refusal(body: bytes, bounds: Bounds) -> str:
    try:
        check(body, bounds=bounds)
        msgspec.json.decode(body)
    except (Malformed, msgspec.DecodeError):
        return "refused"
    return ""


@settings(deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=20).map("".join))
def test_a_long_body_is_checked_as_a_short_one_is(text: str) -> None:
    filler = '{"z":' + text + ',"y":[' + ",".join(['"y"'] * 3_000) + "]}"  # beyond what is looked at in one go
    wide, strict = (Bounds(depth=32, strings=4_096, wide=wide) for wide in (True, False))
    assert refusal(filler.encode(), wide) == refusal(filler.encode(), strict)


def test_bounds_of_a_body() -> None:
    assert tree(b'{"a":' * 99 + b"{}" + b"}" * 99)
    strings = b'{"a":["' + b'","'.join([b"x"] * 20_000) + b'"]}'
    assert len(tree(strings)["a"]) == 20_000
    for body in (
        b'{"a":' * 101 + b"1" + b"}" * 101,
        b'{"a":[' + b"1," * 100_000 + b"1]}",
        b"[" * 100_000,
        b'{"a":' + b"7" * 4301 + b"}",
    ):
        with pytest.raises(Refused):
            tree(body)


def test_whose_a_request_is() -> None:
    assert headers.token({b"x-vault-token": b"t", b"authorization": b"Bearer u"}) == b"t"
    assert headers.token({b"x-vault-token": b"", b"authorization": b"Bearer  u"}) == b"u"
    for said in (b"bearer u", b"Bearer", b"u", b"Basic u"):
        assert headers.token({b"authorization": said}) == b""
    assert headers.token({}) == b""


@pytest.mark.parametrize(("said", "where"), [(b"", ""), (b"root", ""), (b"/root/", ""), (b"/", ""), (b"/a/b/", "a/b")])
def test_where_a_request_stands(said: bytes, where: str) -> None:
    assert headers.namespace({b"x-vault-namespace": said}) == where


@pytest.mark.parametrize(
    ("said", "seconds"), [(b"", 0), (b"0", 0), (b"60", 60), (b"1m", 60), (b"1.5s", 1), (b"0.5s", 1), (b"1d", 86400)]
)
def test_how_long_an_answer_is_wrapped(said: bytes, seconds: int) -> None:
    assert headers.wrap_for({b"x-vault-wrap-ttl": said}) == seconds


# --- answers


def write(value):
    def form(value):
        if type(value) is not Sensitive:
            raise TypeError
        return value.reveal()

    return envelope.writer(form)(value)


def test_every_member_is_always_there() -> None:
    assert write(envelope.Envelope(request_id="r")) == (
        b'{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":null,'
        b'"warnings":null,"auth":null,"mount_type":""}\n'
    )


def test_data_alone_is_written_around_as_the_whole_envelope_is() -> None:
    data = {"a": "?<", "?": [1, None, {}]}
    whole = envelope.Envelope(request_id="0-1", data=data, mount_type="transit")
    assert envelope.around("0-1", write(data), "transit") == write(whole)
    assert envelope.around("0-1", write({}), "") == write(envelope.Envelope(request_id="0-1", data={}))


def test_html_is_escaped_and_means_the_same() -> None:
    value = {"<&>\u2028\u2029\\<": ["</script>", Sensitive(b"x"), msgspec.Raw(b'"&"')]}
    assert (
        write(value)
        == b'{"\\u003c\\u0026\\u003e\\u2028\\u2029\\\\\\u003c":["\\u003c/script\\u003e","eA==","\\u0026"]}\n'
    )


def test_errors() -> None:
    assert envelope.errors() == b'{"errors":[]}\n'
    assert envelope.errors("a<b") == b'{"errors":["a\\u003cb"]}\n'
    assert multierror("a") == "1 error occurred:\n\t* a\n\n"
    assert multierror("a", "b") == "2 errors occurred:\n\t* a\n\t* b\n\n"
    assert multierror("a", n=9) == "9 errors occurred:\n\t* a\n\n"


def test_the_empty_answer_has_no_length_and_head_has_no_body() -> None:
    whole = no_content(envelope.HEAD, 0)
    assert whole.startswith(b"HTTP/1.1 204 No Content\r\n") and whole.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in whole and b"Content-Type: application/json\r\n" in whole
    assert head_of(reply(472, envelope.HEAD, b"{}", 0)).endswith(b"Content-Length: 2\r\n\r\n")


def test_uris() -> None:
    assert uri.segments(b"/a/b%2Fc/%C3%A9/") == ["a", "b/c", "é", ""]
    for raw in (b"/a/%2e%2E/b", b"/.", b"/a%", b"/a%0", b"/%ff", b"/%00", b"/a%0a", b"/\x7f", b"/%e2%80%ae"):
        with pytest.raises(Malformed):
            uri.segments(raw)
    assert uri.text(b"a+b%2b", plus=True) == "a b+" and uri.text(b"a+b") == "a+b"


def test_every_kind_has_its_coercion() -> None:
    assert set(fields.COERCIONS) | {Kind.PAIRS} == set(Kind)
