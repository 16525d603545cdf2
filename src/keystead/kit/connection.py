"""One HTTP/1.1 connection: its order, its time and its end (security.md §4-D row 59).

A refusal takes its turn behind the replies that are still owed, and the connection ends after it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from keystead.core.ports import WouldBlock
from keystead.kit.certified import certified, chain_of
from keystead.kit.door import Steps
from keystead.kit.framing import BODY, HEAD, IDLE, Framing, Refused
from keystead.service.credentials.peer import peer_of
from keystead.wire.http import NO_HEADERS, Headers, HttpRequest, Refusal, closing, head_of

if TYPE_CHECKING:
    from keystead.kit.listener import Listener

LOG = logging.getLogger("keystead")
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
MUCH = 64 * 1024  # bytes: of bodies that wait and are less, nobody keeps account
MAPPED = "::ffff:"  # RFC 4291 §2.5.5.2
LINGER_FOR, LINGER_BYTES = 2, 256 * 1024  # what a refused peer may still send before the connection is cut


class Connection(Framing, asyncio.Protocol):
    """A connection as its listener and the batch see it. Every method is called on the loop's thread."""

    __slots__ = (
        "_begun",
        "_certificates",
        "_holds_head",
        "_is_behind",
        "_listener",
        "_n_behind",
        "_n_body",
        "_n_head",
        "_n_lingered",
        "_paused",
        "_peer",
        "_peer_ended",
        "_secure",
        "_timed",
        "_transport",
        "asked",
        "blocked",
        "deadline",
        "n_owed",
        "out",
        "waiting",
    )

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener.limits)
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._peer, self._secure = "", False
        self._certificates: tuple[bytes, ...] = ()
        self._timed = IDLE  # the phase that `deadline` is for
        self._paused, self._peer_ended = False, False
        self._n_head = self._n_body = self._n_lingered = 0
        self._n_behind, self._is_behind = 0, False  # bytes of bodies in `waiting`; whether that is too much to read on
        self.deadline = 0  # in the listener's ticks
        self.blocked = False  # a request is on a thread
        self.n_owed = 0  # requests without a sent reply
        self.out: list[bytes] = []  # replies that wait for the batch
        self.asked: list[Headers] = []  # of the request that each of them answers
        self.waiting: deque[HttpRequest | bytes] = deque()  # for the batch, or behind the request on a thread
        self._begun: HttpRequest | None = None
        self._holds_head = False  # one of `out` answers a HEAD, and has no body

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._peer, self._secure = _peer(transport), _is_secure(transport)
        self._certificates = chain_of(transport)
        self._parser = httptools.HttpRequestParser(self)
        self.deadline = self._listener.tick + self._limits.idle_for
        self._listener.opened(self)
        if (names := self._listener.names) and names.isdisjoint(certified(transport.get_extra_info("peercert"))):
            LOG.warning("a client of %s has a certificate, and none of the names that are let in", self._peer)
            self.ending = True
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the peer went, why is its business
        self._transport = self._parser = None
        self.ending = True
        self.out.clear()
        self.asked.clear()
        self.waiting.clear()
        self._listener.closed(self)

    def data_received(self, data: bytes) -> None:
        if self.ending:
            self._linger(len(data))
            return
        is_new, owed, n = self._phase == IDLE, self.n_owed, len(data)
        try:
            if is_new and self.alike(data):
                self.on_message_complete()
                return
            self._count_head = self._phase == HEAD or n > self._limits.n_head
            self._parser.feed_data(self.parsed_as(data) if is_new and self._limits.lists else data)
        except (httptools.HttpParserError, Refused):
            instead = self.without_http_2(data) if is_new and owed == self.n_owed else None
        else:
            if self._phase != IDLE:
                self._partial(n if owed == self.n_owed else 0)
            elif is_new and self.n_owed == owed + 1 and not self.ending:
                self.remember(data)
            return
        if instead is None:
            self.refuse(self._refusal)
        else:
            self._parser = httptools.HttpRequestParser(self)
            self.data_received(instead)

    def pause_writing(self) -> None:
        self._paused = True
        self.deadline = self._listener.tick + self._limits.write_for
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self.deadline = self._listener.tick + self._limits.idle_for
        if not self._is_behind:
            self._read_on()
        if self.waiting and not self.blocked:
            self._listener.serve_on(self)

    def eof_received(self) -> bool:
        """A peer that has said all it has to say still gets what it is owed."""
        if not self.n_owed or self._transport is None or not self._transport.can_write_eof():
            return False
        self.ending = self._peer_ended = True
        return True

    # --- llhttp

    def go_on(self) -> None:
        """Behind a reply that is owed it would stand in that one's place; then the peer stops waiting by itself."""
        if not self.n_owed and self._transport is not None:
            self._transport.write(GO_ON)

    def on_message_complete(self) -> None:
        self._phase = self._timed = IDLE
        listener = self._listener
        batch = listener.batch
        batch.begin()
        self.n_owed += 1
        if self.n_owed > self._limits.n_pipelined:
            self._refusal = Refusal.OVERLOADED
            raise Refused
        body, self._body = self._body, b""  # gone with its request, and not when the next one comes
        request = HttpRequest(
            method=self._method,
            target=self._target,
            headers=self._headers,
            body=body if isinstance(body, bytes) else bytes(body),
            peer=self._peer,
            received_at=batch.now,
            second=batch.second,
            secure=self._secure,
            certificates=self._certificates,
        )
        if not self._keep:
            self.ending = True
        self.waiting.append(request)
        self._n_behind += len(request.body)
        if self._n_behind > MUCH or listener.holds(self):
            self._weigh()
        batch.ask(self)

    # --- limits in time and space

    def _weigh(self) -> None:
        """What is kept of what has not been begun counts with that of all others, and much of it is enough for now."""
        self._listener.hold(self, self._n_behind + (len(self._body) if self._phase == BODY else 0))
        was_behind, self._is_behind = self._is_behind, self._n_behind > self._limits.n_body
        if self._is_behind and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        elif was_behind and not self._paused:
            self._read_on()

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def shed(self) -> None:
        """Too much is kept for all, and this has been kept for longest."""
        if self.waiting:
            self.abort()
        else:
            self.refuse(Refusal.OVERLOADED)

    def _partial(self, n: int) -> None:
        """A message has begun and is not complete; `n` bytes of what was read belong to it for certain.

        What is no body counts as a head, behind it too: the parser keeps a trailer as far as it has come.
        """
        if self._timed != self._phase:
            self._timed = self._phase
            self._n_head = self._n_body = 0
            patience = self._limits.head_for if self._phase == HEAD else self._limits.body_for
            self.deadline = self._listener.tick + patience
            n = n if self._phase == HEAD else 0  # most of it is the head
        n_body, self._n_body = self._n_body, len(self._body)
        self._n_head = self._n_head + n if n_body == self._n_body else 0
        if self._n_head > self._limits.n_head:
            self.refuse(Refusal.HEAD_TOO_LARGE)
        elif self._n_body > MUCH or self._listener.holds(self):
            self._weigh()

    def is_idle(self) -> bool:
        return self._phase == IDLE and not self.n_owed and not self.ending

    def expire(self) -> None:
        """The deadline has passed."""
        if self.n_owed and not self._paused:
            self.deadline = self._listener.tick + self._limits.idle_for  # it is we who are slow
        elif self.ending or self._paused:
            self.abort()
        elif self._phase == IDLE:
            self.close()
        else:
            self.refuse(Refusal.TIMEOUT)

    def refuse(self, refusal: Refusal) -> None:
        """Answer in the door's words, after what is owed; then end."""
        if self.ending:
            return
        self.ending, self._phase, self._body = True, IDLE, b""
        self._listener.release(self)
        batch = self._listener.batch
        batch.begin()
        self.n_owed = len(self.out) + len(self.waiting) + self.blocked + 1
        self.hold(self._listener.front.reject(refusal, batch.second, self._headers))

    def hold(self, reply: bytes) -> None:
        """Take a reply in its turn."""
        if self.blocked or self.waiting:
            self.waiting.append(reply)
        else:
            self._put(reply, self._headers)

    def take(self, reply: bytes) -> None:
        """Take the reply to the request that was begun: its turn it is."""
        begun = self._begun
        if begun is None:
            self._put(reply, NO_HEADERS)
            return
        self._begun = None
        if begun.method == b"HEAD":
            reply, self._holds_head = head_of(reply), True
        self._put(reply, begun.headers)

    def _put(self, reply: bytes, asked: Headers) -> None:
        self.out.append(reply)
        self.asked.append(asked)
        self._listener.batch.add(self)

    def begin(self) -> Steps | None:
        """Begin the next request that waits; replies that stand before it are taken.

        None, too, while much is to be sent or read first: `send` and `resume_writing` go on.
        """
        while self.waiting and not self.blocked:
            if self._paused or (self.out and sum(map(len, self.out)) > MUCH):
                return None
            item = self.waiting.popleft()
            if isinstance(item, bytes):
                self._put(item, self._headers)
            else:
                self._begun = item
                self._n_behind -= len(item.body)
                if self._listener.holds(self):
                    self._weigh()
                return self._listener.front.steps(item)
        return None

    def block(self, rest: Steps | None, would: WouldBlock) -> None:
        if self._begun is not None:
            self._listener.block(self, self._begun, rest, would)

    def withdraw(self) -> None:
        """What is held was not put on record: say that instead, and as often; where a body would be too much, cut."""
        if self._holds_head:
            self.abort()
            return
        reject, second = self._listener.front.reject, self._listener.batch.second
        self.out[:] = [reject(Refusal.UNRECORDED, second, headers) for headers in self.asked]

    def send(self) -> None:
        out, transport = self.out, self._transport
        if not out or transport is None or transport.is_closing():
            return
        self.n_owed = len(self.waiting) + self.blocked
        last = self.ending and not self.n_owed
        if last:
            out[-1] = closing(out[-1])
        transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()
        self.asked.clear()
        self._holds_head = False
        if self._phase == IDLE and not self._paused:
            self.deadline = self._listener.tick + self._limits.idle_for
        if last:
            self._end(transport)
        elif self.waiting and not self.blocked and not self._paused:
            self._listener.serve_on(self)

    def _end(self, transport: asyncio.Transport) -> None:
        """Close so that the reply is read: a reset for unread input would destroy it on its way (RFC 9112 §9.6)."""
        if transport.can_write_eof() and not self._peer_ended:
            transport.write_eof()
            self.deadline = self._listener.tick + LINGER_FOR
        else:
            transport.close()

    def _linger(self, n: int) -> None:
        self._n_lingered += n
        if self._n_lingered > LINGER_BYTES and not self.n_owed:
            self.abort()

    def finish(self) -> None:
        """Take no more requests; close once nothing is owed."""
        self.ending = True
        if not self.n_owed:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _is_secure(transport: asyncio.BaseTransport) -> bool:
    sock = transport.get_extra_info("socket")
    return transport.get_extra_info("sslcontext") is not None or (sock is not None and sock.family == socket.AF_UNIX)


def _peer(transport: asyncio.BaseTransport) -> str:
    """The address without its port; "uid:<n>" over a unix socket.

    An IPv4 address is written as one, also by a socket that listens for both: networks and policies know it so.
    """
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        address = str(name[0])
        return address.removeprefix(MAPPED) if "." in address else address
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return ""
    with socket.socket(fileno=os.dup(sock.fileno())) as real:
        return peer_of(real)
