"""Keyrings of an installation, the doors' addresses bound to them, and what the installation says of itself."""

from __future__ import annotations

import re

from keystead.core import operations as ops
from keystead.core.entities import Binding, Entity, Key, Keyring, PrincipalKind, Tenant
from keystead.core.errors import AlreadyExists, InvalidArgument, NotFound
from keystead.core.identifiers import new_id
from keystead.core.naming import PATHS
from keystead.core.operations import BoundKeyring, Located, Nothing, Page
from keystead.service.handlers.keys import paged, walk
from keystead.service.handlers.mounts import mount_of
from keystead.service.handlers.principals import new_principal
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.related import lasting

TENANT = re.compile(r"[0-9]{12}")
ADDRESS = re.compile(r"[a-z0-9_-]{1,32}:[0-9]{12}:[A-Za-z0-9_./-]{1,128}")
MAX_NAME = 128
ROOT = "root"


def create_keyring(op: ops.CreateKeyring, targets: tuple[HeldSystem], act: Act) -> Outcome[Keyring]:
    """A tenant that is named for the first time begins with it. Raises AlreadyExists for an address that is taken."""
    (system,) = targets
    if not 1 <= len(op.name) <= MAX_NAME or not op.name.isprintable():
        raise InvalidArgument(f"a keyring's name has 1 to {MAX_NAME} printable characters", "name")
    tenant = system.tenant_record(op.tenant)
    begun: tuple[Entity, ...] = () if tenant else new_tenant(system, op.tenant, act)
    ring = Keyring(id=new_id(act.entropy), tenant=op.tenant, name=op.name, created_at=act.now)
    bound = tuple(binding(system, ring, namespace, act) for namespace in dict.fromkeys(op.namespaces))
    put = (*begun, ring, *bound, *((tenant,) if tenant else ()))  # it may be a namespace's, that ends meanwhile
    return Outcome(answer=ring, put=put, made=ring.id)


def new_tenant(system: HeldSystem, id: str, act: Act) -> tuple[Entity, ...]:
    """The tenant and its root principal."""
    if TENANT.fullmatch(id) is None:
        raise InvalidArgument("a tenant's id is twelve digits", "tenant")
    tenant = Tenant(id=id, name=id, created_at=act.now)
    held = system.tenant_of(tenant)
    return tenant, new_principal(held, PrincipalKind.ROOT, ROOT, act.now, act.entropy)


def binding(system: HeldSystem, ring: Keyring, namespace: str, act: Act) -> Binding:
    """An address names the tenant whose keys answer there, so it cannot be given to another one's."""
    if ADDRESS.fullmatch(namespace) is None or namespace.split(":")[1] != ring.tenant:
        raise InvalidArgument(f"{namespace!r} is no address of tenant {ring.tenant}", "namespace")
    if system.binding(namespace) is not None:
        raise AlreadyExists("the address is bound", "namespace")
    return Binding(id=namespace, keyring=ring.id, created_at=act.now)


def bind_keyring(op: ops.BindKeyring, targets: tuple[HeldSystem], act: Act) -> Outcome[Nothing]:
    (system,) = targets
    ring = system.keyring(op.keyring)
    bound = binding(system, ring, op.namespace, act)
    return Outcome(answer=Nothing(), put=(ring, bound, *_mounted(system, ring, op.namespace, act)))


def _mounted(system: HeldSystem, ring: Keyring, namespace: str, act: Act) -> tuple[Entity, ...]:
    """What an address in a tree of paths is beside a binding: the place of an engine there."""
    record = system.tenant_record(ring.tenant)
    if not namespace.startswith(PATHS) or record is None:
        return ()
    return mount_of(system.tenant_of(record), ring, namespace, act), record


def list_keyrings(op: ops.ListKeyrings, targets: tuple[HeldSystem], _act: Act) -> Outcome[Page[BoundKeyring]]:
    (system,) = targets
    found = walk(lambda after, limit: system.keyrings(after=after, limit=limit), op.after, op.limit)
    page = paged(found, op.limit)
    bound = tuple(BoundKeyring(ring, system.addresses(ring)) for ring in page.items)
    return Outcome(answer=Page(bound, page.after))


def locate_key(op: ops.LocateKey, targets: tuple[HeldSystem], _act: Act) -> Outcome[Located]:
    (system,) = targets
    key = system.barrier.get(Key, op.key_id)
    keys = system.barrier.linked(Key, op.key_id) if key is None else [key]
    if not keys:
        raise NotFound("no such key", "key_id")
    rings = dict.fromkeys(key.keyring for key in lasting(keys) or keys)
    return Outcome(answer=Located(tuple(at for ring in rings for at in system.addresses(system.keyring(ring)))))


def read_status(_op: ops.ReadStatus, targets: tuple[HeldSystem], act: Act) -> Outcome[ops.Status]:
    (system,) = targets
    barrier = system.barrier
    status = ops.Status(at=act.now, epoch=barrier.epoch, n_keys=barrier.count(Key), n_commits=barrier.n_commits)
    return Outcome(answer=status)


HANDLERS: dict[type, Handler] = {
    ops.CreateKeyring: create_keyring,
    ops.BindKeyring: bind_keyring,
    ops.ListKeyrings: list_keyrings,
    ops.LocateKey: locate_key,
    ops.ReadStatus: read_status,
}
