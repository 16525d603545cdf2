"""A head that comes again is not parsed again (kit/framing.py, `alike`): nobody can tell, whatever they send.

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

LIMITS = Limits(n_head=400, n_headers=8, n_body=200, n_pipelined=3, lists=True)
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


GET, PUT = message(b"GET", b"/a"), message(b"PUT", b"/a", b"12345")
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
    message(b"GET", b"/a", None, b"X-Long: " + b"x" * 400),
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
messages = st.one_of(st.sampled_from([GET, PUT]), st.sampled_from(OTHERS))


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
def test_what_is_heard_is_what_the_parser_says(pieces: list[bytes]) -> None:
    assert Heard(Connection).hear(pieces) == Heard(Parsing).hear(pieces)


def n_alike(*pieces: bytes) -> int:
    heard = Heard(Counting)
    heard.hear(list(pieces))
    return cast("Counting", heard.connection).n_alike


@pytest.mark.parametrize("one", [GET, PUT, message(b"LIST", b"/a"), message(b"PUT", b"/a", b"")])
def test_the_parser_is_spared_what_comes_again(one: bytes) -> None:
    assert n_alike(one, one, one) == 2
    assert n_alike(PUT, message(b"PUT", b"/a", b"54321")) == 1, "whatever the body is"


def test_a_head_between_that_is_another_ends_it() -> None:
    """Also one that came in two pieces, and is not remembered: what is known of the connection is of that one then."""
    other = message(b"GET", b"/b")
    assert n_alike(GET, other, GET) == 0
    assert n_alike(GET, other[:9], other[9:], GET) == 0
    assert n_alike(GET, GET + other, GET) == 0
    heard = Heard(Connection).hear([GET, other[:9], other[9:], GET])
    assert [one[1] for one in heard if one[0] == b"GET"] == [b"/a", b"/b", b"/a"]


@pytest.mark.parametrize(
    "line", [b"Authorization: AWS4-HMAC-SHA256 x", b"Transfer-Encoding: chunked", b"Expect: 100-continue"]
)
def test_what_is_signed_or_more_than_a_head_goes_through_the_parser(line: bytes) -> None:
    one = message(b"PUT", b"/a", None, line) + (b"0\r\n\r\n" if line.startswith(b"T") else b"")
    assert n_alike(one, one) == 0
    assert Heard(Connection).hear([one, one]) == Heard(Parsing).hear([one, one])


def test_too_many_at_once_are_refused_all_the_same() -> None:
    later = message(b"GET", b"/later")
    heard = Heard(Connection).hear([later] * 4)
    assert [one[0] for one in heard if one[0] is Refusal.OVERLOADED] == [Refusal.OVERLOADED]
    assert heard == Heard(Parsing).hear([later] * 4)
