"""core.ports.Net as keystead.net has it, as far as nobody is connected to (security.md §4-I 125)."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from keystead.core.keystores import Trouble
from keystead.core.ports import Terms, Unreached
from keystead.net.https import Https

WITHIN = 1.0


def never(*_: Any) -> Any:
    raise AssertionError("asked")


class Way:
    """The outside: name servers answer what they are told to, one after the other; nobody can be connected to."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.connected = list(answers), []
        self.now, self.takes = 0.0, 0.0  # seconds; and the share of its time that each attempt takes

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.connected.append((address, timeout))
        self.now += timeout * self.takes
        raise TimeoutError

    def ask(self, url: str, **terms: Any) -> Unreached:
        net = Https(resolve=lambda _name, _port: self.answers.pop(0), connect=self.connect, monotonic=lambda: self.now)
        with pytest.raises(Unreached) as caught:
            net.request("GET", url, most=10, timeout_for=WITHIN, terms=Terms(**terms))
        return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/",
        "file:///etc/passwd",
        "https://",
        "https://u:p@a.example/",
        "https://a.example\\@b.example/",
        "https://a.example#x",
        "https://a.example/x#y",
        "https://a.example/x y",
        "https://a.example/x\r\nX: y",
        "https://a.example/\u00e9",
        "https://A.example/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:99999999/",
        "//a.example/",
        "https://[::1%25lo]/",
        "",
    ],
)
def test_row_125_urls_that_are_not_fetched_from(url) -> None:
    net = Https(resolve=never, connect=never)
    with pytest.raises(Unreached, match="not a URL") as caught:
        net.request("GET", url, most=10, timeout_for=WITHIN, terms=Terms(private=True))
    assert caught.value.trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", ("8.8.8.8", 443)),
        ("https://a.example:65535/x", ("8.8.8.8", 65535)),
        ("https://[2606:4700::1111]:8443/", ("8.8.8.8", 8443)),
    ],
)
def test_row_125_the_address_that_was_looked_at_is_the_one_that_is_asked(url, expected) -> None:
    """DNS rebinding: the name server says something else the second time, and nobody asks it."""
    way = Way(["8.8.8.8"], ["127.0.0.1"])
    assert way.ask(url).trouble is Trouble.UNREACHABLE
    assert [address for address, _ in way.connected] == [expected] and len(way.answers) == 1


def test_row_125_nobody_is_connected_to_at_an_address_that_is_not_public() -> None:
    way = Way(["169.254.169.254"])
    assert "not public" in str(way.ask("https://a.example/x"))
    assert way.connected == []


@pytest.mark.parametrize(("takes", "second"), [(0.0, WITHIN), (0.5, WITHIN * 0.75), (1.0, WITHIN / 2)])
def test_each_address_has_its_share_of_the_time_that_is_left(takes, second) -> None:
    way = Way(["1.1.1.1", "1.0.0.1"])
    way.takes = takes
    assert way.ask("https://a.example/").trouble is Trouble.UNREACHABLE
    assert [(address, within) for (address, _), within in way.connected] == [
        ("1.1.1.1", WITHIN / 2),
        ("1.0.0.1", second),
    ]


def test_without_tls_only_who_is_named_for_it_and_no_connection_is_kept() -> None:
    asked, opened = [], []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        ours = socket.create_connection(server.getsockname(), timeout)
        opened.append((address, ours))
        return ours

    def serve() -> None:
        for _ in range(2):
            with server.accept()[0] as theirs:
                asked.append(theirs.recv(4096))
                theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    net = Https(resolve=lambda _name, _port: ["8.8.8.8"], connect=connect)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        for n, (url, port) in enumerate((("http://a.example/x", 80), ("http://a.example:8080", 8080))):
            assert net.request("GET", url, most=10, timeout_for=WITHIN, terms=Terms(plain=True)) == (200, b"hi")
            address, sock = opened[n]
            assert address == ("8.8.8.8", port) and sock.fileno() == -1
            assert asked[n].splitlines()[1] == (b"Host: a.example" if port == 80 else b"Host: a.example:8080")
        thread.join()
    with pytest.raises(Unreached, match="not a URL"):
        net.request("GET", "http://a.example/x", most=10, timeout_for=WITHIN, terms=Terms(private=True))
    net.close()
