"""Managed policies: policies of a tenant's own that are attached to users, roles and groups, as AWS IAM has them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import ManagedPolicy, PolicyText, PolicyVersion, Principal, PrincipalKind
from keystead.core.operations.base import (
    Demand,
    Nothing,
    Page,
    PolicyOperation,
    PolicyRef,
    PrincipalOperation,
    TenantOperation,
    tagging,
)


class CreateManagedPolicy(TenantOperation[ManagedPolicy], frozen=True, kw_only=True):
    """Raises AlreadyExists, LimitExceeded (detail "policy"), and what the dialect raises."""

    action = Action.CREATE_MANAGED_POLICY
    changes = True
    text: PolicyText  # its name is the policy's
    path: str = "/"
    tags: Mapping[str, str] = {}
    description: str = ""

    def demands(self) -> tuple[Demand, ...]:
        made = PolicyRef(self.tenant.tenant, self.text.name, self.path)
        return (Demand(self.action, self.tenant, made), *tagging(Action.TAG_POLICY, self.tenant, made, self.tags))


class ReadManagedPolicy(PolicyOperation[ManagedPolicy], frozen=True, kw_only=True):
    action = Action.READ_MANAGED_POLICY


class ListManagedPolicies(TenantOperation[Page[ManagedPolicy]], frozen=True, kw_only=True):
    """`as_boundary`: used so by somebody, if True; attached to somebody, if False."""

    action = Action.LIST_MANAGED_POLICIES
    only_attached: bool = False
    as_boundary: bool | None = None
    path_prefix: str = "/"
    after: str = ""
    limit: int


class DeleteManagedPolicy(PolicyOperation[Nothing], frozen=True, kw_only=True):
    """With its default version. Raises WrongState (detail IN_USE) while it is used, or has another version."""

    action = Action.DELETE_MANAGED_POLICY
    changes = True


class CreatePolicyVersion(PolicyOperation[PolicyVersion], frozen=True, kw_only=True):
    """Raises LimitExceeded (detail "versions", "policy"), and what the dialect raises."""

    action = Action.CREATE_POLICY_VERSION
    changes = True
    text: PolicyText
    as_default: bool = False


class VersionOfPolicy(Struct, frozen=True):
    version: PolicyVersion
    is_default: bool


class ReadPolicyVersion(PolicyOperation[VersionOfPolicy], frozen=True, kw_only=True):
    """Raises NotFound (detail NO_VERSION)."""

    action = Action.READ_POLICY_VERSION
    number: int


class ListPolicyVersions(PolicyOperation[Page[VersionOfPolicy]], frozen=True, kw_only=True):
    """The newest first; `after` is a number in text."""

    action = Action.LIST_POLICY_VERSIONS
    after: str = ""
    limit: int


class SetDefaultPolicyVersion(PolicyOperation[Nothing], frozen=True, kw_only=True):
    """Raises NotFound (detail NO_VERSION)."""

    action = Action.SET_DEFAULT_POLICY_VERSION
    changes = True
    number: int


class DeletePolicyVersion(PolicyOperation[Nothing], frozen=True, kw_only=True):
    """Raises NotFound (detail NO_VERSION); WrongState (detail IN_USE) for the default one."""

    action = Action.DELETE_POLICY_VERSION
    changes = True
    number: int


NO_VERSION = "version"
"""detail of the NotFound for a version that a policy does not have."""


class ListHolders(PolicyOperation[Page[Principal]], frozen=True, kw_only=True):
    """Whoever it is attached to or bounds; of `of_kind` alone, if it says one. `as_boundary`: as in the listing."""

    action = Action.LIST_HOLDERS
    of_kind: PrincipalKind | None = None
    as_boundary: bool | None = None
    path_prefix: str = "/"
    after: str = ""
    limit: int


# --- attached to every kind of principal that has policies


class AttachPolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Raises NotFound (detail the PolicyRef), LimitExceeded (detail "policies")."""

    changes = True
    policy: PolicyRef


class DetachPolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Raises NotFound (detail the PolicyRef), also for one that is not attached."""

    changes = True
    policy: PolicyRef


class ListAttachedPolicies(PrincipalOperation[Page[ManagedPolicy]], frozen=True, kw_only=True):
    path_prefix: str = "/"
    after: str = ""
    limit: int


class AttachUserPolicy(AttachPolicy, frozen=True, kw_only=True):
    action = Action.ATTACH_USER_POLICY


class DetachUserPolicy(DetachPolicy, frozen=True, kw_only=True):
    action = Action.DETACH_USER_POLICY


class ListAttachedUserPolicies(ListAttachedPolicies, frozen=True, kw_only=True):
    action = Action.LIST_ATTACHED_USER_POLICIES


class AttachRolePolicy(AttachPolicy, frozen=True, kw_only=True):
    action = Action.ATTACH_ROLE_POLICY


class DetachRolePolicy(DetachPolicy, frozen=True, kw_only=True):
    action = Action.DETACH_ROLE_POLICY


class ListAttachedRolePolicies(ListAttachedPolicies, frozen=True, kw_only=True):
    action = Action.LIST_ATTACHED_ROLE_POLICIES


class AttachGroupPolicy(AttachPolicy, frozen=True, kw_only=True):
    action = Action.ATTACH_GROUP_POLICY


class DetachGroupPolicy(DetachPolicy, frozen=True, kw_only=True):
    action = Action.DETACH_GROUP_POLICY


class ListAttachedGroupPolicies(ListAttachedPolicies, frozen=True, kw_only=True):
    action = Action.LIST_ATTACHED_GROUP_POLICIES


class AttachedPolicies(Struct, frozen=True):
    """The three operations on what is attached to one kind of principal."""

    attach: type[AttachPolicy]
    detach: type[DetachPolicy]
    list: type[ListAttachedPolicies]


ATTACHED_POLICIES: dict[PrincipalKind, AttachedPolicies] = {
    PrincipalKind.USER: AttachedPolicies(AttachUserPolicy, DetachUserPolicy, ListAttachedUserPolicies),
    PrincipalKind.ROLE: AttachedPolicies(AttachRolePolicy, DetachRolePolicy, ListAttachedRolePolicies),
    PrincipalKind.GROUP: AttachedPolicies(AttachGroupPolicy, DetachGroupPolicy, ListAttachedGroupPolicies),
}
