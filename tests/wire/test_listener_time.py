"""How long the listener waits for whom (security.md §4-D)."""

import threading

from tests.wire.listening import World, bodies, post, run, turns


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
