"""Groups of entities, and of groups. Vault HTTP API, "Identity secrets engine: group"."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Entity, GroupTie, IdentityEntity, IdentityGroup, Mount
from keystead.core.errors import InvalidArgument
from keystead.core.identifiers import new_id
from keystead.core.operations import SERVERS, Nothing, ShownGroup, WrittenGroup
from keystead.service.handlers.entities import (
    accessors,
    alias_asked,
    check_question,
    checked_metadata,
    checked_name,
    checked_policies,
    named,
    out_of_groups,
    shown_alias,
)
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_MEMBERS = 10_000
INTERNAL, EXTERNAL = "internal", "external"


def write_group(op: ops.WriteIdentityGroup, targets: tuple[HeldTenant], act: Act) -> Outcome[WrittenGroup]:
    (tenant,) = targets
    if op.id == "":
        raise InvalidArgument("empty group ID", "id")
    if op.id is None and op.name == "":
        raise InvalidArgument("empty group name", "name")
    if op.id is not None and tenant.group(op.id) is None:
        raise InvalidArgument("invalid group ID", "id")
    same = tenant.group_named(checked_name(op.name)) if op.name else None
    before = tenant.group(op.id) if op.id else same
    if same is not None and before is not None and same.id != before.id:
        raise InvalidArgument("group name is already in use", "name")
    policies = None if op.policies is None else checked_policies(op.policies)
    external = _type(op, before)
    if external and op.entities is not None:
        raise InvalidArgument("member entities can't be set manually for external groups", "member_entity_ids")
    if external and op.groups is not None:
        raise InvalidArgument("member groups can't be set for external groups", "member_group_ids")
    base = before or new_group(tenant, act, op.name or "", external=external)
    group = replace(
        base,
        name=op.name or base.name,
        external=external,
        policies=base.policies if policies is None else policies,
        metadata=base.metadata if op.metadata is None else checked_metadata(op.metadata, "group"),
        updated_at=act.now,
    )
    put, delete = named(tenant, group, "" if before is None else before.name)
    tied, untied = _members(op, tenant, group, is_new=before is None)
    return Outcome(
        answer=WrittenGroup(group, before is None),
        put=(*put, *tied, group),
        delete=(*delete, *untied),
        made=group.id,
    )


def _type(op: ops.WriteIdentityGroup, before: IdentityGroup | None) -> bool:
    """Whether it is an external one. Raises InvalidArgument."""
    if op.type is None:
        return before.external if before is not None else False
    wanted = op.type or INTERNAL
    if before is not None and op.type != (EXTERNAL if before.external else INTERNAL):
        raise InvalidArgument("group type cannot be changed", "type")
    if wanted not in {INTERNAL, EXTERNAL}:
        raise InvalidArgument(f'invalid group type "{wanted}"', "type")
    return wanted == EXTERNAL


def new_group(tenant: HeldTenant, act: Act, name: str = "", *, external: bool) -> IdentityGroup:
    return IdentityGroup(
        id=new_id(act.entropy),
        tenant=tenant.id,
        name=name or f"group_{act.entropy(4).hex()}",
        external=external,
        created_at=act.now,
        updated_at=act.now,
    )


def _members(
    op: ops.WriteIdentityGroup, tenant: HeldTenant, group: IdentityGroup, *, is_new: bool
) -> tuple[list[Entity], list[Entity]]:
    """(ties to be, each with its member; those that go)"""
    ties = {} if is_new else {tie.member_id: tie for tie in tenant.ties_of(group)}
    wanted: dict[str, bool] = {}  # id -> whether it is a group's
    for ids, of_group in ((op.entities, False), (op.groups, True)):
        if ids is None:
            wanted |= {id_: of_group for id_, tie in ties.items() if tie.of_group is of_group}
        else:
            wanted |= dict.fromkeys((one for one in ids if one), of_group)
    if len(wanted) > MAX_MEMBERS:
        raise InvalidArgument(f"a group has {MAX_MEMBERS} members at most", "members")
    put: list[Entity] = []
    for id_, of_group in wanted.items():
        if id_ in ties:
            continue
        member: IdentityEntity | IdentityGroup = _group(tenant, group, id_) if of_group else _entity(tenant, id_)
        put += [GroupTie.of(group, member), member]
    return put, [tie for id_, tie in ties.items() if id_ not in wanted]


def _entity(tenant: HeldTenant, id_: str) -> IdentityEntity:
    if (found := tenant.entity(id_)) is None:
        raise InvalidArgument(f'invalid entity ID "{id_}"', SERVERS)
    return found


def _group(tenant: HeldTenant, into: IdentityGroup, id_: str) -> IdentityGroup:
    """Raises InvalidArgument: what is no group, is the group itself, or has the group among its members."""
    if id_ == into.id:
        raise InvalidArgument(f'member group ID "{id_}" is same as the ID of the group', SERVERS)
    if (found := tenant.group(id_)) is None:
        raise InvalidArgument(f'invalid member group ID "{id_}"', SERVERS)
    seen, todo = {found.id}, [found]
    while todo:
        for tie in tenant.ties_of(todo.pop()):
            if tie.member_id == into.id:
                raise InvalidArgument(f'cyclic relationship detected for member group ID "{id_}"', "member_group_ids")
            if tie.of_group and tie.member_id not in seen:
                seen.add(tie.member_id)
                todo += [one for one in (tenant.group(tie.member_id),) if one is not None]
    return found


# --- read, listed, deleted


def _shown(tenant: HeldTenant, group: IdentityGroup, mounts: Mapping[str, Mount]) -> ShownGroup:
    ties = tenant.ties_of(group)
    aliases = tenant.aliases_of(group.id)
    return ShownGroup(
        group,
        shown_alias(aliases[0], mounts) if aliases else None,
        tuple(tie.member_id for tie in ties if not tie.of_group),
        tuple(tie.member_id for tie in ties if tie.of_group),
        tuple(tie.group_id for tie in tenant.ties_to(group)),
    )


def read_group(op: ops.ReadIdentityGroup, targets: tuple[HeldTenant], _act: Act) -> Outcome[ShownGroup | None]:
    (tenant,) = targets
    found = _wanted(op, tenant)
    if found is None:
        return Outcome(answer=None, why="no such group")
    return Outcome(answer=_shown(tenant, found, accessors(tenant)))


def _wanted(op: ops.ReadIdentityGroup, tenant: HeldTenant) -> IdentityGroup | None:
    by = op.by
    check_question(by)
    if by.id:
        return tenant.group(by.id)
    if by.name:
        return tenant.group_named(by.name)
    alias = alias_asked(by, tenant, of_group=True)
    return None if alias is None else tenant.group(alias.holder)


def list_groups(_op: ops.ListIdentityGroups, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[ShownGroup, ...]]:
    (tenant,) = targets
    mounts = accessors(tenant)
    return Outcome(answer=tuple(_shown(tenant, group, mounts) for group in tenant.groups()))


def delete_group(op: ops.DeleteIdentityGroup, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    group = tenant.group(op.id) if op.id else tenant.group_named(op.name)
    if group is None:
        return Outcome(answer=Nothing())
    delete: list[Entity] = [group, *tenant.names_of(group.id), *tenant.ties_of(group)]
    for alias in tenant.aliases_of(group.id):
        delete += [alias, *tenant.names_of(alias.id)]
    ties, above = out_of_groups(tenant, group)
    return Outcome(answer=Nothing(), put=tuple(above), delete=(*delete, *ties), made=group.id)


HANDLERS: dict[type, Handler] = {
    ops.WriteIdentityGroup: write_group,
    ops.ReadIdentityGroup: read_group,
    ops.ListIdentityGroups: list_groups,
    ops.DeleteIdentityGroup: delete_group,
}
