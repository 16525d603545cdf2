"""Ways to become somebody else: an act that would let a person in as an approver is held by the rule that names them.

So whoever may make access keys, put passwords or fill groups does not make an approver of themselves. Of an approver
whose approval is signed nobody can be made: such are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from keystead.core import operations as ops
from keystead.core.entities import (
    Account,
    Alias,
    ApprovalRule,
    ApproverKind,
    IdentityEntity,
    IdentityGroup,
    Mount,
    Principal,
    PrincipalKind,
)
from keystead.core.errors import NotFound
from keystead.core.mounts import MountTable
from keystead.core.operations import Operation
from keystead.service.easing import ANYBODY, spared
from keystead.service.held import Held, HeldPrincipal, HeldTenant

T = TypeVar("T")
Ids = Iterable[str]
_OF_ENTITIES = frozenset({ApproverKind.ENTITY, ApproverKind.IDENTITY_GROUP})


def is_guarded(rule: ApprovalRule, op: Operation[Any], held: Held | None) -> bool:
    """Whether the act gives a way to become somebody whom the rule names."""
    if (reaches := REACHES.get(type(op))) is None or held is None:
        return False
    open_ones = [approver for approver in rule.approvers if not approver.public_key]
    if not open_ones:
        return False
    reached = frozenset(reaches(op, held))
    if ANYBODY in reached and any(one.approver_kind in _OF_ENTITIES for one in open_ones):
        return True
    return any(approver.id in reached for approver in open_ones)


# --- users, roles, groups of users


def _principal(tenant: HeldTenant, principal: Principal) -> Ids:
    """It, and the groups that it is in."""
    if principal.principal_kind is not PrincipalKind.USER:
        return (principal.id,)
    return (principal.id, *(one.group_id for one in tenant.memberships(principal)))


def _held(_op: Any, held: HeldPrincipal) -> Ids:
    return _principal(held.home, held.principal)


def _named(op: Any, tenant: HeldTenant) -> Ids:
    with suppress(NotFound):
        return _principal(tenant, tenant.principal(op.name))
    return ()


def _enabled(op: ops.SetPrincipalEnabled, tenant: HeldTenant) -> Ids:
    return _named(op, tenant) if op.enabled else ()


def _key_enabled(op: ops.UpdateUserAccessKey, held: HeldPrincipal) -> Ids:
    return _held(op, held) if op.enabled else ()


def _credential(op: ops.SetCredentialEnabled, tenant: HeldTenant) -> Ids:
    if op.enabled:
        with suppress(NotFound):
            return _principal(tenant, tenant.credential(op.credential_id)[1])
    return ()


# --- whom tokens belong to


def _group(tenant: HeldTenant, group: IdentityGroup | None) -> Ids:
    """It, and those that it is in."""
    return () if group is None else (one.id for one in tenant.with_those_above((group,)))


def _entity(tenant: HeldTenant, id_: str) -> Ids:
    """It, and the groups that it is in."""
    if (entity := tenant.entity(id_)) is None:
        return ()
    return (entity.id, *_groups_of(tenant, entity))


def _groups_of(tenant: HeldTenant, entity: IdentityEntity) -> Ids:
    direct = [tenant.group(tie.group_id) for tie in tenant.ties_to(entity)]
    return (one.id for one in tenant.with_those_above([group for group in direct if group is not None]))


def _of_alias(tenant: HeldTenant, alias: Alias | None) -> Ids:
    if alias is None:
        return ()
    return _group(tenant, tenant.group(alias.holder)) if alias.of_group else _entity(tenant, alias.holder)


def _members(op: ops.WriteIdentityGroup, tenant: HeldTenant) -> Ids:
    return _group(tenant, tenant.group(op.id) if op.id else tenant.group_named(op.name or ""))


def _alias(op: ops.WriteEntityAlias, tenant: HeldTenant) -> Ids:
    before = tenant.alias(op.id) or tenant.alias_at(op.accessor, op.name)
    return (*_of_alias(tenant, before), *_entity(tenant, op.entity))


def _group_alias(op: ops.WriteGroupAlias, tenant: HeldTenant) -> Ids:
    before = tenant.alias(op.id, of_group=True) or tenant.alias_at(op.accessor, op.name, of_group=True)
    return (*_of_alias(tenant, before), *_group(tenant, tenant.group(op.group)))


def _merged(op: ops.MergeEntities, tenant: HeldTenant) -> Ids:
    return (id_ for entity in (op.into, *op.sources) for id_ in _entity(tenant, entity))


def _token(op: ops.CreateToken, tenant: HeldTenant) -> Ids:
    """Of whom an alias at auth/token makes it belong to."""
    mount = MountTable(tenant.id, ()).at("auth/token") if op.entity_alias else None
    return () if mount is None else _of_alias(tenant, tenant.alias_at(mount.accessor, op.entity_alias))


def _account(op: ops.WriteAccount, tenant: HeldTenant) -> Ids:
    """Of a name and a password, or a role: whoever logs in so. Of one that somebody vouches for: anybody."""
    if op.account.bounds is not None:
        return (ANYBODY,)
    return _who_logs_in(tenant, tenant.mount_of_id(op.mount), op.account)


def _secret_id(op: ops.MakeSecretId, tenant: HeldTenant) -> Ids:
    mount = tenant.mount_of_id(op.mount)
    account = tenant.account(mount, op.name) if mount is not None else None
    return () if account is None else _who_logs_in(tenant, mount, account)


def _who_logs_in(tenant: HeldTenant, mount: Mount | None, account: Account) -> Ids:
    if mount is None:
        return ()
    kept = tenant.account(mount, account.name)
    names = {account.name, account.role_id, *(() if kept is None else (kept.role_id,))} - {""}
    return (id_ for name in names for id_ in _of_alias(tenant, tenant.alias_at(mount.accessor, name)))


# --- second factors: without one, the first is a way to be them


def _enrolled(op: ops.EnrolEntity | ops.DestroyMfaSecret, tenant: HeldTenant) -> Ids:
    return _entity(tenant, op.entity)


def _asked_less(op: Operation[Any], tenant: HeldTenant) -> Ids:
    ids = spared(op, tenant)
    if any(tenant.entity(id_) is None for id_ in ids):  # those of a group, or ANYBODY
        return (ANYBODY,)
    return (id_ for entity in ids for id_ in _entity(tenant, entity))


def _and_asked_less(reaches: Callable[[Any, HeldTenant], Ids]) -> Callable[[Any, HeldTenant], Ids]:
    return lambda op, tenant: (*reaches(op, tenant), *_asked_less(op, tenant))


def _tried_more(op: ops.WriteMfaMethod, tenant: HeldTenant) -> Ids:
    """The method that is there already, by its id or its name."""
    facts = op.facts
    same = [one for one in tenant.mfa_rules().methods if one.id == op.id or (facts.name and one.name == facts.name)]
    return (ANYBODY,) if any(facts.max_attempts > one.max_attempts for one in same) else ()


REACHES: Mapping[type, Callable[[Any, Any], Ids]] = {
    ops.AddToGroup: _held,
    ops.CreateUserAccessKey: _held,
    ops.UpdateUserAccessKey: _key_enabled,
    ops.PutTrustPolicy: _held,
    ops.CreateAccessKey: _named,
    ops.IssueSession: _named,
    ops.SetPrincipalEnabled: _enabled,
    ops.SetCredentialEnabled: _credential,
    ops.WriteIdentityGroup: _and_asked_less(_members),
    ops.DeleteIdentityGroup: _asked_less,
    ops.WriteEntityAlias: _alias,
    ops.WriteGroupAlias: _and_asked_less(_group_alias),
    ops.DeleteAlias: _asked_less,
    ops.MergeEntities: _merged,
    ops.CreateToken: _token,
    ops.WriteAccount: _account,
    ops.MakeSecretId: _secret_id,
    ops.EnrolEntity: _enrolled,
    ops.DestroyMfaSecret: _enrolled,
    ops.WriteMfaEnforcement: _asked_less,
    ops.DeleteMfaEnforcement: lambda _op, _tenant: (ANYBODY,),
    ops.WriteMfaMethod: _tried_more,
    ops.DeleteMfaMethod: lambda _op, _tenant: (ANYBODY,),
    ops.WriteLoginSettings: lambda _op, _tenant: (ANYBODY,),
    ops.WriteRevocationList: lambda _op, _tenant: (ANYBODY,),  # which may leave out who was on it
    ops.DeleteRevocationList: lambda _op, _tenant: (ANYBODY,),
}
"""Operation -> the ids of those that it gives a way to be, or to be one of: (operation, its first target)."""
