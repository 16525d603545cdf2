"""The strict JSON reader: limits, duplicates, numbers, text; whatever the bytes, an answer or Malformed."""

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from tests.costs import atmost

from keystead.wire import Malformed, Misfit
from keystead.wire.json import DEPTH, NODES, STRINGS, check, reader, writer


class Request(Struct, rename="pascal"):
    key_id: str
    plaintext: bytes = b""
    encryption_context: dict[str, str] = {}
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1


class Nested(Struct):
    child: "Nested | None" = None
    open: int = 0


read = reader(Request)
read_any = reader(Any)
read_nested = reader(Nested)


def test_a_typical_body() -> None:
    body = b'{"KeyId": "a", "Plaintext": "YQ==", "EncryptionContext": {"p": "x", "q": "x"}, "Limit": 7}'
    assert read(body) == Request("a", b"a", {"p": "x", "q": "x"}, 7)


def test_row_50_depth() -> None:
    deep = b"[" * DEPTH + b"]" * DEPTH
    assert read_any(deep) is not None
    for body in (b"[" + deep + b"]", b'{"a":' * (DEPTH + 1) + b"1" + b"}" * (DEPTH + 1), b"[" * 100_000):
        with pytest.raises(Malformed):
            read_any(body)
        with pytest.raises(Malformed):
            check(body)


def test_row_50_depth_in_a_member_nobody_reads() -> None:
    for opening, closing in ((b"[", b"]"), (b'{"n":', b"}"), (b'[{"n":', b"}]")):
        body = b'{"KeyId":"a","x":' + opening * 40 + b"1" + closing * 40 + b"}"
        with pytest.raises(Malformed):
            read(body)


def test_row_50_nodes_and_strings() -> None:
    """CVE-2023-6337, CVE-2025-6203, CVE-2025-59043, CVE-2025-12044."""
    assert len(read_any(b"[" + b"1," * (NODES - 2) + b"1]")) == NODES - 1
    with pytest.raises(Malformed):
        read_any(b"[" + b"1," * (NODES - 1) + b"1]")
    assert len(read_any(b"[" + b'"",' * (STRINGS - 1) + b'""]')) == STRINGS
    with pytest.raises(Malformed):
        read_any(b"[" + b'"",' * STRINGS + b'""]')
    with pytest.raises(Malformed):
        read(b'{"KeyId":"a","x":[' + b"{}," * NODES + b"{}]}")
    with pytest.raises(Malformed):
        read(b'{"KeyId":"a","x":[' + b"1," * NODES + b"1]}")
    with pytest.raises(Malformed):
        read(b'{"KeyId":"a","x":[' + b",".join(b'"%d"' % i for i in range(STRINGS)) + b"]}")


@pytest.mark.parametrize(
    "body",
    [
        b'{"KeyId":"a","KeyId":"b"}',
        b'{"KeyId":"a","KeyId":"a"}',
        b'{"KeyId" : "a" ,\n\t"KeyId"\r\n:"b"}',
        rb'{"KeyId":"a","\u004beyId":"b"}',
        rb'{"KeyId":"\\","KeyId":"\""}',
        b'{"KeyId":"a","EncryptionContext":{"x":"1","x":"2"}}',
        b'{"KeyId":"a","nobody":{"x":1,"x":2}}',
        b'{"KeyId":"a","nobody":[{"x":1},{"x":1,"y":{},"x":2}]}',
        b'{"KeyId":"a","EncryptionContext":{"\xc3\xa9":"1","\xc3\xa9":"2"}}',
        b'{"KeyId":"a","":1,"":2}',
    ],
)
def test_row_51_a_name_twice(body: bytes) -> None:
    json.loads(body)  # the standard library takes it
    with pytest.raises(Malformed, match="twice"):
        read(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"KeyId":"KeyId"}',
        b'{"KeyId":"a","EncryptionContext":{"KeyId":"KeyId"}}',
        b'{"KeyId":"a","EncryptionContext":{"a":"a","b":"b"}}',
        b'{"KeyId":"a","x":[{"x":1},{"x":1}]}',
        rb'{"KeyId":"\"KeyId\":","x":"\"KeyId\""}',
        b'{"KeyId":":","EncryptionContext":{":":":"}}',
    ],
)
def test_row_51_the_same_text_elsewhere_is_no_name_twice(body: bytes) -> None:
    assert read(body).key_id == json.loads(body)["KeyId"]


@pytest.mark.parametrize(
    "number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"nan", b"+1", b"01", b".5"]
)
def test_row_52_no_such_number(number: bytes) -> None:
    for body in (number, b"[%b]" % number, b'{"a":%b}' % number):
        with pytest.raises(Malformed):
            read_any(body)


@pytest.mark.parametrize("text", [str(2**64), str(-(2**63) - 1), "1" * 40, pytest.param("1" * 5000, id="long")])
def test_row_53_integers_beyond_64_bits(text: str) -> None:
    for body in (f'{{"open":{text}}}', f'{{"x":[{text}]}}'):
        with pytest.raises(Malformed):
            read_nested(body.encode())
        with pytest.raises(Malformed):
            read_any(body.encode())
    with pytest.raises(Malformed):
        read(f'{{"KeyId":"a","Limit":{text}}}'.encode())


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 0])
def test_row_53_integers_of_64_bits(number: int) -> None:
    assert read_any(str(number).encode()) == number


@pytest.mark.parametrize(
    "text",
    [
        rb"\ud800",
        rb"\udc00",
        rb"\udc00\ud800",
        rb"\ud800x",
        rb"\ud800\u0041",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ],
)
def test_row_54_text_is_strict_utf_8(text: bytes) -> None:
    for body in (b'{"KeyId":"%b"}', b'{"KeyId":"a","%b":1}', b'{"KeyId":"a","nobody":"%b"}', b'{"KeyId":"a"}%b'):
        with pytest.raises(Malformed):
            read(body % text)


def test_row_54_good_text() -> None:
    assert read(rb'{"KeyId":"\ud83d\ude00\u00e9"}' + b" \n").key_id == "\U0001f600\u00e9"
    assert read('{"KeyId":"😀é"}'.encode()).key_id == "\U0001f600\u00e9"
    with pytest.raises(Malformed):
        read(b'\xef\xbb\xbf{"KeyId":"a"}')  # RFC 8259 §8.1: no byte order mark


@pytest.mark.parametrize(
    "text", ["YQ", "YQ=", "Y Q==", "YQ==\\n", " YQ==", "_-==", "YQ==YQ==", "YQ===", "=", "Y", "YQ==="]
)
def test_row_57_base64_has_one_alphabet_and_its_padding(text: str) -> None:
    with pytest.raises(Misfit) as caught:
        read(f'{{"KeyId":"a","Plaintext":"{text}"}}'.encode())
    assert caught.value.path == "$.Plaintext"


def test_a_misfit_says_where_and_never_what() -> None:
    """CVE-2025-4166, CVE-2025-52893."""
    with pytest.raises(Misfit) as caught:
        read(b'{"KeyId":"a","Limit":"hunter2"}')
    assert (caught.value.path, caught.value.text) == ("$.Limit", "Expected `int`, got `str`")
    with pytest.raises(Misfit) as caught:
        read(b"{}")
    assert caught.value.path == ""
    with pytest.raises(Malformed) as refused:
        read(b'{"KeyId":"hunter2"')
    assert "hunter2" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
).filter(lambda value: "inf" not in repr(value))


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_reads_what_json_writes(value: Any, ascii_only: bool, indent: int | None) -> None:
    try:
        body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:
        return
    if "\\ud" in json.dumps(value) and not body.decode().isascii():
        return
    assert read_any(body) == value


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=5), st.data())
def test_row_51_any_object_with_a_name_repeated(members: dict[str, str], data: st.DataObject) -> None:
    pairs = [*members.items()]
    expected = len(pairs) > 0
    if pairs:
        pairs.insert(data.draw(st.integers(0, len(pairs))), data.draw(st.sampled_from(pairs)))
    escape = data.draw(st.booleans())
    body = ("{" + ",".join(f"{json.dumps(k, ensure_ascii=escape)}:{json.dumps(v)}" for k, v in pairs) + "}").encode()
    if expected:
        with pytest.raises(Malformed):
            read_any(body)
        with pytest.raises(Malformed):
            check(body)
    else:
        assert read_any(body) == {}


SOUP = st.lists(
    st.sampled_from(
        [b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"1", b"-", b"e", b" ", b"\n", b"a", b"\xff", b'"k":']
    )
).map(b"".join)


@given(st.binary(max_size=64) | SOUP)
def test_noise_is_read_or_malformed(noise: bytes) -> None:
    for read_one in (read, read_any, read_nested):
        try:
            read_one(noise)
        except Malformed:
            continue
        json.loads(noise)  # what is taken is JSON


@given(SOUP)
def test_the_fast_way_lets_nothing_through_that_the_exact_one_stops(noise: bytes) -> None:
    """Numbers aside, which the fast way leaves to the types."""
    try:
        check(noise)
        msgspec.json.decode(noise)
    except (Malformed, msgspec.DecodeError, UnicodeDecodeError):
        return
    check(noise, exact=True)


def test_the_writer_leaves_nothing_to_chance() -> None:
    assert writer()(Request("a", b"\xff", {"b": "c"})) == (
        b'{"KeyId":"a","Plaintext":"/w==","EncryptionContext":{"b":"c"},"Limit":1}'
    )


@pytest.mark.parametrize("piece", [b'\\"', b"\\", b'"', b'"\\"', b"[", b"{", b'"a":'])
@pytest.mark.parametrize("start", [b'{"KeyId":"', b"[", b""])
def test_row_60_a_body_of_anything_is_read_in_time_proportional_to_it(start: bytes, piece: bytes) -> None:
    """A string without an end was begun again at each of its quotes: 12 s on the event loop for 64 KiB."""
    body = start + piece * (65_000 // len(piece))
    with atmost(0.5), pytest.raises(Malformed):
        reader(dict[str, Any])(body)


@pytest.mark.parametrize("piece", [b"[", b"{", b"]", b":", b'\\"', b'{"a":'])
def test_row_60_what_is_too_deep_is_not_read_to_its_end(piece: bytes) -> None:
    """A megabyte of brackets was 130 ms of the event loop: all were listed before one was looked at."""
    with atmost(0.02), pytest.raises(Malformed):
        check(piece * (1_000_000 // len(piece)))
