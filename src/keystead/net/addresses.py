"""Where a request may go: research/security.md §4-I, row 125 (server-side request forgery).

A name is resolved once; what is connected to is the address that was looked at, so a second answer of the name server
changes nothing (DNS rebinding).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from ipaddress import IPv6Address, ip_address, ip_network

from keystead.core.keystores import Trouble
from keystead.core.ports import Unreached

N_RESOLVERS = 128
"""More than one tenant's names can keep waiting: some of its logins ask at once (service.credentials.few), for some
seconds each, and for a name server that does not answer the system waits up to half a minute."""

Resolve = Callable[[str, int], Sequence[str]]
# Addresses with an IPv4 address in them go wherever a translator or tunnel takes that one, and which one stands there
# nobody here knows: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380), SIIT (RFC 7915), RFC 4291 §2.5.5.1.
_TRANSLATED = tuple(
    map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0:0/96", "::/96"))
)


def is_public(text: str) -> bool:
    """Whether anybody may be there: not this machine, its networks, its neighbours, or a group of machines.

    Raises ValueError for what is no address.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or address.is_site_local or any(address in network for network in _TRANSLATED):
            return False
        address = address.ipv4_mapped or address  # no translator: the system connects to the IPv4 address
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolve(host: str, port: int) -> list[str]:
    """Every address of `host`, in the system's order. Raises OSError. Takes as long as the system likes."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Names:
    """Asks a resolver on threads of its own, which may be left waiting."""

    def __init__(self, resolve: Resolve, most: int = N_RESOLVERS) -> None:
        self._resolve = resolve
        self._asking = threading.BoundedSemaphore(most)

    def find(self, name: str, port: int, *, private: bool, timeout_for: float) -> tuple[str, ...]:
        """Where to connect to; never empty, and all of it public unless `private`. Raises Unreached (UNREACHABLE)."""
        found = self._ask(name, port, timeout_for)
        try:
            allowed = private or all(map(is_public, found))
        except ValueError:
            raise _lost("the name of the host does not resolve") from None
        if not allowed:
            raise _lost("the host has an address that is not public")
        return found

    def _ask(self, name: str, port: int, timeout_for: float) -> tuple[str, ...]:
        if not self._asking.acquire(timeout=timeout_for):
            raise _lost("too many names are being resolved")
        answer: Future[Sequence[str]] = Future()
        threading.Thread(target=self._look_up, args=(name, port, answer), name="name", daemon=True).start()
        try:
            found = tuple(answer.result(timeout_for))
        except NotYet:
            raise _lost("the name of the host does not resolve in time") from None
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise _lost("the name of the host does not resolve")
        return found

    def _look_up(self, name: str, port: int, answer: Future[Sequence[str]]) -> None:
        try:
            answer.set_result(self._resolve(name, port))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits
            answer.set_exception(error)
        finally:
            self._asking.release()


def _lost(words: str) -> Unreached:
    return Unreached(Trouble.UNREACHABLE, words)
