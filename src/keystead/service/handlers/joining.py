"""Whom somebody is who has just logged in: every method that logs in asks join(), and makes its token with the answer.

    whose = join(tenant, mount, "alice", {"team": "x"}, act, groups=("admins",))
    Token(…, entity=whose.id); Outcome(put=(token, *whose.put), delete=whose.delete, seen=whose.seen, …)

Vault documentation, "Identity", "Implicit entities", "External groups". The first login makes the entity.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.entities import Alias, Entity, GroupTie, IdentityGroup, IdentityName, Mount
from keystead.core.errors import Internal, LimitExceeded, Unauthenticated
from keystead.core.identifiers import new_id
from keystead.service.belonging import MAX_GROUPS, policies_of
from keystead.service.handlers.entities import checked_name, named, new_entity
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act

DISABLED = "entity disabled"


class Joined(Struct, frozen=True, kw_only=True):
    """The entity's id, its policies and those of its groups; and what the login's commit has to do for it.

    `name`: the mount knows it by. `ids`: its own, and of all that it has been merged from. `groups`: all that it is in,
    for whoever rests on them.
    """

    id: str
    ids: frozenset[str] = frozenset()
    name: str = ""
    policies: tuple[str, ...] = ()
    groups: tuple[IdentityGroup, ...] = ()
    put: tuple[Entity, ...] = ()
    delete: tuple[Entity, ...] = ()
    seen: tuple[Entity, ...] = ()


NOBODY = Joined(id="")


def join(
    tenant: HeldTenant,
    mount: Mount,
    name: str,
    metadata: Mapping[str, str] | None,
    act: Act,
    *,
    groups: tuple[str, ...] = (),
) -> Joined:
    """Whom the mount knows by that name. `groups`: the names of those that it says they are in.

    Raises Unauthenticated where the entity is disabled; InvalidArgument for a name that none can have.
    """
    known = dict(metadata) if metadata is not None else None
    alias = tenant.alias_at(mount.accessor, checked_name(name))
    if alias is None:
        return _newcomer(tenant, mount, name, known, act, groups)
    if (entity := tenant.entity(alias.holder)) is None:
        raise Internal("an alias is nobody's")
    if entity.disabled:
        raise Unauthenticated("permission denied", DISABLED)
    ties = {tie.group_id: tie for tie in tenant.ties_to(entity)}
    direct = {id_: group for id_ in ties if (group := tenant.group(id_)) is not None}
    said = _external(tenant, mount, groups)
    left = [group for group in direct.values() if group.id not in said and _is_of(tenant, mount, group)]
    entered = [group for group in said.values() if group.id not in direct]
    put: list[Entity] = [*left]
    if alias.metadata != known:
        put.append(replace(alias, metadata=known, updated_at=act.now))
    for group in entered:
        put += [GroupTie.of(group, entity), group]
    now_in = tenant.with_those_above((*(one for one in direct.values() if one not in left), *entered))
    return Joined(
        id=entity.id,
        ids=frozenset({entity.id, *entity.merged_ids}),
        name=name,
        policies=policies_of(entity, now_in),
        groups=now_in,
        put=(*put, entity) if put else (),
        delete=tuple(ties[group.id] for group in left),
        seen=() if put else (entity,),
    )


def _newcomer(
    tenant: HeldTenant, mount: Mount, name: str, metadata: dict[str, str] | None, act: Act, groups: tuple[str, ...]
) -> Joined:
    entity = new_entity(tenant, act.entropy, act.now)
    alias = Alias(
        id=new_id(act.entropy),
        tenant=tenant.id,
        holder=entity.id,
        accessor=mount.accessor,
        name=name,
        metadata=metadata,
        created_at=act.now,
        updated_at=act.now,
    )
    rows, _ = named(tenant, entity, "")
    said = _external(tenant, mount, groups).values()
    row = IdentityName(id=tenant.alias_name_id(mount.accessor, name, of_group=False), means=alias.id)
    now_in = tenant.with_those_above(said)
    return Joined(
        id=entity.id,
        ids=frozenset({entity.id, *entity.merged_ids}),
        name=name,
        policies=policies_of(entity, now_in),
        groups=now_in,
        put=(entity, alias, row, *rows, *(one for group in said for one in (GroupTie.of(group, entity), group))),
    )


def _external(tenant: HeldTenant, mount: Mount, names: tuple[str, ...]) -> dict[str, IdentityGroup]:
    """The groups that have these names at the mount, by id. Raises LimitExceeded."""
    if len(names) > MAX_GROUPS:
        raise LimitExceeded(f"an entity is in {MAX_GROUPS} groups at most", "groups")
    found: dict[str, IdentityGroup] = {}
    for name in names:
        alias = tenant.alias_at(mount.accessor, name, of_group=True)
        group = tenant.group(alias.holder) if alias is not None else None
        if group is not None and group.external:
            found[group.id] = group
    return found


def _is_of(tenant: HeldTenant, mount: Mount, group: IdentityGroup) -> bool:
    """Whether it is for that mount to say who is in it."""
    return group.external and any(alias.accessor == mount.accessor for alias in tenant.aliases_of(group.id))
