"""Service accounts of a Kubernetes cluster: its API server is asked of whom a token is.

Kubernetes API, authentication.k8s.io/v1, TokenReview. What can be told without the server is told first; a token that
the role would not let in is not shown to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from keystead.core.entities import KubernetesBounds, KubernetesSettings
from keystead.core.errors import InvalidArgument, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.accounts import audiences_of, require_account, require_claims, service_account
from keystead.core.vouching.words import ServiceAccount
from keystead.crypto.jwk import ALGORITHMS, VerifyingKey
from keystead.service.credentials.few import Few
from keystead.wire import Malformed, jose
from keystead.wire.json import reader

LOG = logging.getLogger("keystead")
PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
ISSUER = "kubernetes/serviceaccount"
GOOD = frozenset({200, 201})

Ask = Callable[[str, tuple[tuple[str, str], ...], bytes, str], tuple[int, bytes]]
"""(URL, headers, body, PEM of who vouches for the host or "") -> (status, body). Raises Unavailable."""


class _User(Struct, frozen=True):
    username: str = ""
    uid: str = ""


class _Status(Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] = ()
    error: str = ""


class _Review(Struct, frozen=True):
    status: _Status = _Status()


_read = reader(_Review)


def refused(why: str) -> Unauthenticated:
    """`why`: for the record alone."""
    return Unauthenticated("permission denied", why)


class Reviews:
    """Safe to use from any thread but the event loop's."""

    def __init__(self, ask: Ask, few: Few) -> None:
        self._ask, self._few = ask, few

    def account(
        self,
        mount: str,
        settings: KubernetesSettings,
        bounds: KubernetesBounds,
        said: Sensitive,
        shown: Sensitive | None,
        now: datetime,
    ) -> ServiceAccount:
        """Of whom the token is. `shown`: what the server is shown to be asked; None: the token itself.

        Raises Unauthenticated (detail: for the record, or Unfit, whose words are told), InvalidArgument, Unavailable.
        """
        if not said:
            raise InvalidArgument("missing jwt", "token")
        token = _parsed(said)
        who = service_account(token.claims)
        require_account(who, bounds)
        issuer = (settings.issuer or ISSUER) if settings.checks_issuer else ""
        require_claims(token.claims, bounds.audience, issuer, int(now.timestamp()))
        if settings.public_keys and not _verifies(token, settings.public_keys):
            raise refused("signature")
        audiences = (bounds.audience,) if bounds.audience else audiences_of(token.claims)
        with self._few.one_of(mount):
            self._review(settings, said, shown or said, audiences, who)
        return who

    def _review(
        self,
        settings: KubernetesSettings,
        said: Sensitive,
        shown: Sensitive,
        audiences: tuple[str, ...],
        who: ServiceAccount,
    ) -> None:
        spec: dict[str, Any] = {"token": said.reveal().decode()}
        if audiences:
            spec["audiences"] = audiences
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        headers = (
            ("Authorization", f"Bearer {shown.reveal().decode()}"),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
        )
        try:
            code, answer = self._ask(settings.host.rstrip("/") + PATH, headers, msgspec.json.encode(body), settings.ca)
            status = _read(answer).status if code in GOOD else None
        except (Unavailable, Malformed) as error:
            LOG.warning("the API server %s cannot be asked: %s", settings.host, error)
            raise refused("no answer") from None
        if status is None:
            LOG.warning("the API server %s answers %d", settings.host, code)
            raise refused("no answer")
        if not status.authenticated or status.error:
            raise refused("not authenticated")
        if audiences and not set(audiences) & set(status.audiences):
            raise refused("audience")
        named = f"system:serviceaccount:{who.namespace}:{who.name}"
        if not who.uid or (status.user.username, status.user.uid) != (named, who.uid):
            raise refused("another account")


def _parsed(said: Sensitive) -> jose.Signed:
    try:
        return jose.signed(said.reveal().decode())
    except (Malformed, UnicodeDecodeError):
        raise refused("no token") from None


def _verifies(token: jose.Signed, pems: tuple[str, ...]) -> bool:
    alg = token.header.alg
    if alg not in ALGORITHMS:
        return False
    keys = (key for key in map(VerifyingKey.of_pem, pems) if key.fits(alg))
    return any(key.verify(alg, token.signed, token.signature) for key in keys)
