"""A listener and its connections in memory, for the tests of it: no socket, and a record of what happened."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.fakes import FakeClock

from keystead.core.errors import Unavailable
from keystead.core.ports import WouldBlock, WouldWait
from keystead.kit.batch import Batch
from keystead.kit.lane import Lane
from keystead.kit.listener import Listener
from keystead.kit.pool import Pool
from keystead.wire.http import Limits, Refusal, reply

LIMITS = Limits(n_head=2048, n_headers=20, n_body=1000, n_connections=5, n_pipelined=8, n_blocked=2)


class Transport:
    """asyncio.Transport in memory: what was written, and how it ended."""

    def __init__(self, world: "World", **extra: Any) -> None:
        self.world, self.protocol, self.extra = world, world.listener.connection(), extra
        self.writes: list[bytes] = []
        self.is_open, self.ended, self.aborted, self.reading = True, False, False, True
        self.protocol.connection_made(self)

    def get_extra_info(self, name: str) -> Any:
        return self.extra.get(name, ("192.0.2.7", 4711)) if name == "peername" else self.extra.get(name)

    def write(self, data: bytes) -> None:
        assert self.is_open and not self.ended
        self.world.events.append("write")
        self.writes.append(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def is_closing(self) -> bool:
        return not self.is_open

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    async def send(self, *pieces: bytes) -> bytes:
        """Feed it, let the loop turn, and take what came back."""
        for piece in pieces:
            self.protocol.data_received(piece)
        await turns()
        return self.take()

    def take(self) -> bytes:
        taken = b"".join(self.writes)
        self.writes.clear()
        return taken


class World:
    """A listener with everything it stands on, and a record of what happened in which order."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.events: list[str] = []
        self.served: list[Any] = []
        self.told: list[dict[bytes, bytes]] = []  # the headers that each refusal was said to
        self.blocking: dict[bytes, threading.Event] = {}
        self.pending, self.fail, self.is_broken = False, False, True
        self.at_flush: Callable[[], object] = lambda: None
        self.clock = FakeClock()
        self.threads, self.far = ThreadPoolExecutor(2), ThreadPoolExecutor(2, "far")
        self.batch = Batch(self, self, self.clock)
        loop = asyncio.get_running_loop()
        self.lane = Lane("hsm", 2, 60.0, loop)
        near, far = Pool(self.threads, 2, loop), Pool(self.far, 2, loop)
        self.listener = Listener(self, self.batch, near, limits, far, {"hsm:box": self.lane})
        self.loop_thread = threading.get_ident()

    # journal
    def flush(self) -> None:
        self.events.append("flush")
        self.at_flush()
        if self.fail:
            raise Unavailable("the disk is gone")
        self.pending = False

    # generation
    def current(self) -> int:
        return 0

    def enter(self) -> None:
        self.events.append("enter")

    def leave(self) -> None:
        self.events.append("leave")

    # front
    def serve(self, request: Any) -> bytes:
        if request.target in self.blocking:
            if threading.get_ident() == self.loop_thread:
                if request.target.startswith(b"/hsm"):
                    raise WouldWait("box", request.target.decode().split("/")[2])
                raise WouldWait if request.target.startswith(b"/far") else WouldBlock
            assert self.blocking[request.target].wait(60)
        if request.target == b"/bug":
            self.pending = True
            raise RuntimeError("a bug")
        self.served.append(request)
        self.events.append("serve")
        return reply(200, b"", request.target + request.body, request.second)

    def steps(self, request: Any) -> Any:
        yield
        return self.serve(request)

    def reject(self, refusal: Refusal, second: int, headers: Any = None, /) -> bytes:
        self.told.append(dict(headers or {}))
        return reply(refusal.status, b"", refusal.name.encode(), second)

    def connect(self, **extra: Any) -> Transport:
        return Transport(self, **extra)

    def tick(self, n: int) -> None:
        for _ in range(n):
            self.listener._sweeper.cancel()
            self.listener._sweep()

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0.001)


async def turns(n: int = 8) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


def run(
    test: Callable[[World], Awaitable[None]], limits: Limits = LIMITS, loops: Any = None, made: type[World] = World
) -> World:
    async def within() -> World:
        world = made(limits)
        try:
            await test(world)
        finally:
            for event in world.blocking.values():
                event.set()
            world.listener.abort()
            await turns()
            world.threads.shutdown()
            world.far.shutdown()
            world.lane.close()
            if world.batch.failed.done():
                world.batch.failed.exception()
        return world

    with asyncio.Runner(loop_factory=loops) as runner:
        return runner.run(within())


def post(target: bytes = b"/", body: bytes = b"", *lines: bytes) -> bytes:
    head = [b"POST %b HTTP/1.1" % target, b"Host: kms", b"Content-Length: %d" % len(body), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def bodies(replies: bytes) -> list[bytes]:
    """The body of each reply; every one must be framed right."""
    found = []
    while replies:
        head, _, rest = replies.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 ")
        n = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        found.append(rest[:n])
        replies = rest[n:]
    return found
