"""The listener: order, and no reply before its record. No socket but a pair.

Rows are those of security.md §4-D.
"""

import asyncio
import socket
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.listening import Transport, World, bodies, post, run, turns

from keystead.core.errors import Unavailable
from keystead.kit import batch
from keystead.kit.blocked import Blocked
from keystead.wire.http import Limits, Refusal, http_date, reply


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
        assert world.listener._room.take(done.where, done.tenant, 0)
        two.protocol.blocked, two.protocol.n_owed = True, 1

        def once() -> None:
            world.at_flush = lambda: None
            asyncio.get_running_loop().call_soon(done.back)

        world.at_flush = once
        await one.send(post())
        assert bodies(two.take()) == [b"/slow"]

    assert run(test).events == ["enter", "serve", "flush", "write", "leave", "enter", "flush", "write", "leave"]


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
