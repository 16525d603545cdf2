"""Mounts: engines at paths, as Vault's sys/mounts and sys/auth have them."""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core.actions import Action
from keystead.core.entities import Mount
from keystead.core.operations.base import TenantOperation


class EnableMount(TenantOperation[Mount], frozen=True, kw_only=True):
    """Raises AlreadyExists (detail: the path in the way)."""

    action = Action.ENABLE_MOUNT
    changes = True
    path: str  # without slashes at its ends; "auth/…" for an engine that logs in
    engine: str
    keeps: bool  # keys or secrets, and so has a keyring
    description: str = ""
    options: Mapping[str, str] = {}
    default_lease_for: int = 0
    max_lease_for: int = 0
    listing: str = ""


class ListMounts(TenantOperation[tuple[Mount, ...]], frozen=True, kw_only=True):
    """All of them, those that every tenant has too."""

    action = Action.LIST_MOUNTS
