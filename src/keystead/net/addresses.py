"""Where a request may go: research/security.md §4-I, row 125 (server-side request forgery).

A name is resolved once; what is connected to is the address that was looked at, so a second answer of the name server
changes nothing (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from keystead.core.errors import Unavailable

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], list[str]]
# Addresses with an IPv4 address in them go wherever that one does: RFC 6052, RFC 8215, RFC 3056, RFC 4380, RFC 4291.
_TRANSLATED = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))


def is_public(address: Address) -> bool:
    """Whether anybody may be there: not this machine, its networks, its neighbours, or a group of machines."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.scope_id is not None or address.is_site_local or any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a name, as text. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(where[4][0]) for where in found))


def permitted(host: str, port: int, *, private: bool, resolve: Resolve = resolved) -> list[str]:
    """The addresses of `host` that may be connected to; all of them where `private`. Raises Unavailable for none."""
    try:
        addresses = [ip_address(text) for text in resolve(host, port)]
    except (OSError, ValueError, UnicodeError):
        raise Unavailable("the name of the host does not resolve") from None
    allowed = [str(address) for address in addresses if private or is_public(address)]
    if not allowed:
        raise Unavailable("the host has no public address, and no other one is allowed")
    return allowed
