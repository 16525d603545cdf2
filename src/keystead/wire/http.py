"""HTTP/1.1 messages as values: what a door gets, and how it answers. RFC 9110, RFC 9112.

Parsing is llhttp's, in kit.listener; nothing here reads a socket or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum

from msgspec import Struct


class HttpRequest(Struct, frozen=True, kw_only=True, gc=False):
    """One request, complete. Its repr shows none of it.

    method       b"POST"
    target       the raw path and query, always beginning with "/"
    headers      lower-case name -> value without surrounding blanks; a repeated header is joined with ","
                 in order, and one of SINGLE never gets this far
    body         at most Limits.n_body bytes
    peer         "127.0.0.1", or "uid:1000" from a unix socket
    secure       it came over TLS, or over a unix socket
    received_at  when the event loop read it: aware, UTC
    second       the same as whole seconds since 1970, for reply()
    """

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    peer: str
    received_at: datetime
    second: int
    secure: bool = False
    certificates: tuple[bytes, ...] = ()  # DER: what the peer has shown over TLS, its own first

    def __repr__(self) -> str:
        return "HttpRequest(…)"


# RFC 9110 §5.3: a header that is not a list must not come twice. Two of these are a smuggling attempt or a bug.
SINGLE = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"date",
        b"expect",
        b"host",
        b"transfer-encoding",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-security-token",
        b"x-amz-target",
        b"x-vault-namespace",
        b"x-vault-token",
    }
)


class Limits(Struct, frozen=True, kw_only=True):
    """What one listener grants its peers: bytes, counts, seconds."""

    n_head: int = 16 * 1024
    n_headers: int = 100
    n_body: int = 64 * 1024
    n_connections: int = 2000  # as far as the process may have files (app.hygiene)
    n_pipelined: int = 64  # requests of one connection that have no answer yet
    n_blocked: int = 256  # requests waiting for a thread, over all connections
    n_held: int = 64 * 1024 * 1024  # bytes of bodies that are still coming, or wait behind another request, over all
    head_for: int = 10
    body_for: int = 30
    idle_for: int = 60
    write_for: int = 30  # a peer that does not read its answer
    lists: bool = False  # LIST is a method


Headers = Mapping[bytes, bytes]
NO_HEADERS: Headers = {}


class Refusal(Enum):
    """Why the listener refuses to hand a request to its door: (status, words). The connection closes after it."""

    MALFORMED = (400, "malformed request")
    REPEATED_HEADER = (400, "a header that may come once came twice")
    NO_HOST = (400, "no Host header")
    TARGET = (400, "the request target is not a path")
    UPGRADE = (400, "no other protocol is offered here")
    TIMEOUT = (408, "request too slow")
    BODY_TOO_LARGE = (413, "body too large")
    CONTENT_ENCODING = (415, "content encoding not supported")
    EXPECTATION = (417, "no expectation is met")
    HEAD_TOO_LARGE = (431, "request head too large")
    TRANSFER_ENCODING = (501, "transfer encoding not supported")
    OVERLOADED = (503, "too many requests are waiting")
    UNRECORDED = (500, "no audit record can be written, so nothing is answered")
    VERSION = (505, "HTTP/1.1, or HTTP/1.0 without chunks")

    @property
    def status(self) -> int:
        return int(self.value[0])

    @property
    def words(self) -> str:
        return str(self.value[1])


class _Lines(dict[int, bytes]):
    """Of a code without words of its own, too: the words say nothing that the code does not (RFC 9112 §4)."""

    def __missing__(self, code: int) -> bytes:
        return b"HTTP/1.1 %d \r\nDate: " % code


# RFC 9110 §15
STATUS = _Lines(
    (code, b"HTTP/1.1 %d %b\r\nDate: " % (code, words.encode()))
    for code, words in {
        200: "OK",
        201: "Created",
        202: "Accepted",
        204: "No Content",
        307: "Temporary Redirect",
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        408: "Request Timeout",
        409: "Conflict",
        412: "Precondition Failed",
        413: "Content Too Large",
        415: "Unsupported Media Type",
        417: "Expectation Failed",
        429: "Too Many Requests",
        431: "Request Header Fields Too Large",
        472: "Disaster Recovery Standby",  # Vault's own, as 473
        473: "Performance Standby",
        500: "Internal Server Error",
        501: "Not Implemented",
        503: "Service Unavailable",
        505: "HTTP Version Not Supported",
    }.items()
)

_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def http_date(second: int) -> bytes:
    """IMF-fixdate of a second since 1970 (RFC 9110 §5.6.7): b"Sun, 06 Nov 1994 08:49:37 GMT"."""
    t = datetime.fromtimestamp(second, UTC)
    day, month = _DAYS[t.weekday()], _MONTHS[t.month - 1]
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (day, t.day, month, t.year, t.hour, t.minute, t.second)


_dates: dict[int, bytes] = {}  # the last few seconds only


def _date(second: int) -> bytes:
    if (text := _dates.get(second)) is None:
        if len(_dates) >= 8:
            _dates.clear()
        text = _dates[second] = http_date(second) + b"\r\n"
    return text


def header(name: bytes, value: bytes) -> bytes:
    """One header line for reply(). Raises ValueError on anything but visible ASCII and inner blanks."""
    if not value.isascii() or not value.decode("ascii").isprintable():
        raise ValueError("not a header value")
    return b"%b: %b\r\n" % (name, value)


def reply(status: int, headers: bytes, body: bytes, second: int) -> bytes:
    """The whole reply in one piece. `headers` are finished lines, each with its CRLF (see header())."""
    first = STATUS.get(status) or b"HTTP/1.1 %d \r\nDate: " % status
    return b"".join((first, _date(second), headers, b"Content-Length: %d\r\n\r\n" % len(body), body))


NO_CONTENT = 204


def no_content(headers: bytes, second: int) -> bytes:
    """A whole 204, which has neither body nor length (RFC 9110 §8.6)."""
    return b"%b%b%b\r\n" % (STATUS[NO_CONTENT], _date(second), headers)


def head_of(whole: bytes) -> bytes:
    """The reply to HEAD: what GET would get, without its body (RFC 9110 §9.3.2)."""
    return whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def closing(whole: bytes) -> bytes:
    """The same reply, announcing that the connection closes after it (RFC 9112 §9.6)."""
    line, crlf, rest = whole.partition(b"\r\n")
    return b"%b%bConnection: close\r\n%b" % (line, crlf, rest)
