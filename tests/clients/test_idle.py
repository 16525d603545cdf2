"""A thousand connections that do nothing slow nobody down (research/security.md §4, row 59).

Against a real server process. What a request costs it in CPU time is compared, alone and among them: how long one takes
says also what else the machine does. Windows with and without them follow each other, so that whatever that is meets
both alike; the medians are compared, and the whole is measured anew, up to ATTEMPTS times, and has to be good once. A
cost that grows with the number of connections would be there every time.
"""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
from tests.servers import IN_HSM, tree
from tests.wireclient import WireClient

from keystead.app.layout import Layout, read_running

N_IDLE, N_REQUESTS, N_WINDOWS, ATTEMPTS, MOST = 1000, 400, 3, 5, 1.2

pytestmark = pytest.mark.client


class Caller:
    """One request, again and again over one connection: its signature is good for five minutes."""

    def __init__(self, client: WireClient, key_id: str, processes: list[int]) -> None:
        self._processes = processes
        request = client.sign("Encrypt", KeyId=key_id, Plaintext=b"x" * 32)
        host, _, port = client.address.partition(":")
        self.at = host, int(port)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        body = request.body
        self.raw = (
            f"POST / HTTP/1.1\r\nHost: {client.address}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        self.socket = socket.create_connection(self.at, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def once(self) -> None:
        self.socket.sendall(self.raw)
        answer = self.socket.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer

    def window(self) -> float:
        """CPU time of the server for a request, in nanoseconds."""
        for _ in range(20):
            self.once()
        before = self._spent()
        for _ in range(N_REQUESTS):
            self.once()
        return (self._spent() - before) / N_REQUESTS

    def _spent(self) -> int:
        """Linux: sched-stats.rst"""
        files = (file for pid in self._processes for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))
        return sum(int(file.read_text().split()[0]) for file in files)


@contextmanager
def idle(caller: Caller) -> Iterator[list[socket.socket]]:
    """A third has said nothing, a third has begun to speak, and a third has had an answer."""
    held = [socket.create_connection(caller.at, timeout=60) for _ in range(N_IDLE)]
    try:
        for n, one in enumerate(held):
            one.sendall((b"", caller.raw[:40], caller.raw)[n % 3])
        for one in held[2::3]:
            assert one.recv(65536).startswith(b"HTTP/1.1 200")
        yield held
    finally:
        for one in held:
            one.close()


@pytest.fixture
def caller(server) -> Iterator[Caller]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    client = WireClient.administrator(server.environment)
    running = read_running(Layout(server.directory))
    assert running is not None
    made = Caller(client, client.call("CreateKey").body["KeyMetadata"]["KeyId"], tree(running.pid))
    yield made
    made.socket.close()
    client.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def measured(caller: Caller) -> float:
    """What a request costs with them, over what it does without."""
    alone, among = [], []
    for _ in range(N_WINDOWS):
        alone.append(caller.window())
        with idle(caller) as held:
            among.append(caller.window())
            assert all(_is_open(one) for one in held[::50]), "they are there all the time"
        time.sleep(0.05)  # until the server has seen them go
    return median(among) / median(alone)


def _is_open(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1) != b""
    except BlockingIOError:
        return True


@pytest.mark.skipif(
    IN_HSM, reason="a thousand uses of an HSM's key at once: 256 wait, the others are told to come again"
)
def test_row_59_a_thousand_idle_connections_do_not_slow_others(caller) -> None:
    ratios: list[float] = []
    while len(ratios) < ATTEMPTS and (not ratios or min(ratios) > MOST):
        ratios.append(measured(caller))
    assert min(ratios) <= MOST, f"CPU with {N_IDLE} idle connections to CPU without: {ratios}"
