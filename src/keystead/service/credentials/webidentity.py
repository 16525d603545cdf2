"""Identity tokens of OpenID Connect issuers: of whom does this one speak?

STS API Reference 2011-06-15, AssumeRoleWithWebIdentity; OpenID Connect Core 1.0 §3.1.3.7. Whatever is cheap comes
first: whoever sends a token is nobody yet, and a signature is looked at only where the issuer is one of the tenant's,
the audience one of that provider's, the time right, and the key one of that issuer's.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Protocol

from msgspec import UNSET

from keystead.core.entities import PrincipalKind
from keystead.core.errors import Unauthenticated
from keystead.core.federation import OidcProvider, WebIdentity, issuer_name
from keystead.core.policy.arn import provider_arn
from keystead.crypto.jwk import ALGORITHMS
from keystead.service.credentials.keysets import KeySets
from keystead.wire.jose import Token

SKEW = 60  # seconds that an issuer's clock may be ahead of ours; none after the end


class Flaw(Enum):
    """Why a token is not taken: the detail of Unauthenticated, for a door to word its answer by."""

    INVALID = "it is none, or not for here"
    EXPIRED = "it was good until"
    REJECTED = "it asks for what is not given"


class Providers(Protocol):
    """Whose tokens are taken (service.view). May raise WouldBlock on the event loop."""

    def provider(self, tenant: str, issuer: str, /) -> OidcProvider | None: ...

    def may_block(self) -> None: ...


def invalid(words: str) -> Unauthenticated:
    return Unauthenticated(words, Flaw.INVALID)


class WebIdentities:
    """Verifies tokens against the providers of a tenant and the keys of their issuers."""

    def __init__(self, providers: Providers, keys: KeySets[str]) -> None:
        self._providers, self._keys = providers, keys

    def verify(self, token: Token, tenant: str, now: datetime) -> WebIdentity:
        """Raises Unauthenticated (detail Flaw), Unavailable (detail keysets.UNREACHABLE), WouldBlock."""
        header, claims = token.header, token.claims
        if header.alg not in ALGORITHMS:
            raise invalid("The signature algorithm of the token is not supported")
        issuer = issuer_name(claims.iss)
        provider = self._providers.provider(tenant, issuer) if issuer is not None else None
        if provider is None:
            raise invalid(f"No OpenIDConnect provider found in your account for {claims.iss}")
        self._check_time(token, int(now.timestamp()))
        audiences = tuple(one for one in claims.audiences if one in provider.client_ids)
        if not audiences:
            raise invalid("Incorrect token audience")
        if claims.tags is not UNSET or claims.source_identity is not UNSET:
            raise Unauthenticated("Session tags and source identities are not supported", Flaw.REJECTED)
        key = self._keys.find(claims.iss, header.kid, header.alg, self._providers.may_block, tenant=tenant)
        if key is None:
            raise invalid("Couldn't retrieve verification key from your identity provider")
        self._providers.may_block()
        if not key.verify(header.alg, token.signed, token.signature):
            raise invalid("The signature of the token could not be verified")
        return _of(token, provider, audiences, now)

    def _check_time(self, token: Token, now: int) -> None:
        claims = token.claims
        if claims.exp <= now:
            raise Unauthenticated(
                f"Token expired: current date/time {now} must be before the expiration date/time {claims.exp}",
                Flaw.EXPIRED,
            )
        if max(claims.iat, claims.nbf) > now + SKEW:
            raise invalid("Token is not valid yet")


def _of(token: Token, provider: OidcProvider, audiences: tuple[str, ...], now: datetime) -> WebIdentity:
    arn, claims = provider_arn(provider.tenant, provider.issuer), token.claims
    return WebIdentity(
        id=f"{arn}:{audiences[0]}:{claims.sub}",
        tenant=provider.tenant,
        principal_kind=PrincipalKind.WEB_IDENTITY,
        name=claims.sub,
        name_digest="",
        created_at=now,
        provider=arn,
        issuer=provider.issuer,
        audiences=audiences,
        party=claims.azp,
        methods=claims.amr,
    )
