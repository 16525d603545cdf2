"""Web identities: whom an OpenID Connect issuer speaks of, and the providers through which a tenant trusts issuers.

OpenID Connect Core 1.0 §2; IAM User Guide, "OIDC federation". An issuer's name is its URL without "https://". It is
compared to the letter, so a provider deleted and made anew is the same issuer, and is trusted by its name
(docs/adr/0016).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from keystead.core.entities import Entity, Kind, Principal

SCHEME = "https://"
MAX_URL = 255
# In one spelling: no user, no query, no escapes, no empty or dotted segments (one slash may end it), no default port.
_ISSUER = re.compile(
    r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::(?!443(?:/|\Z))[1-9][0-9]{0,4})?(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*/?"
)


def issuer_name(url: str) -> str | None:
    """The name of the issuer of that URL; None where no issuer can have it."""
    name = url.removeprefix(SCHEME)
    if name == url or len(url) > MAX_URL or _ISSUER.fullmatch(name) is None or ".." in name.partition("/")[0]:
        return None
    return name


class OidcProvider(Entity, frozen=True, kw_only=True):
    """An issuer that a tenant takes tokens of; `id` is a digest of tenant and issuer (service.barrier.name_id)."""

    kind = Kind.OIDC_PROVIDER
    tenant: str
    issuer: str  # its name
    client_ids: tuple[str, ...] = ()  # audiences
    thumbprints: tuple[str, ...] = ()  # kept and shown; nothing rests on them
    created_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class WebIdentity(Principal, frozen=True, kw_only=True):
    """Whoever a verified token speaks of. It is nobody's row: it comes with a token and goes with its request.

    `tenant` is that of the provider, `name` the subject, `id` "<provider>:<audience>:<subject>".
    """

    provider: str  # its ARN
    issuer: str
    audiences: tuple[str, ...]  # those the provider lists, in the token's order
    party: str = ""  # azp
    methods: tuple[str, ...] = ()  # amr


CLAIMS: dict[str, Callable[[WebIdentity], tuple[str, ...]]] = {
    "aud": lambda who: who.audiences,
    "azp": lambda who: (who.party,) if who.party else (),
    "sub": lambda who: (who.name,),
    "amr": lambda who: who.methods,
}
"""Name of a condition key behind that of its issuer -> its values."""
