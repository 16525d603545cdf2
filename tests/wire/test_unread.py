"""A peer that asks much at once and does not read: security.md §4-D rows 49, 59.

All 64 requests that a connection may have waiting were served before the first reply was sent. Each for a list of 5 MB,
that was 320 MB of a connection, until it had not read for 30 seconds.
"""

from __future__ import annotations

import threading

import pytest
from tests.wire.listening import Transport, World, bodies, post, run, turns

from keystead.kit.connection import MUCH
from keystead.wire.http import Limits, Refusal, reply

BIG = 3 * MUCH
LIMITS = Limits(n_pipelined=64, n_blocked=2)


class Lists(World):
    """/big is answered with much."""

    def serve(self, request):
        whole = super().serve(request)
        return whole if request.target != b"/big" else reply(200, b"", b"b" * BIG, request.second)


class Unread(Transport):
    """Full once more than MUCH has been written, until it is read."""

    n_unread = 0

    def write(self, data: bytes) -> None:
        super().write(data)
        was_full = self.n_unread > MUCH
        self.n_unread += len(data)
        if not was_full and self.n_unread > MUCH:
            self.protocol.pause_writing()

    def read(self) -> bytes:
        was_full, self.n_unread = self.n_unread > MUCH, 0
        if was_full:
            self.protocol.resume_writing()
        return self.take()


def ask(test) -> None:
    run(test, LIMITS, made=Lists)


def test_of_what_it_asks_at_once_no_more_is_answered_than_it_reads() -> None:
    async def test(world: World) -> None:
        one = Unread(world)
        one.protocol.data_received(b"".join(post(b"/big", b"%d" % n) for n in range(20)))
        for n in range(20):
            await turns(30)
            assert len(world.served) == n + 1
            assert bodies(one.read()) == [b"b" * BIG]
        assert [request.body for request in world.served] == [b"%d" % n for n in range(20)]
        await turns(30)
        assert one.protocol.is_idle() and bodies(await one.send(post(b"/x"))) == [b"/x"]

    ask(test)


def test_who_reads_is_answered_all_in_order_and_not_all_at_once() -> None:
    async def test(world: World) -> None:
        one = world.connect()
        one.protocol.data_received(post(b"/a") + post(b"/big") * 3 + post(b"/b") * 2 + b"nonsense\r\n\r\n")
        await world.until(lambda: one.ended)
        assert max(map(len, one.writes)) < BIG + MUCH
        wanted = [b"/a", *[b"b" * BIG] * 3, b"/b", b"/b", Refusal.MALFORMED.name.encode()]
        assert bodies(one.take()) == wanted

    ask(test)


def test_what_is_small_is_answered_at_once() -> None:
    async def test(world: World) -> None:
        one = world.connect()
        assert bodies(await one.send(post(b"/x") * 64)) == [b"/x"] * 64
        assert world.events.count("flush") == 1

    ask(test)


@pytest.mark.parametrize("is_read", [True, False])
def test_what_waits_for_a_thread_too(*, is_read: bool) -> None:
    async def test(world: World) -> None:
        gate = world.blocking[b"/slow"] = threading.Event()
        one = Unread(world)
        one.protocol.data_received(post(b"/big") + post(b"/slow") + post(b"/big") * 2)
        gate.set()
        if is_read:
            await turns(30)
            assert bodies(one.read()) == [b"b" * BIG]
            await world.until(lambda: len(world.served) == 3)
        await turns(30)
        assert len(world.served) == (3 if is_read else 1)
        one.protocol.connection_lost(None)
        await turns(30)
        assert len(world.served) == (3 if is_read else 1)

    ask(test)


def test_who_does_not_read_is_cut_off_with_what_it_has_asked() -> None:
    async def test(world: World) -> None:
        one = Unread(world)
        one.protocol.data_received(post(b"/big") * 5)
        await turns(30)
        world.tick(LIMITS.write_for + 1)
        await turns(30)
        assert one.aborted and len(world.served) == 1 and not world.listener._connections

    ask(test)
