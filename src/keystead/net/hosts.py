"""Connections to one host on the same terms. What was opened on other terms is never used for these."""

from __future__ import annotations

import select
import socket
import ssl
import threading

from msgspec import Struct

from keystead.core.ports import Terms

N_AT_ONCE, N_IDLE = 16, 16  # connections to one host: in use, and kept
IDLE_FOR, KEEP_FOR = 20.0, 300.0  # seconds that a connection is kept unused; and in all


class Connected(Struct):
    """An open connection to a host."""

    sock: socket.socket  # kept ones have TLS
    made_at: float
    used_at: float

    def is_young(self, now: float) -> bool:
        return now - self.used_at <= IDLE_FOR and now - self.made_at <= KEEP_FOR

    def is_good(self, now: float, context: ssl.SSLContext) -> bool:
        """Whether it may be used again: young enough, trusted as of now, and the peer has not even said goodbye."""
        if not self.is_young(now) or not isinstance(self.sock, ssl.SSLSocket) or self.sock.context is not context:
            return False
        watch = select.poll()
        watch.register(self.sock, select.POLLIN)
        return not watch.poll(0) and not self.sock.pending()


class Host:
    """What is known of one host, and the connections to it that are not in use."""

    def __init__(self, name: str, port: int, terms: Terms) -> None:
        self.name, self.port, self.terms = name, port, terms
        self.places = threading.BoundedSemaphore(N_AT_ONCE)
        self.addresses: tuple[str, ...] = ()
        self.believed_until = 0.0
        self._lock = threading.Lock()
        self._idle: list[Connected] = []
        self._is_closed = False

    def take(self, now: float, context: ssl.SSLContext) -> Connected | None:
        """The connection that was used last, if one is good still."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None or kept.is_good(now, context):
                return kept
            kept.sock.close()

    def keep(self, connected: Connected) -> bool:
        with self._lock:
            kept = len(self._idle) < N_IDLE and not self._is_closed
            if kept:
                self._idle.append(connected)
        return kept

    def sweep(self, now: float) -> None:
        """Close what has been unused for too long."""
        with self._lock:
            old = [one for one in self._idle if not one.is_young(now)]
            self._idle = [one for one in self._idle if one.is_young(now)]
        for connected in old:
            connected.sock.close()

    def close(self) -> None:
        """What is in use is closed when it comes back."""
        with self._lock:
            idle, self._idle, self._is_closed = self._idle, [], True
        for connected in idle:
            connected.sock.close()
