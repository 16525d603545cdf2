"""What an act amounts to beside its own name: a rule of approval that holds the one holds the other.

A write pushes an old version out; a namespace that ends takes keys and rules along. tests/service/test_destroying.py
holds the table to all that destroys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from keystead.core import operations as ops
from keystead.core.actions import Action
from keystead.core.operations import Operation
from keystead.service.easing import spared
from keystead.service.held import Held, HeldKey, HeldKeyring, HeldSecret, HeldTenant
from keystead.service.held.secrets import oldest_after
from keystead.service.related import Relative

Actions = Iterable[Action]
LOOKED_AT = 1024  # versions; of more than these one holds something


def amounts_to(op: Operation[Any], held: Held | None) -> Actions:
    """`held`: what was found for its first target."""
    found = AMOUNTS.get(type(op))
    return () if found is None or held is None else found(op, held)


def ends_with(op: Operation[Any], held: Held | None) -> str:
    """The tenant that goes with the act, and its rules with it; "" where none does."""
    if not isinstance(op, ops.EndNamespace) or not isinstance(held, HeldTenant):
        return ""
    space = held.space_named(op.name)
    return "" if space is None or space.ends else space.id


def reaches(op: Operation[Any], held: Held | None) -> tuple[Relative, ...]:
    """The other keys that the act changes, too."""
    return held.relatives() if type(op) in SHARED and isinstance(held, HeldKey) else ()


SHARED = frozenset({ops.DeleteMaterial, ops.ImportMaterial, ops.EnableRotation, ops.DisableRotation, ops.RotateKey})
"""What is asked of a primary, and changes what its replicas share with it: versions, material, the schedule."""


def _pushed_out(held: HeldSecret, n_kept: int | None) -> Actions:
    secret = held.secret
    if secret is None:
        return ()
    oldest, upto = max(secret.oldest, 1), oldest_after(secret, held.ring.secrets.settings(), n_kept)
    looked_at = range(oldest, min(upto, oldest + LOOKED_AT))
    holds = any((one := held.version(n)) is not None and not one.is_destroyed for n in looked_at)
    return (Action.DESTROY_SECRET_VERSIONS,) if holds or upto > oldest + LOOKED_AT else ()


def _written(op: ops.WriteSecret, held: HeldSecret) -> Actions:
    return _pushed_out(held, op.n_kept)


def _patched(_op: ops.PatchSecret, held: HeldSecret) -> Actions:
    return _pushed_out(held, None)


def _replaced(op: ops.WriteOtpKey, ring: HeldKeyring) -> Actions:
    return (Action.DELETE_OTP_KEY,) if any(True for _ in ring.otp.called(op.name)) else ()


def _of_another_kind(op: ops.WriteOidcKey, tenant: HeldTenant) -> Actions:
    before = tenant.oidc_key(op.name)
    changes = before is not None and op.algorithm not in {None, before.algorithm}
    return (Action.DELETE_OIDC_KEY,) if changes else ()


def _until(op: ops.ImportMaterial, held: HeldKey) -> Actions:
    """Material that is there, imported again with an earlier date, is destroyed on that date."""
    date = op.expires_at
    if date is None:
        return ()
    sooner = any(one.wrapped and (one.expires_at is None or date < one.expires_at) for one in held.versions())
    return (Action.DELETE_MATERIAL,) if sooner else ()


# --- Vault's policies are attached to whatever is written, and their paths filled in from metadata


def _policy_if(*changes: bool) -> Actions:
    return (Action.WRITE_ACL_POLICY,) if any(changes) else ()


def _entity(op: ops.WriteEntity, tenant: HeldTenant) -> Actions:
    before = tenant.entity(op.id) if op.id else tenant.entity_named(op.name)
    policies, metadata = ((), None) if before is None else (before.policies, before.metadata)
    return _policy_if(
        op.policies is not None and set(op.policies) != set(policies),
        op.metadata is not None and op.metadata != (metadata or {}),
        before is not None and bool(op.name) and op.name != before.name,
    )


def _group(op: ops.WriteIdentityGroup, tenant: HeldTenant) -> Actions:
    before = tenant.group(op.id) if op.id else tenant.group_named(op.name or "")
    policies, metadata = ((), None) if before is None else (before.policies or (), before.metadata)
    policy = _policy_if(
        op.policies is not None and set(op.policies) != set(policies),
        op.metadata is not None and op.metadata != (metadata or {}),
        before is not None and op.name is not None and op.name != before.name,
    )
    return (*policy, *_eased(op, tenant))


def _alias(op: ops.WriteEntityAlias, tenant: HeldTenant) -> Actions:
    before = tenant.alias(op.id) if op.id else tenant.alias_at(op.accessor, op.name)
    custom = None if before is None else before.custom
    return _policy_if(op.custom is not None and op.custom != (custom or {}))


def _account(op: ops.WriteAccount, tenant: HeldTenant) -> Actions:
    mount = tenant.mount_of_id(op.mount)
    before = None if mount is None else tenant.account(mount, op.account.name)
    return _policy_if(set(op.account.terms.policies) != set(() if before is None else before.terms.policies))


# --- second factors


def _eased(op: Operation[Any], tenant: HeldTenant) -> Actions:
    return (Action.DELETE_MFA_ENFORCEMENT,) if spared(op, tenant) else ()


def _unenrolled(op: ops.DeleteEntities, tenant: HeldTenant) -> Actions:
    named = tenant.entity_named(op.name) if op.name else None
    ids = (*op.ids[:LOOKED_AT], *(() if named is None else (named.id,)))
    return (Action.DESTROY_MFA_SECRET,) if any(tenant.mfa_secrets_of(id_) for id_ in ids) else ()


def _overwritten(op: ops.MergeEntities, tenant: HeldTenant) -> Actions:
    has_any = op.force and bool(tenant.mfa_secrets_of(op.into)) if op.into else False
    return (Action.DESTROY_MFA_SECRET,) if has_any or (op.force and len(op.sources) > 1) else ()


AMOUNTS: Mapping[type, Callable[[Any, Any], Actions]] = {
    ops.WriteSecret: _written,
    ops.PatchSecret: _patched,
    ops.WriteOtpKey: _replaced,
    ops.WriteOidcKey: _of_another_kind,
    ops.ImportMaterial: _until,
    ops.WriteEntity: _entity,
    ops.WriteIdentityGroup: _group,
    ops.WriteEntityAlias: _alias,
    ops.WriteAccount: _account,
    ops.DeleteIdentityGroup: _eased,
    ops.WriteGroupAlias: _eased,
    ops.DeleteAlias: _eased,
    ops.WriteMfaEnforcement: _eased,
    ops.DeleteEntities: _unenrolled,
    ops.MergeEntities: _overwritten,
    ops.WriteTokenRole: lambda _op, _tenant: (Action.WRITE_ACL_POLICY,),
    ops.PutPrincipalPolicy: lambda _op, _tenant: (Action.PUT_USER_POLICY,),
    ops.DeletePrincipalPolicy: lambda _op, _tenant: (Action.DELETE_USER_POLICY,),
}
"""Operation -> actions: (operation, its first target)."""
