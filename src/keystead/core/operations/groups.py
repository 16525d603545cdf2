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
    path: str = "/"

    def demands(self) -> tuple[Demand, ...]:
        made = PrincipalRef(self.tenant.tenant, PrincipalKind.GROUP, self.name, self.path)
        return (Demand(self.action, self.tenant, made),)


class ListGroups(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_GROUPS
    path_prefix: str = "/"
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


class UpdateGroup(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """What is None stays as it is. A right on what it is called, and on what it is to be. Raises AlreadyExists."""

    action = Action.UPDATE_GROUP
    changes = True
    new_name: str | None = None
    new_path: str | None = None

    def demands(self) -> tuple[Demand, ...]:
        of = self.principal
        to_be = PrincipalRef(of.tenant, of.kind, self.new_name or of.name, self.new_path)
        return (Demand(self.action, of), Demand(self.action, of, to_be))


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
