"""Where the keys of OpenID Connect issuers come from: the issuer itself, or a file.

OpenID Connect Discovery 1.0 §4: <issuer>/.well-known/openid-configuration names the JWK set. The document has to name
the issuer it was asked for (§4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from keystead.config import Issuer, path_of
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.federation import issuer_name
from keystead.core.ports import Net, Terms, Unreached
from keystead.wire import Malformed
from keystead.wire.jose import N_KEY_SET
from keystead.wire.json import reader

N_DISCOVERY = 64 * 1024
WITHIN = 5.0  # seconds, for each of the two documents
OK = 200
HEADERS = (("Accept", "application/json"), ("User-Agent", "keystead"))
ANY = Issuer()


class Discovery(Struct, frozen=True):
    issuer: str
    jwks_uri: str


_read = reader(Discovery)


def key_source(settings: Mapping[str, Issuer], net: Net) -> Callable[[str], bytes]:
    """issuer (its URL) -> its JWK set; it raises Unavailable.

    Raises InvalidArgument for settings of what is no issuer, and for references that are none.
    """
    for issuer, chosen in settings.items():
        if issuer_name(issuer) is None:
            raise InvalidArgument(f"issuers: {issuer} is no issuer's URL", "configuration")
        for reference in filter(None, (chosen.keys, chosen.certificates)):
            path_of(reference)

    def source(issuer: str) -> bytes:
        chosen = settings.get(issuer, ANY)
        return _file(path_of(chosen.keys)) if chosen.keys else _discovered(issuer, chosen, net)

    return source


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(N_KEY_SET + 1)
    except OSError as error:
        raise Unavailable(f"its file of keys cannot be read: {error.strerror}") from None


def _discovered(issuer: str, chosen: Issuer, net: Net) -> bytes:
    certificates = path_of(chosen.certificates) if chosen.certificates else None
    return discovered(issuer, net, lambda _url: Terms(private=chosen.private, certificates=certificates))


def discovered(issuer: str, net: Net, terms: Callable[[str], Terms]) -> bytes:
    """The JWK set of an issuer by its own configuration; `terms`: on which a URL is asked. Raises Unavailable."""
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        found = _read(document(url, N_DISCOVERY, net, terms(url)))
    except Malformed as error:
        raise Unavailable(f"its configuration cannot be read: {error}") from None
    if found.issuer != issuer:
        raise Unavailable("its configuration is another issuer's")
    return document(found.jwks_uri, N_KEY_SET, net, terms(found.jwks_uri))


def document(url: str, most: int, net: Net, terms: Terms) -> bytes:
    """Raises Unavailable."""
    try:
        status, body = net.request("GET", url, headers=HEADERS, most=most, timeout_for=WITHIN, terms=terms)
    except Unreached as error:
        raise Unavailable(str(error)) from None
    if status != OK:
        raise Unavailable("the answer is not the document")
    return body
