"""Lines to a socket (net.sinks): what is told to be through is through, whatever the other end does."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from contextlib import closing

import pytest

from keystead.net import sinks

LINES = [b'{"n":%d}\n' % n for n in range(50)]
PATIENCE = 60.0  # seconds; for an end that is to be there
SHORT = 0.1  # and for one that is not


class Stream:
    """A listener over TCP or at a Unix socket, whose connections the test reads itself."""

    def __init__(self, kind: str, tmp_path) -> None:
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(tmp_path / "s"))
            self.place = f"unix:{tmp_path / 's'}"
        else:
            host = "::1" if kind == "tcp6" else "127.0.0.1"
            family = socket.AF_INET6 if kind == "tcp6" else socket.AF_INET
            try:
                self.socket = socket.create_server((host, 0), family=family)
            except OSError as error:
                assert kind == "tcp6", error
                pytest.skip("this machine has no IPv6")
            port = self.socket.getsockname()[1]
            self.place = f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"
        self.socket.listen()
        self.socket.settimeout(PATIENCE)

    def accept(self) -> socket.socket:
        line, _ = self.socket.accept()
        line.settimeout(PATIENCE)
        return line


@pytest.fixture(params=["tcp", "tcp6", "unix"])
def there(request, tmp_path):
    found = Stream(request.param, tmp_path)
    yield found
    found.socket.close()


@pytest.fixture
def sending(there):
    made = sinks.sink(there.place, PATIENCE)
    yield made
    made.close()


@pytest.fixture
def impatient(there):
    made = sinks.sink(there.place, SHORT)
    yield made
    made.close()


def reading(there, n: int) -> tuple[threading.Thread, list[bytes]]:
    """Reads so many bytes of one connection, and keeps it open."""
    got: list[bytes] = []

    def read() -> None:
        line = there.accept()
        there.line = line
        while sum(map(len, got)) < n and (more := line.recv(65536)):
            got.append(more)

    thread = threading.Thread(target=read)
    thread.start()
    return thread, got


def test_what_is_sent_is_there_in_its_order(there, sending) -> None:
    whole = b"".join(LINES)
    thread, got = reading(there, len(whole))
    sending.send(LINES[:20])
    sending.send(LINES[20:])  # over the same connection
    thread.join()
    there.line.close()
    assert b"".join(got) == whole


def test_nobody_there(there, sending) -> None:
    there.socket.close()
    with pytest.raises(OSError, match=r".*"):
        sending.send(LINES)


def test_a_connection_that_ended_meanwhile_is_made_anew(there, sending) -> None:
    thread, _ = reading(there, len(LINES[0]))
    sending.send(LINES[:1])
    thread.join()
    there.line.close()
    thread, got = reading(there, len(b"".join(LINES[1:])))
    sending.send(LINES[1:])
    thread.join()
    there.line.close()
    assert b"".join(got) == b"".join(LINES[1:])


def test_an_end_that_goes_away_with_something_unread_is_told_it_again(there, sending) -> None:
    big = [b"x" * 1000 + b"\n"] * 3000

    def read_a_little() -> None:
        taken = there.accept()
        taken.recv(1000)
        taken.close()

    thread = threading.Thread(target=read_a_little)
    thread.start()
    with pytest.raises(OSError, match=r".*") as told:
        sending.send(big)
    assert not isinstance(told.value, TimeoutError), "it is not waited for"
    thread.join()
    thread, got = reading(there, len(b"".join(big)))
    sending.send(big)
    thread.join()
    there.line.close()
    assert b"".join(got) == b"".join(big)


def test_an_end_that_takes_nothing_is_waited_for_so_long(there, impatient) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        impatient.send([b"x" * 65536 + b"\n"] * 400)  # more than the system keeps
    assert time.monotonic() - began >= SHORT


def test_an_end_that_is_slow_is_waited_for(tmp_path) -> None:
    """Longer than the patience in all, and no longer without a byte: unless it is this machine that stands still."""
    for _ in range(10):
        longest_pause, took, is_through = told_slowly(tmp_path, patience=1.0)
        assert took > 1.0
        if is_through or longest_pause < 0.5:
            break
    assert is_through, f"with a byte every {longest_pause:.2f} s"


def told_slowly(tmp_path, patience: float) -> tuple[float, float, bool]:
    """(the longest time without a byte, seconds it took, whether it was through)"""
    there, big, done, pauses = Stream("tcp", tmp_path), b"x" * 8_000_000 + b"\n", threading.Event(), []
    there.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)  # what the system takes without a reader
    sending = sinks.sink(there.place, patience)

    def read() -> None:
        with there.accept() as line:
            left, before = len(big), time.monotonic()
            while left and (piece := line.recv(min(left, 800_000), socket.MSG_WAITALL)):
                left -= len(piece)
                time.sleep(0.15)
                pauses.append(time.monotonic() - before)
                before += pauses[-1]
            done.wait(PATIENCE)

    thread = threading.Thread(target=read)
    thread.start()
    began = time.monotonic()
    is_through = True
    try:
        sending.send([big])
    except TimeoutError:
        is_through = False
    took = time.monotonic() - began
    done.set()
    sending.close()
    thread.join()
    there.socket.close()
    return max(pauses), took, is_through


def test_however_slow_it_is_it_takes_no_longer_than_that(there, sending, monkeypatch) -> None:
    monkeypatch.setattr(sinks, "LONGEST", 0.3)
    stop = threading.Event()

    def read_slowly() -> None:
        with there.accept() as line:
            while not stop.wait(0.02):
                line.recv(4096)

    thread = threading.Thread(target=read_slowly)
    thread.start()
    with pytest.raises(TimeoutError):
        sending.send([b"x" * 30_000_000])
    stop.set()
    thread.join()


def test_of_a_unix_socket_it_is_through_once_it_is_read(tmp_path) -> None:
    there = Stream("unix", tmp_path)
    impatient, sending = (sinks.sink(there.place, patience) for patience in (SHORT, PATIENCE))
    with pytest.raises(TimeoutError):
        impatient.send(LINES)
    there.accept().close()
    thread, got = reading(there, len(b"".join(LINES)))
    sending.send(LINES)
    thread.join()
    there.line.close()
    there.socket.close()
    sending.close()
    assert b"".join(got) == b"".join(LINES)


def test_one_that_is_closed_while_it_waits_says_so(tmp_path) -> None:
    """As a server that ends closes it."""
    there = Stream("unix", tmp_path)
    sending = sinks.sink(there.place, PATIENCE)

    def close_it() -> None:
        with there.accept() as line:
            assert line.recv(1, socket.MSG_PEEK)  # it is sent, and not read
            sending.close()

    closing_it = threading.Thread(target=close_it)
    closing_it.start()
    with pytest.raises(ConnectionAbortedError):
        sending.send(LINES)
    closing_it.join()
    there.socket.close()


# --- datagrams


def test_udp_has_a_line_in_each_datagram() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(PATIENCE)
        sending = sinks.sink(f"udp:127.0.0.1:{there.getsockname()[1]}", PATIENCE)
        sending.send(LINES[:10])
        sending.close()
        assert [there.recv(65536) for _ in range(10)] == LINES[:10]


@pytest.mark.parametrize("kind", ["udp", "syslog"])
def test_a_line_that_no_datagram_can_carry_stops_no_other(kind, tmp_path) -> None:
    """UDP over IPv4 takes 65,507 bytes; what a datagram at a Unix socket takes is the system's to say."""
    family, at = (socket.AF_INET, ("127.0.0.1", 0)) if kind == "udp" else (socket.AF_UNIX, str(tmp_path / "log"))
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as there:
        there.bind(at)
        there.settimeout(5)
        if kind == "udp":
            sending = sinks.sink(f"udp:127.0.0.1:{there.getsockname()[1]}", PATIENCE)
        else:
            sending = sinks.agent(str(tmp_path / "log"), PATIENCE, 86, "keystead")
        line = b'{"id":"first","long":"' + b"x" * 2**22 + b'"}\n'
        sending.send([LINES[0], line, LINES[1]])
        sending.send(LINES[2:3])
        sending.close()
        got = [there.recv(65536) for _ in range(4)]
    assert all(LINES[n].rstrip() in got[at] for n, at in ((0, 0), (1, 2), (2, 3)))
    said = json.loads(got[1][got[1].index(b"{") :])
    assert said["length"] == len(line) and said["begins"] == line[:1024].decode()


def test_datagrams_that_are_closed_while_they_are_sent_say_so() -> None:
    """As a server that ends closes them, between two of them."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as there:
        there.bind(("127.0.0.1", 0))

        def connected() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect(there.getsockname())
            return made

        def lines():
            yield LINES[0]
            sending.close()
            yield LINES[1]

        sending = sinks.Datagrams(connected)
        with pytest.raises(OSError, match="Bad file descriptor"):
            sending.send(lines())


@pytest.fixture
def agent(tmp_path):
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as there:
        there.bind(str(tmp_path / "log"))
        there.settimeout(PATIENCE)
        yield there


def test_syslog_has_a_header_before_each_line(agent, tmp_path) -> None:
    sending = sinks.agent(str(tmp_path / "log"), PATIENCE, 38, "vault")
    sending.send(LINES[:2])
    sending.close()
    for line in LINES[:2]:
        wanted = rb"<38>[A-Z][a-z]{2} [ 1-3][0-9] \d\d:\d\d:\d\d vault\[%d\]: %b" % (os.getpid(), re.escape(line[:-1]))
        assert re.fullmatch(wanted, agent.recv(65536))


def test_an_agent_that_takes_nothing_is_waited_for_so_long(agent, tmp_path) -> None:
    sending = sinks.agent(str(tmp_path / "log"), SHORT, 38, "vault")
    with pytest.raises(TimeoutError):
        sending.send(LINES * 100)
    first = agent.recv(65536)
    assert LINES[0][:-1] in first


def test_an_agent_that_is_not_there(tmp_path) -> None:
    sending = sinks.agent(str(tmp_path / "none"), PATIENCE, 38, "vault")
    with pytest.raises(FileNotFoundError):
        sending.send(LINES)
    sending.close()
