"""What a request is about, as policies name it: its resource as an ARN, whose it is, its tags and its boundary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead.core.actions import ACTIONS, Scope
from keystead.core.family import known_as
from keystead.core.operations import (
    AccessKeyRef,
    Demand,
    KeyRef,
    ListRetirableGrants,
    ListSecrets,
    Operation,
    PolicyRef,
    PrincipalRef,
    ProviderRef,
    Ref,
    SystemRef,
    TenantRef,
)
from keystead.core.policy.arn import (
    AWS,
    arn_of,
    arn_of_name,
    policy_arn,
    principal_arn,
    principal_name,
    provider_arn,
    resource_arn,
    secret_arn,
    tenant_of,
)
from keystead.core.policy.paths import DIALECT as PATHS
from keystead.core.rights import Rights
from keystead.service.held import Held, HeldKey, HeldKeyring, HeldPolicy, HeldPrincipal
from keystead.service.held.secrets import HeldSecret


def resource_of(demand: Demand, held: Held | None, op: Operation[Any]) -> str:
    target = demand.target
    named = target if demand.to_be is None else demand.to_be
    if isinstance(named, PrincipalRef):
        path = named.path or (held.principal.path if isinstance(held, HeldPrincipal) else "/")
        return principal_arn(named.tenant, named.kind, f"{path[1:]}{named.name}")
    if isinstance(named, PolicyRef):
        return policy_arn(named)
    if isinstance(named, ProviderRef):
        return provider_arn(named.tenant, named.issuer)
    if isinstance(named, AccessKeyRef) and isinstance(held, HeldPrincipal):
        return arn_of(held.principal)
    if ACTIONS[demand.action].scope is not Scope.KEY or not isinstance(target, KeyRef):
        return _retiree(op) if isinstance(op, ListRetirableGrants) else "*"
    id_ = known_as(held.id if isinstance(held, HeldKey) else target.id)
    return resource_arn(address_of(target, held), f"key/{id_}" if id_ else target.name)


def _retiree(op: ListRetirableGrants) -> str:
    """KMS API Reference, ListRetirableGrants: "the authorized resource … is the retiring principal"."""
    name = principal_name(op.retiree)
    return "*" if name is None else arn_of_name(name)


def address_of(target: KeyRef, held: Held | None) -> str:
    """The key's address in the aws dialect, whatever door it was asked for at."""
    if isinstance(held, HeldKey):
        return held.keyring.by_dialect.get("aws", f"aws:{held.tenant}:")
    return target.namespace


def secret_resource(rights: Rights, held: Held | None, op: Operation[Any]) -> str:
    """The ARN of a secret, or of a folder that is listed; "" for whoever has no policy that could name it.

    A path of the vault dialect sees the request as it came, and decisions are then kept by action, not by path.
    """
    if type(held) is HeldSecret and has_arns(rights):
        return secret_arn(held.tenant, held.ring.id, held.path)
    if isinstance(op, ListSecrets) and isinstance(held, HeldKeyring) and has_arns(rights):
        return secret_arn(held.tenant, held.id, f"{op.folder}/" if op.folder else "")
    return ""


def has_arns(rights: Rights) -> bool:
    policies = (*rights.policies, *(rights.session or ()), *(() if rights.boundary is None else (rights.boundary,)))
    return any(policy.dialect != PATHS for policy in policies)


def _tenant(target: Ref, held: Held | None) -> str:
    if held is not None:
        return held.tenant
    if isinstance(target, TenantRef | PrincipalRef | PolicyRef | AccessKeyRef | ProviderRef):
        return target.tenant
    return "" if isinstance(target, SystemRef) else tenant_of(target.namespace)


def is_elsewhere(target: Ref, held: Held | None, tenant: str) -> bool:
    """Another tenant's. The managed policies that AWS gives to every account are everybody's."""
    of = _tenant(target, held)
    return of != tenant and not (isinstance(target, PolicyRef) and of == AWS)


def is_secret(target: Ref, held: Held | None, scope: Scope) -> bool:
    """An absent key that a ciphertext names: forbidden to everybody, as it would be if it were another's.

    So is an absent access key, whose principal a policy would have to name.
    """
    if held is None and isinstance(target, AccessKeyRef):
        return True
    return scope is Scope.KEY and isinstance(target, KeyRef) and (target.by_ciphertext or target.in_ciphertext)


def boundary_of(held: Held | None) -> str:
    """The ARN of the permissions boundary of whoever the request is about."""
    found = held.boundary() if isinstance(held, HeldPrincipal) else None
    return "" if found is None else policy_arn(found)


def tags_of(held: Held | None) -> Mapping[str, str]:
    """Of what the request is about, where that is no key."""
    if isinstance(held, HeldPrincipal):
        return held.principal.tags
    return held.policy.tags if isinstance(held, HeldPolicy) else {}
