"""iam:Create, Get, List, Update and DeleteGroup; AddUserToGroup, RemoveUserFromGroup, ListGroupsForUser.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from datetime import datetime

from keystead.core import operations as ops
from keystead.core.entities import Principal
from keystead.core.errors import AlreadyExists
from keystead.core.policy.arn import arn_of
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    ROOT_PATH,
    ExistingUserName,
    GroupName,
    Marker,
    MaxItems,
    Path,
    PathPrefix,
    account,
    date,
    group,
    user,
)
from keystead.doors.aws_kms.iam.users import User
from keystead.doors.aws_kms.pages import next_marker, place
from keystead.doors.aws_kms.query import query_operation
from keystead.doors.aws_kms.sts import user_id
from keystead.kit import Call, Message

ABSENT = frozenset({"NoSuchEntity"})


class Group(Message, frozen=True, kw_only=True, rename="pascal"):
    path: str
    group_name: str
    group_id: str
    arn: str
    create_date: datetime

    @classmethod
    def of(cls, one: Principal) -> Group:
        return cls(
            path=one.path,
            group_name=one.name,
            group_id=user_id(one),
            arn=arn_of(one),
            create_date=date(one.created_at),
        )


class CreateGroupRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    path: Path | None = None
    group_name: GroupName


class CreateGroupResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    group: Group


@query_operation("iam", "CreateGroup", errors=ABSENT | {"EntityAlreadyExists", "LimitExceeded"})
def create_group(req: CreateGroupRequest, call: Call) -> CreateGroupResponse:
    asked = ops.CreateGroup(tenant=account(call), name=req.group_name, path=req.path or ROOT_PATH)
    try:
        return CreateGroupResponse(group=Group.of(call(asked)))
    except AlreadyExists as taken:
        raise _taken(taken, req.group_name) from None


def _taken(error: AlreadyExists, name: str) -> AlreadyExists:
    error.args = (f"Group with name {name} already exists.", *error.args[1:])
    return error


class UpdateGroupRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    group_name: GroupName
    new_path: Path | None = None
    new_group_name: GroupName | None = None


@query_operation("iam", "UpdateGroup", errors=ABSENT | {"EntityAlreadyExists"})
def update_group(req: UpdateGroupRequest, call: Call) -> None:
    of, new_name = group(req.group_name, call), req.new_group_name
    try:
        call(ops.UpdateGroup(principal=of, new_name=new_name, new_path=req.new_path))
    except AlreadyExists as taken:
        raise _taken(taken, new_name or req.group_name) from None


class GetGroupRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    group_name: GroupName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class GetGroupResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    group: Group
    users: list[User]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "GetGroup", errors=ABSENT)
def get_group(req: GetGroupRequest, call: Call) -> GetGroupResponse:
    of, after = group(req.group_name, call), place(call, req.marker)
    found = call(ops.ReadGroup(principal=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, found.users.after)
    return GetGroupResponse(
        group=Group.of(found.group),
        users=[User.of(one) for one in found.users.items],
        is_truncated=bool(marker),
        marker=marker,
    )


class ListGroupsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListGroupsResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    groups: list[Group]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListGroups", errors=frozenset())
def list_groups(req: ListGroupsRequest, call: Call) -> ListGroupsResponse:
    page = call(
        ops.ListGroups(
            tenant=account(call),
            path_prefix=req.path_prefix or ROOT_PATH,
            after=place(call, req.marker),
            limit=req.max_items or PAGE,
        )
    )
    marker = next_marker(call, page.after)
    return ListGroupsResponse(groups=[Group.of(one) for one in page.items], is_truncated=bool(marker), marker=marker)


class DeleteGroupRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    group_name: GroupName


@query_operation("iam", "DeleteGroup", errors=ABSENT | {"DeleteConflict"})
def delete_group(req: DeleteGroupRequest, call: Call) -> None:
    call(ops.DeleteGroup(principal=group(req.group_name, call)))


class AddUserToGroupRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    group_name: GroupName
    user_name: ExistingUserName


@query_operation("iam", "AddUserToGroup", errors=ABSENT | {"LimitExceeded"})
def add_user_to_group(req: AddUserToGroupRequest, call: Call) -> None:
    call(ops.AddToGroup(principal=group(req.group_name, call), user_name=req.user_name))


class RemoveUserFromGroupRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    group_name: GroupName
    user_name: ExistingUserName


@query_operation("iam", "RemoveUserFromGroup", errors=ABSENT)
def remove_user_from_group(req: RemoveUserFromGroupRequest, call: Call) -> None:
    call(ops.RemoveFromGroup(principal=group(req.group_name, call), user_name=req.user_name))


class ListGroupsForUserRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListGroupsForUserResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    groups: list[Group]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListGroupsForUser", errors=ABSENT)
def list_groups_for_user(req: ListGroupsForUserRequest, call: Call) -> ListGroupsForUserResponse:
    of, after = user(req.user_name, call), place(call, req.marker)
    page = call(ops.ListGroupsOfUser(principal=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, page.after)
    groups = [Group.of(one) for one in page.items]
    return ListGroupsForUserResponse(groups=groups, is_truncated=bool(marker), marker=marker)


OPERATIONS = (
    create_group,
    get_group,
    list_groups,
    update_group,
    delete_group,
    add_user_to_group,
    remove_user_from_group,
    list_groups_for_user,
)
