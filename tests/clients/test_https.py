"""The way out (providers.https) against servers on this machine that behave, and that do not."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from tests.certificates import Authority

from keystead.core.keystores import Trouble
from keystead.core.ports import Unreached
from keystead.providers import https
from keystead.providers.answer import MAX_REPLY
from keystead.providers.https import Https

pytestmark = pytest.mark.client

HOST, WITHIN = "proxy.example.test", 0.25
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Behaviour = Callable[[ssl.SSLSocket], None]


class Server:
    """A TLS server. `behave` gets each connection whose request has been read; `requests` counts them."""

    def __init__(self, context: ssl.SSLContext, behave: Behaviour) -> None:
        self.context, self.behave = context, behave
        self.n_connections = self.n_requests = 0
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
            while self._read(sock):
                self.n_requests += 1
                self.behave(sock)

    def _read(self, sock: ssl.SSLSocket) -> bool:
        data = b""
        while not data.endswith(b"}"):
            if not (piece := sock.recv(65536)):
                return False
            data += piece
        return True

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join()


class World:
    """Servers of a host's name under an authority, and ways out that trust it."""

    def __init__(self, authority: Authority) -> None:
        self.authority, self._ends = authority, []

    def server(self, behave: Behaviour, *, name: str = HOST, **more: timedelta) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.authority.issue(name, **more))
        return self.keep(Server(context, behave))

    def keep(self, made):
        self._ends.append(made)
        return made

    def net(self, port: int, **more) -> Https:
        given = {"trust": str(self.authority.ca), "routes": {HOST: ("127.0.0.1", port)}, **more}
        return self.keep(Https(**given))

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


def post(net: Https, host: str = HOST) -> tuple[int, bytes]:
    return net.post(f"https://{host}/kms/xks/v1/health", b"{}", [("X-One", "1")], timeout_for=WITHIN)


def trouble(net: Https, host: str = HOST) -> Trouble:
    """Why there is no answer; within the time, and a scheduler's grain beside it."""
    began = time.monotonic()
    with pytest.raises(Unreached) as caught:
        post(net, host)
    assert time.monotonic() - began < WITHIN + 0.1
    return caught.value.trouble


def test_a_connection_is_kept_and_used_again(world) -> None:
    server = world.server(saying(OK))
    net = world.net(server.port)
    assert [post(net) for _ in range(5)] == [(200, b"{}")] * 5
    assert (server.n_connections, server.n_requests) == (1, 5)


def test_a_connection_that_the_peer_has_ended_is_not_used_again(world) -> None:
    def once(sock: ssl.SSLSocket) -> None:
        sock.sendall(OK)
        sock.close()

    server = world.server(once)
    net = world.net(server.port)
    for _ in range(3):
        assert post(net) == (200, b"{}")
        time.sleep(0.02)
    assert server.n_connections == 3


@pytest.mark.parametrize(("step", "n"), [(https.IDLE_FOR + 1, 2), (https.IDLE_FOR - 1, 20)])
def test_a_connection_is_not_kept_for_ever(world, step, n) -> None:
    """Neither unused, nor in all: what its name leads to is looked at again from time to time."""
    server, later = world.server(saying(OK)), [0.0]
    net = world.net(server.port, monotonic=lambda: time.monotonic() + later[0])
    for _ in range(n):
        assert post(net) == (200, b"{}")
        later[0] += step
    assert server.n_connections == 2


def test_a_request_is_made_once_more_where_a_kept_connection_ended_under_it(world) -> None:
    def first_only(sock: ssl.SSLSocket) -> None:
        if server.n_requests == 2:
            sock.close()
        else:
            sock.sendall(OK)

    server = world.server(first_only)
    net = world.net(server.port)
    assert post(net) == post(net) == (200, b"{}")
    assert (server.n_connections, server.n_requests) == (2, 3)


def test_and_not_a_third_time(world) -> None:
    def never_again(sock: ssl.SSLSocket) -> None:
        if server.n_requests > 1:
            sock.close()
        else:
            sock.sendall(OK)

    server = world.server(never_again)
    net = world.net(server.port)
    assert post(net) == (200, b"{}")
    assert trouble(net) is Trouble.UNREACHABLE
    assert server.n_requests == 3


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        pytest.param(saying(), Trouble.LATE, id="silence"),
        pytest.param(saying(OK[:20]), Trouble.LATE, id="half a head"),
        pytest.param(saying(OK[:-1]), Trouble.LATE, id="half a body"),
        pytest.param(saying(*(OK[n : n + 1] for n in range(len(OK))), every=0.02), Trouble.LATE, id="drop by drop"),
        pytest.param(hanging_up, Trouble.UNREACHABLE, id="hanging up"),
        pytest.param(saying(b"SSH-2.0-x\r\n"), Trouble.MALFORMED, id="no HTTP"),
        pytest.param(saying(OK + OK), Trouble.MALFORMED, id="two answers"),
        pytest.param(saying(b"HTTP/1.1 100 Continue\r\n\r\n"), Trouble.MALFORMED, id="an interim answer"),
        pytest.param(
            saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"),
            Trouble.MALFORMED,
            id="another protocol",
        ),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"x" * (MAX_REPLY + 1)),
            Trouble.MALFORMED,
            id="a huge body",
        ),
        pytest.param(
            saying(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"2000\r\n" + b"x" * 8192 + b"\r\n"] * 9
            ),
            Trouble.MALFORMED,
            id="a huge body in chunks",
        ),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * (MAX_REPLY + 1)), Trouble.MALFORMED, id="a huge head"
        ),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
            Trouble.MALFORMED,
            id="two lengths",
        ),
    ],
)
def test_what_is_no_answer(world, behave, expected) -> None:
    assert trouble(world.net(world.server(behave).port)) is expected


def test_half_an_answer_and_then_the_end(world) -> None:
    def behave(sock: ssl.SSLSocket) -> None:
        sock.sendall(OK[:-1])
        sock.close()

    assert trouble(world.net(world.server(behave).port)) is Trouble.MALFORMED


def test_an_answer_that_ends_with_its_connection(world) -> None:
    def behave(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")
        sock.close()

    assert post(world.net(world.server(behave).port)) == (200, b"{}")


def test_an_answer_in_chunks(world) -> None:
    behave = saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n")
    net = world.net(world.server(behave).port)
    assert post(net) == post(net) == (200, b"{}")


def test_a_redirect_is_an_answer_and_is_not_followed(world) -> None:
    target = world.server(saying(OK))
    say = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % target.port
    )
    assert post(world.net(world.server(saying(say)).port)) == (307, b"")
    assert target.n_connections == 0


def test_nobody_listens(world) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert trouble(world.net(port)) is Trouble.UNREACHABLE


def test_a_handshake_that_takes_too_long(world) -> None:
    server = world.server(saying(OK))
    server.delay_for = 0.5
    assert trouble(world.net(server.port)) is Trouble.LATE


# --- TLS (security.md §4-I 132)


def test_a_certificate_of_another_name(world) -> None:
    server = world.server(saying(OK), name="other.example.test")
    assert trouble(world.net(server.port)) is Trouble.INSECURE


def test_a_certificate_that_has_expired(world) -> None:
    server = world.server(saying(OK), lasts_for=timedelta(days=-1))
    assert trouble(world.net(server.port)) is Trouble.INSECURE


def test_an_authority_that_nobody_trusts(world) -> None:
    server = world.server(saying(OK))
    assert trouble(world.net(server.port, trust=None)) is Trouble.INSECURE
    assert server.n_requests == 0


def test_tls_1_1_is_no_tls(world) -> None:
    server = world.server(saying(OK))
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        server.context.minimum_version = ssl.TLSVersion.TLSv1
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert trouble(world.net(server.port)) is Trouble.INSECURE


@pytest.mark.parametrize("own", [True, False])
def test_nothing_of_tls_is_left_to_defaults(authority, own) -> None:
    context = https.client_context(str(authority.ca) if own else None)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert {suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"} == {
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    }


def test_tls_1_2_does(world) -> None:
    server = world.server(saying(OK))
    server.context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert post(world.net(server.port)) == (200, b"{}")


def test_plain_http_is_no_tls(world) -> None:
    class Plain(Server):
        def _serve(self, bare: socket.socket) -> None:
            with bare, suppress(OSError):
                bare.recv(65536)
                bare.sendall(OK)

    server = world.keep(Plain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), saying()))
    assert trouble(world.net(server.port)) is Trouble.INSECURE


# --- names and addresses (security.md §4-I 125)


def test_a_name_that_leads_to_this_machine_is_not_followed(world, monkeypatch) -> None:
    server = world.server(saying(OK))
    monkeypatch.setattr(https, "PORT", server.port)
    found = lambda name, port: ["127.0.0.1"]  # noqa: E731 - what a name server says
    assert trouble(world.net(0, routes={}, resolve=found)) is Trouble.UNREACHABLE
    assert trouble(world.net(0, routes={}, resolve=found, private=frozenset({"other"}))) is Trouble.UNREACHABLE
    assert server.n_connections == 0
    for private in (True, frozenset({HOST})):
        assert post(world.net(0, routes={}, resolve=found, private=private)) == (200, b"{}")


def test_one_private_address_among_public_ones_is_enough(world, monkeypatch) -> None:
    server = world.server(saying(OK))
    monkeypatch.setattr(https, "PORT", server.port)
    found = lambda name, port: ["127.0.0.1", "93.184.216.34"]  # noqa: E731 - what a name server says
    assert trouble(world.net(0, routes={}, resolve=found)) is Trouble.UNREACHABLE
    assert server.n_connections == 0


def test_a_name_is_asked_for_once_in_a_while(world, monkeypatch) -> None:
    """What was looked at is what is connected to, even if the name server has changed its mind meanwhile."""
    server = world.server(saying(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")))
    monkeypatch.setattr(https, "PORT", server.port)
    asked = []

    def found(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    net = world.net(0, routes={}, resolve=found, private=True)
    assert post(net) == post(net) == (200, b"{}")
    assert (asked, server.n_connections) == ([HOST], 2)


def test_the_next_address_is_tried(world, monkeypatch) -> None:
    server = world.server(saying(OK))
    monkeypatch.setattr(https, "PORT", server.port)
    found = lambda name, port: ["127.0.0.2", "127.0.0.1"]  # noqa: E731 - what a name server says
    assert post(world.net(0, routes={}, resolve=found, private=True)) == (200, b"{}")


def test_each_address_has_its_share_of_the_time(world, monkeypatch) -> None:
    waits = []

    def never(address: tuple[str, int], timeout: float) -> socket.socket:
        waits.append((address[0], timeout))
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", never)
    found = lambda name, port: ["1.1.1.1", "1.0.0.1"]  # noqa: E731 - what a name server says
    assert trouble(world.net(0, routes={}, resolve=found)) is Trouble.UNREACHABLE
    (first, one), (second, two) = waits
    assert (first, second) == ("1.1.1.1", "1.0.0.1")
    assert one <= WITHIN / 2 < two <= WITHIN


def test_a_name_server_that_does_not_answer(world) -> None:
    let_go = threading.Event()
    net = world.net(0, routes={}, resolve=lambda name, port: let_go.wait(5) and [])
    try:
        for _ in range(https.N_RESOLVERS + 2):
            assert trouble(net) is Trouble.UNREACHABLE
    finally:
        let_go.set()


def test_a_name_that_does_not_exist(world) -> None:
    def found(name: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    assert trouble(world.net(0, routes={}, resolve=found)) is Trouble.UNREACHABLE


def test_one_slow_host_does_not_keep_another_waiting(world) -> None:
    slow, quick = world.server(saying()), world.server(saying(OK), name="quick.example.test")
    routes = {HOST: ("127.0.0.1", slow.port), "quick.example.test": ("127.0.0.1", quick.port)}
    net = world.net(0, routes=routes)
    late: list[Trouble] = []
    waiting = [threading.Thread(target=lambda: late.append(trouble(net))) for _ in range(https.N_AT_ONCE + 4)]
    for thread in waiting:
        thread.start()
    began = time.monotonic()
    assert post(net, "quick.example.test") == (200, b"{}")
    assert time.monotonic() - began < WITHIN
    for thread in waiting:
        thread.join()
    assert late == [Trouble.LATE] * len(waiting)
