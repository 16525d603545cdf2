"""The way out: to external key stores, as far as the operator's configuration lets it go."""

from __future__ import annotations

from ipaddress import ip_address

from keystead.config import Xks, path_of
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Clock, KeyStores
from keystead.providers.https import Address, Https
from keystead.providers.xks import XksStores


def key_stores(settings: Xks, clock: Clock) -> KeyStores:
    """Raises InvalidArgument where the configuration cannot be followed."""
    private, trust = settings.private_endpoints, settings.trust
    try:
        net = Https(
            trust=str(path_of(trust)) if trust else None,
            private=private if isinstance(private, bool) else frozenset(host.lower() for host in private),
            routes={host.lower(): _address(where) for host, where in settings.routes.items()},
        )
    except OSError as error:  # ssl.SSLError is one
        raise InvalidArgument(
            f"xks: the certificates to trust cannot be used: {error.strerror or error}", "xks"
        ) from None
    return XksStores(net, clock)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    try:
        where, number = str(ip_address(host.strip("[]"))), int(port)
    except ValueError:
        raise InvalidArgument(f"xks: {text!r} is no IP address and port", "xks") from None
    if not 0 < number < 2**16:
        raise InvalidArgument(f"xks: {text!r} is no IP address and port", "xks")
    return where, number
