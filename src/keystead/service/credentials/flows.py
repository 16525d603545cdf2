"""Logins in a browser: what an issuer is asked for them, and whether what it answers is genuine.

OpenID Connect Core 1.0 §3.1 (authorization code flow), RFC 7636 (PKCE), RFC 9700 (mix-up: a code goes to the issuer of
the mount that its login was begun at, and nowhere else).

Rule 1: a code is shown once. Whether it was taken is not known where the connection broke, so nothing is tried again.
Rule 2: an identity token that came over TLS from its issuer is verified all the same, by the keys of that issuer.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from keystead.core.entities import JwtBounds, JwtSettings, OidcLogin
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.browsers import LOGIN_FAILED, Expected, drawn, require_identity, skew_of
from keystead.core.vouching.words import CLAIM, PENDING, Granted, Identified
from keystead.crypto.jwk import ALGORITHMS
from keystead.service.credentials.few import Few
from keystead.service.credentials.keysets import FRESH_FOR, MAX_ISSUERS, N_TRIED, KeySets, KeySource
from keystead.wire import Malformed, Misfit, jose, oidc

LOG = logging.getLogger("keystead")
OK = 200
POLLED_EVERY = 5  # seconds; RFC 8628 §3.2: where the issuer says nothing
MAX_POLLED = 4096  # logins whose last question is remembered
WAITING = frozenset({"authorization_pending", "slow_down"})
"""RFC 8628 §3.5: errors that say no more than that nobody has typed the code in yet."""
AWAY = "The identity provider could not be asked. Try again later."
OF_TOKEN = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "azp", "nonce", "auth_time"})
"""What the identity token alone says: it is signed, and what the issuer tells besides is not."""

Headers = tuple[tuple[str, str], ...]
Exchange = Callable[[str, str, Headers, bytes | None, str], tuple[int, bytes]]
"""(method, URL, headers, body, PEM of who vouches for the host or "") -> (status, body). Raises Unavailable.

A request with a body is made once.
"""


class _Known(Struct, frozen=True):
    said: oidc.Metadata
    at: float


class Flows:
    """Safe to use from any thread but the event loop's."""

    def __init__(self, exchange: Exchange, keys: KeySets[KeySource], few: Few, monotonic: Callable[[], float]) -> None:
        self._exchange, self._keys, self._few, self._monotonic = exchange, keys, few, monotonic
        self._lock = threading.Lock()
        self._known: dict[KeySource, _Known] = {}
        self._polled: dict[str, float] = {}  # login on another device -> when it was asked about last

    def published(self, mount: str, settings: JwtSettings) -> oidc.Metadata:
        """What the mount's issuer says of itself; kept for ten minutes. Raises Unavailable."""
        source, now = source_of(settings), self._monotonic()
        with self._lock:
            known = self._known.get(source)
        if known is not None and now - known.at < FRESH_FOR:
            return known.said
        with self._few.one_of(mount):
            said = self._asked(source)
        with self._lock:
            self._known.pop(source, None)
            while len(self._known) >= MAX_ISSUERS:
                del self._known[next(iter(self._known))]
            self._known[source] = _Known(said, now)
        return said

    def _asked(self, source: KeySource) -> oidc.Metadata:
        url = f"{source.url.rstrip('/')}/.well-known/openid-configuration"
        try:
            status, body = self._exchange("GET", url, (oidc.JSON,), None, source.authorities)
            said = oidc.metadata(body) if status == OK else None
        except (Unavailable, Malformed, Misfit) as error:
            LOG.warning("the issuer %s cannot be asked where it lets people in: %s", source.url, error)
            raise Unavailable(AWAY, "issuer") from None
        if said is None or said.issuer != source.url:
            LOG.warning("the configuration of the issuer %s cannot be had, or is another's", source.url)
            raise Unavailable(AWAY, "issuer")
        if not oidc.is_place(said.authorization_endpoint) or not oidc.is_place(said.token_endpoint):
            LOG.warning("the issuer %s does not say where it lets people in", source.url)
            raise Unavailable(AWAY, "issuer")
        return said

    def identified(
        self,
        mount: str,
        settings: JwtSettings,
        secret: Sensitive,
        bounds: JwtBounds,
        begun: OidcLogin,
        code: Sensitive,
        now: datetime,
    ) -> Identified:
        """Who came back with `code`. Raises InvalidArgument, in words for whoever brought it."""
        try:
            issuer = self.published(mount, settings)
            with self._few.one_of(mount):
                tokens = self._exchanged(issuer, settings, secret, begun, code)
                token = self._verified(mount, settings, tokens.id_token)
                require_identity(token.claims, _expected(settings, bounds, begun), int(now.timestamp()))
                _require_halves(token, tokens.access_token, code)
                more = self._told(issuer, settings, tokens.access_token, token.claims)
        except (InvalidArgument, Unavailable) as error:
            raise InvalidArgument(f'{LOGIN_FAILED} Error exchanging oidc code: "{error}".', CLAIM) from None
        return Identified({**more, **{name: said for name, said in token.claims.items() if name != "nonce"}})

    # --- on another device (RFC 8628)

    def granted(self, mount: str, settings: JwtSettings, secret: Sensitive, bounds: JwtBounds) -> Granted:
        """A code for a person to type in at the issuer's, and one to ask about it with. Raises Unavailable."""
        issuer = self.published(mount, settings)
        if not oidc.is_place(issuer.device_authorization_endpoint):
            raise Unavailable("no device auth endpoint url discovered", "issuer")
        said = {"client_id": settings.client_id, "scope": " ".join(dict.fromkeys(("openid", *bounds.scopes)))}
        with self._few.one_of(mount):
            status, answer = self._asked_by_us(issuer, issuer.device_authorization_endpoint, settings, secret, said)
        try:
            found = oidc.device(answer) if status == OK else None
        except (Malformed, Misfit):
            found = None
        if found is None or not found.device_code or not oidc.is_place(found.page):
            LOG.warning("the issuer %s gives no code for another device: status %s", settings.discovery_url, status)
            raise Unavailable(AWAY, "issuer")
        return Granted(
            device_code=found.device_code,
            user_code="" if found.page_with_code else found.user_code,
            page=found.page,
            expires_in=found.expires_in,
            interval=bounds.poll_interval or found.interval or POLLED_EVERY,
        )

    def polled(
        self,
        mount: str,
        settings: JwtSettings,
        secret: Sensitive,
        bounds: JwtBounds,
        begun: OidcLogin,
        now: datetime,
    ) -> Identified:
        """Who has typed the code in. Raises InvalidArgument (detail PENDING: to be asked again), Unavailable."""
        self._require_patience(begun)
        issuer = self.published(mount, settings)
        said = {"grant_type": oidc.DEVICE_GRANT, "device_code": begun.device_code, "client_id": settings.client_id}
        with self._few.one_of(mount):
            status, answer = self._asked_by_us(issuer, issuer.token_endpoint, settings, secret, said)
            tokens = _tokens(answer)
            if tokens is not None and tokens.error in WAITING:
                raise InvalidArgument(tokens.error, PENDING)
            if status != OK or tokens is None:
                words = oidc.error_of(tokens.error) if tokens is not None else f"status {status}"
                raise InvalidArgument(f"authorization failed: {words}", "code")
            if not tokens.id_token:
                raise InvalidArgument("Token verification failed. No id_token found in response.", "code")
            token = self._verified(mount, settings, tokens.id_token)
            require_identity(token.claims, _expected(settings, bounds, begun), int(now.timestamp()))
            _require_halves(token, tokens.access_token, Sensitive(b""))
            more = self._told(issuer, settings, tokens.access_token, token.claims)
        return Identified({**more, **{name: said for name, said in token.claims.items() if name != "nonce"}})

    def _require_patience(self, begun: OidcLogin) -> None:
        """Whoever asks sooner than they were told to is not passed on. Raises InvalidArgument (detail PENDING)."""
        now = self._monotonic()
        with self._lock:
            before = self._polled.get(begun.id)
            if before is not None and now - before < begun.poll_interval / 2:
                raise InvalidArgument("slow_down", PENDING)
            while len(self._polled) >= MAX_POLLED:
                del self._polled[next(iter(self._polled))]
            self._polled.pop(begun.id, None)
            self._polled[begun.id] = now

    def _asked_by_us(
        self, issuer: oidc.Metadata, url: str, settings: JwtSettings, secret: Sensitive, said: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """As the client that we are there. Raises Unavailable."""
        methods = issuer.token_endpoint_auth_methods_supported
        headers, body = oidc.token_request(said, settings.client_id, secret.reveal().decode(), methods)
        return self._exchange("POST", url, headers, body, settings.discovery_ca)

    # --- by a code that comes back

    def _exchanged(
        self, issuer: oidc.Metadata, settings: JwtSettings, secret: Sensitive, begun: OidcLogin, code: Sensitive
    ) -> oidc.Tokens:
        """Raises InvalidArgument, Unavailable."""
        said = {
            "grant_type": "authorization_code",
            "code": code.reveal().decode(),
            "redirect_uri": begun.redirect_uri,
            "code_verifier": drawn(begun.seed, "verifier"),
        }
        status, answer = self._asked_by_us(issuer, issuer.token_endpoint, settings, secret, said)
        tokens = _tokens(answer)
        if status != OK or tokens is None:
            words = oidc.error_of(tokens.error) if tokens is not None else f"status {status}"
            raise InvalidArgument(f"unable to exchange auth code with provider: {words}", "code")
        if not tokens.id_token:
            raise InvalidArgument("id_token is missing from auth code exchange", "code")
        return tokens

    def _verified(self, mount: str, settings: JwtSettings, text: str) -> jose.Signed:
        """An identity token that a key of the issuer's has signed. Raises InvalidArgument, Unavailable."""
        try:
            token = jose.signed(text)
        except Malformed as error:
            raise InvalidArgument(f"id_token failed verification: {error}", "id_token") from None
        alg = token.header.alg
        if alg not in ALGORITHMS or (settings.algorithms and alg not in settings.algorithms):
            raise InvalidArgument("id_token signed with unsupported algorithm", "id_token")
        keys = self._keys.fitting(source_of(settings), token.header.kid, alg, lambda: None, tenant=mount)
        if not any(key.verify(alg, token.signed, token.signature) for key in keys[:N_TRIED]):
            raise InvalidArgument("failed to verify id token signature", "id_token")
        return token

    def _told(
        self, issuer: oidc.Metadata, settings: JwtSettings, access_token: str, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the issuer tells besides of the same person; nothing where it tells none. Core 1.0 §5.3."""
        if not access_token or not issuer.userinfo_endpoint:
            return {}
        try:
            headers = oidc.bearer(access_token)
            status, body = self._exchange("GET", issuer.userinfo_endpoint, headers, None, settings.discovery_ca)
            said = oidc.claims(body) if status == OK else {}
        except (Unavailable, Malformed) as error:
            LOG.warning("the issuer %s does not tell of people: %s", issuer.issuer, error)
            return {}
        if said.get("sub") != claims.get("sub"):  # Core 1.0 §5.3.2: then none of it counts
            return {}
        return {name: value for name, value in said.items() if name not in OF_TOKEN}


def source_of(settings: JwtSettings) -> KeySource:
    """Where the keys of a mount are that names an issuer, or a set."""
    if settings.discovery_url:
        return KeySource(settings.discovery_url, discovery=True, authorities=settings.discovery_ca)
    return KeySource(settings.jwks_url, discovery=False, authorities=settings.jwks_ca)


def _tokens(answer: bytes) -> oidc.Tokens | None:
    try:
        return oidc.tokens(answer)
    except (Malformed, Misfit):
        return None


def _expected(settings: JwtSettings, bounds: JwtBounds, begun: OidcLogin) -> Expected:
    return Expected(
        issuer=settings.discovery_url,
        client_id=settings.client_id,
        nonce=None if begun.device_code else drawn(begun.seed, "nonce"),
        audiences=bounds.audiences,
        max_age=bounds.max_age,
        begun_at=int(begun.begun_at.timestamp()),
        skew=skew_of(bounds),
    )


def _require_halves(token: jose.Signed, access_token: str, code: Sensitive) -> None:
    """OpenID Connect Core 1.0 §3.1.3.8: that access token and code belong to it, where it says so.

    Raises InvalidArgument.
    """
    for name, text in (("at_hash", access_token), ("c_hash", code.reveal().decode())):
        said = token.claims.get(name)
        if said is None or not text:
            continue
        own = oidc.half_hash(token.header.alg, text)
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), own.encode()):
            raise InvalidArgument(f"{name} failed verification", "id_token")
