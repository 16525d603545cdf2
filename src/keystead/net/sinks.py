"""Lines to a socket that somebody reads: over TCP, UDP, a Unix socket, or to a syslog agent.

Rule 1: what is sent is told once it is through. Of a stream that is when the other end's system has acknowledged it
        (TCP), or the other end has read it (Unix), and the connection still stands: what an end that went away had
        taken is sent again, so nothing is missing and something may be there twice. A datagram is through when the
        system has taken it; of UDP that says nothing, and there is nothing else to know.
Rule 2: an end that takes nothing is waited for so long; one that takes something goes on, until all of it takes too
        long.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from fcntl import ioctl
from struct import unpack
from typing import Final, Protocol

LONGEST: Final = 30.0  # seconds for all that is sent at once
_GONE: Final = select.POLLRDHUP | select.POLLHUP | select.POLLERR
_LOOK_AGAIN: Final = (0.001, 0.05)  # seconds, from and to
_BEGINS: Final = 1024  # bytes that are told of a line which no datagram can carry


class Sink(Protocol):
    def send(self, lines: Sequence[bytes]) -> None:
        """All of them, each with its line feed; through on return. Raises OSError."""

    def close(self) -> None: ...


def internet(address: str, kind: socket.SocketKind, patience: float) -> socket.socket:
    """To "host:port" or "[address]:port". Raises OSError. A name is resolved for as long as the system likes."""
    host, _, port = address.rpartition(":")
    failed: OSError = OSError(f"{host} has no address")
    for family, _, protocol, _, at in socket.getaddrinfo(host.strip("[]"), int(port), type=kind):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(patience)
            made.connect(at)
        except OSError as error:
            made.close()
            failed = error
        else:
            return made
    raise failed


def local(path: str, kind: socket.SocketKind, patience: float) -> socket.socket:
    """Raises OSError."""
    made = socket.socket(socket.AF_UNIX, kind)
    try:
        made.settimeout(patience)
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


class Stream:
    """One connection, made anew where it has ended."""

    def __init__(self, connect: Callable[[], socket.socket], patience: float) -> None:
        self._connect, self._patience = connect, patience
        self._socket: socket.socket | None = None

    def send(self, lines: Sequence[bytes]) -> None:
        end = time.monotonic() + LONGEST
        try:
            to = self._socket
            if to is None or _is_gone(to):
                self.close()
                to = self._socket = self._connect()
            self._push(to, memoryview(b"".join(lines)), end)
            self._have_through(to, end)
        except (OSError, ValueError) as error:  # ValueError: somebody has closed it meanwhile
            self.close()
            raise error if isinstance(error, OSError) else ConnectionAbortedError("it was closed") from error

    def _push(self, to: socket.socket, rest: memoryview, end: float) -> None:
        while rest:
            to.settimeout(max(0.001, min(self._patience, end - time.monotonic())))
            rest = rest[to.send(rest, socket.MSG_NOSIGNAL) :]
            if rest and time.monotonic() >= end:
                raise TimeoutError("it takes too long")

    def _have_through(self, to: socket.socket, end: float) -> None:
        """Raises OSError."""
        wait, left = _LOOK_AGAIN[0], _unacknowledged(to)
        until = time.monotonic() + self._patience
        while True:
            if _is_gone(to):
                raise ConnectionResetError("the other end has gone away")
            if not left:
                return
            if time.monotonic() >= min(until, end):
                raise TimeoutError("nobody takes it")
            time.sleep(wait)
            wait, before, left = min(2 * wait, _LOOK_AGAIN[1]), left, _unacknowledged(to)
            if left < before:
                until = time.monotonic() + self._patience

    def close(self) -> None:
        """Whoever sends meanwhile is told: ConnectionAbortedError."""
        to, self._socket = self._socket, None
        if to is not None:
            with suppress(OSError):
                to.close()


def _unacknowledged(to: socket.socket) -> int:
    """Bytes. Linux, tcp(7): SIOCOUTQ; of a Unix socket what the other end has not read."""
    found: int = unpack("i", ioctl(to, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return found


def _is_gone(to: socket.socket) -> bool:
    """Whether the other end has closed, or the connection is broken."""
    looking = select.poll()
    looking.register(to, _GONE)
    return bool(looking.poll(0))


class Datagrams:
    """One for each line. `framed`: what a line is put into."""

    def __init__(self, connect: Callable[[], socket.socket], framed: Callable[[bytes], bytes] = bytes) -> None:
        self._connect, self._framed = connect, framed
        self._socket: socket.socket | None = None

    def send(self, lines: Sequence[bytes]) -> None:
        to = self._socket
        if to is None:
            to = self._socket = self._connect()
        end = time.monotonic() + LONGEST
        try:
            for line in lines:
                self._put(to, line)
                if time.monotonic() >= end:
                    raise TimeoutError("it takes too long")
        except OSError:
            self.close()
            raise

    def _put(self, to: socket.socket, line: bytes) -> None:
        try:
            to.send(self._framed(line))
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            to.send(self._framed(_in_place_of(line)))  # all that follows would wait behind it for ever

    def close(self) -> None:
        """Whoever sends meanwhile is told: OSError."""
        to, self._socket = self._socket, None
        if to is not None:
            to.close()


def _in_place_of(line: bytes) -> bytes:
    """What is told of a line that is longer than a datagram (of UDP 65,507 bytes): the log has all of it."""
    said = {
        "error": "longer than a datagram: see the audit log",
        "length": len(line),
        "begins": line[:_BEGINS].decode(errors="replace"),
    }
    return json.dumps(said).encode() + b"\n"


def for_agent(priority: int, tag: str) -> Callable[[bytes], bytes]:
    """A message as agents of this machine take it: RFC 3164 §4.1 without the host, as syslog(3) writes it."""
    head, number = f"<{priority}>", os.getpid()
    return lambda line: f"{head}{time.strftime('%b %e %H:%M:%S')} {tag}[{number}]: ".encode() + line.rstrip(b"\n")


def sink(place: str, patience: float) -> Sink:
    """What a socket's place (core.places) leads to. Nothing is connected before something is sent."""
    kind, _, at = place.partition(":")
    if kind == "udp":
        return Datagrams(lambda: internet(at, socket.SOCK_DGRAM, patience))
    if kind == "unix":
        return Stream(lambda: local(at, socket.SOCK_STREAM, patience), patience)
    return Stream(lambda: internet(at, socket.SOCK_STREAM, patience), patience)


def agent(path: str, patience: float, priority: int, tag: str) -> Sink:
    """The syslog agent that listens there."""
    return Datagrams(lambda: local(path, socket.SOCK_DGRAM, patience), for_agent(priority, tag))
