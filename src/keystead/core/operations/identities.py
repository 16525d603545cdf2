"""Users and roles, one action each, as AWS IAM has them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Credential, ManagedPolicy, PolicyText, Principal, PrincipalKind
from keystead.core.operations.base import (
    Demand,
    Nothing,
    Page,
    PolicyRef,
    PrincipalOperation,
    PrincipalRef,
    TenantOperation,
    tagging,
)
from keystead.core.operations.principals import AccessKey


class DescribedPrincipal(Struct, frozen=True):
    """A user or role, with the policy that bounds it."""

    principal: Principal
    boundary: ManagedPolicy | None = None


class CreateUser(TenantOperation[DescribedPrincipal], frozen=True, kw_only=True):
    """Raises AlreadyExists; NotFound (detail the PolicyRef) for a boundary that is not there."""

    action = Action.CREATE_USER
    changes = True
    name: str
    path: str = "/"
    tags: Mapping[str, str] = {}
    boundary: PolicyRef | None = None

    def demands(self) -> tuple[Demand, ...]:
        made = PrincipalRef(self.tenant.tenant, PrincipalKind.USER, self.name, self.path)
        return (Demand(self.action, self.tenant, made), *tagging(Action.TAG_USER, self.tenant, made, self.tags))


class ListUsers(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_USERS
    path_prefix: str = "/"
    after: str = ""
    limit: int


class ReadUser(PrincipalOperation[DescribedPrincipal], frozen=True, kw_only=True):
    action = Action.READ_USER


class DeleteUser(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Raises WrongState (detail IN_USE) while it has access keys, policies or groups."""

    action = Action.DELETE_USER
    changes = True


IN_USE = "in use"
"""detail of the WrongState for a principal that something must be taken from before it can be deleted."""


class CreateUserAccessKey(PrincipalOperation[AccessKey], frozen=True, kw_only=True):
    action = Action.CREATE_ACCESS_KEY
    changes = True


class ListUserAccessKeys(PrincipalOperation[Page[Credential]], frozen=True, kw_only=True):
    """Without their secrets."""

    action = Action.LIST_ACCESS_KEYS
    after: str = ""
    limit: int


class UpdateUserAccessKey(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.UPDATE_ACCESS_KEY
    changes = True
    credential_id: str
    enabled: bool


class DeleteUserAccessKey(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DELETE_ACCESS_KEY
    changes = True
    credential_id: str


class CreateRole(TenantOperation[DescribedPrincipal], frozen=True, kw_only=True):
    """Raises AlreadyExists; InvalidArgument for a trust policy that is none; NotFound as CreateUser."""

    action = Action.CREATE_ROLE
    changes = True
    name: str
    path: str = "/"
    tags: Mapping[str, str] = {}
    trust: PolicyText
    description: str = ""
    max_session_for: int = 3600  # seconds
    boundary: PolicyRef | None = None

    def demands(self) -> tuple[Demand, ...]:
        made = PrincipalRef(self.tenant.tenant, PrincipalKind.ROLE, self.name, self.path)
        return (Demand(self.action, self.tenant, made), *tagging(Action.TAG_ROLE, self.tenant, made, self.tags))


class ListRoles(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_ROLES
    path_prefix: str = "/"
    after: str = ""
    limit: int


class ReadRole(PrincipalOperation[DescribedPrincipal], frozen=True, kw_only=True):
    action = Action.READ_ROLE


class DeleteRole(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Its sessions end with it. Raises WrongState (detail IN_USE) while it has credentials or policies."""

    action = Action.DELETE_ROLE
    changes = True


class UpdateRole(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """What is None stays as it is."""

    action = Action.UPDATE_ROLE
    changes = True
    description: str | None = None
    max_session_for: int | None = None  # seconds


class PutRoleDescription(PrincipalOperation[DescribedPrincipal], frozen=True, kw_only=True):
    """Nothing else of the role changes."""

    action = Action.PUT_ROLE_DESCRIPTION
    changes = True
    description: str


class ListInstanceProfiles(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """There are no instances here, and so none of a role's."""

    action = Action.LIST_INSTANCE_PROFILES


class PutTrustPolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.PUT_TRUST_POLICY
    changes = True
    trust: PolicyText


# --- inline policies, of every kind of principal that has them


class PutInlinePolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """In the place of one of the same name. Raises LimitExceeded (detail "policies"), and what the dialect raises."""

    changes = True
    policy: PolicyText


class ReadInlinePolicy(PrincipalOperation[PolicyText], frozen=True, kw_only=True):
    policy_name: str


class ListInlinePolicies(PrincipalOperation[Page[str]], frozen=True, kw_only=True):
    """Their names, in order."""

    after: str = ""
    limit: int


class DeleteInlinePolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    changes = True
    policy_name: str


class PutUserPolicy(PutInlinePolicy, frozen=True, kw_only=True):
    action = Action.PUT_USER_POLICY


class ReadUserPolicy(ReadInlinePolicy, frozen=True, kw_only=True):
    action = Action.READ_USER_POLICY


class ListUserPolicies(ListInlinePolicies, frozen=True, kw_only=True):
    action = Action.LIST_USER_POLICIES


class DeleteUserPolicy(DeleteInlinePolicy, frozen=True, kw_only=True):
    action = Action.DELETE_USER_POLICY


class PutRolePolicy(PutInlinePolicy, frozen=True, kw_only=True):
    action = Action.PUT_ROLE_POLICY


class ReadRolePolicy(ReadInlinePolicy, frozen=True, kw_only=True):
    action = Action.READ_ROLE_POLICY


class ListRolePolicies(ListInlinePolicies, frozen=True, kw_only=True):
    action = Action.LIST_ROLE_POLICIES


class DeleteRolePolicy(DeleteInlinePolicy, frozen=True, kw_only=True):
    action = Action.DELETE_ROLE_POLICY


class PutGroupPolicy(PutInlinePolicy, frozen=True, kw_only=True):
    action = Action.PUT_GROUP_POLICY


class ReadGroupPolicy(ReadInlinePolicy, frozen=True, kw_only=True):
    action = Action.READ_GROUP_POLICY


class ListGroupPolicies(ListInlinePolicies, frozen=True, kw_only=True):
    action = Action.LIST_GROUP_POLICIES


class DeleteGroupPolicy(DeleteInlinePolicy, frozen=True, kw_only=True):
    action = Action.DELETE_GROUP_POLICY


class InlinePolicies(Struct, frozen=True):
    """The four operations on the inline policies of one kind of principal."""

    put: type[PutInlinePolicy]
    read: type[ReadInlinePolicy]
    list: type[ListInlinePolicies]
    delete: type[DeleteInlinePolicy]


INLINE_POLICIES: dict[PrincipalKind, InlinePolicies] = {
    PrincipalKind.USER: InlinePolicies(PutUserPolicy, ReadUserPolicy, ListUserPolicies, DeleteUserPolicy),
    PrincipalKind.ROLE: InlinePolicies(PutRolePolicy, ReadRolePolicy, ListRolePolicies, DeleteRolePolicy),
    PrincipalKind.GROUP: InlinePolicies(PutGroupPolicy, ReadGroupPolicy, ListGroupPolicies, DeleteGroupPolicy),
}
