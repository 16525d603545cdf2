"""Groups and who is in them.

IAM API Reference 2010-05-08, under the names of the actions; IAM User Guide, "IAM user groups". Whoever joins or
leaves changes with the membership, and so does the group: either number tells that something is new.
"""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Membership, Principal, PrincipalKind
from keystead.core.errors import LimitExceeded, NotFound, WrongState
from keystead.core.operations import Nothing, Page, PrincipalRef
from keystead.service.handlers.identities import OneOf, changeable, of_kind, without_policies
from keystead.service.handlers.keys import paged, walk
from keystead.service.handlers.principals import check_name, nobody_yet
from keystead.service.held import HeldPrincipal, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_GROUPS = 10  # IAM User Guide, "IAM and AWS STS quotas": groups an IAM user can be a member of


def create_group(op: ops.CreateGroup, targets: tuple[HeldTenant], act: Act) -> Outcome[Principal]:
    (tenant,) = targets
    made = replace(nobody_yet(tenant, PrincipalKind.GROUP, op.name, act), path=op.path)
    return Outcome(answer=made, put=(made, tenant.record), made=made.id)


def list_groups(op: ops.ListGroups, targets: tuple[HeldTenant], _act: Act) -> Outcome[Page[Principal]]:
    return Outcome(answer=of_kind(targets[0], PrincipalKind.GROUP, op.path_prefix, op.after, op.limit))


def read_group(op: ops.ReadGroup, targets: OneOf, _act: Act) -> Outcome[ops.Members]:
    (group,) = targets
    page = paged(walk(lambda place, size: group.members(after=place, limit=size), op.after, op.limit), op.limit)
    users = tuple(group.home.principal_of_id(one.user_id) for one in page.items)
    return Outcome(answer=ops.Members(group.principal, Page(users, page.after)))


def update_group(op: ops.UpdateGroup, targets: tuple[HeldPrincipal, HeldPrincipal], _act: Act) -> Outcome[Nothing]:
    """It stays the same group, under another name: whoever is in it stays in it."""
    held = targets[0]
    group, home = changeable(held), held.home
    if op.new_path is not None:
        group = replace(group, path=op.new_path)
    if op.new_name is None or op.new_name == group.name:
        return Outcome(answer=Nothing(), put=(group,))
    check_name(home, PrincipalKind.GROUP, op.new_name)
    digest = home.name_digest(PrincipalKind.GROUP, op.new_name)
    renamed = replace(group, name=op.new_name, name_digest=digest)
    return Outcome(answer=Nothing(), put=(renamed, home.record))


def delete_group(_op: ops.DeleteGroup, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    """DeleteGroup: "The group must not contain any users or have any attached policies"."""
    (held,) = targets
    gone = changeable(held)
    if held.members(after="", limit=1):
        raise WrongState("Cannot delete entity, must remove users from group first.", ops.IN_USE)
    without_policies(held)
    return Outcome(answer=Nothing(), delete=(gone,))


def _user(group: HeldPrincipal, name: str) -> HeldPrincipal:
    """Raises NotFound (detail PrincipalRef)."""
    found = group.home.find_principal(PrincipalKind.USER, name)
    if found is None:
        raise NotFound("no such user", PrincipalRef(group.tenant, PrincipalKind.USER, name))
    return HeldPrincipal(found, group.home)


def add_to_group(op: ops.AddToGroup, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    """Whoever is in it already stays in it."""
    (group,) = targets
    user = _user(group, op.user_name)
    joined = user.memberships()
    if any(one.group_id == group.id for one in joined):
        return Outcome(answer=Nothing())
    if len(joined) >= MAX_GROUPS:
        raise LimitExceeded(f"Cannot exceed quota for GroupsPerUser: {MAX_GROUPS}", "groups")
    joins = Membership(id=f"{group.id}/{user.id}", group_id=group.id, user_id=user.id)
    return Outcome(answer=Nothing(), put=(joins, user.principal, group.principal), made=joins.id)


def remove_from_group(op: ops.RemoveFromGroup, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    (group,) = targets
    user = _user(group, op.user_name)
    leaves = next((one for one in user.memberships() if one.group_id == group.id), None)
    if leaves is None:
        raise NotFound(f"The user with name {op.user_name} is not in the group {group.principal.name}.", "membership")
    return Outcome(answer=Nothing(), put=(user.principal, group.principal), delete=(leaves,), made=leaves.id)


def list_groups_of_user(op: ops.ListGroupsOfUser, targets: OneOf, _act: Act) -> Outcome[Page[Principal]]:
    (user,) = targets
    after = (one for one in user.memberships() if one.group_id > op.after)
    page = paged((user.home.principal_of_id(one.group_id) for one in after), op.limit)
    return Outcome(answer=page)


HANDLERS: dict[type, Handler] = {
    ops.CreateGroup: create_group,
    ops.ListGroups: list_groups,
    ops.ReadGroup: read_group,
    ops.UpdateGroup: update_group,
    ops.DeleteGroup: delete_group,
    ops.AddToGroup: add_to_group,
    ops.RemoveFromGroup: remove_from_group,
    ops.ListGroupsOfUser: list_groups_of_user,
}
