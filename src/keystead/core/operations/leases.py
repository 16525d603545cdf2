"""Leases: what ends by itself at a time, by the path of the request that made it and an id.

Of tokens: "<path>/h<accessor>", as Vault has a lease for each that ends. Batch tokens have none.
"""

from __future__ import annotations

from keystead.core.actions import Action
from keystead.core.entities import Token
from keystead.core.operations.base import Nothing, TenantOperation


class ReadLease(TenantOperation[Token], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_LEASE
    id: str


class ListLeases(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    """What stands right below `prefix` ("" or with its slash): "h…", or the next part of a path with a slash."""

    action = Action.LIST_LEASES
    prefix: str


class RevokeLease(TenantOperation[Nothing], frozen=True, kw_only=True):
    """What it is the lease of, with all that was made with it. One that is not there is over."""

    action = Action.REVOKE_LEASE
    changes = True
    id: str


class RevokeLeases(TenantOperation[int], frozen=True, kw_only=True):
    """All below `prefix`, some at a time; how many went."""

    action = Action.REVOKE_LEASES
    changes = True
    prefix: str
