"""core.ports.Net: one POST over TLS to a host that somebody else has named, within a time that is kept in all.

Rule 1: an address is looked at before it is connected to, and it is that address that is connected to, so a name that
        changes its mind in between leads nowhere (DNS rebinding). Unless the operator allows it, none leads to a
        private network, to this machine, or to anything else that is not of the public internet (security.md §4-I 125).
Rule 2: every wait is bounded by what is left of the time: for a place, for the name, the connection, the handshake,
        each piece written and read. The name server is asked on a thread of its own, which may be left waiting.
Rule 3: TLS 1.2 and up, certificate and name verified. What comes back is bounded; nothing in it is followed.
Rule 4: a connection that was kept may have been closed by the peer meanwhile. If it was before a byte of an answer
        came, the request is made once more, on a new one, in the time that is left: it must change nothing there.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from msgspec import Struct

from keystead.core.keystores import Trouble
from keystead.core.ports import Unreached
from keystead.providers.addresses import is_public, resolve
from keystead.providers.answer import Answer

PORT = 443
N_AT_ONCE, N_IDLE = 16, 16  # connections to one host: in use, and kept
IDLE_FOR, KEEP_FOR = 20.0, 300.0  # seconds that a connection is kept unused; and in all
NAME_FOR = 30.0  # seconds that an address is believed to be its name's
N_RESOLVERS, N_HOSTS = 4, 256
PIECE = 16 * 1024
SUITES = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"  # of TLS 1.2; XKS Proxy API, "API content type"

Address = tuple[str, int]
Resolve = Callable[[str, int], Sequence[str]]


def client_context(trust: str | None) -> ssl.SSLContext:
    """`trust`: a PEM file, or None for the system's authorities. Raises OSError (ssl.SSLError is one)."""
    context = ssl.create_default_context(cafile=trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connected(Struct):
    """An open connection to a host."""

    sock: ssl.SSLSocket
    made_at: float
    used_at: float

    def is_good(self, now: float) -> bool:
        """Whether it may be used again: young enough, and the peer has said nothing, not even goodbye."""
        if now - self.used_at > IDLE_FOR or now - self.made_at > KEEP_FOR:
            return False
        watch = select.poll()
        watch.register(self.sock, select.POLLIN)
        return not watch.poll(0) and not self.sock.pending()


class Host:
    """What is known of one host, and the connections to it that are not in use."""

    def __init__(self) -> None:
        self.places = threading.BoundedSemaphore(N_AT_ONCE)
        self.addresses: tuple[str, ...] = ()
        self.believed_until = 0.0
        self._lock = threading.Lock()
        self._idle: list[Connected] = []
        self._is_closed = False

    def take(self) -> Connected | None:
        """The connection that was used last."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def keep(self, connected: Connected) -> bool:
        with self._lock:
            kept = len(self._idle) < N_IDLE and not self._is_closed
            if kept:
                self._idle.append(connected)
        return kept

    def close(self) -> None:
        """What is in use is closed when it comes back."""
        with self._lock:
            idle, self._idle, self._is_closed = self._idle, [], True
        for connected in idle:
            connected.sock.close()


class Https:
    """core.ports.Net. `private`: hosts that may be anywhere, or True for all. `routes`: host -> where it really is,
    by the operator's word. `trust`: a PEM file of certification authorities, instead of the system's."""

    def __init__(
        self,
        *,
        trust: str | None = None,
        private: bool | frozenset[str] = False,
        routes: Mapping[str, Address] | None = None,
        resolve: Resolve = resolve,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises OSError for a trust file that is none."""
        self._tls = client_context(trust) if trust else None  # the system's authorities are read when they are needed
        self._private, self._routes = private, dict(routes or {})
        self._resolve, self._monotonic = resolve, monotonic
        self._lock = threading.Lock()
        self._hosts: dict[str, Host] = {}
        self._asking = threading.BoundedSemaphore(N_RESOLVERS)

    def post(
        self, url: str, body: bytes, headers: Sequence[tuple[str, str]], *, timeout_for: float
    ) -> tuple[int, bytes]:
        """See core.ports.Net. `url` is https:// a domain name in lower case, and a path in ASCII."""
        deadline = self._monotonic() + timeout_for
        name, _, path = url.removeprefix("https://").partition("/")
        lines = "".join(f"{field}: {value}\r\n" for field, value in headers)
        head = f"POST /{path} HTTP/1.1\r\nHost: {name}\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        request = head.encode("ascii") + body
        host = self._host(name)
        if not host.places.acquire(timeout=max(0.0, timeout_for)):
            raise Unreached(Trouble.LATE)
        try:
            return self._ask(name, host, request, deadline)
        finally:
            host.places.release()

    def close(self) -> None:
        with self._lock:
            hosts, self._hosts = list(self._hosts.values()), {}
        for host in hosts:
            host.close()

    # --- a request

    def _ask(self, name: str, host: Host, request: bytes, deadline: float) -> tuple[int, bytes]:
        kept = self._kept(host)
        if kept is not None:
            try:
                return self._exchange(host, kept, request, deadline)
            except Gone:
                pass
        try:
            return self._exchange(host, self._connect(name, host, deadline), request, deadline)
        except Gone:
            raise Unreached(Trouble.UNREACHABLE) from None

    def _kept(self, host: Host) -> Connected | None:
        """The connection that was used last, if one is good still."""
        while (kept := host.take()) is not None:
            if kept.is_good(self._monotonic()):
                return kept
            kept.sock.close()
        return None

    def _exchange(self, host: Host, on: Connected, request: bytes, deadline: float) -> tuple[int, bytes]:
        """Raises Gone where the peer went before it said anything; Unreached."""
        answer = Answer()
        try:
            self._write(on.sock, request, deadline)
            self._read(on.sock, answer, deadline)
        except BaseException:
            on.sock.close()
            raise
        on.used_at = self._monotonic()
        if not (answer.lasts and host.keep(on)):
            on.sock.close()
        return answer.status, bytes(answer.body)

    def _write(self, sock: ssl.SSLSocket, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        try:
            while view:
                sock.settimeout(self._left(deadline))
                view = view[sock.send(view) :]
        except TimeoutError:
            raise Unreached(Trouble.LATE) from None
        except OSError:
            raise Gone from None

    def _read(self, sock: ssl.SSLSocket, answer: Answer, deadline: float) -> None:
        while not answer.is_complete:
            try:
                sock.settimeout(self._left(deadline))
                piece = sock.recv(PIECE)
            except TimeoutError:
                raise Unreached(Trouble.LATE) from None
            except OSError:
                piece = b""
            if not piece:
                if not answer.n_bytes:
                    raise Gone
                answer.end()
                return
            answer.take(piece)

    def _left(self, deadline: float) -> float:
        """Raises Unreached when nothing is."""
        left = deadline - self._monotonic()
        if left <= 0:
            raise Unreached(Trouble.LATE)
        return left

    # --- a connection

    def _connect(self, name: str, host: Host, deadline: float) -> Connected:
        """The first address that takes it; each gets its share of the time that is left."""
        addresses = self._addresses(name, host, deadline)
        for n_left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                bare = socket.create_connection(address, self._left(deadline) / n_left)
            except OSError:
                continue
            return self._secured(bare, name, deadline)
        raise Unreached(Trouble.UNREACHABLE)

    def _secured(self, bare: socket.socket, name: str, deadline: float) -> Connected:
        """TLS over it, for that name. Raises Unreached."""
        try:
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bare.settimeout(self._left(deadline))
            sock = self._context().wrap_socket(bare, server_hostname=name)
        except TimeoutError:
            bare.close()
            raise Unreached(Trouble.LATE) from None
        except (OSError, ValueError):  # ssl.SSLError and CertificateError are OSErrors
            bare.close()
            raise Unreached(Trouble.INSECURE) from None
        except BaseException:
            bare.close()
            raise
        now = self._monotonic()
        return Connected(sock, now, now)

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = client_context(None)
            return self._tls

    def _addresses(self, name: str, host: Host, deadline: float) -> list[Address]:
        """Where to connect to; never empty. Raises Unreached."""
        if (route := self._routes.get(name)) is not None:
            return [route]
        if self._monotonic() >= host.believed_until:
            found = self._named(name, deadline)
            anywhere = self._private is True or (isinstance(self._private, frozenset) and name in self._private)
            if not found or not (anywhere or all(is_public(address) for address in found)):
                raise Unreached(Trouble.UNREACHABLE)
            host.addresses, host.believed_until = tuple(found), self._monotonic() + NAME_FOR
        return [(address, PORT) for address in host.addresses]

    def _named(self, name: str, deadline: float) -> Sequence[str]:
        if not self._asking.acquire(timeout=self._left(deadline)):
            raise Unreached(Trouble.UNREACHABLE)
        found: Future[Sequence[str]] = Future()
        threading.Thread(target=self._look_up, args=(name, found), name="name", daemon=True).start()
        try:
            return found.result(self._left(deadline))
        except (NotYet, OSError, UnicodeError):
            raise Unreached(Trouble.UNREACHABLE) from None

    def _look_up(self, name: str, found: Future[Sequence[str]]) -> None:
        try:
            found.set_result(self._resolve(name, PORT))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits
            found.set_exception(error)
        finally:
            self._asking.release()

    def _host(self, name: str) -> Host:
        with self._lock:
            if (found := self._hosts.get(name)) is None:
                while len(self._hosts) >= N_HOSTS:
                    self._hosts.pop(next(iter(self._hosts))).close()
                found = self._hosts[name] = Host()
            return found


class Gone(Exception):  # the connection ended before the peer said anything
    """It is not known whether the peer has read the request."""
