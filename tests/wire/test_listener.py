"""The listener: framing, limits, order, and no reply before its record. No socket but a pair.

Rows are those of security.md §4-D.
"""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.costs import slowness
from tests.fakes import FakeClock

from keystead.core.errors import Unavailable
from keystead.core.ports import WouldBlock, WouldWait
from keystead.kit import batch
from keystead.kit.batch import Batch
from keystead.kit.blocked import Blocked
from keystead.kit.door import finished
from keystead.kit.lane import Lane
from keystead.kit.listener import Listener
from keystead.kit.pool import Pool
from keystead.service.moving import HERE, stay
from keystead.wire.http import Limits, Refusal, http_date, reply

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


def run(test: Callable[[World], Awaitable[None]], limits: Limits = LIMITS, loops: Any = None) -> World:
    async def within() -> World:
        world = World(limits)
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


def test_one_request_one_write() -> None:
    async def test(world: World) -> None:
        answered = await world.connect().send(
            post(b"/a?b=c", b"body", b"X-Amz-Target:  T \t", b"x-other: 1", b"X-Other: 2")
        )
        assert answered == (
            b"HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\nContent-Length: 10\r\n\r\n/a?b=cbody"
        )
        (request,) = world.served
        assert (request.method, request.target, request.body) == (b"POST", b"/a?b=c", b"body")
        assert request.headers == {b"host": b"kms", b"content-length": b"4", b"x-amz-target": b"T", b"x-other": b"1,2"}
        assert (request.peer, request.received_at) == ("192.0.2.7", world.clock.now())
        assert request.second == int(world.clock.now().timestamp())

    assert run(test).events == ["enter", "serve", "flush", "write", "leave"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (("::ffff:192.0.2.7", 4711, 0, 0), "192.0.2.7"),  # at a socket that listens for both
        (("2001:db8::7", 4711, 0, 0), "2001:db8::7"),
        (("fe80::1%eth0", 4711, 0, 2), "fe80::1%eth0"),
        (("::ffff:1", 4711, 0, 0), "::ffff:1"),
    ],
)
def test_an_address_is_written_as_networks_and_policies_know_it(name, told) -> None:
    async def test(world: World) -> None:
        await world.connect(peername=name).send(post(b"/", b""))
        (request,) = world.served
        assert request.peer == told

    run(test)


def test_a_request_in_single_bytes() -> None:
    async def test(world: World) -> None:
        whole = post(b"/a", b"body", b"X: yes")
        answered = await world.connect().send(*(bytes([b]) for b in whole * 2))
        assert bodies(answered) == [b"/abody"] * 2

    run(test)


def test_row_58_a_reply_to_head_has_no_body_that_another_request_would_get() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        heads = [b"HEAD %b HTTP/1.1\r\nHost: kms\r\n\r\n" % target for target in (b"/a", b"/slow", b"/c")]
        one = world.connect()
        taken = await one.send(heads[0] + heads[1] + post(b"/b") + heads[2])
        gate.set()
        await world.until(lambda: one.writes)
        replies = (taken + one.take()).split(b"HTTP/1.1 200 OK\r\n")[1:]
        assert [reply.partition(b"\r\n\r\n")[2] for reply in replies] == [b"", b"", b"/b", b""]
        assert [b"Content-Length: %d\r\n" % n in reply for n, reply in zip((2, 5, 2, 2), replies, strict=True)] == [
            True
        ] * 4

        world.fail, world.is_broken = True, False
        one.protocol.data_received(heads[0])
        two = await world.connect().send(post(b"/b"))
        assert one.take() == b"" and one.aborted and bodies(two) == [b"UNRECORDED"]

    run(test)


def test_chunks() -> None:
    async def test(world: World) -> None:
        head = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        answered = await world.connect().send(head + b"3\r\nabc\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n")
        assert bodies(answered) == [b"/cabcdef"]
        assert type(world.served[0].body) is bytes

    run(test)


def test_the_replies_of_a_turn_share_a_flush_and_each_connection_a_write() -> None:
    async def test(world: World) -> None:
        transports = [world.connect() for _ in range(3)]
        for transport in transports:
            transport.protocol.data_received(post(b"/1") + post(b"/2"))
        await turns()
        assert [bodies(transport.take()) for transport in transports] == [[b"/1", b"/2"]] * 3

    assert run(test).events == ["enter", *["serve"] * 6, "flush", *["write"] * 3, "leave"]


def test_a_batch_goes_on_while_more_is_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_AGE", 60)

    async def test(world: World) -> None:
        one, two, _silent = (world.connect() for _ in range(3))
        one.protocol.data_received(post(b"/1"))
        await asyncio.sleep(0)
        two.protocol.data_received(post(b"/2"))
        await turns()

    assert run(test).events == ["enter", "serve", "serve", "flush", "write", "write", "leave"]


def test_a_batch_waits_for_nobody_where_few_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who came alone is followed by a batch that does not wait; it waits again as soon as two have come together."""
    monkeypatch.setattr(batch, "MAX_AGE", 60)

    async def test(world: World) -> None:
        one, two, _silent = (world.connect() for _ in range(3))

        async def served_at_once() -> bool:
            one.protocol.data_received(post(b"/1"))
            await asyncio.sleep(0)
            at_once = bool(one.take())
            await turns()
            return at_once

        assert [await served_at_once() for _ in range(3)] == [False, True, True]
        one.protocol.data_received(post(b"/1"))
        two.protocol.data_received(post(b"/2"))
        await turns()
        assert one.take()
        assert not await served_at_once()

    run(test)


def test_a_batch_waits_for_nobody_when_everybody_is_in_it() -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        transport.protocol.data_received(post())
        await asyncio.sleep(0)
        assert transport.writes

    run(test)


def test_a_batch_that_begins_before_the_slot_is_left_keeps_it() -> None:
    async def test(world: World) -> None:
        one, two = world.connect(), world.connect()

        def once() -> None:
            world.at_flush = lambda: None
            asyncio.get_running_loop().call_soon(two.protocol.data_received, post())

        world.at_flush = once
        await one.send(post())
        assert bodies(two.take()) == [b"/"]

    assert run(test).events == ["enter", "serve", "flush", "write"] * 2 + ["leave"]


def test_a_batch_has_one_clock_reading() -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        transport.protocol.data_received(post())
        world.clock.forward(timedelta(seconds=5))
        transport.protocol.data_received(post())
        await turns()
        await transport.send(post())
        assert [r.second - world.served[0].second for r in world.served] == [0, 0, 5]

    run(test)


def test_requests_of_one_batch_take_each_step_together_and_each_connection_keeps_its_order() -> None:
    async def test(world: World) -> None:
        def steps(request: Any) -> Any:
            for step in range(3):
                world.events.append(f"{request.target.decode()} {step}")
                yield
            return reply(200, b"", request.target, request.second)

        world.steps = steps
        one, two = world.connect(), world.connect()
        one.protocol.data_received(post(b"/a") + post(b"/b"))
        assert bodies(await two.send(post(b"/c"))) == [b"/c"]
        assert bodies(one.take()) == [b"/a", b"/b"]
        taken = [event for event in world.events if event.startswith("/")]
        assert taken == ["/a 0", "/c 0", "/a 1", "/c 1", "/a 2", "/c 2", "/b 0", "/b 1", "/b 2"]

    run(test)


def test_a_step_that_fails_ends_its_connection_alone() -> None:
    async def test(world: World) -> None:
        def steps(request: Any) -> Any:
            yield
            if request.target == b"/bug":
                raise RuntimeError("a bug")
            yield
            return reply(200, b"", request.target, request.second)

        world.steps = steps
        one, two = world.connect(), world.connect()
        one.protocol.data_received(post(b"/bug") + post(b"/never"))
        assert bodies(await two.send(post(b"/c"))) == [b"/c"]
        assert one.aborted and one.take() == b""

    run(test)


def test_a_request_says_whether_it_came_over_tls() -> None:
    async def test(world: World) -> None:
        await world.connect().send(post())
        await Transport(world, sslcontext=object()).send(post())
        assert [request.secure for request in world.served] == [False, True]

    run(test)


def test_row_73_while_the_disk_is_full_every_answer_says_so_and_service_resumes_by_itself() -> None:
    async def test(world: World) -> None:
        one, two = world.connect(), world.connect()
        world.fail, world.is_broken = True, False
        one.protocol.data_received(post(b"/1") + post(b"/2"))
        assert bodies(await two.send(post(b"/3"))) == [b"UNRECORDED"]
        assert bodies(one.take()) == [b"UNRECORDED"] * 2
        world.fail = False
        assert bodies(await one.send(post(b"/4"))) == [b"/4"]
        assert not world.batch.failed.done()

    run(test)


def test_what_stands_in_for_a_reply_is_said_in_the_words_of_its_own_request() -> None:
    """Doors of several protocols choose them by its headers."""

    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        one = world.connect()
        world.fail, world.is_broken = True, False
        one.protocol.data_received(post(b"/1", b"", b"For: a") + post(b"/slow", b"", b"For: b"))
        await turns()
        one.protocol.data_received(post(b"/3", b"", b"For: c") + b"BAD\r\n\r\n")
        gate.set()
        await world.until(lambda: len(world.told) >= 5)
        assert [headers.get(b"for") for headers in world.told[:3]] == [b"a", None, b"b"], (
            "the framing's own comes first"
        )
        assert [headers.get(b"for") for headers in world.told[3:]] == [b"c", None]
        assert len(bodies(one.take())) == 4

    run(test)


def test_nothing_is_sent_when_the_flush_fails() -> None:
    async def test(world: World) -> None:
        one, two = world.connect(), world.connect()
        world.fail = True
        one.protocol.data_received(post())
        await turns()
        assert isinstance(world.batch.failed.exception(), Unavailable)
        world.fail = False
        two.protocol.data_received(post())
        await turns()
        assert one.take() == two.take() == b""
        assert one.aborted and two.aborted
        assert await world.connect().send(post()) == b""

    assert "write" not in run(test).events


def test_a_record_without_a_reply_is_flushed_too() -> None:
    async def test(world: World) -> None:
        world.blocking[b"/slow"] = threading.Event()
        transport = world.connect()
        transport.protocol.data_received(post(b"/slow"))
        await turns()
        transport.abort()
        await turns()
        world.pending = True
        world.blocking[b"/slow"].set()
        await world.until(lambda: world.events[-1:] == ["leave"] and not world.pending)

    assert "write" not in run(test).events


def test_the_slot_never_shows_a_new_batch_before_the_replies_of_the_last_are_out() -> None:
    """A reply from a thread may come between a flush and the end of that turn, when a transport writes."""

    async def test(world: World) -> None:
        one, two = world.connect(), world.connect()
        done = Blocked(world.listener, two.protocol, SimpleNamespace(body=b""), None)
        done.reply = reply(200, b"", b"/slow", 0)
        two.protocol.blocked, two.protocol.n_owed = True, 1

        def once() -> None:
            world.at_flush = lambda: None
            asyncio.get_running_loop().call_soon(done.back)

        world.at_flush = once
        await one.send(post())
        assert bodies(two.take()) == [b"/slow"]

    assert run(test).events == ["enter", "serve", "flush", "write", "leave", "enter", "flush", "write", "leave"]


# --- threads


def test_what_would_wait_for_another_machine_keeps_nothing_else_waiting() -> None:
    """docs/adr/0015: threads and a queue of their own, either way round."""

    async def test(world: World) -> None:
        gates = {target: world.blocking.setdefault(target, threading.Event()) for target in (b"/far/1", b"/far/2")}
        gates[b"/slow"] = world.blocking[b"/slow"] = threading.Event()
        one, two, three, four = (world.connect() for _ in range(4))
        assert await one.send(post(b"/far/1")) == await two.send(post(b"/far/2")) == b""
        assert bodies(await three.send(post(b"/far/1"))) == [b"OVERLOADED"]
        assert await four.send(post(b"/slow")) == b""
        gates[b"/slow"].set()
        await world.until(lambda: four.writes)
        assert bodies(four.take()) == [b"/slow"]
        for gate in gates.values():
            gate.set()
        await world.until(lambda: one.writes and two.writes)
        assert bodies(one.take() + two.take()) == [b"/far/1", b"/far/2"]

    run(test)


def test_an_hsm_keeps_nothing_else_waiting_and_one_tenant_leaves_room_for_others() -> None:
    """Of a tenant as many as may be blocked (two), of all together twice as many."""

    async def test(world: World) -> None:
        asked = [b"/hsm/a/1", b"/hsm/a/2", b"/hsm/b/3", b"/hsm/b/4", b"/hsm/c/5", b"/far/6"]
        gates = {target: world.blocking.setdefault(target, threading.Event()) for target in asked}
        connections = [world.connect() for _ in range(8)]
        sent = [bodies(await c.send(post(target))) for c, target in zip(connections, asked, strict=False)]
        assert sent == [[], [], [], [], [b"OVERLOADED"], []]
        assert bodies(await connections[4].send(post(b"/hsm/a/1"))) == [b"OVERLOADED"]
        assert bodies(await connections[4].send(post(b"/other"))) == [b"/other"]
        gates[b"/far/6"].set()
        await world.until(lambda: connections[5].writes)
        gates[b"/hsm/a/1"].set()
        await world.until(lambda: connections[0].writes)
        assert bodies(await connections[4].send(post(b"/hsm/a/1"))) in ([], [b"/hsm/a/1"]), "there is room again"
        for gate in gates.values():
            gate.set()
        await world.until(lambda: all(c.writes for c in connections[1:4]))
        assert [bodies(c.take()) for c in connections[:4]] == [[target] for target in asked[:4]]

    run(test, Limits(n_connections=8, n_pipelined=8, n_blocked=2))


@pytest.mark.parametrize("begun", [False, True])
def test_a_request_that_the_hsm_does_not_come_to_is_given_up_and_not_done(begun: bool) -> None:
    async def test(world: World) -> None:
        def steps(request: Any) -> Any:
            try:
                yield WouldWait("box", "a")
            except Unavailable as error:
                return reply(503, b"", str(error).encode(), request.second)
            return world.serve(request)

        gate = world.blocking[b"/hsm/a/1"] = world.blocking[b"/hsm/a/2"] = threading.Event()
        if begun:
            world.steps = steps
        world.lane._pace._most = 1
        one, two = world.connect(), world.connect()
        second = post(b"/hsm/a/2", b"", b"X-Of: the second")
        assert await one.send(post(b"/hsm/a/1")) == b""
        await world.until(lambda: world.lane._n_busy and not world.lane._waiting)  # it is at work, and not late itself
        world.lane._wait_for = 0.02
        assert await two.send(second) == b""
        await world.until(lambda: two.writes)
        assert bodies(two.take()) == [b"too many requests are waiting" if begun else b"OVERLOADED"]
        assert begun or world.told[-1][b"x-of"] == b"the second"
        gate.set()
        await world.until(lambda: one.writes)
        assert bodies(one.take()) == [b"/hsm/a/1"]

    assert [request.target for request in run(test).served] == [b"/hsm/a/1"]


@pytest.mark.parametrize("fate", ["told", "blocks", "breaks"])
def test_of_too_many_who_have_begun_each_door_hears(fate: str) -> None:
    """It puts that on record; where it cannot at once, or has a bug, the others are served all the same."""

    async def test(world: World) -> None:
        def steps(request: Any) -> Any:
            try:
                yield WouldWait("box", "a")
            except Unavailable as error:
                world.events.append(f"given up {request.target.decode()}")
                if fate == "blocks":
                    raise WouldBlock from None
                if fate == "breaks":
                    raise RuntimeError("a bug") from None
                return reply(503, b"", str(error).encode(), request.second)
            return world.serve(request)

        world.steps = steps
        gate = world.blocking[b"/0"] = world.blocking[b"/1"] = threading.Event()
        connections = [world.connect() for _ in range(3)]
        for n, one in enumerate(connections[:2]):
            assert await one.send(post(b"/%d" % n)) == b""
        words = b"too many requests are waiting" if fate == "told" else b"OVERLOADED"
        assert bodies(await connections[2].send(post(b"/2"))) == [words]
        gate.set()
        await world.until(lambda: all(one.writes for one in connections[:2]))
        assert [bodies(one.take()) for one in connections[:2]] == [[b"/0"], [b"/1"]]

    world = run(test, Limits(n_connections=8, n_pipelined=8, n_blocked=2))
    assert "given up /2" in world.events and b"/2" not in [request.target for request in world.served]


def test_what_would_block_runs_on_a_thread_and_keeps_its_place() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        one, two = world.connect(), world.connect()
        assert bodies(await one.send(post(b"/1") + post(b"/slow") + post(b"/2") + post(b"/3"))) == [b"/1"]
        assert bodies(await two.send(post(b"/other"))) == [b"/other"]
        gate.set()
        await world.until(lambda: one.writes)
        assert bodies(one.take()) == [b"/slow", b"/2", b"/3"]

    world = run(test)
    assert world.events.index("flush") < world.events.index("write")


@pytest.mark.parametrize(("would", "name"), [(WouldBlock(), "act"), (WouldWait(), "far")])
def test_what_says_that_it_would_block_goes_on_from_there_on_a_thread(would: WouldBlock, name: str) -> None:
    """And does nothing twice."""

    async def test(world: World) -> None:
        def steps(request: Any) -> Any:
            world.events.append(f"begun {request.target.decode()}")
            yield None
            if request.target == b"/slow":
                yield would
                assert gate.wait(60)
                world.events.append(threading.current_thread().name.partition("_")[0])
                yield None
            if request.target == b"/bug":
                yield would
                raise RuntimeError("a bug")
            return reply(200, b"", request.target, request.second)

        world.steps = steps
        world.threads._thread_name_prefix = "act"
        gate = threading.Event()
        one, two = world.connect(), world.connect()
        assert bodies(await one.send(post(b"/slow") + post(b"/2"))) == []
        assert bodies(await two.send(post(b"/other"))) == [b"/other"]
        gate.set()
        await world.until(lambda: one.writes)
        await turns()
        assert bodies(one.take()) == [b"/slow", b"/2"]
        two.protocol.data_received(post(b"/bug"))
        await world.until(lambda: two.aborted)

    events = [event for event in run(test).events if event.startswith(("begun", "act", "far"))]
    assert events == ["begun /slow", "begun /other", name, "begun /2", "begun /bug"]


def steps_of(world: World, *blocks: WouldBlock, raises: bool = False, changes: bool = False) -> Any:
    """Of a door that would block so, one after the other, wherever it is not on the last of the threads for it."""

    def steps(request: Any) -> Any:
        world.events.append("begun")
        yield None
        while True:
            name = threading.current_thread().name.partition("_")[0]
            on = ("MainThread", "act", "hsm").index(name)
            if on == len(blocks):
                break
            if changes and name == "act":
                stay()
            if not HERE.may_move and name == "act":
                break
            if raises and name == "act":
                raise blocks[on]
            try:
                yield blocks[on]
            except Unavailable as error:
                return reply(503, b"", str(error).encode(), request.second)
        world.events.append(name)
        return reply(200, b"", request.target, request.second)

    world.threads._thread_name_prefix = "act"
    world.lane._name = "hsm"
    return steps


@pytest.mark.parametrize("raises", [False, True])
def test_what_comes_to_an_hsm_on_a_thread_of_the_others_goes_on_among_those_who_wait_for_it(raises: bool) -> None:
    """A key that is not held yet: it is read on one thread, and used on another. What raises is begun anew."""

    async def test(world: World) -> None:
        world.steps = steps_of(world, WouldBlock(), WouldWait("box", "a"), raises=raises)
        world.serve = lambda request: finished(world.steps(request))
        one = world.connect()
        one.protocol.data_received(post(b"/1") + post(b"/2"))
        await world.until(lambda: len(bodies(b"".join(one.writes))) == 2)
        assert bodies(one.take()) == [b"/1", b"/2"]
        assert not world.listener._room._n_of and not +world.listener._room._n

    events = [event for event in run(test).events if event in {"begun", "MainThread", "act", "hsm"}]
    assert events == ["begun", "begun", "hsm"] * 2 if raises else ["begun", "hsm"] * 2


def test_what_has_changed_something_is_not_begun_anew_elsewhere() -> None:
    async def test(world: World) -> None:
        world.steps = steps_of(world, WouldBlock(), WouldWait("box", "a"), raises=True, changes=True)
        one = world.connect()
        one.protocol.data_received(post(b"/1"))
        await world.until(lambda: one.writes)
        assert bodies(one.take()) == [b"/1"]

    assert [event for event in run(test).events if event in {"begun", "act", "hsm"}] == ["begun", "act"]


def test_a_step_that_would_begin_anew_what_an_earlier_one_has_changed_ends_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(world: World) -> None:
        def steps(request: Any) -> Any:
            yield WouldBlock()
            stay()
            yield None
            raise WouldWait("box", "a")

        world.steps = steps
        one, two = world.connect(), world.connect()
        one.protocol.data_received(post(b"/1"))
        await world.until(lambda: one.aborted)
        world.steps = lambda request: iter_of(world.serve(request))
        assert bodies(await two.send(post(b"/2"))) == [b"/2"]

    with caplog.at_level(logging.ERROR):
        run(test)
    assert "is not begun anew" in caplog.text


def iter_of(answer: bytes) -> Any:
    return answer
    yield


def test_what_finds_no_room_elsewhere_is_turned_away() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/hsm/a/1"] = world.blocking[b"/hsm/a/2"] = threading.Event()
        ones = [world.connect() for _ in range(2)]
        for n, one in enumerate(ones, 1):
            assert await one.send(post(b"/hsm/a/%d" % n)) == b""
        world.steps = steps_of(world, WouldBlock(), WouldWait("box", "a"))
        three = world.connect()
        three.protocol.data_received(post(b"/3"))
        await world.until(lambda: three.writes)
        assert bodies(three.take()) == [b"too many requests are waiting"]
        gate.set()
        await world.until(lambda: all(one.writes for one in ones))

    run(test)


def test_two_that_block_on_one_connection() -> None:
    async def test(world: World) -> None:
        first, second = world.blocking[b"/a"], world.blocking[b"/b"] = threading.Event(), threading.Event()
        transport = world.connect()
        await transport.send(post(b"/a") + post(b"/1") + post(b"/b") + post(b"/2"))
        first.set()
        await world.until(lambda: transport.writes)
        await turns()
        assert bodies(transport.take()) == [b"/a", b"/1"]
        second.set()
        await world.until(lambda: transport.writes)
        assert bodies(transport.take()) == [b"/b", b"/2"]

    run(test)


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: a\r\n",
        b"",
        b"Host: a\r\nConnection: keep-alive\r\n",
        b"Proxy-Connection: keep-alive\r\n",
        b"Expect: 100-continue\r\n",
    ],
)
def test_http_1_0_is_answered_once_and_the_connection_ends(lines: bytes) -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        answered = await transport.send(
            b"POST /a HTTP/1.0\r\n" + lines + b"Content-Length: 1\r\n\r\nbPOST /c HTTP/1.0\r\n"
        )
        assert bodies(answered) == [b"/ab"] and b"\r\nConnection: close\r\n" in answered
        assert transport.ended
        transport.abort()
        await turns()

    run(test)


def test_who_waits_to_be_told_that_the_body_may_come_is_told_so() -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        head = post(b"/a", b"bcd", b"Expect: 100-Continue")[:-3]
        assert await transport.send(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert bodies(await transport.send(b"bcd")) == [b"/abcd"]

        gate = world.blocking[b"/slow"] = threading.Event()
        assert await transport.send(post(b"/slow") + head) == b""  # it would stand in the other's place
        gate.set()
        await world.until(lambda: transport.writes)
        assert bodies(transport.take()) == [b"/slow"]
        assert bodies(await transport.send(b"bcd")) == [b"/abcd"]

    run(test)


def test_a_full_queue_is_answered_in_its_turn() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        transports = [world.connect() for _ in range(3)]
        for transport in transports[:2]:
            assert await transport.send(post(b"/slow")) == b""
        third = post(b"/slow", b"", b"X-Of: the third")
        assert bodies(await transports[2].send(third + post(b"/next"))) == [b"OVERLOADED", b"/next"]
        assert world.told[-1][b"x-of"] == b"the third", "its headers choose the words"
        gate.set()
        await world.until(lambda: all(t.writes for t in transports[:2]))
        assert bodies(await transports[2].send(post(b"/slow"))) in ([], [b"/slow"])

    run(test)


def test_where_no_thread_is_to_be_had_one_connection_ends_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(world: World) -> None:
        world.blocking[b"/slow"] = threading.Event()
        world.blocking[b"/slow"].set()

        def none(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(world.threads, "submit", none)
            for _ in range(LIMITS.n_blocked + 1):
                one, two = world.connect(), world.connect()
                one.protocol.data_received(post(b"/slow"))
                assert bodies(await two.send(post(b"/other"))) == [b"/other"]
                assert one.aborted and not two.aborted
        three = world.connect()
        three.protocol.data_received(post(b"/slow"))
        await world.until(lambda: three.writes)
        assert bodies(three.take()) == [b"/slow"], "nobody holds a place that has gone"

    run(test)


def test_a_refusal_waits_for_what_is_owed() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        transport = world.connect()
        assert await transport.send(post(b"/slow") + b"nonsense\r\n\r\n") == b""
        gate.set()
        await world.until(lambda: transport.ended)
        answered = transport.take()
        assert bodies(answered) == [b"/slow", b"MALFORMED"]
        assert answered.count(b"Connection: close") == 1

    run(test)


@pytest.mark.parametrize("blocks", [False, True])
def test_a_bug_in_a_door_ends_its_connection_and_no_other(blocks: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def test(world: World) -> None:
        if blocks:
            world.blocking[b"/bug"] = threading.Event()
            world.blocking[b"/bug"].set()
        one, two = world.connect(), world.connect()
        one.protocol.data_received(post(b"/bug"))
        await world.until(lambda: not one.is_open)
        assert one.aborted
        assert one.take() == b""
        await world.until(lambda: not world.pending)  # what was put on record is made durable
        assert bodies(await two.send(post(b"/fine"))) == [b"/fine"]

    with caplog.at_level(logging.ERROR):
        run(test)
    assert "a door did not answer" in caplog.text


# --- framing


async def rejects(world: World, refusal: Refusal, *pieces: bytes) -> None:
    transport = world.connect()
    answered = await transport.send(*pieces)
    assert bodies(answered) == [refusal.name.encode()]
    assert answered.startswith(b"HTTP/1.1 %d " % refusal.status)
    assert b"\r\nConnection: close\r\n" in answered
    assert transport.ended
    assert await transport.send(post()) == b""
    assert world.served == []
    transport.abort()
    await turns()


FRAMING = {
    "obs-fold": (Refusal.MALFORMED, post(b"/", b"", b"X: a\r\n b")),
    "TE and CL": (Refusal.MALFORMED, post(b"/", b"", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    "two hosts": (Refusal.REPEATED_HEADER, post(b"/", b"", b"host: other")),
    "two lengths": (Refusal.MALFORMED, post(b"/", b"", b"Content-Length: 0")),
    "two signatures": (Refusal.REPEATED_HEADER, post(b"/", b"", b"Authorization: a", b"AUTHORIZATION: b")),
    "two targets": (Refusal.REPEATED_HEADER, post(b"/", b"", b"X-Amz-Target: a", b"x-amz-target: a")),
    "no host": (Refusal.NO_HOST, b"POST / HTTP/1.1\r\n\r\n"),
    "HTTP/1.0 in chunks": (
        Refusal.VERSION,
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "HTTP/1.0 in chunks, by a proxy that would go on": (
        Refusal.VERSION,
        b"POST / HTTP/1.0\r\nHost: a\r\nProxy-Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "HTTP/2.0 that would go on": (
        Refusal.VERSION,
        b"POST / HTTP/2.0\r\nHost: a\r\nProxy-Connection: keep-alive\r\n\r\n",
    ),
    "HTTP/0.9": (Refusal.VERSION, b"POST /\r\n\r\n"),
    "HTTP/2": (Refusal.MALFORMED, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2.0": (Refusal.VERSION, b"POST / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "expect": (Refusal.EXPECTATION, post(b"/", b"", b"Expect: 200-ok")),
    "expect, and too much": (Refusal.BODY_TOO_LARGE, post(b"/", b"a" * 1001, b"Expect: 100-continue")[:-1001]),
    "upgrade": (Refusal.UPGRADE, post(b"/", b"", b"Connection: upgrade", b"Upgrade: h2c")),
    "CONNECT": (Refusal.TARGET, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    **{
        f"absolute, {target.decode()}": (Refusal.TARGET, post(target))
        for target in (
            b"ftp://other/",
            b"http:///v1",
            b"http://a@other/",
            b"http://other:x/",
            b"http://other:123456/",
            b"http://ot%68er/",
            b"http://[other]/",
            b"http://other/a#b",
        )
    },
    **{
        f"no form at all, {target.decode()}": (Refusal.MALFORMED, post(target))
        for target in (b"http://other\\/", b"http:/v1", b"other/v1")
    },
    "asterisk": (Refusal.TARGET, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "fragment": (Refusal.TARGET, post(b"/a#b")),
    "gzip": (Refusal.CONTENT_ENCODING, post(b"/", b"", b"Content-Encoding: gzip")),
    "TE gzip": (Refusal.TRANSFER_ENCODING, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    "TE twice": (
        Refusal.MALFORMED,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    "bare LF": (Refusal.MALFORMED, b"POST / HTTP/1.1\nHost: a\n\n"),
    "NUL": (Refusal.MALFORMED, post(b"/", b"", b"X: a\0b")),
    "vertical tab": (Refusal.MALFORMED, post(b"/", b"", b"X: a\v")),
    "form feed": (Refusal.MALFORMED, post(b"/", b"", b"X: \fa")),
    "blank before colon": (Refusal.MALFORMED, post(b"/", b"", b"X : a")),
    "length +1": (Refusal.MALFORMED, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na"),
    "length huge": (Refusal.MALFORMED, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n"),
    "TLS": (Refusal.MALFORMED, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "trailer": (
        Refusal.MALFORMED,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\n\r\n",
    ),
}


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://other/v1/a?b=c", b"/v1/a?b=c", b"other"),
        (b"HTTPS://Other.Test:8200/", b"/", b"Other.Test:8200"),
        (b"http://[::1]:80/v1//a/../b", b"/v1//a/../b", b"[::1]:80"),
        (b"http://other", b"/", b"other"),
        (b"http://other?a=http://b/", b"/?a=http://b/", b"other"),
        (b"http://other//third/v1", b"//third/v1", b"other"),
    ],
)
def test_a_target_in_absolute_form_is_its_path_and_its_host_the_host(target: bytes, path: bytes, host: bytes) -> None:
    """RFC 9112 §3.2.2: whatever Host says. So nobody behind the listener sees anything but a path."""

    async def test(world: World) -> None:
        raw = post(target, b"x")
        await world.connect().send(raw)
        await world.connect().send(*(bytes([b]) for b in raw))
        peer = world.connect()
        for _ in range(3):  # the third is known by its head
            await peer.send(raw)
        assert [(one.target, one.headers[b"host"]) for one in world.served] == [(path, host)] * 5

    run(test)


def test_a_target_in_absolute_form_needs_a_host_line_and_counts_as_a_whole() -> None:
    async def test(world: World) -> None:
        await rejects(world, Refusal.NO_HOST, b"GET http://other/ HTTP/1.1\r\n\r\n")
        await rejects(world, Refusal.HEAD_TOO_LARGE, post(b"http://other/" + b"a" * 2048))
        await rejects(world, Refusal.REPEATED_HEADER, post(b"http://other/", b"", b"Host: other"))
        assert bodies(await world.connect().send(b"GET http://other/v HTTP/1.0\r\n\r\n")) == [b"/v"]

    run(test)


def test_row_58_a_header_repeated_without_end_is_refused_before_it_is_joined() -> None:
    """Each joined to all before it would cost the square of them: 55 ms for what one read may bring."""
    raw = post(b"/", b"", *[b"a:"] * 60_000)
    costs = []

    async def test(world: World) -> None:
        began = time.thread_time()
        await rejects(world, Refusal.HEAD_TOO_LARGE, raw)
        costs.append(time.thread_time() - began)

    for _ in range(3):
        run(test, Limits())
    assert min(costs) < 0.01 * slowness()


@pytest.mark.parametrize("name", FRAMING)
def test_row_55_58_framing_that_two_readers_could_read_differently(name: str) -> None:
    refusal, raw = FRAMING[name]

    async def test(world: World) -> None:
        await rejects(world, refusal, raw)
        await rejects(world, refusal, *(bytes([b]) for b in raw))

    run(test)


def test_row_58_head_size() -> None:
    async def test(world: World) -> None:
        for fitting in (1900, 1950):
            assert bodies(await world.connect().send(post(b"/", b"", b"X: " + b"a" * fitting))) == [b"/"]
        world.served.clear()
        for over in (2048, 5000, 500_000):
            raw = post(b"/", b"", b"X: " + b"a" * over)
            await rejects(world, Refusal.HEAD_TOO_LARGE, raw)
            await rejects(world, Refusal.HEAD_TOO_LARGE, raw[:-10])  # not even complete
            await rejects(world, Refusal.HEAD_TOO_LARGE, *(raw[i : i + 700] for i in range(0, len(raw), 700)))
        await rejects(world, Refusal.HEAD_TOO_LARGE, b"POST /" + b"a" * 3000)

    run(test, Limits(n_head=2048, n_headers=20, n_body=1000))


def test_row_58_head_size_counts_one_head_not_a_pipeline() -> None:
    async def test(world: World) -> None:
        request = post(b"/", b"", b"X: " + b"a" * 1000)
        assert bodies(await world.connect().send(request * 7 + request[:1000], request[1000:])) == [b"/"] * 8
        assert (
            bodies(await world.connect().send(request[:900], request[900:] + request * 6 + request[:50])) == [b"/"] * 7
        )

    run(test)


def test_row_58_header_count() -> None:
    async def test(world: World) -> None:
        fitting = [b"H%d: 1" % i for i in range(18)]  # and Host, Content-Length
        assert bodies(await world.connect().send(post(b"/", b"", *fitting) * 2)) == [b"/"] * 2
        assert bodies(await world.connect().send(post(b"/", b"", *[b"Same: 1"] * 15) * 4)) == [b"/"] * 4
        world.served.clear()
        await rejects(world, Refusal.HEAD_TOO_LARGE, post(b"/", b"", *fitting, b"One: more"))
        await rejects(world, Refusal.HEAD_TOO_LARGE, post(b"/", b"", *[b"Same: 1"] * 20))

    run(test)


def test_row_49_body_size_before_it_is_read() -> None:
    async def test(world: World) -> None:
        assert bodies(await world.connect().send(post(b"/", b"b" * 1000))) == [b"/" + b"b" * 1000]
        world.served.clear()
        await rejects(world, Refusal.BODY_TOO_LARGE, post(b"/", b"b" * 1001)[:-1001])
        assert world.told[-1][b"content-length"] == b"1001", "whose protocol it is can be seen from the head"
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        await rejects(world, Refusal.BODY_TOO_LARGE, head, *[b"64\r\n" + b"c" * 100 + b"\r\n"] * 11)

    run(test)


def test_a_pipeline_is_bounded() -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        assert bodies(await transport.send(post() * 20)) == [b"/"] * 8 + [b"OVERLOADED"]
        assert transport.ended
        patient = world.connect()
        for _ in range(5):
            assert bodies(await patient.send(post() * 8)) == [b"/"] * 8

    run(test)


# --- time


def test_row_59_a_slow_head_a_slow_body_an_idle_connection() -> None:
    async def test(world: World) -> None:
        silent, head, body, kept = (world.connect() for _ in range(4))
        raw = post(b"/", b"body")
        assert await head.send(raw[:20]) == await body.send(raw[:-2]) == b""
        assert bodies(await kept.send(raw)) == [b"/body"]
        for i in range(9):
            world.tick(1)
            assert await head.send(raw[20 + i : 21 + i]) == b""  # a byte a second buys no time
        world.tick(1)
        await turns()
        assert bodies(head.take()) == [b"TIMEOUT"]
        world.tick(19)
        assert await body.send(raw[-2:-1]) == b""
        assert body.is_open
        world.tick(1)
        await turns()
        assert bodies(body.take()) == [b"TIMEOUT"]
        world.tick(29)
        assert silent.is_open and kept.is_open
        world.tick(1)
        assert not silent.is_open and not kept.is_open
        assert silent.take() == kept.take() == b""

    run(test)


def test_a_connection_in_use_is_not_idle() -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        for _ in range(5):
            world.tick(50)
            assert bodies(await transport.send(post())) == [b"/"]

    run(test)


def test_a_request_on_a_thread_has_all_the_time_it_needs() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        transport = world.connect()
        await transport.send(post(b"/slow"))
        world.tick(300)
        assert transport.is_open
        gate.set()
        await world.until(lambda: transport.writes)

    run(test)


def test_a_peer_that_does_not_read_is_cut() -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        transport.protocol.pause_writing()
        assert not transport.reading
        world.tick(20)
        transport.protocol.resume_writing()
        assert transport.reading
        world.tick(30)
        assert transport.is_open
        transport.protocol.pause_writing()
        world.tick(30)
        assert transport.aborted

    run(test)


def test_a_refused_peer_may_not_linger() -> None:
    async def test(world: World) -> None:
        one, two = world.connect(), world.connect()
        for transport in (one, two):
            await transport.send(b"nonsense\r\n\r\n")
            assert transport.ended and transport.is_open
        await one.send(*[b"x" * 65536] * 5)
        assert one.aborted
        world.tick(2)
        assert two.aborted

    run(test)


def test_row_59_the_oldest_idle_connection_makes_room() -> None:
    async def test(world: World) -> None:
        transports = [world.connect() for _ in range(5)]
        world.tick(1)
        await transports[0].send(post())
        newest = world.connect()
        await turns()
        assert [t.is_open for t in transports] == [True, False, True, True, True]
        assert bodies(await newest.send(post(b"/new"))) == [b"/new"]

    run(test)


def test_row_59_where_nobody_is_idle_the_newcomer_is_cut() -> None:
    async def test(world: World) -> None:
        transports = [world.connect() for _ in range(5)]
        for transport in transports:
            await transport.send(b"POST")
        newest = world.connect()
        await turns()
        assert newest.aborted
        assert all(t.is_open for t in transports)

    run(test)


# --- ends


def test_a_connection_that_the_peer_wants_closed() -> None:
    async def test(world: World) -> None:
        transport = world.connect()
        answered = await transport.send(post(b"/", b"", b"Connection: close") + post(b"/late"))
        assert bodies(answered) == [b"/"]
        assert b"\r\nConnection: close\r\n" in answered
        assert transport.ended

    run(test)


def test_a_peer_that_has_said_all_gets_what_it_is_owed() -> None:
    async def test(world: World) -> None:
        one, two = world.connect(), world.connect()
        one.protocol.data_received(post())
        assert one.protocol.eof_received() is True
        await turns()
        assert bodies(one.take()) == [b"/"]
        assert not one.is_open
        assert not two.protocol.eof_received()

    run(test)


def test_stop_sends_what_is_owed() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        idle, busy = world.connect(), world.connect()
        await busy.send(post(b"/slow"))
        stopping = asyncio.create_task(world.listener.stop(5))
        await turns()
        assert not idle.is_open and busy.is_open
        gate.set()
        await world.until(lambda: busy.ended)
        answered = busy.take()
        assert bodies(answered) == [b"/slow"]
        assert b"Connection: close" in answered
        busy.close()  # the peer sees the end and closes
        await stopping

    run(test)


def test_stop_cuts_what_takes_too_long() -> None:
    async def test(world: World) -> None:
        world.blocking[b"/slow"] = threading.Event()
        busy = world.connect()
        await busy.send(post(b"/slow"))
        await world.listener.stop(0.01)
        assert busy.aborted

    run(test)


# --- noise


WORDS = (
    b"POST / HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"\r\n",
    b"Content-Length: 3\r\n",
    b"abc",
    b"Transfer-Encoding: chunked\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"Connection: close\r\n",
    b"\0",
    b" ",
    b"X: y\r\n",
    post(b"/", b"abc"),
)
PIECES = st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=3))
def test_noise_is_answered_framed_or_not_at_all(streams: list[list[bytes]]) -> None:
    async def test(world: World) -> None:
        transports = [world.connect() for _ in streams]
        for transport, pieces in zip(transports, streams, strict=True):
            for piece in pieces:
                transport.protocol.data_received(piece)
        await turns()
        for transport in transports:
            answered = bodies(transport.take())
            names = {refusal.name.encode() for refusal in Refusal}
            assert not names & set(answered[:-1])  # a refusal is the last word
        healthy = world.connect()
        assert bodies(await healthy.send(post(b"/well"))) == [b"/well"]

    run(test, Limits(n_body=1000))


# --- a real loop and a real pair of sockets


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_over_a_socket_pair(loops: Any) -> None:
    async def test(world: World) -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        await loop.connect_accepted_socket(world.listener.connection, ours)
        world.blocking[b"/slow"] = threading.Event()
        world.blocking[b"/slow"].set()
        await loop.sock_sendall(theirs, post(b"/1") + post(b"/slow") + post(b"/2", b"x" * 900, b"Connection: close"))
        answered = b""
        while piece := await loop.sock_recv(theirs, 65536):
            answered += piece
        theirs.close()
        assert bodies(answered) == [b"/1", b"/slow", b"/2" + b"x" * 900]
        assert {request.peer[:4] for request in world.served} == {"uid:"}
        await world.until(lambda: world.events[-1:] == ["leave"])

    world = run(test, loops=loops)
    assert world.events.index("flush") > world.events.index("serve")


# --- wire.http


@pytest.mark.parametrize(
    ("second", "text"),
    [(784111777, b"Sun, 06 Nov 1994 08:49:37 GMT"), (0, b"Thu, 01 Jan 1970 00:00:00 GMT")],
)
def test_dates(second: int, text: bytes) -> None:
    assert http_date(second) == text
    for other in range(second + 100, second, -1):
        assert http_date(other) in reply(204, b"", b"", other)
    assert b"Date: " + text in reply(200, b"", b"", second)
