"""Tokens of identity: what an OpenID Connect issuer says of the entity that a token belongs to.

The keys that sign them are keys of a keyring of the tenant's, at IDENTITY, and are used like any other.
"""

from __future__ import annotations

from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import OidcKey, OidcRole, OidcSettings
from keystead.core.operations.base import KeyRef, Nothing, R, TenantOperation
from keystead.core.sensitive import Sensitive

DEFAULT_KEY = "default"
"""A key that every tenant has; it is made when it is first needed."""


def identity_address(tenant: str) -> str:
    """Where the keyring of these keys stands."""
    return f"vault:{tenant}:identity"


class WriteOidcSettings(TenantOperation[OidcSettings], frozen=True, kw_only=True):
    """Raises InvalidArgument for what is more, or less, than "https://host:port"."""

    action = Action.WRITE_OIDC_SETTINGS
    changes = True
    issuer: str


class ReadOidcSettings(TenantOperation[OidcSettings], frozen=True, kw_only=True):
    action = Action.READ_OIDC_SETTINGS


class NamedOidc(TenantOperation[R], Generic[R], frozen=True, kw_only=True):
    name: str


class WriteOidcKey(NamedOidc[OidcKey], frozen=True, kw_only=True):
    """None: as it was, or as usual. Another algorithm makes another key. Raises InvalidArgument in Vault's words."""

    action = Action.WRITE_OIDC_KEY
    changes = True
    algorithm: str | None = None
    rotation_period: int | None = None  # seconds
    verification_ttl: int | None = None  # seconds
    allowed_client_ids: tuple[str, ...] | None = None


class ReadOidcKey(NamedOidc[OidcKey], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_OIDC_KEY


class ListOidcKeys(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    action = Action.LIST_OIDC_KEYS


class RotateOidcKey(NamedOidc[Nothing], frozen=True, kw_only=True):
    """The version that waits signs from now on. `verification_ttl`: of the one before it; None: as the key has it.

    Raises InvalidArgument.
    """

    action = Action.ROTATE_OIDC_KEY
    changes = True
    verification_ttl: int | None = None


class DeleteOidcKey(NamedOidc[Nothing], frozen=True, kw_only=True):
    """And destroy it. One that is not there is gone already. Raises InvalidArgument while a role names it."""

    action = Action.DELETE_OIDC_KEY
    changes = True


class WriteOidcRole(NamedOidc[OidcRole], frozen=True, kw_only=True):
    """None: as it was, or as usual. Raises InvalidArgument in Vault's words."""

    action = Action.WRITE_OIDC_ROLE
    changes = True
    key: str | None = None
    template: str | None = None
    ttl: int | None = None  # seconds
    client_id: str | None = None


class ReadOidcRole(NamedOidc[OidcRole], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_OIDC_ROLE


class ListOidcRoles(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    action = Action.LIST_OIDC_ROLES


class DeleteOidcRole(NamedOidc[Nothing], frozen=True, kw_only=True):
    """One that is not there is gone already."""

    action = Action.DELETE_OIDC_ROLE
    changes = True


class Draft(Struct, frozen=True, kw_only=True):
    """A token that is to be signed: by that version of that key, which verifiers know as `kid`."""

    payload: bytes  # JSON
    key: KeyRef
    version: int
    kid: str
    algorithm: str  # RFC 7518


class RoleDraft(Draft, frozen=True, kw_only=True):
    role: OidcRole


class DraftIdToken(NamedOidc[RoleDraft], frozen=True, kw_only=True):
    """What the role's token says of the caller's entity. Raises InvalidArgument in Vault's words."""

    action = Action.DRAFT_ID_TOKEN


class Introspected(Struct, frozen=True):
    """`error`: why the token is not good; "" where it is."""

    error: str = ""


class IntrospectIdToken(TenantOperation[Introspected], frozen=True, kw_only=True):
    """Whether a token is one of ours, good now and for `client_id`, and its entity may come in."""

    action = Action.INTROSPECT_ID_TOKEN
    token: Sensitive
    client_id: str = ""


class PublishedKey(Struct, frozen=True):
    kid: str
    algorithm: str  # RFC 7518
    public_key: bytes  # DER SubjectPublicKeyInfo


class Published(Struct, frozen=True):
    """What verifiers have to know. `issuer`: with its path."""

    issuer: str
    keys: tuple[PublishedKey, ...]


class PublishOidc(TenantOperation[Published], frozen=True, kw_only=True):
    """`with_keys`: else the issuer alone, which costs a stranger's request less."""

    action = Action.PUBLISH_OIDC
    with_keys: bool = True
