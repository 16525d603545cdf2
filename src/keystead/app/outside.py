"""The way out to external key stores, as far as the operator's configuration lets it go."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from keystead.config import Xks, path_of
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Address, Clock, Terms
from keystead.core.providers import KeyStores
from keystead.net.https import Https
from keystead.providers.xks import XksStores

SUITES = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"  # of TLS 1.2; XKS Proxy API, "API content type"


def key_stores(settings: Xks, clock: Clock) -> KeyStores:
    """Raises InvalidArgument where the configuration cannot be followed."""
    net, terms = Https(suites=SUITES), host_terms(settings)
    try:
        if settings.trust:
            net.trust.context(path_of(settings.trust))
    except OSError as error:  # ssl.SSLError is one
        raise InvalidArgument(
            f"xks: the certificates to trust cannot be used: {error.strerror or error}", "xks"
        ) from None
    return XksStores(net, clock, terms)


def host_terms(settings: Xks) -> Callable[[str], Terms]:
    """host -> the terms on which it is asked. Raises InvalidArgument."""
    private, trust = settings.private_endpoints, path_of(settings.trust) if settings.trust else None
    anywhere = frozenset() if isinstance(private, bool) else frozenset(host.lower() for host in private)
    routes = {host.lower(): _address(where) for host, where in settings.routes.items()}

    def terms(host: str) -> Terms:
        return Terms(private=private is True or host in anywhere, certificates=trust, at=routes.get(host))

    return terms


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    try:
        where, number = str(ip_address(host.strip("[]"))), int(port)
    except ValueError:
        raise InvalidArgument(f"xks: {text!r} is no IP address and port", "xks") from None
    if not 0 < number < 2**16:
        raise InvalidArgument(f"xks: {text!r} is no IP address and port", "xks")
    return where, number
