"""An HTTP listener: connections in front of one door.

Use path: bytes -> llhttp -> door.serve, inline on the event loop -> the batch -> one write.
Change path: door.serve raises WouldBlock -> the same request on a thread (of kit.lane, for an HSM) -> the batch.
Replies keep the order of their requests on each connection; a full queue is answered with the door's words for it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Mapping

from keystead.core.ports import NEAR, WouldBlock
from keystead.kit.batch import Batch
from keystead.kit.blocked import Blocked, Room
from keystead.kit.connection import Connection
from keystead.kit.door import Front, Steps, given_up
from keystead.kit.lane import Lane
from keystead.kit.pool import Pool
from keystead.wire.http import HttpRequest, Limits, Refusal

LOG = logging.getLogger("keystead")
TLS_HANDSHAKE_FOR = 10.0
BACKLOG = 512


class Listener:
    """Serves one front on any number of sockets. Every method is called on the loop's thread."""

    def __init__(
        self,
        front: Front,
        batch: Batch,
        near: Pool,
        limits: Limits,
        far: Pool | None = None,
        lanes: Mapping[str, Lane] | None = None,
        names: frozenset[str] = frozenset(),
    ) -> None:
        """`near`: the threads for what takes long. `far`: those for what waits for other machines, so that nothing else
        has to wait behind it.

        `lanes`: those for HSMs, by where (core.ports.WouldBlock) a request waits.
        `names`: a client's certificate must have one of them, where there are any.
        """
        self.front, self.batch, self.limits, self.names = front, batch, limits, names
        self.before: Callable[[], None] | None = None  # what is to be done before a connection's handshake
        self.tick = 0  # seconds since the start, coarse
        self._near, self._far = near, far or near
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Connection, None] = {}
        self._held: dict[Connection, int] = {}  # bytes of bodies that each has us keep, the first to begin first
        self._n_held = 0
        self._servers: list[asyncio.Server] = []
        self._lanes, self._room = lanes or {}, Room(limits.n_blocked, limits.n_held)
        self._empty = asyncio.Event()
        self._empty.set()
        self._sweeper = self._loop.call_later(1, self._sweep)
        batch.on_failure.append(self.abort)

    async def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accept on a socket that is bound; it is ours from here on. May be called for several sockets."""
        make = self._loop.create_unix_server if sock.family == socket.AF_UNIX else self._loop.create_server
        handshake = TLS_HANDSHAKE_FOR if tls else None
        server = await make(self.connection, sock=sock, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=handshake)
        self._servers.append(server)

    def connection(self) -> Connection:
        """A new connection's protocol (the factory of asyncio's create_server)."""
        if self.before is not None:
            self.before()
        return Connection(self)

    async def stop(self, within: float) -> None:
        """Accept no more, send what is owed within that many seconds, cut the rest."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.finish()
        try:
            async with asyncio.timeout(within):
                await self._empty.wait()
        except TimeoutError:
            self.abort()
        self._sweeper.cancel()

    def abort(self) -> None:
        """Cut everything at once: nothing that is held is sent."""
        self._sweeper.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.abort()

    # --- connections

    def opened(self, connection: Connection) -> None:
        if len(self._connections) >= self.limits.n_connections:
            idle = [c for c in self._connections if c.is_idle()]
            if not idle:
                connection.abort()
            else:
                min(idle, key=lambda c: c.deadline).abort()
        self._connections[connection] = None
        self.batch.n_connections += 1
        self._empty.clear()

    def closed(self, connection: Connection) -> None:
        del self._connections[connection]
        self.release(connection)
        self.batch.n_connections -= 1
        if not self._connections:
            self._empty.set()

    def holds(self, connection: Connection) -> bool:
        return connection in self._held

    def hold(self, connection: Connection, n: int) -> None:
        """So many bytes are kept for it by now. Where that is too much for all, whoever began first goes."""
        if not n:
            self.release(connection)
            return
        self._n_held += n - self._held.get(connection, 0)
        self._held[connection] = n
        while self._n_held > self.limits.n_held:
            oldest = next(iter(self._held))
            self.release(oldest)
            oldest.shed()

    def release(self, connection: Connection) -> None:
        self._n_held -= self._held.pop(connection, 0)

    def _sweep(self) -> None:
        self.tick += 1
        for connection in [c for c in self._connections if c.deadline <= self.tick]:
            connection.expire()
        self._sweeper = self._loop.call_later(1, self._sweep)

    # --- requests

    def serve_on(self, connection: Connection) -> None:
        """What it has read and not begun, in a batch to come."""
        self._loop.call_soon(self._ask, connection)

    def _ask(self, connection: Connection) -> None:
        if self.batch.is_leaving:  # as in unblock
            self.serve_on(connection)
        else:
            self.batch.begin()
            self.batch.ask(connection)

    def block(self, connection: Connection, request: HttpRequest, rest: Steps | None, would: WouldBlock) -> None:
        """Serve it on a thread, or what is left of it."""
        blocked = Blocked(self, connection, request, rest)
        if self._waits(blocked, would):
            connection.blocked = True
        else:
            connection.take(self._turned_away(request, rest))

    def _waits(self, blocked: Blocked, would: WouldBlock) -> bool:
        """False where there is no room for it."""
        if not self._room.take(would.where, would.tenant, len(blocked.request.body)):
            return False
        blocked.waits_for(would)
        threads = self._near if would.where == NEAR else self._lanes.get(would.where, self._far)
        threads.put(blocked)
        return True

    def _turned_away(self, request: HttpRequest, rest: Steps | None) -> bytes:
        """The reply where too many wait: of what has begun by its door, which puts it on record."""
        try:
            if rest is not None:
                return given_up(rest)
        except WouldBlock:  # the last use of a token: the scheduler takes that away
            pass
        except Exception:
            LOG.exception("a door did not answer")
        return self._overloaded(request)

    def _overloaded(self, request: HttpRequest) -> bytes:
        return self.front.reject(Refusal.OVERLOADED, self.batch.second, request.headers)

    def late(self, blocked: Blocked) -> None:
        """It was not come to in time."""
        if blocked.rest is not None:
            blocked.is_late = True
            self._near.put(blocked)
        else:
            blocked.reply = self._overloaded(blocked.request)
            blocked.back()

    def lost(self, blocked: Blocked) -> None:
        """The system gives no thread: whether it is ever done is not known."""
        LOG.error("a request finds no thread")
        self._room.give(blocked.where, blocked.tenant, len(blocked.request.body))
        connection = blocked.connection
        connection.blocked = False
        connection.waiting.clear()
        connection.abort()

    def unblock(self, blocked: Blocked) -> None:
        """On the loop again: the reply joins the batch, and what waited behind it is served; or it waits elsewhere."""
        if self.batch.is_leaving:  # the slot must not show a new batch before the last one's replies are out
            self._loop.call_soon(self.unblock, blocked)
            return
        self.batch.begin()  # also if the peer has gone: the record is to be flushed
        connection = blocked.connection
        self._room.give(blocked.where, blocked.tenant, len(blocked.request.body))
        if blocked.moves is not None:
            if self._waits(blocked, blocked.moves):
                return
            blocked.reply = self._turned_away(blocked.request, blocked.rest)
        connection.blocked = False
        if blocked.error is not None:
            LOG.error("a door did not answer", exc_info=blocked.error)
            connection.abort()
            return
        connection.take(blocked.reply)
        if connection.waiting:
            self.batch.ask(connection)
