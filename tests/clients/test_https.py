"""core.ports.Net as keystead.net has it, against servers on this machine that behave, and that do not.

Rows 125 (where to), 131 (how much, how long) and 132 (TLS) of security.md §4-I.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import pytest
from bench.peers import free_port
from tests.certificates import Authority
from tests.waiting import PATIENCE, ended, until

from keystead.app.outside import SUITES
from keystead.core.keystores import Trouble
from keystead.core.ports import PUBLIC, Terms, Unreached
from keystead.net.answer import MAX_HEAD
from keystead.net.hosts import IDLE_FOR, N_AT_ONCE
from keystead.net.https import Https
from keystead.net.trust import client_context

pytestmark = pytest.mark.client

HOST, SOON, MOST = "proxy.example.test", 0.25, 1000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Behaviour = Callable[[ssl.SSLSocket], None]


class Server:
    """A TLS server. `behave` gets each connection whose request has been read; `requests` counts them."""

    def __init__(self, context: ssl.SSLContext, behave: Behaviour) -> None:
        self.context, self.behave = context, behave
        self.n_connections = 0
        self.asked: list[bytes] = []
        self.closed = threading.Event()  # some connection
        self.delay_for = 0.0  # before the handshake
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                bare, _ = self._sock.accept()
                threading.Thread(target=self._serve, args=(bare,), daemon=True).start()

    def _serve(self, bare: socket.socket) -> None:
        self.n_connections += 1
        time.sleep(self.delay_for)
        with suppress(OSError), bare, self.context.wrap_socket(bare, server_side=True) as sock:
            while data := self._read(sock):
                self.asked.append(data)
                self.behave(sock)
        self.closed.set()

    @property
    def n_requests(self) -> int:
        return len(self.asked)

    def _read(self, sock: ssl.SSLSocket) -> bytes:
        """A request: a GET ends with its head, and every body here with a brace."""
        data = b""
        while not data.endswith(b"\r\n\r\n" if data.startswith(b"GET") else b"}"):
            if not (piece := sock.recv(65536)):
                return b""
            data += piece
        return data

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join()


class Way(NamedTuple):
    """To a host, on terms."""

    net: Https
    terms: Terms
    host: str = HOST
    within: float = PATIENCE

    def soon(self) -> Way:
        """Where it is the time that ends it."""
        return self._replace(within=SOON)


class World:
    """Servers of a host's name under an authority, and ways out that trust it."""

    def __init__(self, authority: Authority) -> None:
        self.authority, self._ends = authority, []

    def server(self, behave: Behaviour, *, name: str = HOST, **more: timedelta) -> Server:
        return self.keep(Server(self.authority.context(name, **more), behave))

    def keep(self, made):
        self._ends.append(made)
        return made

    def net(self, server: Server | int, *, clock: Callable[[], float] = time.monotonic, **terms) -> Way:
        """A way to a server or port."""
        at = ("127.0.0.1", server if isinstance(server, int) else server.port)
        given = {"certificates": self.authority.ca, "at": at} | terms
        return Way(self.keep(Https(suites=SUITES, monotonic=clock)), Terms(**given))

    def found(self, server: Server, *addresses: str, asked: list[str] | None = None, **terms) -> Way:
        """A way to a server's port at whatever address a name server says."""

        def resolve(name: str, _port: int) -> tuple[str, ...]:
            if asked is not None:
                asked.append(name)
            return addresses

        given = {"certificates": self.authority.ca} | terms
        return Way(self.keep(Https(resolve=resolve)), Terms(**given), f"{HOST}:{server.port}")

    def close(self) -> None:
        for one in reversed(self._ends):
            one.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def world(authority) -> Iterator[World]:
    made = World(authority)
    yield made
    made.close()


def saying(*pieces: bytes, every: float = 0.0) -> Behaviour:
    def behave(sock: ssl.SSLSocket) -> None:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(every)

    return behave


def hanging_up(sock: ssl.SSLSocket) -> None:
    sock.close()


def post(way: Way) -> tuple[int, bytes]:
    return way.net.request(
        "POST",
        f"https://{way.host}/kms/xks/v1/health",
        headers=[("X-One", "1")],
        body=b"{}",
        most=MOST,
        timeout_for=way.within,
        terms=way.terms,
    )


def post_once(way: Way) -> tuple[int, bytes]:
    url, bounds = f"https://{way.host}/token", {"most": MOST, "timeout_for": way.within}
    return way.net.request("POST", url, body=b"{}", terms=way.terms, once=True, **bounds)


def get(way: Way, path: str = "/a?b") -> tuple[int, bytes]:
    return way.net.request("GET", f"https://{way.host}{path}", most=MOST, timeout_for=way.within, terms=way.terms)


def failure(way: Way, ask: Callable[[Way], object] = post) -> Unreached:
    """Why there is no answer."""
    with pytest.raises(Unreached) as caught:
        ask(way)
    return caught.value


def trouble(way: Way) -> Trouble:
    return failure(way).trouble


def test_a_request_is_what_was_asked_for_and_nothing_else(world) -> None:
    server = world.server(saying(OK))
    way = world.net(server)
    assert post(way) == get(way) == (200, b"{}")
    posted, got = server.asked
    assert posted == (
        b"POST /kms/xks/v1/health HTTP/1.1\r\nHost: proxy.example.test\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert got == b"GET /a?b HTTP/1.1\r\nHost: proxy.example.test\r\n\r\n"


def test_a_connection_is_kept_and_used_again(world) -> None:
    server = world.server(saying(OK))
    way = world.net(server)
    assert [post(way) for _ in range(5)] == [(200, b"{}")] * 5
    assert (server.n_connections, server.n_requests) == (1, 5)


def test_a_connection_that_the_peer_has_ended_is_not_used_again(world) -> None:
    def once(sock: ssl.SSLSocket) -> None:
        sock.sendall(OK)
        sock.close()

    server = world.server(once)
    way = world.net(server)
    for _ in range(3):
        assert post(way) == (200, b"{}")
        assert server.closed.wait(PATIENCE)
        server.closed.clear()
    assert server.n_connections == 3


def test_what_changes_something_is_never_asked_twice(world) -> None:
    """A connection that was kept may be at its end; so it goes over a new one, and where that ends it has failed."""
    server = world.server(saying(OK))
    way = world.net(server)
    assert post(way) == post_once(way) == post_once(way) == (200, b"{}")
    assert (server.n_connections, server.n_requests) == (3, 3)
    server.behave = hanging_up
    assert failure(way, post_once).trouble is Trouble.UNREACHABLE
    assert server.n_requests == 4


@pytest.mark.parametrize(("step", "n"), [(IDLE_FOR + 1, 2), (IDLE_FOR - 1, 20)])
def test_a_connection_is_not_kept_for_ever(world, step, n) -> None:
    """Neither unused, nor in all: what its name leads to is looked at again from time to time."""
    server, later = world.server(saying(OK)), [0.0]
    way = world.net(server, clock=lambda: later[0])
    for _ in range(n):
        assert post(way) == (200, b"{}")
        later[0] += step
    assert server.n_connections == 2


def test_a_request_is_made_once_more_where_a_kept_connection_ended_under_it(world) -> None:
    def first_only(sock: ssl.SSLSocket) -> None:
        if server.n_requests == 2:
            sock.close()
        else:
            sock.sendall(OK)

    server = world.server(first_only)
    way = world.net(server)
    assert post(way) == post(way) == (200, b"{}")
    assert (server.n_connections, server.n_requests) == (2, 3)


def test_and_not_a_third_time(world) -> None:
    def never_again(sock: ssl.SSLSocket) -> None:
        if server.n_requests > 1:
            sock.close()
        else:
            sock.sendall(OK)

    server = world.server(never_again)
    way = world.net(server)
    assert post(way) == (200, b"{}")
    assert trouble(way) is Trouble.UNREACHABLE
    assert server.n_requests == 3


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        pytest.param(saying(), Trouble.LATE, id="silence"),
        pytest.param(saying(OK[:20]), Trouble.LATE, id="half a head"),
        pytest.param(saying(OK[:-1]), Trouble.LATE, id="half a body"),
        pytest.param(saying(*(OK[n : n + 1] for n in range(len(OK))), every=0.02), Trouble.LATE, id="drop by drop"),
        pytest.param(hanging_up, Trouble.UNREACHABLE, id="hanging up"),
    ],
)
def test_row_131_what_is_no_answer_in_time(world, behave, expected) -> None:
    way = world.net(world.server(behave))
    assert trouble(way.soon() if expected is Trouble.LATE else way) is expected


def test_row_131_all_waits_share_one_time(authority, world) -> None:
    """Neither the handshake nor the answer takes all of it, but both together do: by a clock that the server moves."""
    now = [0.0]

    class Slow(Server):
        def _serve(self, bare: socket.socket) -> None:
            now[0] += PATIENCE * 0.6
            super()._serve(bare)

    def late(sock: ssl.SSLSocket) -> None:
        now[0] += PATIENCE * 0.6
        for piece in (OK[:-1], OK[-1:]):  # time is looked at between what is read
            sock.sendall(piece)

    server = world.keep(Slow(authority.context(HOST), late))
    assert trouble(world.net(server, clock=lambda: now[0])) is Trouble.LATE


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        pytest.param(saying(b"SSH-2.0-x\r\n"), "not HTTP", id="no HTTP"),
        pytest.param(saying(OK + OK), "not one answer", id="two answers"),
        pytest.param(saying(b"HTTP/1.1 100 Continue\r\n\r\n"), "not one answer", id="an interim answer"),
        pytest.param(
            saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"),
            "not HTTP",
            id="another protocol",
        ),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST + 1) + b"x" * (MOST + 1)),
            "too large",
            id="a large body",
        ),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"64\r\n" + b"x" * 100 + b"\r\n"] * 11),
            "too large",
            id="a large body in chunks",
        ),
        pytest.param(saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MOST + MAX_HEAD)), "too large", id="a large head"),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
            "compressed",
            id="a coded body",
        ),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
            "not HTTP",
            id="two lengths",
        ),
    ],
)
@pytest.mark.parametrize("ask", [post, get])
def test_row_131_what_is_no_answer(world, behave, words, ask) -> None:
    told = failure(world.net(world.server(behave)), ask)
    assert told.trouble is Trouble.MALFORMED and words in str(told)


@pytest.mark.parametrize("body", [b"x" * MOST, b""])
def test_a_body_of_just_the_size(world, body) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert post(world.net(world.server(saying(reply)))) == (200, body)


ENDLESS = OK.replace(b"Content-Length: 2", b"Connection: close")


@pytest.mark.parametrize("reply", [OK[:-1], ENDLESS], ids=["half a body", "nobody knows whether it is whole"])
def test_an_answer_and_then_the_end_of_the_connection(world, reply) -> None:
    """RFC 9112 §9.8: "incomplete", where TLS has not ended before the connection has."""

    def behave(sock: ssl.SSLSocket) -> None:
        sock.sendall(reply)
        sock.close()

    assert "cut short" in str(failure(world.net(world.server(behave))))


def ending(*pieces: bytes) -> Behaviour:
    def behave(sock: ssl.SSLSocket) -> None:
        saying(*pieces)(sock)
        sock.unwrap()

    return behave


def test_an_answer_that_ends_with_its_connection(world) -> None:
    assert post(world.net(world.server(ending(ENDLESS)))) == (200, b"{}")
    assert "cut short" in str(failure(world.net(world.server(ending(OK[:-1])))))


def test_an_answer_in_chunks(world) -> None:
    behave = saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n")
    way = world.net(world.server(behave))
    assert post(way) == post(way) == (200, b"{}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", [post, get])
def test_row_131_a_redirect_is_an_answer_and_is_not_followed(world, status, ask) -> None:
    target = world.server(saying(OK))
    moved = b"HTTP/1.1 %d Moved\r\nLocation: https://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
    server = world.server(saying(moved % (status, target.port)))
    assert ask(world.net(server)) == (status, b"")
    assert (server.n_requests, target.n_connections) == (1, 0)


def test_nobody_listens(world) -> None:
    assert trouble(world.net(free_port())) is Trouble.UNREACHABLE


def test_row_131_a_handshake_that_takes_too_long(world) -> None:
    server = world.server(saying(OK))
    server.delay_for = SOON * 2
    assert trouble(world.net(server).soon()) is Trouble.LATE


# --- TLS (security.md §4-I 132)


def test_row_132_a_certificate_of_another_name(world) -> None:
    server = world.server(saying(OK), name="other.example.test")
    assert trouble(world.net(server)) is Trouble.INSECURE


def test_row_132_a_certificate_that_has_expired(world) -> None:
    server = world.server(saying(OK), lasts_for=timedelta(days=-1))
    assert trouble(world.net(server)) is Trouble.INSECURE


def test_row_132_an_authority_that_nobody_trusts(world) -> None:
    server = world.server(saying(OK))
    assert trouble(world.net(server, certificates=None)) is Trouble.INSECURE
    assert server.n_requests == 0


def test_row_132_tls_1_1_is_no_tls(world) -> None:
    server = world.server(saying(OK))
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        server.context.minimum_version = ssl.TLSVersion.TLSv1
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert trouble(world.net(server)) is Trouble.INSECURE


@pytest.mark.parametrize("own", [True, False])
def test_row_132_nothing_of_tls_is_left_to_defaults(authority, own) -> None:
    context = client_context(authority.ca if own else None, SUITES)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert {suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"} == {
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    }


def test_tls_1_2_does(world) -> None:
    server = world.server(saying(OK))
    server.context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert post(world.net(server)) == (200, b"{}")


def test_plain_http_is_no_tls(world) -> None:
    class Plain(Server):
        def _serve(self, bare: socket.socket) -> None:
            with bare, suppress(OSError):
                bare.recv(65536)
                bare.sendall(OK)

    server = world.keep(Plain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), saying()))
    assert trouble(world.net(server)) is Trouble.INSECURE


def test_a_file_of_certificates_that_changes_is_read_again(world, tmp_path) -> None:
    """What was opened under the old one is not used again."""
    file, server = tmp_path / "its.pem", world.server(saying(OK))
    way = world.net(server, certificates=file)
    assert "cannot be read" in str(failure(way))
    file.write_bytes(world.authority.ca.read_bytes())
    assert post(way) == post(way) == (200, b"{}")
    assert server.n_connections == 1
    file.write_bytes(Authority(tmp_path).ca.read_bytes())
    assert "certificate is not accepted" in str(failure(way))
    assert server.n_requests == 2


# --- terms


def test_a_connection_is_not_shared_with_other_terms(world, tmp_path) -> None:
    """Of the same host, one trusts nobody else's authority, and another may not go where it is."""
    server = world.server(saying(OK))
    way = world.found(server, "127.0.0.1", private=True)
    assert post(way) == (200, b"{}")
    for terms, expected in [
        (Terms(private=True, certificates=Authority(tmp_path).ca), Trouble.INSECURE),
        (Terms(private=True), Trouble.INSECURE),
        (Terms(certificates=world.authority.ca), Trouble.UNREACHABLE),
        (PUBLIC, Trouble.UNREACHABLE),
    ]:
        assert trouble(way._replace(terms=terms)) is expected
    assert post(way) == (200, b"{}")
    assert server.n_requests == 2


def test_a_connection_is_not_shared_with_another_port(world) -> None:
    one, other = world.server(saying(OK)), world.server(saying(OK))
    way = world.found(one, "127.0.0.1", private=True)
    assert post(way) == post(way._replace(host=f"{HOST}:{other.port}")) == (200, b"{}")
    assert (one.n_requests, other.n_requests) == (1, 1)


def test_connections_that_nobody_uses_are_closed_when_another_is_opened(world) -> None:
    one, other, later = world.server(saying(OK)), world.server(saying(OK)), [0.0]
    way = world.net(one, clock=lambda: later[0])
    assert post(way) == (200, b"{}")
    later[0] += IDLE_FOR + 1
    assert post(way._replace(terms=world.net(other).terms)) == (200, b"{}")
    assert one.closed.wait(PATIENCE)


# --- names and addresses (security.md §4-I 125)


def test_row_125_a_name_that_leads_to_this_machine_is_not_followed(world) -> None:
    server = world.server(saying(OK))
    assert trouble(world.found(server, "127.0.0.1")) is Trouble.UNREACHABLE
    assert server.n_connections == 0
    assert post(world.found(server, "127.0.0.1", private=True)) == (200, b"{}")


def test_the_operators_word_needs_no_name_server(world) -> None:
    asked: list[str] = []
    server = world.server(saying(OK))
    assert post(world.found(server, asked=asked, at=("127.0.0.1", server.port))) == (200, b"{}")
    assert asked == []


def test_a_name_is_asked_for_once_in_a_while(world) -> None:
    """What was looked at is what is connected to, even if the name server has changed its mind meanwhile."""
    server, asked = world.server(saying(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))), []
    way = world.found(server, "127.0.0.1", asked=asked, private=True)
    assert post(way) == post(way) == (200, b"{}")
    assert (asked, server.n_connections) == ([HOST], 2)
    assert server.asked[0].split(b"\r\n")[1] == f"Host: {HOST}:{server.port}".encode()


def test_the_next_address_is_tried(world) -> None:
    server = world.server(saying(OK))
    assert post(world.found(server, "127.0.0.2", "127.0.0.1", private=True)) == (200, b"{}")


def test_one_slow_host_does_not_keep_another_waiting(world) -> None:
    """So many ask it at once; one more waits for a place, in its own time, and who asks another host for nothing."""
    go = threading.Event()

    def when_told(sock: ssl.SSLSocket) -> None:
        go.wait(PATIENCE)
        sock.sendall(OK)

    slow, quick = world.server(when_told), world.server(saying(OK), name="quick.example.test")
    way = world.net(slow)
    there = way._replace(terms=world.net(quick).terms, host="quick.example.test")
    answers: list[tuple[int, bytes]] = []
    waiting = [threading.Thread(target=lambda: answers.append(post(way))) for _ in range(N_AT_ONCE + 4)]
    for thread in waiting:
        thread.start()
    until(lambda: slow.n_requests == N_AT_ONCE)
    assert post(there) == (200, b"{}")
    assert trouble(way.soon()) is Trouble.LATE
    assert slow.n_requests == N_AT_ONCE and not answers
    go.set()
    ended(*waiting)
    assert answers == [(200, b"{}")] * len(waiting)
