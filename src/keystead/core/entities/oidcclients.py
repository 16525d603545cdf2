"""Applications that people log in to through an issuer of the tenant's. Vault documentation, "OIDC identity provider".

Vault calls the issuer a provider. OpenID Connect Core 1.0, RFC 6749, RFC 7636. Everything here is found by its name;
`id` is a digest of tenant and name, and `modified_at` tells a row from another of that name.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field

from keystead.core.entities.base import Entity, Kind, Wrapped


class OidcNamed(Entity, frozen=True, kw_only=True):
    """What is common to what an issuer is made of."""

    tenant: str
    name: str
    modified_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class OidcAssignment(OidcNamed, frozen=True, kw_only=True):
    """Who may log in to the clients that have it. An id may be of nobody, or not yet of somebody."""

    kind = Kind.OIDC_ASSIGNMENT
    entity_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()


class OidcScope(OidcNamed, frozen=True, kw_only=True):
    """What a client that asks for it is told of whoever logs in."""

    kind = Kind.OIDC_SCOPE
    template: str = ""
    description: str = ""


class OidcClient(OidcNamed, frozen=True, kw_only=True):
    """An application. `is_public`: it can keep no secret, and proves by PKCE that it is the one that asked."""

    kind = Kind.OIDC_CLIENT
    client_id: str
    redirect_uris: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()  # names
    key: str  # name of what signs its tokens
    id_token_ttl: int  # seconds
    access_token_ttl: int  # seconds
    is_public: bool = False
    authorization_code: bool = True  # the grants that it may come with: RFC 6749 §4.1,
    client_credentials: bool = False  # and §4.4

    @property
    def link(self) -> str:
        return self.client_id


class OidcClientSecret(Wrapped, frozen=True, kw_only=True):
    """What a client that is not public is known by, under a leaf of its own; `id` is "<client_id>/1"."""

    kind = Kind.OIDC_CLIENT_SECRET
    bound_as = "oidc client secret"
    client_id: str

    @property
    def parent(self) -> str:
        return self.client_id

    def __repr__(self) -> str:
        return f"OidcClientSecret({self.id!r})"


class OidcIssuer(OidcNamed, frozen=True, kw_only=True):
    """Who issues tokens to clients."""

    kind = Kind.OIDC_ISSUER
    origin: str = ""  # "https://host:port", nothing after it
    allowed_client_ids: tuple[str, ...] = ()  # "*": of every client
    scopes: tuple[str, ...] = ()  # names

    def takes(self, client_id: str) -> bool:
        return not {"*", client_id}.isdisjoint(self.allowed_client_ids)


class OidcCode(Entity, frozen=True, kw_only=True):
    """Somebody has let a client know who they are, and it has not asked yet; `id` is a digest of the code.

    The code itself is kept by nobody. RFC 6749 §4.1.2.
    """

    kind = Kind.OIDC_CODE
    tenant: str
    client: str  # id of the row
    issuer: str  # name
    entity: str  # id
    bearer: str = ""  # id of the token that it was asked for by, and ends with; "": of one that nothing is kept of
    redirect_uri: str
    nonce: str = field(default="", name="n")
    scopes: tuple[str, ...] = ()
    auth_time: int = 0  # seconds since 1970; 0: nobody has asked
    challenge: str = ""
    method: str = ""  # RFC 7636 §4.3; "": it was asked for without a challenge
    expires_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant

    @property
    def link(self) -> str:
        return self.client

    def is_over(self, now: datetime) -> bool:
        return self.expires_at <= now

    def __repr__(self) -> str:
        return f"OidcCode({self.issuer!r})"


class OidcAccess(Struct, frozen=True, array_like=True):
    """What an access token is for: to tell one client, at one issuer, of the token's entity."""

    issuer: str  # name
    client_id: str
    scopes: tuple[str, ...] = ()
