"""Aliases: the names that entities and groups go by where somebody logs in. OpenBao, identity/store_aliases.go."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Alias, Entity, IdentityEntity, IdentityGroup, IdentityName
from keystead.core.errors import InvalidArgument
from keystead.core.identifiers import new_id
from keystead.core.operations import SERVERS, Nothing, ShownAlias, WrittenAlias
from keystead.service.handlers.entities import (
    accessors,
    checked_custom,
    checked_name,
    named,
    new_entity,
    shown_alias,
)
from keystead.service.handlers.entitygroups import new_group
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

TAKEN_HERE = "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor' "
TAKEN_THERE = "Alias cannot be updated as the given entity already has an alias for this mount "


def write_entity_alias(op: ops.WriteEntityAlias, targets: tuple[HeldTenant], act: Act) -> Outcome[WrittenAlias]:
    (tenant,) = targets
    custom = None if op.custom is None else checked_custom(op.custom)
    if op.id:
        if (alias := tenant.alias(op.id)) is None:
            raise InvalidArgument("invalid alias ID provided", "id")
        return _changed(op, tenant, alias, alias.custom if custom is None else custom, act)
    if not op.accessor or not op.name:
        raise InvalidArgument("'id' or 'mount_accessor' and 'name' must be provided", "id")
    _require_mount(tenant, op.accessor)
    if (known := tenant.alias_at(op.accessor, op.name)) is not None:
        return _changed(op, tenant, known, custom or {}, act)
    entity = tenant.entity(op.entity)
    if op.entity and entity is None:
        raise InvalidArgument("invalid canonical ID", "canonical_id")
    put: tuple[Entity, ...] = ()
    if entity is None:
        entity = new_entity(tenant, act.entropy, act.now)
        put, _ = named(tenant, entity, "")
    if any(one.accessor == op.accessor for one in tenant.aliases_of(entity.id)):
        raise InvalidArgument("Alias already exists for requested entity and mount accessor", "mount_accessor")
    alias = Alias(
        id=new_id(act.entropy),
        tenant=tenant.id,
        holder=entity.id,
        accessor=op.accessor,
        name=checked_name(op.name),
        custom=custom or {},
        created_at=act.now,
        updated_at=act.now,
    )
    row = IdentityName(id=tenant.alias_name_id(alias.accessor, alias.name, of_group=False), means=alias.id)
    return Outcome(answer=WrittenAlias(alias, changed=True), put=(alias, row, entity, *put), made=alias.id)


def _require_mount(tenant: HeldTenant, accessor: str) -> None:
    if accessor not in accessors(tenant):
        raise InvalidArgument(f'invalid mount accessor "{accessor}"', "mount_accessor")


def _changed(
    op: ops.WriteEntityAlias, tenant: HeldTenant, before: Alias, custom: dict[str, str] | None, act: Act
) -> Outcome[WrittenAlias]:
    name, accessor = op.name or before.name, op.accessor or before.accessor
    holder = op.entity or before.holder
    if (name, accessor, holder, custom or {}) == (before.name, before.accessor, before.holder, before.custom or {}):
        return Outcome(answer=WrittenAlias(before, changed=False))
    entity = _holder(tenant, before)
    if accessor != before.accessor and holder == before.holder:
        _require_room(tenant, entity, accessor, TAKEN_HERE)
    if (name, accessor, custom or {}) != (before.name, before.accessor, before.custom or {}):
        _require_mount(tenant, accessor)
        other = tenant.alias_at(accessor, name)
        if other is not None and other.id != before.id:
            raise InvalidArgument("alias with combination of mount accessor and name already exists", "name")
    elif accessor not in accessors(tenant):
        raise InvalidArgument(f'invalid mount accessor "{accessor}"', SERVERS)
    put: tuple[Entity, ...] = (entity,)
    if holder != before.holder:
        if (other_entity := tenant.entity(holder)) is None:
            raise InvalidArgument("given 'canonical_id' is not associated with an entity", "canonical_id")
        _require_room(tenant, other_entity, accessor, TAKEN_THERE)
        put = (entity, other_entity)
    after = replace(
        before, name=checked_name(name), accessor=accessor, holder=holder, custom=custom, updated_at=act.now
    )
    rows, gone = renamed(tenant, before, after)
    return Outcome(answer=WrittenAlias(after, changed=True), put=(after, *put, *rows), delete=gone, made=after.id)


def _holder(tenant: HeldTenant, alias: Alias) -> IdentityEntity:
    if (found := tenant.entity(alias.holder)) is None:
        raise InvalidArgument("given alias is not associated with an entity", "id")
    return found


def _require_room(tenant: HeldTenant, entity: IdentityEntity, accessor: str, words: str) -> None:
    if any(one.accessor == accessor for one in tenant.aliases_of(entity.id)):
        raise InvalidArgument(words, "mount_accessor")


def renamed(tenant: HeldTenant, before: Alias, after: Alias) -> tuple[tuple[Entity, ...], tuple[Entity, ...]]:
    """(to put, to delete) so that an alias is found where it is now."""
    old, new = (tenant.alias_name_id(one.accessor, one.name, of_group=one.of_group) for one in (before, after))
    if old == new:
        return (), ()
    row = tenant.name_row(old)
    return (IdentityName(id=new, means=after.id),), () if row is None else (row,)


# --- of groups


def write_group_alias(op: ops.WriteGroupAlias, targets: tuple[HeldTenant], act: Act) -> Outcome[WrittenAlias]:
    """OpenBao, identity/store_group_aliases.go"""
    (tenant,) = targets
    before = tenant.alias(op.id, of_group=True)
    if op.id and before is None:
        raise InvalidArgument("invalid group alias ID", "id")
    if not op.name:
        raise InvalidArgument("missing alias name", "name")
    if not op.accessor:
        raise InvalidArgument("missing mount_accessor", "mount_accessor")
    if before is not None and (before.name, before.accessor, op.group or before.holder) == (
        op.name,
        op.accessor,
        before.holder,
    ):
        return Outcome(answer=WrittenAlias(before, changed=False))
    group = tenant.group(op.group or (before.holder if before is not None else ""))
    if op.group:
        if group is None:
            raise InvalidArgument("invalid group ID given in 'canonical_id'", "canonical_id")
        if not group.external:
            raise InvalidArgument("alias can't be set on an internal group", "canonical_id")
    _require_mount(tenant, op.accessor)
    other = tenant.alias_at(op.accessor, op.name, of_group=True)
    if other is not None and (before is None or other.id != before.id):
        raise InvalidArgument("combination of mount and group alias name is already in use", "name")
    put: tuple[Entity, ...] = ()
    if group is None:
        group = new_group(tenant, act, external=True)
        put, _ = named(tenant, group, "")
    return _tied(op, tenant, before, group, put, act)


def _tied(
    op: ops.WriteGroupAlias,
    tenant: HeldTenant,
    before: Alias | None,
    group: IdentityGroup,
    put: tuple[Entity, ...],
    act: Act,
) -> Outcome[WrittenAlias]:
    """A group has one alias: another that it had goes."""
    alias = before or Alias(
        id=new_id(act.entropy),
        tenant=tenant.id,
        holder=group.id,
        accessor=op.accessor,
        name=op.name,
        of_group=True,
        created_at=act.now,
        updated_at=act.now,
    )
    after = replace(alias, name=checked_name(op.name), accessor=op.accessor, holder=group.id, updated_at=act.now)
    others = [one for one in tenant.aliases_of(group.id) if one.id != after.id]
    gone: list[Entity] = [row for one in others for row in (one, *tenant.names_of(one.id))]
    if before is None:
        rows: tuple[Entity, ...] = (
            IdentityName(id=tenant.alias_name_id(after.accessor, after.name, of_group=True), means=after.id),
        )
    else:
        rows, old = renamed(tenant, before, after)
        gone += old
        left = tenant.group(before.holder)
        put = (*put, *(() if left is None or left.id == group.id else (left,)))
    return Outcome(
        answer=WrittenAlias(after, changed=True),
        put=(after, *rows, *put, replace(group, updated_at=act.now)),
        delete=tuple(gone),
        made=after.id,
    )


# --- of either


def read_alias(op: ops.ReadAlias, targets: tuple[HeldTenant], _act: Act) -> Outcome[ShownAlias | None]:
    (tenant,) = targets
    found = tenant.alias(op.id, of_group=op.of_group)
    if found is None:
        return Outcome(answer=None, why="no such alias")
    return Outcome(answer=shown_alias(found, accessors(tenant)))


def list_aliases(op: ops.ListAliases, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[ShownAlias, ...]]:
    (tenant,) = targets
    mounts = accessors(tenant)
    return Outcome(answer=tuple(shown_alias(one, mounts) for one in tenant.aliases(of_group=op.of_group)))


def delete_alias(op: ops.DeleteAlias, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if (found := tenant.alias(op.id, of_group=op.of_group)) is None:
        return Outcome(answer=Nothing())
    holder: Entity | None = tenant.group(found.holder) if op.of_group else tenant.entity(found.holder)
    return Outcome(
        answer=Nothing(),
        put=() if holder is None else (holder,),
        delete=(found, *tenant.names_of(found.id)),
        made=found.id,
    )


HANDLERS: dict[type, Handler] = {
    ops.WriteEntityAlias: write_entity_alias,
    ops.WriteGroupAlias: write_group_alias,
    ops.ReadAlias: read_alias,
    ops.ListAliases: list_aliases,
    ops.DeleteAlias: delete_alias,
}
