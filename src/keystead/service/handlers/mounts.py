"""Mounts of a tenant: an engine, its settings, and the keyring that it keeps its keys or secrets in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Binding, Entity, Key, Keyring, KeyVersion, Mount, Name, Wrapped
from keystead.core.errors import AlreadyExists, Conflict, InvalidArgument, NotFound
from keystead.core.identifiers import new_id
from keystead.core.mounts import TUNED, MountTable, address, built_in, path_of
from keystead.core.operations import Nothing
from keystead.core.policy.paths import acl_of
from keystead.core.states import Event, KeyState
from keystead.service.handlers.material import erased
from keystead.service.handlers.tokens import ended, tree
from keystead.service.held import HeldKeyring, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.reach import PAGE

PATH = re.compile(r"[A-Za-z0-9_.@-]+(?:/[A-Za-z0-9_.@-]+)*")
MAX_PATH = 128
MAX_NAMES, MAX_LISTS = 64, 4096
TRANSIT, HSM = "transit", "hsm"
VERSION = "version"  # an option of kv
E = TypeVar("E", bound=Entity)


def table_of(tenant: HeldTenant) -> MountTable:
    return MountTable(tenant.id, tenant.mounts())


def enable_mount(op: ops.EnableMount, targets: tuple[HeldTenant], act: Act) -> Outcome[Mount]:
    (tenant,) = targets
    if op.max_lease_for and op.default_lease_for > op.max_lease_for:
        raise InvalidArgument("given default lease TTL greater than given max lease TTL", "default_lease_ttl")
    _check_free(tenant, op.path)
    place, made = address(tenant.id, op.path), []
    ring = None
    if op.keeps:
        hsm = _hsm(op, act)
        ring = Keyring(id=new_id(act.entropy), tenant=tenant.id, name=op.path, created_at=act.now, hsm=hsm)
    if ring is not None:
        made = [ring, Binding(id=place, keyring=ring.id, created_at=act.now)]
    mount = Mount(
        id=place,
        tenant=tenant.id,
        engine=op.engine,
        accessor=f"{'auth_' if op.path.startswith('auth/') else ''}{op.engine}_{act.entropy(4).hex()}",
        uuid=new_id(act.entropy),
        keyring="" if ring is None else ring.id,
        description=op.description,
        options=dict(op.options),
        default_lease_for=op.default_lease_for,
        max_lease_for=op.max_lease_for,
        listing=op.listing,
        made_as=op.made_as,
        managed_keys=op.managed_keys,
        marks=op.marks,
        lists=_named(op.lists),
        created_at=act.now,
    )
    put: tuple[Entity, ...] = (mount, *made, tenant.record)  # of two that are in each other's way one comes second
    return Outcome(answer=mount, put=put, made=place)


def _named(lists: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Those that have something in them. Raises InvalidArgument for what is not to be kept with every mount."""
    if sum(len(name) for names in lists.values() for name in names) > MAX_LISTS or any(
        len(names) > MAX_NAMES for names in lists.values()
    ):
        raise InvalidArgument(f"a mount keeps {MAX_NAMES} names in a list, and {MAX_LISTS} characters in all", "config")
    return {name: names for name, names in lists.items() if names}


def _hsm(op: ops.EnableMount, act: Act) -> str:
    """Where the keys of a transit mount are to be held, by its option "hsm", for life. Raises InvalidArgument."""
    wanted = op.options.get(HSM, "") if op.engine == TRANSIT else ""
    if wanted and wanted not in act.hsms.names:
        raise InvalidArgument(f"no HSM {wanted!r} is configured", HSM)
    return wanted


def mount_of(tenant: HeldTenant, ring: Keyring, place: str, act: Act) -> Mount:
    """A transit engine at the address `place`, over a keyring that is there already. Raises AlreadyExists."""
    _check_free(tenant, place.split(":", 2)[2])
    return Mount(
        id=place,
        tenant=tenant.id,
        engine=TRANSIT,
        accessor=f"{TRANSIT}_{act.entropy(4).hex()}",
        uuid=new_id(act.entropy),
        keyring=ring.id,
        created_at=act.now,
    )


def _check_free(tenant: HeldTenant, path: str, but: str = "") -> None:
    """Raise for what is no path of a mount, and for one that another than `but` is in the way of."""
    if PATH.fullmatch(path) is None or len(path) > MAX_PATH:
        raise InvalidArgument("a mount's path has letters, digits and _.@- between single slashes", "path")
    head = path.partition("/")[0]
    if head != "auth" and tenant.space_named(head) is not None:
        raise AlreadyExists(f"existing mount at {head}/", "path")
    taken = table_of(tenant).in_the_way(path)
    if taken is not None and (taken != but or path == but):
        raise AlreadyExists(f"path is already in use at {taken}/", "path")


def list_mounts(_op: ops.ListMounts, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[Mount, ...]]:
    return Outcome(answer=tuple(sorted(table_of(targets[0]).mounts, key=path_of)))


def list_reachable_mounts(
    _op: ops.ListReachableMounts, targets: tuple[HeldTenant], act: Act
) -> Outcome[tuple[Mount, ...]]:
    acl = acl_of(act.caller.rights.policies, act.now)
    found = (one for one in table_of(targets[0]).mounts if acl.reaches(f"{act.caller.below}{path_of(one)}/"))
    return Outcome(answer=tuple(sorted(found, key=path_of)))


def read_mount(op: ops.ReadMount, targets: tuple[HeldTenant], _act: Act) -> Outcome[Mount]:
    return Outcome(answer=_at(targets[0], op.path))


def _at(tenant: HeldTenant, path: str) -> Mount:
    if (found := table_of(tenant).at(path)) is None:
        raise NotFound("no such mount", "path")
    return found


def _own(tenant: HeldTenant, path: str, words: str) -> Mount:
    """One that is kept: not of those that every tenant has."""
    found = _at(tenant, path)
    if any(found.id == one.id for one in built_in(tenant.id)):
        raise InvalidArgument(words, "path")
    return found


def tune_mount(op: ops.TuneMount, targets: tuple[HeldTenant], _act: Act) -> Outcome[Mount]:
    (tenant,) = targets
    mount = _at(tenant, TUNED) if op.path == TUNED else _own(tenant, op.path, f'cannot tune "{op.path}/"')
    default = mount.default_lease_for if op.default_lease_for is None else op.default_lease_for
    most = mount.max_lease_for if op.max_lease_for is None else op.max_lease_for
    if most and default > most:
        raise InvalidArgument(
            f"backend max lease TTL of {most} would be less than backend default lease TTL of {default}",
            "max_lease_ttl",
        )
    if mount.engine == TRANSIT and (op.options or {}).get(HSM, mount.options.get(HSM, "")) != mount.options.get(
        HSM, ""
    ):
        raise InvalidArgument("where a mount's keys are held is settled when it is enabled", HSM)
    tuned = replace(
        mount,
        description=mount.description if op.description is None else op.description,
        options=_options(mount.options, op.options or {}),
        default_lease_for=default,
        max_lease_for=most,
        listing=mount.listing if op.listing is None else op.listing,
        made_as=mount.made_as if op.made_as is None else op.made_as,
        managed_keys=mount.managed_keys if op.managed_keys is None else op.managed_keys,
        lists=_named({**mount.lists, **op.lists}),
    )
    return Outcome(answer=tuned, put=(tuned,))


def _options(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """As they are to be: one that is said to be empty goes, and a version only goes up. Raises InvalidArgument."""
    if (version := given.get(VERSION)) is not None:
        had, wanted = _number(before.get(VERSION, "")), _number(version)
        if wanted not in {1, 2}:
            raise InvalidArgument(f"invalid version provided: {wanted}", VERSION)
        if had > wanted:
            raise InvalidArgument(f"cannot downgrade mount from version {had}", VERSION)
    return {name: value for name, value in {**before, **given}.items() if value or name == VERSION}


def _number(version: str) -> int:
    """0 of none. Raises InvalidArgument."""
    if not version:
        return 0
    if not version.isdecimal() or not version.isascii():
        words = f'unable to parse options: strconv.ParseInt: parsing "{version}": invalid syntax'
        raise InvalidArgument(words, VERSION)
    return int(version[:20])


def move_mount(op: ops.MoveMount, targets: tuple[HeldTenant], _act: Act) -> Outcome[Mount]:
    """Addresses are ids, so what stands at one is made anew at the other, in one commit."""
    (tenant,) = targets
    mount = _own(tenant, op.path, f'cannot remount "{op.path}/"')
    _check_free(tenant, op.to, but=op.path)
    if op.path.startswith("auth/") is not op.to.startswith("auth/"):
        raise InvalidArgument("cannot remount between auth and secrets mounts", "to")
    place = address(tenant.id, op.to)
    moved = replace(mount, id=place, revision=0)
    put: list[Entity] = [moved, tenant.record]
    gone: list[Entity] = [mount]
    if (ring := tenant.keyring_at(mount)) is not None:
        if (bound := tenant.binding(mount.id)) is not None:
            put += [replace(bound, id=place, revision=0), ring.keyring]
            gone.append(bound)
        named = _names(ring, mount.id)
        put += [replace(name, id=ring.name_id(place, name.name), namespace=place, revision=0) for name in named]
        gone += named
        concerned = {name.key_id for name in named}
        put += [key for key in _keys(ring) if key.id in concerned]
    return Outcome(answer=moved, put=tuple(put), delete=tuple(gone), made=place)


def disable_mount(op: ops.DisableMount, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    """Disabling is for good: no appointment is made, the keys are destroyed now."""
    (tenant,) = targets
    try:
        mount = _own(tenant, op.path, f'cannot unmount "{op.path}/"')
    except NotFound:
        return Outcome(answer=Nothing())
    put: list[Entity] = [tenant.record]
    shown = tenant.shown_by(mount)
    gone: list[Entity] = [mount, *shown, *_of_logins(tenant, mount), *tenant.oidc_logins(mount)]
    gone += tenant.revocation_lists(mount.uuid)
    gone += tenant.waiting_logins(mount)
    destroyed: list[Wrapped] = [*shown]
    if (ring := tenant.keyring_at(mount)) is not None:
        if (bound := tenant.binding(mount.id)) is not None:
            gone.append(bound)
        put.append(ring.keyring)
        named = _names(ring, mount.id)
        gone += named
        alone = set(ring.namespaces) <= {mount.id}
        if alone and ring.secrets.secrets(limit=1):
            raise Conflict("the mount keeps secrets: they go first", "path")  # ops.EmptyKeyring
        concerned = {name.key_id for name in named}
        if alone:
            passwords = _every(lambda after: ring.otp.page(after=after, limit=PAGE))
            gone += passwords
            destroyed += passwords
        for key in _keys(ring):
            if alone and key.lifecycle.state is not KeyState.DESTROYED:
                destroyed += [erased(one, act.now) for one in ring.to_erase(key)]
                put.append(_destroyed(key, act))
                gone += ring.grants(key)
            elif key.id in concerned:
                put.append(key)
    kept = [one for one in destroyed if isinstance(one, KeyVersion)]  # without their material
    return Outcome(answer=Nothing(), put=(*put, *kept), delete=tuple(gone), destroy=tuple(destroyed))


def _of_logins(tenant: HeldTenant, mount: Mount) -> list[Entity]:
    """Who may log in there, whoever has, and what it knows."""
    settings = tenant.login_settings(mount)
    found: list[Entity] = [] if settings is None else [settings]
    for account in tenant.accounts(mount):
        found += [account, *tenant.secret_ids(account)]
    for token in tenant.tokens_of(mount):
        found += [gone for one in tree(tenant, token) for gone in ended(tenant, one)]
    return found


def _destroyed(key: Key, act: Act) -> Key:
    return replace(key, lifecycle=replace(key.lifecycle.after(Event.DESTROY, act.now), destroy_at=None), rotation=None)


def _keys(ring: HeldKeyring) -> list[Key]:
    return _every(lambda after: ring.keys(after=after, limit=PAGE))


def _names(ring: HeldKeyring, place: str) -> list[Name]:
    return [one for one in _every(lambda after: ring.names(after=after, limit=PAGE)) if one.namespace == place]


def _every(page_after: Callable[[str], list[E]]) -> list[E]:
    found: list[E] = []
    while page := page_after(found[-1].id if found else ""):
        found += page
    return found


HANDLERS: dict[type, Handler] = {
    ops.EnableMount: enable_mount,
    ops.ListMounts: list_mounts,
    ops.ListReachableMounts: list_reachable_mounts,
    ops.ReadMount: read_mount,
    ops.TuneMount: tune_mount,
    ops.MoveMount: move_mount,
    ops.DisableMount: disable_mount,
}
