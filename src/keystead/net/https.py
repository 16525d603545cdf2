"""core.ports.Net: one request over TLS to a host that somebody else has named, within a time that is kept in all.

Rule 1: an address is looked at before it is connected to, and it is that address that is connected to, so a name that
        changes its mind in between leads nowhere (DNS rebinding). Unless the operator allows it, none leads to a
        private network, to this machine, or to anything else that is not of the public internet (security.md §4-I 125).
Rule 2: every wait is bounded by what is left of the time: for a place, for the name, the connection, the handshake,
        each piece written and read. The name server is asked on a thread of its own, which may be left waiting.
Rule 3: TLS 1.2 and up, certificate and name verified. What comes back is bounded; nothing in it is followed.
        Without TLS only such hosts are asked as the operator has named for it; no such connection is kept.
Rule 4: a connection is kept for requests to the same host on the same terms, and for no others.
Rule 5: a connection that was kept may have been closed by the peer meanwhile. If it was before a byte of an answer
        came, the request is made once more, on a new one, in the time that is left: it must change nothing there. What
        changes something goes over a new one at once.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from keystead.core.keystores import Trouble
from keystead.core.ports import PUBLIC, Address, Terms, Unreached
from keystead.net.addresses import Names, Resolve, resolve
from keystead.net.answer import Answer, malformed
from keystead.net.hosts import Connected, Host
from keystead.net.trust import Trust, insecure

PORTS = {"https": 443, "http": 80}
NAME_FOR = 30.0  # seconds that an address is believed to be its name's
N_HOSTS = 256  # each on its terms
PIECE = 16 * 1024
# RFC 3986, in the spelling that nobody can read in two ways; an IPv6 address stands in brackets
_URL = re.compile(r"(https?)://([a-z0-9][a-z0-9.-]{0,252}|\[[0-9a-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?(/[!-~]*)?")
Connect = Callable[[Address, float], socket.socket]


class Asked(Struct, frozen=True):
    """A request: its bytes, how long the body of the answer may be, when it is too late, whom to trust."""

    data: bytes
    most: int
    deadline: float
    context: ssl.SSLContext | None  # None: without TLS
    once: bool = False


class Https:
    """core.ports.Net. `suites`: of TLS 1.2, in OpenSSL's words; the system's without. Safe to use from any thread."""

    def __init__(
        self,
        *,
        suites: str = "",
        resolve: Resolve = resolve,
        connect: Connect = socket.create_connection,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trust = Trust(suites)
        self._names, self._open, self._monotonic = Names(resolve), connect, monotonic
        self._lock = threading.Lock()
        self._hosts: dict[tuple[str, int, Terms], Host] = {}

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        most: int,
        timeout_for: float,
        terms: Terms = PUBLIC,
        once: bool = False,
    ) -> tuple[int, bytes]:
        """See core.ports.Net."""
        deadline = self._monotonic() + timeout_for
        scheme, name, port, path = _parts(url, plain=terms.plain)
        length = [] if body is None else [("Content-Length", str(len(body)))]
        lines = "".join(f"{field}: {value}\r\n" for field, value in [*headers, *length])
        head = f"{method} {path} HTTP/1.1\r\nHost: {name if port == PORTS[scheme] else f'{name}:{port}'}\r\n{lines}\r\n"
        context = self._context(terms) if scheme == "https" else None
        asked = Asked(head.encode("ascii") + (body or b""), most, deadline, context, once)
        host = self._host(name.strip("[]"), port, terms)
        if not host.places.acquire(timeout=max(0.0, timeout_for)):
            raise Unreached(Trouble.LATE)
        try:
            return self._ask(host, asked)
        finally:
            host.places.release()

    def close(self) -> None:
        with self._lock:
            hosts, self._hosts = list(self._hosts.values()), {}
        for host in hosts:
            host.close()

    # --- a request

    def _ask(self, host: Host, asked: Asked) -> tuple[int, bytes]:
        kept = None if asked.once or asked.context is None else host.take(self._monotonic(), asked.context)
        if kept is not None:
            try:
                return self._exchange(host, kept, asked)
            except Gone:
                pass
        try:
            return self._exchange(host, self._connect(host, asked), asked)
        except Gone:
            raise Unreached(Trouble.UNREACHABLE, "the connection ended") from None

    def _exchange(self, host: Host, on: Connected, asked: Asked) -> tuple[int, bytes]:
        """Raises Gone where the peer went before it said anything; Unreached."""
        answer = Answer(asked.most)
        try:
            self._write(on.sock, asked)
            self._read(on.sock, answer, asked.deadline)
        except BaseException:
            on.sock.close()
            raise
        on.used_at = self._monotonic()
        if not (asked.context is not None and answer.lasts and host.keep(on)):
            on.sock.close()
        return answer.status, bytes(answer.body)

    def _write(self, sock: socket.socket, asked: Asked) -> None:
        view = memoryview(asked.data)
        try:
            while view:
                sock.settimeout(self._left(asked.deadline))
                view = view[sock.send(view) :]
        except TimeoutError:
            raise Unreached(Trouble.LATE) from None
        except OSError:
            raise Gone from None

    def _read(self, sock: socket.socket, answer: Answer, deadline: float) -> None:
        while not answer.is_complete:
            try:
                sock.settimeout(self._left(deadline))
                piece = sock.recv(PIECE)
            except TimeoutError:
                raise Unreached(Trouble.LATE) from None
            except OSError:  # also where the connection ends and TLS has not: RFC 9112 §9.8
                if not answer.n_bytes:
                    raise Gone from None
                raise malformed("the answer is cut short") from None
            if piece:
                answer.take(piece)
            elif answer.n_bytes:
                answer.end()
            else:
                raise Gone

    def _left(self, deadline: float) -> float:
        """Raises Unreached when nothing is."""
        left = deadline - self._monotonic()
        if left <= 0:
            raise Unreached(Trouble.LATE)
        return left

    # --- a connection

    def _connect(self, host: Host, asked: Asked) -> Connected:
        """The first address that takes it; each gets its share of the time that is left."""
        self._sweep()
        addresses = self._addresses(host, asked.deadline)
        for n_left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                bare = self._open(address, self._left(asked.deadline) / n_left)
            except OSError as error:
                words = error.strerror or "nobody answers"
                continue
            return self._secured(bare, host.name, asked)
        raise Unreached(Trouble.UNREACHABLE, words)

    def _secured(self, bare: socket.socket, name: str, asked: Asked) -> Connected:
        """TLS over it, for that name, unless it is asked without. Raises Unreached."""
        try:
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bare.settimeout(self._left(asked.deadline))
            if asked.context is None:
                return Connected(bare, self._monotonic(), self._monotonic())
            sock = asked.context.wrap_socket(bare, server_hostname=name, suppress_ragged_eofs=False)
        except TimeoutError:
            bare.close()
            raise Unreached(Trouble.LATE) from None
        except (OSError, ValueError) as error:  # ValueError: a name that TLS cannot say
            bare.close()
            raise insecure(error) from None
        except BaseException:
            bare.close()
            raise
        now = self._monotonic()
        return Connected(sock, now, now)

    def _context(self, terms: Terms) -> ssl.SSLContext:
        try:
            return self.trust.context(terms.certificates, terms.authorities)
        except OSError:
            raise Unreached(Trouble.INSECURE, "the file of certificates cannot be read") from None

    def _addresses(self, host: Host, deadline: float) -> list[Address]:
        """Where to connect to; never empty. Raises Unreached."""
        terms = host.terms
        if terms.at is not None:
            return [terms.at]
        if self._monotonic() >= host.believed_until:
            left = self._left(deadline)
            host.addresses = self._names.find(host.name, host.port, private=terms.private, timeout_for=left)
            host.believed_until = self._monotonic() + NAME_FOR
        return [(address, host.port) for address in host.addresses]

    def _host(self, name: str, port: int, terms: Terms) -> Host:
        key = (name, port, terms)
        with self._lock:
            if (found := self._hosts.get(key)) is None:
                while len(self._hosts) >= N_HOSTS:
                    self._hosts.pop(next(iter(self._hosts))).close()
                found = self._hosts[key] = Host(name, port, terms)
            return found

    def _sweep(self) -> None:
        with self._lock:
            hosts = list(self._hosts.values())
        for host in hosts:
            host.sweep(self._monotonic())


def _parts(url: str, *, plain: bool) -> tuple[str, str, int, str]:
    """Scheme, name, port and path of a URL. Raises Unreached."""
    found = _URL.fullmatch(url)
    if (
        found is None
        or (found[1] == "http" and not plain)
        or "#" in url
        or "\\" in url
        or int(found[3] or PORTS[found[1]]) >= 2**16
    ):
        raise Unreached(Trouble.UNREACHABLE, "not a URL that is fetched from")
    return found[1], found[2], int(found[3] or PORTS[found[1]]), found[4] or "/"


class Gone(Exception):  # the connection ended before the peer said anything
    """It is not known whether the peer has read the request."""
