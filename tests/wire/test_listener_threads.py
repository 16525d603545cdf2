"""What the listener does on threads: what would block, or wait for another machine, and what it keeps in place."""

import logging
import threading
from typing import Any

import pytest
from tests.wire.listening import LIMITS, World, bodies, post, run, turns

from keystead.core.errors import Unavailable
from keystead.core.ports import WouldBlock, WouldWait
from keystead.kit.door import finished
from keystead.service.moving import HERE, stay
from keystead.wire.http import Limits, reply


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
        room = world.listener._room
        assert not room._of and not any(one.n for one in room._all.values())

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
