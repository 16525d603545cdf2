"""Grants: made, listed, retired, revoked."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Grant
from keystead.core.operations.base import KeyOperation, Nothing, Page, TenantOperation


class Granted(Struct, frozen=True):
    grant: Grant
    token: str


class CreateGrant(KeyOperation[Granted], frozen=True, kw_only=True):
    action = Action.CREATE_GRANT
    changes = True
    grantee: str  # as the dialect writes principals; resolved by the handler's Act
    retiree: str | None = None
    actions: tuple[Action, ...]
    context_equals: Mapping[str, str] | None = None
    context_subset: Mapping[str, str] | None = None
    name: str | None = None


class ListGrants(KeyOperation[Page[Grant]], frozen=True, kw_only=True):
    action = Action.LIST_GRANTS
    grant_id: str | None = None
    grantee: str | None = None
    after: str = ""
    limit: int


class PlacedGrant(Struct, frozen=True):
    """A grant, and the address of its key in the dialect and at the place that were asked about."""

    grant: Grant
    namespace: str


class ListRetirableGrants(TenantOperation[Page[PlacedGrant]], frozen=True, kw_only=True):
    """Grants on any tenant's keys at the place of `namespace`."""

    action = Action.LIST_RETIRABLE_GRANTS
    retiree: str
    namespace: str
    after: str = ""
    limit: int


class RetireGrant(KeyOperation[Nothing], frozen=True, kw_only=True):
    """By the grant's retiring principal, its grantee where the grant lets it, or the key's own tenant."""

    action = Action.RETIRE_GRANT
    changes = True
    grant_id: str


class RevokeGrant(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.REVOKE_GRANT
    changes = True
    grant_id: str
