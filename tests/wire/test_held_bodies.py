"""How many bytes of requests a listener keeps, whoever sends them: security.md §4-D rows 49, 59.

Nobody who sends has to be known. 40 connections, each with a request that waits for a thread and 63 of 1 MiB behind it,
were 2.6 GB; 2,000 that never end a body of 1 MiB were 2 GB; 2,000 that were answered one, and stay, were 4 GB.
"""

from __future__ import annotations

import threading
import tracemalloc

import pytest
from tests.wire.listening import World, bodies, post, run, turns

from keystead.kit.blocked import Room
from keystead.kit.connection import MUCH
from keystead.wire.http import Limits

BIG = 3 * MUCH
LIMITS = Limits(n_body=BIG, n_connections=20, n_blocked=20, n_pipelined=64, n_held=10 * BIG)


def big(target: bytes = b"/", n: int = BIG) -> bytes:
    return post(target, b"b" * n)


def test_while_a_request_waits_no_more_is_read_than_one_body_behind_it() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        one = world.connect()
        await one.send(post(b"/slow"))
        n_taken = 0
        while one.reading:
            await one.send(big())
            n_taken += 1
        assert n_taken == 2 and world.listener._n_held == 2 * BIG
        gate.set()
        await world.until(lambda: one.reading)
        await world.until(lambda: len(bodies(b"".join(one.writes))) == 3)
        assert world.listener._n_held == 0 and not world.listener._held
        assert bodies(one.take())[0] == b"/slow"
        assert bodies(await one.send(big())) == [b"/" + b"b" * BIG] and one.reading

    run(test, LIMITS)


def test_a_peer_that_does_not_read_is_neither_served_nor_read_on_from() -> None:
    """Two reasons to stop reading: it goes on once neither is left."""

    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        one = world.connect()
        await one.send(post(b"/slow"), big(), big())
        one.protocol.pause_writing()
        gate.set()
        await world.until(lambda: one.writes)
        await turns()
        assert not one.reading and world.listener._n_held == 2 * BIG
        one.protocol.resume_writing()
        assert not one.reading
        await world.until(lambda: one.reading)
        await world.until(lambda: len(bodies(b"".join(one.writes))) == 3)
        assert not world.listener._n_held and one.reading

    run(test, LIMITS)


def test_of_bodies_that_do_not_end_the_one_that_began_first_makes_room() -> None:
    async def test(world: World) -> None:
        held = [world.connect() for _ in range(11)]
        for n, one in enumerate(held[:10]):
            assert await one.send(big()[: -1 - n]) == b""
        assert all(one.is_open and not one.ended for one in held)
        assert bodies(await world.connect().send(post(b"/small", b"x"))) == [b"/smallx"]
        assert bodies(await held[10].send(big())) == [b"/" + b"b" * BIG], "who ends what they begin is served"
        assert await held[10].send(big()[:-1]) == b""
        assert bodies(held[0].take()) == [b"OVERLOADED"] and held[0].ended
        assert not any(one.ended for one in held[1:])
        assert world.listener._n_held <= LIMITS.n_held
        assert bodies(await held[1].send(b"b" * 2)) == [b"/" + b"b" * BIG], "the others go on"

    run(test, LIMITS)


def test_so_does_who_has_most_waiting_behind_what_waits_itself() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        crowd = [world.connect() for _ in range(6)]
        for one in crowd:
            await one.send(post(b"/slow"), big(), big())
        assert world.listener._n_held <= LIMITS.n_held
        assert [one.aborted for one in crowd] == [True, *[False] * 5]
        assert bodies(await world.connect().send(post(b"/other"))) == [b"/other"]
        gate.set()
        await world.until(lambda: not world.listener._n_held)

    run(test, LIMITS)


def test_nothing_is_held_of_who_has_gone() -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        gone, refused, behind = (world.connect() for _ in range(3))
        await gone.send(big()[:-1])
        await refused.send(big()[:-1])
        await behind.send(post(b"/slow"), big())
        assert world.listener._n_held == 3 * BIG - 2
        gone.protocol.connection_lost(None)
        world.tick(31)
        await turns()
        assert bodies(refused.take()) == [b"TIMEOUT"]
        behind.protocol.abort()
        await turns()
        assert world.listener._n_held == 0 and not world.listener._held
        gate.set()

    run(test, LIMITS)


@pytest.mark.parametrize("n_pieces", [1, 2])
@pytest.mark.parametrize("target", [b"/", b"/slow"])
def test_nothing_is_kept_of_a_body_that_was_answered(target: bytes, n_pieces: int) -> None:
    async def test(world: World) -> None:
        world.blocking[b"/slow"] = gate = threading.Event()
        gate.set()
        crowd = [world.connect() for _ in range(10)]
        tracemalloc.start()
        try:
            for one in crowd * 3:
                whole = big(target)
                size = len(whole) // n_pieces
                await one.send(*(whole[at : at + size] for at in range(0, len(whole), size)))
                await world.until(lambda one=one: one.protocol.is_idle())
                assert len(bodies(one.take())) <= 1
                world.served.clear()
            del whole
            assert tracemalloc.get_traced_memory()[0] < BIG
        finally:
            tracemalloc.stop()

    run(test, LIMITS)


CHUNKED = b"POST / HTTP/1.1\r\nHost: kms\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "before", [b"0\r\nX: ", b"0\r\n", b"5\r\nhello\r\n0\r\nX: ", b"5;", b'5;a="', b"5\r\nhello\r\n0"]
)
@pytest.mark.parametrize("n", [100, 4096, 65536])
def test_what_is_no_body_and_does_not_end_is_refused(before: bytes, n: int) -> None:
    """A trailer that nobody ends was kept as far as it had come, for 30 seconds, and copied with each piece of it."""

    async def test(world: World) -> None:
        one = world.connect()
        assert await one.send(CHUNKED, before) == b""
        said = b""
        for _ in range(2 + Limits().n_head // n):
            said += await one.send(b"0" * n)
        assert bodies(said) == [b"HEAD_TOO_LARGE"] and one.ended and not world.served

    run(test, LIMITS)


@pytest.mark.parametrize("extension", [b"", b";" + b"x" * 1000])
def test_a_body_in_many_small_chunks_is_none_of_those(extension: bytes) -> None:
    async def test(world: World) -> None:
        one = world.connect()
        await one.send(CHUNKED)
        for _ in range(200):
            await one.send(b"2%b\r\n" % extension, b"ab", b"\r", b"\n")
        assert bodies(await one.send(b"0\r\n", b"\r\n")) == [b"/" + b"ab" * 200]

    run(test, LIMITS)


def test_bodies_of_one_tenant_leave_room_for_those_of_others() -> None:
    room = Room(100, 1000)
    assert [room.take("near", "a", n) for n in (600, 400, 1, 0)] == [True, True, False, True]
    assert [room.take("near", "b", n) for n in (1000, 1)] == [True, False]
    assert [room.take("near", "c", 1), room.take("far", "c", 1)] == [False, True], "twice that of all"
    room.give("near", "a", 600)
    assert room.take("near", "c", 600) and not room.take("near", "c", 1)
