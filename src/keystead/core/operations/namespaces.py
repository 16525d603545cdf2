"""Namespaces: tenants below a tenant, as Vault's sys/namespaces has them. `name` is one segment, `path` several."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Lineage, Namespace
from keystead.core.operations.base import Nothing, TenantOperation
from keystead.core.sensitive import Sensitive


class ToldNamespace(Struct, frozen=True):
    """A namespace with all that it stands below, from the root's child on."""

    chain: Lineage
    is_locked: bool  # it, or one above it

    @property
    def namespace(self) -> Namespace:
        return self.chain[-1]


class CreateNamespace(TenantOperation[ToldNamespace], frozen=True, kw_only=True):
    """Below the tenant. Of one that is there already the metadata is put. Raises InvalidArgument, LimitExceeded."""

    action = Action.CREATE_NAMESPACE
    changes = True
    name: str
    custom: Mapping[str, str] = {}


class ReadNamespace(TenantOperation[ToldNamespace], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_NAMESPACE
    name: str


class ListNamespaces(TenantOperation[tuple[ToldNamespace, ...]], frozen=True, kw_only=True):
    """The tenant's children by name; with theirs, where `deep`."""

    action = Action.LIST_NAMESPACES
    deep: bool = False


class ListReachableNamespaces(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    """Names of the children below which the caller may do anything."""

    action = Action.LIST_REACHABLE_NAMESPACES


class PatchNamespace(TenantOperation[ToldNamespace], frozen=True, kw_only=True):
    """`custom`: by name; None takes a name away. None for all of it leaves none. Raises NotFound."""

    action = Action.PATCH_NAMESPACE
    changes = True
    name: str
    custom: Mapping[str, str | None] | None


class EndNamespace(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Nobody comes into it any more, and what is in it goes: ClearNamespace. Raises NotFound, WrongState (children)."""

    action = Action.END_NAMESPACE
    changes = True
    name: str


class Cleared(Struct, frozen=True):
    """`after`: where the next step goes on; None: everything is gone, the namespace too."""

    after: str | None


class ClearNamespace(TenantOperation[Cleared], frozen=True, kw_only=True):
    """One step of taking away all that an ended namespace has. Raises NotFound, WrongState (it has not ended)."""

    action = Action.CLEAR_NAMESPACE
    changes = True
    name: str
    after: str = ""


class LockNamespace(TenantOperation[Sensitive], frozen=True, kw_only=True):
    """The key that opens it again. `path`: from the tenant; "" is the tenant itself. Raises NotFound, WrongState."""

    action = Action.LOCK_NAMESPACE
    changes = True
    path: str = ""


class UnlockNamespace(TenantOperation[bool], frozen=True, kw_only=True):
    """Whether it was opened without its key, by right of sudo. Raises NotFound, WrongState, InvalidArgument."""

    action = Action.UNLOCK_NAMESPACE
    changes = True
    path: str = ""
    key: Sensitive | None = None
