"""Groups of users, as AWS IAM has them. A group does nothing: what its policies say counts for its members."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Principal, PrincipalKind
from keystead.core.operations.base import Demand, Nothing, Page, PrincipalOperation, PrincipalRef, TenantOperation


class CreateGroup(TenantOperation[Principal], frozen=True, kw_only=True):
    """Raises AlreadyExists."""

    action = Action.CREATE_GROUP
    changes = True
    name: str

    def demands(self) -> tuple[Demand, ...]:
        made = PrincipalRef(self.tenant.tenant, PrincipalKind.GROUP, self.name)
        return (Demand(self.action, self.tenant, made),)


class ListGroups(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_GROUPS
    after: str = ""
    limit: int


class Members(Struct, frozen=True):
    group: Principal
    users: Page[Principal]


class ReadGroup(PrincipalOperation[Members], frozen=True, kw_only=True):
    """With a page of its users."""

    action = Action.READ_GROUP
    after: str = ""
    limit: int


class DeleteGroup(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Raises WrongState (detail IN_USE) while it has users or policies."""

    action = Action.DELETE_GROUP
    changes = True


class AddToGroup(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """`principal` is the group. Raises NotFound (detail the user's PrincipalRef), LimitExceeded (detail "groups")."""

    action = Action.ADD_TO_GROUP
    changes = True
    user_name: str


class RemoveFromGroup(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """`principal` is the group. Raises NotFound; its detail is a PrincipalRef where there is no such user at all."""

    action = Action.REMOVE_FROM_GROUP
    changes = True
    user_name: str


class ListGroupsOfUser(PrincipalOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_GROUPS_OF_USER
    after: str = ""
    limit: int
