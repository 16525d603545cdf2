"""The listener reads strictly, within limits of size and number (security.md §4-D)."""

import time
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace
from tests.costs import slowness
from tests.wire.listening import LIMITS, World, bodies, post, run, turns

from keystead.wire.http import Limits, Refusal


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
    "upgrade": (Refusal.UPGRADE, post(b"/", b"", b"Connection: upgrade", b"Upgrade: websocket")),
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


def as_vault(test: Callable[[World], Awaitable[None]]) -> None:
    run(test, replace(LIMITS, lists=True))


@pytest.mark.parametrize("asks", [b"Upgrade: h2c", b"UPGRADE:h2c ", b"upgrade:\t h2c"])
@pytest.mark.parametrize("body", [b"", b"x" * 600, b"\r\nUpgrade: h2c\r\n"])
def test_who_would_rather_speak_http_2_is_answered_in_http_1(asks: bytes, body: bytes) -> None:
    """RFC 9110 §7.8: a server may ignore Upgrade. Java's own client sends it with its first request without TLS."""
    raw = post(b"/v1/a", body, b"Connection: Upgrade, HTTP2-Settings", asks, b"HTTP2-Settings: AAEAAEAAAAIAAAAB")

    async def test(world: World) -> None:
        peer = world.connect()
        assert len(bodies(await peer.send(raw, raw))) == 2
        assert bodies(await peer.send(raw + post(b"/v1/b"))) == [b"/v1/a" + body, b"/v1/b"]
        assert [one.body for one in world.served] == [body, body, body, b""]
        assert all(b"upgrade" not in one.headers for one in world.served)

    run(test)
    as_vault(test)


def test_and_what_it_has_beside_that_is_read_as_strictly() -> None:
    """The parser starts anew: nothing that it knew of the head stays, and no limit is passed by."""
    asks = (b"Connection: Upgrade", b"Upgrade: h2c", b"X: a", b"X: b")

    async def test(world: World) -> None:
        await rejects(world, Refusal.CONTENT_ENCODING, post(b"/", b"", *asks, b"Content-Encoding: gzip"))
        await rejects(world, Refusal.BODY_TOO_LARGE, post(b"/", b"x" * 1001, *asks))
        await rejects(world, Refusal.HEAD_TOO_LARGE, post(b"/", b"", *asks, *[b"Y: %d" % n for n in range(20)]))
        await rejects(world, Refusal.REPEATED_HEADER, post(b"/", b"", *asks, b"Host: b"))
        peer, raw = world.connect(), post(b"/v1/a", b"body", *asks)
        assert bodies(await peer.send(raw[:-2], raw[-2:])) == [b"/v1/abody"]
        assert world.served[-1].headers[b"x"] == b"a,b"

    run(test)


def test_where_it_asks_behind_another_request_it_is_refused() -> None:
    async def test(world: World) -> None:
        peer = world.connect()
        asks = post(b"/", b"", b"Connection: Upgrade", b"Upgrade: h2c")
        assert bodies(await peer.send(post(b"/v1/a") + asks)) == [b"/v1/a", b"UPGRADE"]
        assert peer.ended

    run(test)


def test_a_head_that_asks_comes_in_one_piece() -> None:
    async def test(world: World) -> None:
        raw = post(b"/", b"", b"Connection: Upgrade", b"Upgrade: h2c")
        await rejects(world, Refusal.UPGRADE, raw[:30], raw[30:])

    run(test)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Upgrade: websocket",),
        (b"Upgrade: h2c, websocket",),
        (b"Upgrade: h2c", b"Upgrade: websocket"),
        (b"Upgrade: h2c,",),
    ],
)
def test_another_protocol_than_http_2_is_refused(lines: tuple[bytes, ...]) -> None:
    run(lambda world: rejects(world, Refusal.UPGRADE, post(b"/", b"", b"Connection: upgrade", *lines)))


def test_a_line_that_goes_on_is_refused_whatever_stands_before_it() -> None:
    raw = post(b"/", b"", b"Connection: upgrade", b"X: a", b"Upgrade: h2c", b" folded")
    run(lambda world: rejects(world, Refusal.MALFORMED, raw))


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
