"""Acts after which fewer logins are asked for a second factor, or one of them for less.

Whoever is asked by a group that they are in is asked no more once they have left it: that eases an enforcement as much
as to name the group in it no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import IdentityGroup
from keystead.core.operations import Operation
from keystead.service.held import HeldTenant

ANYBODY = "*"
"""Every entity, and every group of them."""
Ids = tuple[str, ...]


def spared(op: Operation[Any], tenant: HeldTenant) -> Ids:
    """The ids of those whom it eases a login for, members of groups that are groups among them; or ANYBODY."""
    return SPARED[type(op)](op, tenant)


def _enforcement(op: ops.WriteMfaEnforcement, tenant: HeldTenant) -> Ids:
    """It asks fewer than before, or another method is enough for it."""
    if (before := tenant.mfa_rules().enforcement(op.name)) is None:
        return ()
    fewer = any(
        given is not None and not set(had) <= set(given)
        for given, had in (
            (op.accessors, before.accessors),
            (op.engines, before.engines),
            (op.groups, before.groups),
            (op.entities, before.entities),
        )
    )
    another = op.methods is not None and not set(op.methods) <= set(before.methods)
    return (ANYBODY,) if fewer or another else ()


def _asks(tenant: HeldTenant, group: IdentityGroup | None) -> bool:
    """Whether an enforcement names the group, or one that it is in."""
    named = {id_ for one in tenant.mfa_rules().enforcements for id_ in one.groups}
    return group is not None and bool(named) and any(one.id in named for one in tenant.with_those_above((group,)))


def _members(op: ops.WriteIdentityGroup, tenant: HeldTenant) -> Ids:
    group = tenant.group(op.id) if op.id else tenant.group_named(op.name or "")
    if group is None or (op.entities is None and op.groups is None) or not _asks(tenant, group):
        return ()
    left = ((tie.member_id, op.groups if tie.of_group else op.entities) for tie in tenant.ties_of(group))
    return tuple(member for member, given in left if given is not None and member not in given)


def _group(op: ops.DeleteIdentityGroup, tenant: HeldTenant) -> Ids:
    group = tenant.group(op.id) if op.id else tenant.group_named(op.name)
    return (ANYBODY,) if _asks(tenant, group) else ()


def _alias(op: ops.WriteGroupAlias, tenant: HeldTenant) -> Ids:
    """By another one nobody is in the group whom the mount says to be; and a group has one."""
    before = tenant.alias(op.id, of_group=True)
    into = tenant.group(op.group)
    replaces = into is not None and bool(tenant.aliases_of(into.id)) and _asks(tenant, into)
    moves = before is not None and _asks(tenant, tenant.group(before.holder))
    return (ANYBODY,) if replaces or moves else ()


def _no_alias(op: ops.DeleteAlias, tenant: HeldTenant) -> Ids:
    alias = tenant.alias(op.id, of_group=True) if op.of_group else None
    return (ANYBODY,) if alias is not None and _asks(tenant, tenant.group(alias.holder)) else ()


SPARED: Mapping[type, Callable[[Any, HeldTenant], Ids]] = {
    ops.WriteMfaEnforcement: _enforcement,
    ops.WriteIdentityGroup: _members,
    ops.DeleteIdentityGroup: _group,
    ops.WriteGroupAlias: _alias,
    ops.DeleteAlias: _no_alias,
}
