"""A head that comes again is not parsed again (kit/again.py): nobody can tell, whatever they send.

Row 49 of security.md §4-D: two readers of one stream must not come to different requests. Here the two are the
connection as it is, and one that gives everything to the parser.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fakes import FakeClock

from keystead.kit.connection import Connection
from keystead.kit.listener import Listener
from keystead.wire.http import Limits, Refusal

LIMITS = Limits(n_head=600, n_headers=12, n_body=200, n_pipelined=3, lists=True)
TOKEN = b"X-Vault-Token: hvs.a"


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.7", 4711) if name == "peername" else default

    def is_closing(self) -> bool:
        return False


class Heard:
    """kit.listener.Listener as a connection sees it; what it was told of, in order. All but /later is answered soon."""

    def __init__(self, kind: type[Connection]) -> None:
        self.limits, self.names, self.tick, self.batch, self.front = LIMITS, frozenset[str](), 0, self, self
        self.now = FakeClock().now()
        self.second, self.n_done = int(self.now.timestamp()), 0
        self.events: list[Any] = []
        self.connection = kind(cast("Listener", self))
        self.transport = _Transport()
        self.connection.connection_made(self.transport)

    def begin(self) -> None:
        pass

    def opened(self, _connection: Connection) -> None:
        pass

    def holds(self, _connection: Connection) -> bool:
        return False

    def release(self, _connection: Connection) -> None:
        pass

    def ask(self, connection: Connection) -> None:
        request = connection.waiting.popleft()
        assert not isinstance(request, bytes)
        self.events.append((request.method, request.target, dict(request.headers), request.body))
        self.n_done += request.target != b"/later"

    def add(self, _connection: Connection) -> None:
        pass

    def reject(self, refusal: Refusal, _second: int, headers: Any) -> bytes:
        self.events.append((refusal, dict(headers)))
        return b""

    def hear(self, pieces: list[bytes]) -> list[Any]:
        for piece in pieces:
            one = self.connection
            one.data_received(piece)
            one.n_owed, self.n_done = one.n_owed - self.n_done, 0
            self.events.append((one.ending, one.n_owed, one.is_idle(), one.deadline, *self.transport.written))
        return self.events


class Parsing(Connection):
    """Gives everything to the parser."""

    def alike(self, data: bytes) -> bool:
        return False


class Counting(Connection):
    """Says how many it has not given to it."""

    n_alike = 0

    def alike(self, data: bytes) -> bool:
        found = super().alike(data)
        self.n_alike += found
        return found


def message(method: bytes, target: bytes, body: bytes | None = None, *lines: bytes) -> bytes:
    length = [] if body is None else [b"Content-Length: %d" % len(body)]
    head = [b"%b %b HTTP/1.1" % (method, target), b"Host: kms", TOKEN, *length, *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + (body or b"")


def signed(
    body: bytes = b'{"KeyId": "1"}',
    date: bytes = b"20261126T185848Z",
    signature: bytes = b"418288e8",
    call: bytes = b"eb7b-14d5",
    length: bytes = b"",
    *lines: bytes,
) -> bytes:
    """As AWS's clients send them; shorter where it does not matter."""
    head = [
        b"POST / HTTP/1.1",
        b"Host: kms",
        b"X-Amz-Target: TrentService.Encrypt",
        b"X-Amz-Date: " + date,
        b"Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261126/us-east-1/kms/aws4_request, "
        b"SignedHeaders=host;x-amz-date, Signature=" + signature,
        b"amz-sdk-invocation-id: " + call,
        *lines,
        b"Content-Length: " + (length or b"%d" % len(body)),
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


GET, PUT, POST = message(b"GET", b"/a"), message(b"PUT", b"/a", b"12345"), signed()
SIGNED = [
    signed(b'{"KeyId": "2"}', b"20261126T185849Z", b"bb2d2f48", b"c44a-ce5c"),
    signed(b"{}"),
    signed(b"[" + b"x" * 20 + b"]"),
    signed(b""),
    signed(date=b"20261126T18584Z"),
    signed(date=b"20261126 185848Z"),
    signed(date=b"20261126\t185848Z"),
    signed(date=b" 0261126T185848 "),
    signed(date=b"20261126\r\nA: 8Z"),
    signed(date=b"20261126\r\n 5848Z"),
    signed(date=b"2026112\x006T18584"),
    signed(date=b"2026112\xe96T18584"),
    signed(signature=b"4182 8e8"),
    signed(signature=b"4\r\nX: 88"),
    signed(signature=b"=182,8e8"),
    signed(call=b"----------"[:9]),
    signed(call=b"eb7b-14d\n"),
    signed(length=b"15"),
    signed(length=b"13"),
    signed(length=b"+4"),
    signed(length=b" 4"),
    signed(length=b"1e"),
    signed(length=b"0x"),
    signed(length=b"-4"),
    signed(length=b"014"),
    signed(b"1234", length=b"04"),
    signed(length=b"14\r\nContent-Length: 14"),
    signed(POST, length=b"14"),
    POST + POST,
    POST + b"\r\n",
    POST[:-1],
    POST.replace(b"X-Amz-Date", b"x-amz-date"),
    POST.replace(b"X-Amz-Date:", b"X-Amz-Date :"),
    POST.replace(b"AKIA", b"AKIB"),
    POST.replace(b"X-Amz-Target", b"X-Amz-Date: 1\r\nX-Amz-Target"),
    POST.replace(b"amz-sdk-invocation-id: eb7b-14d5", b"Authorization: 3456"),
    signed(b"1", b"x", b"y", b"z", b"", b"Amz-Sdk-Invocation-Id: z"),
    signed(b"1", b"x", b"y", b"z", b"", b"traceparent: 00-0af7651916cd43dd-b7ad6b71-01"),
    signed(b"1", b"x", b"y", b"z", b"", b"Transfer-Encoding: chunked"),
]
OTHERS = [
    message(b"GET", b"/b"),
    message(b"PUT", b"/a", b"54321"),
    message(b"PUT", b"/a", GET[:5]),
    message(b"PUT", b"/a", b"\r\n\r\n"),
    message(b"PUT", b"/a", b"12\r\n"),
    message(b"PUT", b"/a", b""),
    message(b"PUT", b"/a", message(b"GET", b"/inside")),
    message(b"PUT", b"/later", b"12345"),
    message(b"LIST", b"/a"),
    message(b"LINK", b"/a"),
    message(b"HEAD", b"/a"),
    message(b"GET", b"/a", None, b"X-Other: 1", b"X-Other: 2"),
    message(b"GET", b"/a", None, b"Authorization: Bearer hvs.a"),
    message(b"GET", b"/a", None, b"Connection: close"),
    message(b"PUT", b"/a", b"12345", b"Expect: 100-continue"),
    GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
    message(b"GET", b"/a", None, b"X-Long: " + b"x" * 600),
    message(b"PUT", b"/a", b"x" * 300),
    message(b"PUT", b"/a", None, b"Transfer-Encoding: chunked") + b"5\r\n12345\r\n0\r\n\r\n",
    b"\r\n" + GET,
    GET + b"\r\n",
    PUT + b"\r\n",
    GET + GET,
    PUT + GET,
    b"GET /a HTTP/1.1\n" + GET.partition(b"\r\n")[2],
    GET.replace(b"\r\n", b"\n"),
    b"\r\n",
    b"G",
    b"nonsense\r\n\r\n",
]
messages = st.one_of(st.sampled_from([GET, PUT, POST]), st.sampled_from(OTHERS), st.sampled_from(SIGNED))


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Messages as they might be read: most of them whole, some in two pieces, some of two with the next."""
    pieces: list[bytes] = []
    for one in draw(st.lists(messages, min_size=2, max_size=12)):
        at = draw(st.one_of(st.none(), st.integers(0, len(one))))
        if at is None or not pieces:
            pieces.append(one)
        elif draw(st.booleans()):
            pieces += [one[:at], one[at:]]
        else:
            pieces[-1] += one[:at]
            pieces.append(one[at:])
    return [piece for piece in pieces if piece]


@given(streams())
@example([GET, GET[:10], GET[10:], GET])
@example([GET, OTHERS[0][:20], OTHERS[0][20:], GET, GET])
@example([PUT, PUT, PUT + GET, PUT, PUT])
@example([POST, POST, *SIGNED])
def test_what_is_heard_is_what_the_parser_says(pieces: list[bytes]) -> None:
    assert Heard(Connection).hear(pieces) == Heard(Parsing).hear(pieces)


ALPHABET = b"0aZ-_ \t\r\n:;,=/.+\x00\x80\xff"


@given(st.data())
def test_whatever_stands_where_values_change(data: st.DataObject) -> None:
    """One message with some bytes of its head replaced, behind two that have made the connection know it."""
    one = bytearray(
        data.draw(st.sampled_from([POST, PUT, signed(b"1", b"x", b"y", b"-", b"", b"traceparent: 00-a-b-1")]))
    )
    known = bytes(one)
    for at in data.draw(st.lists(st.integers(0, len(one) - 1), min_size=1, max_size=4)):
        one[at] = data.draw(st.sampled_from(ALPHABET))
    pieces = [known, known, bytes(one), known]
    assert Heard(Connection).hear(pieces) == Heard(Parsing).hear(pieces)


@pytest.mark.parametrize("other", SIGNED)
def test_each_is_heard_behind_one_that_is_known(other: bytes) -> None:
    pieces = [POST, POST, other, POST]
    assert Heard(Connection).hear(pieces) == Heard(Parsing).hear(pieces)


def n_alike(*pieces: bytes) -> int:
    heard = Heard(Counting)
    heard.hear(list(pieces))
    return cast("Counting", heard.connection).n_alike


BEARER = message(b"GET", b"/a", None, b"Authorization: Bearer hvs.a")


@pytest.mark.parametrize("one", [GET, PUT, POST, BEARER, message(b"LIST", b"/a"), message(b"PUT", b"/a", b"")])
def test_the_parser_is_spared_what_comes_again(one: bytes) -> None:
    """From the second time on: a head that comes once is not worth keeping."""
    assert n_alike(one, one, one, one) == 2


def test_what_changes_with_each_request_may_be_another() -> None:
    assert n_alike(PUT, PUT, message(b"PUT", b"/a", b"54321"), message(b"PUT", b"/a", b"123")) == 2
    assert n_alike(POST, POST, SIGNED[0], POST, SIGNED[2]) == 3
    assert n_alike(POST, SIGNED[0], SIGNED[0]) == 1, "known by its length, and then by every byte that stands still"
    traced = [
        signed(b"%d" % n, b"x", b"y", b"z", b"", b"traceparent: 00-0af7651916cd43dd-b7ad6b71-%02d" % n)
        for n in range(5)
    ]
    assert n_alike(*traced) == 3


def test_who_signs_stands_still() -> None:
    heard = Heard(Counting)
    heard.hear([POST, POST, POST.replace(b"AKIA", b"AKIB"), POST])
    assert cast("Counting", heard.connection).n_alike == 0
    assert [b"AKIB" in event[2][b"authorization"] for event in heard.events if event[0] == b"POST"] == [
        False,
        False,
        True,
        False,
    ]


def test_a_head_between_that_is_another_ends_it() -> None:
    """Also one that came in two pieces, and is not remembered: what is known of the connection is of that one then."""
    other = message(b"GET", b"/bc")
    assert n_alike(GET, GET, other, GET) == 0
    assert n_alike(GET, GET, other[:9], other[9:], GET) == 0
    assert n_alike(GET, GET, GET + other, GET) == 0
    heard = Heard(Connection).hear([GET, GET, other[:9], other[9:], GET])
    assert [one[1] for one in heard if one[0] == b"GET"] == [b"/a", b"/a", b"/bc", b"/a"]


@pytest.mark.parametrize("line", [b"Transfer-Encoding: chunked", b"Expect: 100-continue"])
def test_what_is_more_than_a_head_goes_through_the_parser(line: bytes) -> None:
    one = message(b"PUT", b"/a", None, line) + (b"0\r\n\r\n" if line.startswith(b"T") else b"")
    assert n_alike(one, one, one) == 0
    assert Heard(Connection).hear([one, one, one]) == Heard(Parsing).hear([one, one, one])


def test_a_body_of_more_than_may_be_is_refused_all_the_same() -> None:
    """As long a number of bytes, and more of them than the limit."""
    pieces = [message(b"PUT", b"/a", b"x" * n) for n in (199, 200, 201)]
    assert n_alike(*pieces) == 0
    assert Heard(Connection).hear(pieces) == Heard(Parsing).hear(pieces)


def test_too_many_at_once_are_refused_all_the_same() -> None:
    later = message(b"GET", b"/later")
    heard = Heard(Connection).hear([later] * 4)
    assert [one[0] for one in heard if one[0] is Refusal.OVERLOADED] == [Refusal.OVERLOADED]
    assert heard == Heard(Parsing).hear([later] * 4)
