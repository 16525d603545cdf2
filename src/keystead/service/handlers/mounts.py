"""Mounts of a tenant: an engine, its settings, and the keyring that it keeps its keys or secrets in."""

from __future__ import annotations

import re
from uuid import UUID

from keystead.core import operations as ops
from keystead.core.entities import Binding, Entity, Keyring, Mount
from keystead.core.errors import AlreadyExists, InvalidArgument
from keystead.core.mounts import MountTable, address, path_of
from keystead.service.handlers.principals import new_id
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

PATH = re.compile(r"[A-Za-z0-9_.@-]+(?:/[A-Za-z0-9_.@-]+)*")
MAX_PATH, MAX_MOUNTS = 128, 1000
TRANSIT = "transit"


def table_of(tenant: HeldTenant) -> MountTable:
    return MountTable(tenant.id, tenant.mounts())


def enable_mount(op: ops.EnableMount, targets: tuple[HeldTenant], act: Act) -> Outcome[Mount]:
    (tenant,) = targets
    if PATH.fullmatch(op.path) is None or len(op.path) > MAX_PATH:
        raise InvalidArgument("a mount's path has letters, digits and _.@- between single slashes", "path")
    if (taken := table_of(tenant).in_the_way(op.path)) is not None:
        raise AlreadyExists(f"path is already in use at {taken}/", "path")
    place, made = address(tenant.id, op.path), []
    ring = Keyring(id=new_id(act.entropy), tenant=tenant.id, name=op.path, created_at=act.now) if op.keeps else None
    if ring is not None:
        made = [ring, Binding(id=place, keyring=ring.id, created_at=act.now)]
    mount = Mount(
        id=place,
        tenant=tenant.id,
        engine=op.engine,
        accessor=f"{'auth_' if op.path.startswith('auth/') else ''}{op.engine}_{act.entropy(4).hex()}",
        uuid=str(UUID(bytes=act.entropy(16), version=4)),
        keyring="" if ring is None else ring.id,
        description=op.description,
        options=dict(op.options),
        default_lease_for=op.default_lease_for,
        max_lease_for=op.max_lease_for,
        listing=op.listing,
        created_at=act.now,
    )
    put: tuple[Entity, ...] = (mount, *made, tenant.record)  # of two that are in each other's way one comes second
    return Outcome(answer=mount, put=put, made=place)


def mount_of(tenant: HeldTenant, ring: Keyring, place: str, act: Act) -> Mount:
    """A transit engine at the address `place`, over a keyring that is there already. Raises AlreadyExists."""
    path = place.split(":", 2)[2]
    if PATH.fullmatch(path) is None or len(path) > MAX_PATH:
        raise InvalidArgument("a mount's path has letters, digits and _.@- between single slashes", "namespace")
    if (taken := table_of(tenant).in_the_way(path)) is not None:
        raise AlreadyExists(f"path is already in use at {taken}/", "namespace")
    return Mount(
        id=place,
        tenant=tenant.id,
        engine=TRANSIT,
        accessor=f"{TRANSIT}_{act.entropy(4).hex()}",
        uuid=str(UUID(bytes=act.entropy(16), version=4)),
        keyring=ring.id,
        created_at=act.now,
    )


def list_mounts(_op: ops.ListMounts, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[Mount, ...]]:
    return Outcome(answer=tuple(sorted(table_of(targets[0]).mounts, key=path_of)))


HANDLERS: dict[type, Handler] = {
    ops.EnableMount: enable_mount,
    ops.ListMounts: list_mounts,
}
