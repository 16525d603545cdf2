"""Mounts: engines at paths, as Vault's sys/mounts and sys/auth have them. A path has no slash at its ends."""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core.actions import Action
from keystead.core.entities import Mount
from keystead.core.operations.base import Nothing, TenantOperation


class EnableMount(TenantOperation[Mount], frozen=True, kw_only=True):
    """Raises AlreadyExists (detail: the path in the way)."""

    action = Action.ENABLE_MOUNT
    changes = True
    path: str  # "auth/…" for an engine that logs in
    engine: str
    keeps: bool  # keys or secrets, and so has a keyring
    description: str = ""
    options: Mapping[str, str] = {}
    default_lease_for: int = 0
    max_lease_for: int = 0
    listing: str = ""
    made_as: str = "default-service"
    managed_keys: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    lists: Mapping[str, tuple[str, ...]] = {}


class ListMounts(TenantOperation[tuple[Mount, ...]], frozen=True, kw_only=True):
    """All of them, those that every tenant has too."""

    action = Action.LIST_MOUNTS


class ListReachableMounts(TenantOperation[tuple[Mount, ...]], frozen=True, kw_only=True):
    """Those below which the caller may do anything."""

    action = Action.LIST_REACHABLE_MOUNTS


class ReadMount(TenantOperation[Mount], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_MOUNT
    path: str


class TuneMount(TenantOperation[Mount], frozen=True, kw_only=True):
    """None: as it is. Raises NotFound, InvalidArgument."""

    action = Action.TUNE_MOUNT
    changes = True
    path: str
    description: str | None = None
    options: Mapping[str, str] | None = None
    default_lease_for: int | None = None
    max_lease_for: int | None = None
    listing: str | None = None
    made_as: str | None = None
    managed_keys: tuple[str, ...] | None = None
    lists: Mapping[str, tuple[str, ...]] = {}  # those that are named; an empty one is none


class MoveMount(TenantOperation[Mount], frozen=True, kw_only=True):
    """With every name of its keys. Raises NotFound, AlreadyExists, InvalidArgument."""

    action = Action.MOVE_MOUNT
    changes = True
    path: str
    to: str


class DisableMount(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Every key in it is destroyed, unless its keyring stands at another address too: then it leaves this one only.

    One that is not there is gone already. Raises InvalidArgument for one that every tenant has.
    """

    action = Action.DISABLE_MOUNT
    changes = True
    path: str
