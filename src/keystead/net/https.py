"""GET over TLS, for small documents of servers that are not trusted with anything: their time, size and way are ours.

TLS 1.2 and up, the server's name verified (row 132); no redirects, no compression, no proxies, one connection a
request; a time for the whole of it and a size for the body (row 131).
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httptools

from keystead.core.errors import Unavailable
from keystead.net.addresses import Resolve, permitted, resolved

TRIES = 3  # addresses of one host
N_HEAD = 16 * 1024
PIECE = 16 * 1024
# RFC 3986, in the spelling that nobody can read in two ways; an IPv6 address stands in brackets
_URL = re.compile(r"https://([a-z0-9][a-z0-9.-]{0,252}|\[[0-9a-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?(/[!-~]*)?")
Connect = Callable[[tuple[str, int], float], socket.socket]


class Https:
    """core.ports.Web. `resolve` and `connect`: the ways to the world, for whoever has another."""

    def __init__(self, resolve: Resolve = resolved, connect: Connect = socket.create_connection) -> None:
        self._resolve, self._connect = resolve, connect
        self._contexts: dict[Path | None, tuple[float, ssl.SSLContext]] = {}

    def get(self, url: str, *, most: int, within: float, private: bool, certificates: Path | None) -> bytes:
        """See core.ports.Web."""
        found = _URL.fullmatch(url)
        if found is None or "#" in url or "\\" in url:
            raise Unavailable("not a URL that is fetched from")
        host, port, path = found[1], int(found[2] or 443), found[3] or "/"
        name, request = host.strip("[]"), _request(host if port == 443 else f"{host}:{port}", path)
        context = self._context(certificates)
        reason: Exception = Unavailable("no address")
        for address in permitted(name, port, private=private, resolve=self._resolve)[:TRIES]:
            try:
                plain = self._connect((address, port), within / TRIES)
            except OSError as error:
                reason = error
                continue
            try:
                with plain, context.wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False) as secured:
                    return _exchange(secured, request, most, within)
            except (OSError, ValueError) as error:  # ValueError: a name that TLS cannot say
                reason = error
                break
        raise Unavailable(f"the connection failed: {_told(reason)}") from None

    def _context(self, certificates: Path | None) -> ssl.SSLContext:
        """Made anew when the file of certificates has changed."""
        try:
            changed = certificates.stat().st_mtime if certificates is not None else 0.0
            kept = self._contexts.get(certificates)
            if kept is None or kept[0] != changed:
                context = ssl.create_default_context(cafile=certificates)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                kept = self._contexts[certificates] = (changed, context)
        except (OSError, ssl.SSLError):
            raise Unavailable("the file of certificates cannot be read") from None
        return kept[1]


def _told(reason: Exception) -> str:
    """In our words and the system's: nothing that the other side has said."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {reason.verify_message}"
    if isinstance(reason, ssl.SSLError):
        return "TLS failed"
    return (reason.strerror if isinstance(reason, OSError) else None) or type(reason).__name__


def _request(host: str, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nUser-Agent: keystead\r\n"
        "Connection: close\r\n\r\n"
    ).encode()


class _Reply:
    """What httptools calls back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.body = bytearray()
        self.done = False
        self.trouble = ""

    def on_header(self, name: bytes, _value: bytes) -> None:
        if name.lower() == b"content-encoding":
            self.trouble = "the answer is compressed"

    def on_body(self, piece: bytes) -> None:
        self.body += piece
        if len(self.body) > self._most:
            self.trouble = "the answer is too large"

    def on_message_complete(self) -> None:
        self.done = True


def _cut(secured: ssl.SSLSocket) -> None:
    """As the socket that it is: a farewell of TLS would wait for the other side."""
    with suppress(OSError):
        socket.socket.shutdown(secured, socket.SHUT_RDWR)


def _exchange(secured: ssl.SSLSocket, request: bytes, most: int, within: float) -> bytes:
    """The body of a 200. Raises OSError, Unavailable."""
    # Whatever the other side does, piece by piece or not at all, it is cut off in the end.
    cut = threading.Timer(within, _cut, (secured,))
    cut.daemon = True
    cut.start()
    try:
        secured.settimeout(within)
        secured.do_handshake()
        secured.sendall(request)
        reply = _Reply(most)
        parser = httptools.HttpResponseParser(reply)
        left = most + N_HEAD
        while not reply.done:
            piece = secured.recv(PIECE)
            left -= len(piece)
            if left < 0:
                raise Unavailable("the answer is too large")
            parser.feed_data(piece)
            if reply.trouble:
                raise Unavailable(reply.trouble)
            if not piece:  # an answer that ends with the connection may have been cut short
                break
        if not reply.done or parser.get_status_code() != 200:
            raise Unavailable("the answer is not the document")
        return bytes(reply.body)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        raise Unavailable("the answer is not HTTP") from None
    finally:
        cut.cancel()
