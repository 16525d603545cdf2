"""Whom an auth method may ask, and how: who configures one may name any host, and so only the operator's word lets it
ask one that is not public (docs/adr/0030)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec.structs import replace

from keystead.app.issuers import OK, WITHIN, discovered, document, key_source
from keystead.config import Config, Logins
from keystead.core.errors import Unavailable
from keystead.core.ports import Clock, Net, Terms, Unreached
from keystead.crypto.crls import MAX_LIST
from keystead.net.https import Https
from keystead.service.credentials.few import Few
from keystead.service.credentials.flows import Exchange, Flows
from keystead.service.credentials.keysets import KeySets, KeySource
from keystead.service.credentials.reviews import Ask, Reviews
from keystead.service.credentials.statuses import AskStatus, Statuses
from keystead.service.credentials.vouchers import Vouchers
from keystead.service.credentials.webidentity import WebIdentities
from keystead.service.view import View
from keystead.wire.jose import N_KEY_SET

AGENT = ("User-Agent", "keystead")
N_ANSWER = 128 * 1024  # bytes of what an issuer says: of itself, of a code, of a person
N_STATUS = 64 * 1024  # bytes of what a responder says, with its certificates
N_REVIEW = 64 * 1024  # bytes of an API server's answer, with all the groups of who it is


class Outsiders:
    """Whoever vouches for somebody here. Each kind has connections of its own: no auth method's issuers keep another
    kind, or key stores, waiting. Raises InvalidArgument where the configuration cannot be followed.
    """

    def __init__(self, settings: Config, view: View, clock: Clock) -> None:
        self._issuers_net, self._logins_net = Https(), Https()
        key_sets = KeySets(key_source(settings.issuers, self._issuers_net), clock.monotonic)
        self.web_identities = WebIdentities(view, key_sets)
        logins, net, few = settings.logins, self._logins_net, Few(settings.xks.threads)
        login_sets = KeySets(login_keys(logins, net), clock.monotonic)
        self.vouchers = Vouchers(
            view.tenant,
            login_sets,
            Reviews(login_ask(logins, net), few),
            Flows(login_exchange(logins, net), login_sets, few, clock.monotonic),
            Statuses(login_status(logins, net), few),
        )
        self.fetch_list = login_document(logins, net)

    def close(self) -> None:
        self._issuers_net.close()
        self._logins_net.close()


def login_terms(settings: Logins) -> Callable[[str, str], Terms]:
    """(URL, PEM text of who vouches for its host, or "") -> the terms on which it is asked."""
    anybody = settings.private_hosts is True
    hosts = (
        frozenset() if isinstance(settings.private_hosts, bool) else frozenset(map(str.lower, settings.private_hosts))
    )

    def terms(url: str, authorities: str) -> Terms:
        return Terms(private=anybody or _host(url) in hosts, authorities=authorities)

    return terms


def signed_terms(settings: Logins) -> Callable[[str], Terms]:
    """URL -> the terms on which it is asked for what somebody has signed: plain HTTP, where the operator says so."""
    terms, plain = login_terms(settings), frozenset(map(str.lower, settings.plain_hosts))
    return lambda url: replace(terms(url, ""), plain=_host(url) in plain)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def login_keys(settings: Logins, net: Net) -> Callable[[KeySource], bytes]:
    """The JWK set of a source; it raises Unavailable."""
    terms = login_terms(settings)

    def read(source: KeySource) -> bytes:
        if source.discovery:
            return discovered(source.url, net, lambda url: terms(url, source.authorities))
        return document(source.url, N_KEY_SET, net, terms(source.url, source.authorities))

    return read


def login_exchange(settings: Logins, net: Net) -> Exchange:
    """How an issuer is asked for the logins in a browser."""
    terms = login_terms(settings)

    def exchange(
        method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes | None, authorities: str
    ) -> tuple[int, bytes]:
        on = terms(url, authorities)
        try:
            return net.request(
                method,
                url,
                headers=(*headers, AGENT),
                body=body,
                most=N_ANSWER,
                timeout_for=WITHIN,
                terms=on,
                once=body is not None,
            )
        except Unreached as error:
            raise Unavailable(str(error)) from None

    return exchange


def login_document(settings: Logins, net: Net) -> Callable[[str], bytes]:
    """What a URL leads to that somebody has configured for certificates; it raises Unavailable."""
    terms = signed_terms(settings)
    return lambda url: document(url, MAX_LIST, net, terms(url))


def login_ask(settings: Logins, net: Net) -> Ask:
    """How a cluster's API server is asked."""
    terms = login_terms(settings)

    def ask(url: str, headers: tuple[tuple[str, str], ...], body: bytes, authorities: str) -> tuple[int, bytes]:
        on = terms(url, authorities)
        try:
            return net.request("POST", url, headers=headers, body=body, most=N_REVIEW, timeout_for=WITHIN, terms=on)
        except Unreached as error:
            raise Unavailable(str(error)) from None

    return ask


def login_status(settings: Logins, net: Net) -> AskStatus:
    """How a responder is asked whether a certificate is revoked: its answers are signed (RFC 6960 §A.1)."""
    terms = signed_terms(settings)

    def ask(url: str, body: bytes) -> bytes:
        on = terms(url)
        headers = (("Content-Type", "application/ocsp-request"), ("Accept", "application/ocsp-response"), AGENT)
        try:
            status, answer = net.request(
                "POST", url, headers=headers, body=body, most=N_STATUS, timeout_for=WITHIN, terms=on
            )
        except Unreached as error:
            raise Unavailable(str(error)) from None
        if status != OK:
            raise Unavailable(f"it answers {status}")
        return answer

    return ask
