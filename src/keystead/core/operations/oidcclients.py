"""Applications that people log in to, and the issuers that they come to: Vault's "OIDC identity provider".

Every name is one of the tenant's. None of an optional member: as it was, or as usual.
"""

from __future__ import annotations

from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import OidcAssignment, OidcClient, OidcIssuer, OidcScope
from keystead.core.operations.base import Nothing, R, TenantOperation
from keystead.core.operations.oidc import Draft, NamedOidc, PublishedKey
from keystead.core.sensitive import Sensitive

EVERYBODY = "allow_all"
"""An assignment that every tenant has, of whoever there is."""
DEFAULT_ISSUER = "default"
"""An issuer that every tenant has, for every client."""

# --- assignments


class WriteOidcAssignment(NamedOidc[OidcAssignment], frozen=True, kw_only=True):
    """Raises InvalidArgument in Vault's words."""

    action = Action.WRITE_OIDC_ASSIGNMENT
    changes = True
    entity_ids: tuple[str, ...] | None = None
    group_ids: tuple[str, ...] | None = None


class ReadOidcAssignment(NamedOidc[OidcAssignment], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_OIDC_ASSIGNMENT


class ListOidcAssignments(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    action = Action.LIST_OIDC_ASSIGNMENTS


class DeleteOidcAssignment(NamedOidc[Nothing], frozen=True, kw_only=True):
    """One that is not there is gone already. Raises InvalidArgument while a client has it."""

    action = Action.DELETE_OIDC_ASSIGNMENT
    changes = True


# --- scopes


class WriteOidcScope(NamedOidc[OidcScope], frozen=True, kw_only=True):
    """Raises InvalidArgument in Vault's words."""

    action = Action.WRITE_OIDC_SCOPE
    changes = True
    template: str | None = None
    description: str | None = None


class ReadOidcScope(NamedOidc[OidcScope], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_OIDC_SCOPE


class ListOidcScopes(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    action = Action.LIST_OIDC_SCOPES


class DeleteOidcScope(NamedOidc[Nothing], frozen=True, kw_only=True):
    """One that is not there is gone already. Raises InvalidArgument while an issuer has it."""

    action = Action.DELETE_OIDC_SCOPE
    changes = True


# --- clients


class WriteOidcClient(NamedOidc[OidcClient], frozen=True, kw_only=True):
    """A new one gets its id, and its secret unless it is public. Raises InvalidArgument in Vault's words."""

    action = Action.WRITE_OIDC_CLIENT
    changes = True
    redirect_uris: tuple[str, ...] | None = None
    assignments: tuple[str, ...] | None = None
    key: str | None = None
    id_token_ttl: int | None = None  # seconds
    access_token_ttl: int | None = None  # seconds
    client_type: str | None = None
    authorization_code: bool | None = None
    client_credentials: bool | None = None


class ShownOidcClient(Struct, frozen=True):
    """`secret`: None of a public one."""

    client: OidcClient
    secret: Sensitive | None


class ReadOidcClient(NamedOidc[ShownOidcClient], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_OIDC_CLIENT


class ListOidcClients(TenantOperation[tuple[OidcClient, ...]], frozen=True, kw_only=True):
    action = Action.LIST_OIDC_CLIENTS


class DeleteOidcClient(NamedOidc[Nothing], frozen=True, kw_only=True):
    """Its secret is destroyed, and whatever it was given is good for nothing. One that is not there is gone already."""

    action = Action.DELETE_OIDC_CLIENT
    changes = True


# --- issuers


class OidcClash(Struct, frozen=True):
    """Two scopes that tell something under one name."""

    claim: str
    scope: str
    other: str


class WrittenOidcIssuer(Struct, frozen=True):
    issuer: OidcIssuer
    clashes: tuple[OidcClash, ...] = ()


class ShownOidcIssuer(Struct, frozen=True):
    """`url`: what it is called in its tokens."""

    issuer: OidcIssuer
    url: str


class WriteOidcIssuer(NamedOidc[WrittenOidcIssuer], frozen=True, kw_only=True):
    """`origin`: "https://host:port" and no more. Raises InvalidArgument in Vault's words."""

    action = Action.WRITE_OIDC_ISSUER
    changes = True
    origin: str | None = None
    allowed_client_ids: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None


class ReadOidcIssuer(NamedOidc[ShownOidcIssuer], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_OIDC_ISSUER


class ListOidcIssuers(TenantOperation[tuple[ShownOidcIssuer, ...]], frozen=True, kw_only=True):
    """Those that take that client; "": all of them."""

    action = Action.LIST_OIDC_ISSUERS
    client_id: str = ""


class DeleteOidcIssuer(NamedOidc[Nothing], frozen=True, kw_only=True):
    """One that is not there is gone already. Raises InvalidArgument for the one that is always there."""

    action = Action.DELETE_OIDC_ISSUER
    changes = True


class PublishedIssuer(Struct, frozen=True):
    """What its clients have to know."""

    url: str
    scopes: tuple[str, ...]
    keys: tuple[PublishedKey, ...]


class PublishOidcIssuer(NamedOidc[PublishedIssuer], frozen=True, kw_only=True):
    """The keys are those of its clients; without `with_keys` it costs a stranger's request less. Raises NotFound."""

    action = Action.PUBLISH_OIDC_ISSUER
    with_keys: bool = True


# --- what clients and people come with


class OidcRefusal(Struct, frozen=True):
    """Why nothing came of it: a code of RFC 6749 §4.1.2.1, §5.2, or of RFC 6750 §3.1, or Vault's own, and words."""

    code: str
    words: str
    without_state: bool = False  # of a request that could not be read


class OfOidcIssuer(NamedOidc[R], Generic[R], frozen=True, kw_only=True):
    """Asked at the issuer of that name. What is wrong with it is an answer, and on record by its code."""


class AuthorizeOidcClient(OfOidcIssuer[Sensitive | OidcRefusal], frozen=True, kw_only=True):
    """The caller's entity lets a client know who it is: by the code that is answered, once, within five minutes.

    OpenID Connect Core 1.0 §3.1.2.1; RFC 7636 §4.3. None: the request does not say.
    """

    action = Action.AUTHORIZE_OIDC_CLIENT
    changes = True
    client_id: str
    redirect_uri: str
    scope: str
    response_type: str
    nonce: str = ""
    max_age: int | None = None  # seconds
    challenge: str | None = None
    method: str = ""
    request: bool = False  # it has parameters that are not offered: OpenID Connect Core 1.0 §6
    request_uri: bool = False


class ClientDraft(Draft, frozen=True, kw_only=True):
    """With what a client is answered beside it."""

    ttl: int  # seconds, of the access token
    access_token: Sensitive | None = None  # None: the token that is signed is the access token


class RedeemOidcCode(OfOidcIssuer[ClientDraft | OidcRefusal], frozen=True, kw_only=True):
    """A code becomes what it stands for, for the client that is the caller; nothing makes it good again.

    OpenID Connect Core 1.0 §3.1.3; RFC 7636 §4.6.
    """

    action = Action.REDEEM_OIDC_CODE
    changes = True
    code: Sensitive
    redirect_uri: str
    verifier: Sensitive


class DraftClientToken(OfOidcIssuer[ClientDraft | OidcRefusal], frozen=True, kw_only=True):
    """A token of the client itself, which is the caller. RFC 6749 §4.4; OpenBao's own."""

    action = Action.DRAFT_CLIENT_TOKEN
    scope: str


class ToldOfUser(Struct, frozen=True):
    """OpenID Connect Core 1.0 §5.3.2."""

    claims: dict[str, object]


class TellOfUser(OfOidcIssuer[ToldOfUser | OidcRefusal], frozen=True, kw_only=True):
    """What the bearer of an access token may know of its entity, today."""

    action = Action.TELL_OF_USER
    as_bearer: bool  # it came so: RFC 6750 §2.1
