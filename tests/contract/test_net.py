"""core.ports.Web: security.md §4-I, rows 125 (where to), 131 (how much, how long), 132 (TLS). On loopback, with TLS."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.authority import Authority

from keystead.core.errors import Unavailable
from keystead.net.addresses import is_public, permitted
from keystead.net.https import Https

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("8.8.8.8", True),
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound to it
        ("0.1.2.3", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("127.255.255.254", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("172.31.255.255", False),
        ("192.0.2.1", False),
        ("192.168.1.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fd12:3456::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_row_125_which_addresses_are_public(text, public) -> None:
    assert is_public(ip_address(text)) is public
    resolve = lambda _host, _port: [text]  # noqa: E731 - a name server
    if public:
        assert permitted("a.example", 443, private=False, resolve=resolve) == [str(ip_address(text))]
    else:
        with pytest.raises(Unavailable, match="no public address"):
            permitted("a.example", 443, private=False, resolve=resolve)
    assert permitted("a.example", 443, private=True, resolve=resolve)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "017700000001", "localhost"])
def test_row_125_however_a_loopback_address_is_written(host) -> None:
    """The system's resolver reads all of these; what is looked at is what it says."""
    with pytest.raises(Unavailable):
        permitted(host, 443, private=False)


def test_row_125_of_many_addresses_the_public_ones_are_taken() -> None:
    resolve = lambda _host, _port: ["127.0.0.1", "8.8.8.8", "::1", "10.0.0.1"]  # noqa: E731 - as above
    assert permitted("a.example", 443, private=False, resolve=resolve) == ["8.8.8.8"]


def test_row_125_a_name_that_does_not_resolve() -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    with pytest.raises(Unavailable, match="does not resolve"):
        permitted("a.example", 443, private=True, resolve=resolve)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


Answer = Callable[[socket.socket], None]


class Site:
    """A TLS server on loopback that answers every connection with `answer`."""

    def __init__(self, context: ssl.SSLContext, answer: Answer) -> None:
        self._context, self._answer = context, answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), plain, self._context.wrap_socket(plain, server_side=True) as secured:
                self.asked.append(secured.recv(65536))
                self._answer(secured)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


def saying(*pieces: bytes, every: float = 0.0) -> Answer:
    def answer(secured: socket.socket) -> None:
        for piece in pieces:
            secured.sendall(piece)
            time.sleep(every)

    return answer


@contextlib.contextmanager
def site(authority: Authority, answer: Answer, name: str = "localhost", **options) -> Iterator[Site]:
    made = Site(authority.context(name, **options), answer)
    try:
        yield made
    finally:
        made.close()


def get(at: Site, certificates: Path | None, path: str = "/a?b", **options) -> bytes:
    asked = {"most": 1000, "within": 2.0, "private": True, "certificates": certificates} | options
    return Https(resolve=lambda _host, _port: ["127.0.0.1"]).get(f"https://localhost:{at.port}{path}", **asked)


def test_a_document(authority) -> None:
    with site(authority, saying(OK)) as at:
        assert get(at, authority.file) == b"{}"
        (request,) = at.asked
    assert request.startswith(b"GET /a?b HTTP/1.1\r\nHost: localhost:%d\r\n" % at.port)
    assert request.endswith(b"\r\n\r\n") and b"Authorization" not in request and b"Cookie" not in request


def test_a_document_in_chunks(authority) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    with site(authority, saying(chunked[:50], chunked[50:])) as at:
        assert get(at, authority.file) == b"{}"


def test_row_125_the_address_that_was_looked_at_is_the_one_that_is_asked(authority) -> None:
    """DNS rebinding: the name server says something else the second time, and nobody asks it."""
    answers, connected = [["8.8.8.8"], ["127.0.0.1"]], []

    def connect(address, timeout):
        connected.append(address)
        raise TimeoutError

    web = Https(resolve=lambda _host, _port: answers.pop(0), connect=connect)
    with pytest.raises(Unavailable):
        web.get("https://a.example/x", most=10, within=1.0, private=False, certificates=None)
    assert connected == [("8.8.8.8", 443)] and len(answers) == 1


def test_row_125_nobody_is_connected_to_at_an_address_that_is_not_public() -> None:
    def connect(*_):
        raise AssertionError("connected")

    web = Https(resolve=lambda _host, _port: ["169.254.169.254"], connect=connect)
    with pytest.raises(Unavailable, match="no public address"):
        web.get("https://a.example/x", most=10, within=1.0, private=False, certificates=None)


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
        "https://A.example/",
        "https://a.example:0/",
        "https://a.example:99999999/",
        "//a.example/",
        "https://[::1%25lo]/",
        "",
    ],
)
def test_row_125_urls_that_are_not_fetched_from(url) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise AssertionError("asked")

    with pytest.raises(Unavailable, match="not a URL"):
        Https(resolve=resolve).get(url, most=10, within=1.0, private=True, certificates=None)


@pytest.mark.parametrize(
    "status",
    [
        b"301 Moved Permanently",
        b"302 Found",
        b"307 Temporary Redirect",
        b"404 Not Found",
        b"204 No Content",
        b"206 Partial Content",
        b"500 Oh",
    ],
)
def test_row_131_no_redirect_is_followed_and_nothing_but_a_200_is_an_answer(authority, status) -> None:
    moved = b"HTTP/1.1 " + status + b"\r\nLocation: https://localhost/\r\nContent-Length: 0\r\n\r\n"
    with site(authority, saying(moved)) as at:
        with pytest.raises(Unavailable, match="not the document"):
            get(at, authority.file)
        assert len(at.asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"a" * 1001, "too large"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"a" * 1000 + b"\r\n1\r\na\r\n",
            "too large",
        ),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 30_000, "too large"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "not the document"),  # cut short
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "not the document"),  # whether it was cut short, nobody knows
        (b"", "not the document"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "not HTTP"),
    ],
)
def test_row_131_an_answer_that_is_none(authority, answer, words) -> None:
    with site(authority, saying(answer)) as at, pytest.raises(Unavailable, match=words):
        get(at, authority.file)


def test_row_131_whoever_answers_drop_by_drop_is_cut_off(authority) -> None:
    drops = [bytes([byte]) for byte in OK]
    with site(authority, saying(*drops, every=0.1)) as at:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            get(at, authority.file, within=0.5)
        assert time.monotonic() - began < 2


def test_row_131_whoever_never_shakes_hands_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        web = Https(resolve=lambda _host, _port: ["127.0.0.1"])
        began = time.monotonic()
        with pytest.raises(Unavailable):
            url = f"https://localhost:{silent.getsockname()[1]}/"
            web.get(url, most=10, within=0.5, private=True, certificates=None)
        assert time.monotonic() - began < 2


def test_row_132_a_certificate_of_another_name_is_not_accepted(authority) -> None:
    with site(authority, saying(OK), name="elsewhere.example") as at:
        with pytest.raises(Unavailable, match="certificate is not accepted"):
            get(at, authority.file)
        assert at.asked == []


def test_row_132_an_authority_that_nobody_named_is_not_accepted(authority, tmp_path) -> None:
    with site(authority, saying(OK)) as at:
        for certificates in (None, Authority(tmp_path).file):
            with pytest.raises(Unavailable, match="certificate is not accepted"):
                get(at, certificates)
        assert at.asked == []


def test_row_132_nothing_older_than_tls_1_2(authority) -> None:
    context = Https()._context(None)
    assert (context.minimum_version, context.check_hostname) == (ssl.TLSVersion.TLSv1_2, True)
    assert context.verify_mode is ssl.CERT_REQUIRED
    with site(authority, saying(OK), most=ssl.TLSVersion.TLSv1_1) as at, pytest.raises(Unavailable, match="TLS failed"):
        get(at, authority.file)


def test_a_file_of_certificates_that_changes_is_read_again(authority, tmp_path) -> None:
    file = tmp_path / "ca.pem"
    web = Https(resolve=lambda _host, _port: ["127.0.0.1"])
    with site(authority, saying(OK)) as at:
        asked = {"most": 10, "within": 2.0, "private": True, "certificates": file}
        with pytest.raises(Unavailable, match="cannot be read"):
            web.get(f"https://localhost:{at.port}/", **asked)
        file.write_bytes(Authority(tmp_path).file.read_bytes())
        with pytest.raises(Unavailable, match="not accepted"):
            web.get(f"https://localhost:{at.port}/", **asked)
        file.write_bytes(authority.file.read_bytes())
        os.utime(file, (1, 1))
        assert web.get(f"https://localhost:{at.port}/", **asked) == b"{}"
