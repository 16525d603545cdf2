"""HTTP/1.1 framing: llhttp parses strictly, this file refuses what two readers could still read differently.

RFC 9112; security.md §4-D rows 49, 55, 58. What is refused before a door hears of it: see wire.http.Refusal.

A client that asks for one thing again and again sends the same head each time, but for a date, a signature and the
like, and what it came to is known: `alike`. Whatever the parser is given ends that.
"""

from __future__ import annotations

import re
from typing import Any

from keystead.kit.again import END, LENGTH, Again
from keystead.wire.http import SINGLE, Limits, Refusal

IDLE, HEAD, BODY = 0, 1, 2
CONTINUE = b"100-continue"
_HASH = ord("#")
_NEVER_ALIKE = frozenset({b"expect", b"transfer-encoding"})
"""In heads that are not looked for again: they say more than a head."""
_ABSOLUTE = re.compile(
    rb"https?://((?:[a-z0-9._~-]+|\[[a-f0-9:.]+\])(?::[0-9]{0,5})?)([/?].*)?", re.IGNORECASE | re.DOTALL
)
"""A target in absolute form (RFC 9112 §3.2.2): whose it is, without a user (RFC 9110 §4.2.4), and what is asked for."""
LIST, PARSED_AS = b"LIST", b"LINK"
"""A method that llhttp does not know, and one of its length that it knows (RFC 2068 §19.6.1.2; nobody's)."""
_ASKS_FOR_HTTP_2 = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)
"""What Java's own client says with its first request where there is no TLS (RFC 7540 §3.2, and no more in RFC 9113)."""


class Refused(Exception):
    """Leaves a callback of the parser; Framing._refusal says why."""


class Framing:
    """The callbacks of llhttp up to a complete message, which is the subclass's: on_message_complete."""

    __slots__ = (
        "_again",
        "_body",
        "_count_head",
        "_headers",
        "_is_list",
        "_keep",
        "_limits",
        "_method",
        "_n_last_head",
        "_n_repeated",
        "_parser",
        "_phase",
        "_refusal",
        "_target",
        "ending",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser: Any = None
        self._phase = IDLE
        self._refusal = Refusal.MALFORMED
        self._method = self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._keep, self._count_head = True, False
        self._n_repeated = 0
        self._is_list = False  # the method is LIST, and the parser was given PARSED_AS
        self._again: Again | None = None  # the head of the last message, while all else here is still of it
        self._n_last_head = 0  # its length
        self.ending = False  # takes no more requests

    def alike(self, data: bytes) -> bool:
        """Whether that is one whole message with the head of the last: then its values are taken, the rest stands."""
        if self._again is None or (found := self._again.read(data)) is None or len(found[1]) > self._limits.n_body:
            return False
        self._headers, self._body = found
        return True

    def remember(self, data: bytes) -> None:
        """What `alike` is to go by, after `data` was one whole message; from the second head of one length on."""
        if self._headers.keys().isdisjoint(_NEVER_ALIKE):
            end = data.find(END) + len(END)
            if end + int(self._headers.get(LENGTH, 0)) == len(data):
                if end == self._n_last_head:
                    self._again = Again(data[:end], self._headers)
                self._n_last_head = end

    def parsed_as(self, data: bytes) -> bytes:
        """What the parser is given of the beginning of a message, where Vault's clients come in: LIST is a method."""
        if data[:5] != b"LIST ":
            return data
        self._is_list = True
        return PARSED_AS + data[4:]

    def without_http_2(self, data: bytes) -> bytes | None:
        """`data`, once the parser has stopped in the head that they begin with, as it is to be read in its stead.

        Whoever would rather speak HTTP/2 is answered in HTTP/1.1: a server may ignore Upgrade (RFC 9110 §7.8), and the
        parser would take the body for another protocol's. None: it was something else that it has stopped for.
        """
        if self._refusal is not Refusal.UPGRADE:
            return None
        end = data.find(END) + 2
        head, n = _ASKS_FOR_HTTP_2.subn(b"", data[:end])
        if not n:
            return None
        self._phase, self._refusal, self._n_repeated = IDLE, Refusal.MALFORMED, 0
        return head + data[end:]

    def on_message_begin(self) -> None:
        if self.ending:
            raise Refused
        self._phase, self._again = HEAD, None
        self._target, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        if (name := name.lower()) in headers or self._phase != HEAD:
            self._repeated(name, value)
        else:
            headers[name] = value.strip()  # of blanks and tabs: llhttp lets no other white space through

    def on_headers_complete(self) -> None:
        headers = self._headers
        self._keep = self._parser.should_keep_alive()
        if refusal := self._objection(headers):
            self._refusal = refusal
            raise Refused
        if self._target[:1] != b"/":
            self._in_origin_form(headers)
        self._method = self._parser.get_method()
        if self._is_list:
            self._method, self._is_list = LIST, False
        if b"expect" in headers:
            self.go_on()
        self._phase = BODY

    def _in_origin_form(self, headers: dict[bytes, bytes]) -> None:
        """As everything behind here has it: the target's host is the one, whatever Host says (RFC 9112 §3.2.2)."""
        if (found := _ABSOLUTE.fullmatch(self._target)) is not None:  # _objection has seen to that
            headers[b"host"], rest = found[1], found[2] or b"/"
            self._target = rest if rest[:1] == b"/" else b"/" + rest

    def _once(self, headers: dict[bytes, bytes]) -> None:
        """HTTP/1.0, as proxies and health checks speak it: one request, and the connection ends (RFC 9112 §9.3).

        It has no chunks (§6.1), no expectations (RFC 9110 §10.1.1), and need not name a host.
        """
        self._keep = False
        headers.pop(b"expect", None)
        headers.setdefault(b"host", b"")

    def go_on(self) -> None:
        """Whoever waits to be told that the body may come is told so (RFC 9110 §10.1.1)."""

    def on_body(self, piece: bytes) -> None:
        if not self._body:
            self._body = piece
        else:
            if not isinstance(self._body, bytearray):
                self._body = bytearray(self._body)
            self._body += piece
        if len(self._body) > self._limits.n_body:
            self._refusal = Refusal.BODY_TOO_LARGE
            raise Refused

    def _repeated(self, name: bytes, value: bytes) -> None:
        if self._phase != HEAD:  # a trailer (RFC 9112 §7.1.2): nothing here reads one
            raise Refused
        if name in SINGLE:
            self._refusal = Refusal.REPEATED_HEADER
            raise Refused
        self._n_repeated += 1
        if self._n_repeated > self._limits.n_headers:  # before each has been put behind all the others
            self._refusal = Refusal.HEAD_TOO_LARGE
            raise Refused
        self._headers[name] += b"," + value.strip(b" \t")

    def _objection(self, headers: dict[bytes, bytes]) -> Refusal | None:  # noqa: PLR0911 - one line per rule
        may_be_other = not self._keep or b"connection" in headers or b"proxy-connection" in headers  # llhttp heeds both
        if may_be_other and (version := self._parser.get_http_version()) != "1.1":
            if version != "1.0" or b"transfer-encoding" in headers:
                return Refusal.VERSION
            self._once(headers)
        if (self._target[:1] != b"/" and not _ABSOLUTE.fullmatch(self._target)) or _HASH in self._target:
            return Refusal.TARGET
        if b"host" not in headers:
            return Refusal.NO_HOST
        if b"expect" in headers and headers[b"expect"].lower() != CONTINUE:
            return Refusal.EXPECTATION
        if b"upgrade" in headers:
            return Refusal.UPGRADE
        if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
            return Refusal.CONTENT_ENCODING
        if b"transfer-encoding" in headers and headers[b"transfer-encoding"].lower() != b"chunked":
            return Refusal.TRANSFER_ENCODING
        if int(headers.get(b"content-length", 0)) > self._limits.n_body:  # digits only: llhttp has seen to that
            return Refusal.BODY_TOO_LARGE
        if len(headers) + self._n_repeated > self._limits.n_headers:
            return Refusal.HEAD_TOO_LARGE
        self._n_repeated = 0
        if self._count_head:
            size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in headers.items())
            if size > self._limits.n_head:
                return Refusal.HEAD_TOO_LARGE
        return None
