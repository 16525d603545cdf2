"""The line between a worker and its supervisor: what doors ask of the seal, and the custodian's answers.

A pair of connected sockets that nobody else has (SOCK_SEQPACKET: a message is a packet), inherited by the worker. What
can be said on it is kit.custody's requests. It is no way to the control socket, where its user is the operator.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TypeVar

import msgspec
from msgspec import Struct

from keystead.core.errors import Sealed, Unavailable
from keystead.kit.custody import AnyAnswer, AnyRequest, No, Request, Why, hide, unhide

A = TypeVar("A")
MAX_PACKET = 65536
ANSWER_FOR = 60.0  # seconds: others are started anew before the last share is answered
LEAVE_FOR = 10.0


class Said(Struct, frozen=True):
    """One of answer and refusal. `leave`: what the worker was started with is no longer so, and it is being ended."""

    answer: AnyAnswer | None = None
    why: Why | None = None
    detail: str = ""
    leave: bool = False

    def __repr__(self) -> str:
        return "Said()"


_encode = msgspec.msgpack.Encoder(enc_hook=hide).encode
_request = msgspec.msgpack.Decoder(AnyRequest, dec_hook=unhide).decode
_said = msgspec.msgpack.Decoder(Said, dec_hook=unhide).decode


def pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end, the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours, theirs


# --- the supervisor's end


def receive(sock: socket.socket) -> AnyRequest | None:
    """The next request; None once the worker has ended, or has sent what is none."""
    try:
        raw = sock.recv(MAX_PACKET)
        return _request(raw) if raw else None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def send(sock: socket.socket, said: Said) -> None:
    """To a worker that may have ended meanwhile."""
    with suppress(OSError):
        sock.send(_encode(said))


# --- the worker's end


class Line:
    """kit.custody.Custody. One request at a time; a worker that is told to leave answers once it takes no more."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._lock = sock, threading.Lock()
        self.left = threading.Event()
        """Set once every connection has been told that it takes no more requests."""
        sock.settimeout(ANSWER_FOR)

    def __call__(self, request: Request[A], /) -> A:
        """Raises No, Sealed, Unavailable."""
        with self._lock:
            if self.left.is_set():  # whoever ends this worker waits for its replies
                raise Unavailable("the seal is being changed: try again")
            try:
                self._sock.send(_encode(request))
                raw = self._sock.recv(MAX_PACKET)
            except OSError:
                self._sock.close()  # an answer that is late must not be taken for that of the next request
                raise Unavailable("the supervisor does not answer") from None
        if not raw:
            raise Unavailable("the supervisor has ended")
        said = _said(raw)
        if said.leave:  # so that whoever hears the answer finds everything as it says
            self.left.wait(LEAVE_FOR)
        if said.why is Why.SEALED:
            raise Sealed("the installation is sealed")
        if said.why is not None:
            raise No(said.why, said.detail)
        answer: A = said.answer  # type: ignore[assignment]  # each request is answered by what it says
        return answer
