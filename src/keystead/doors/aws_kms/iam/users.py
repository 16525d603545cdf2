"""iam:CreateUser, GetUser, ListUsers, DeleteUser.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from datetime import datetime

from keystead.core import operations as ops
from keystead.core.entities import ManagedPolicy, Principal
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.policy.arn import arn_of
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    ROOT_PATH,
    Arn,
    AttachedPermissionsBoundary,
    ExistingUserName,
    Marker,
    MaxItems,
    Path,
    PathPrefix,
    Tags,
    UserName,
    account,
    date,
    next_marker,
    not_attachable,
    only_root_path,
    place,
    policy,
    user,
    user_or_caller,
)
from keystead.doors.aws_kms.query import not_offered, query_operation
from keystead.doors.aws_kms.sts import user_id
from keystead.kit import Call, Message


class User(Message, frozen=True, kw_only=True, rename="pascal"):
    path: str = ROOT_PATH
    user_name: str
    user_id: str
    arn: str
    create_date: datetime
    permissions_boundary: AttachedPermissionsBoundary | None = None

    @classmethod
    def of(cls, one: Principal, boundary: ManagedPolicy | None = None) -> User:
        """A listing leaves the boundary out."""
        return cls(
            user_name=one.name,
            user_id=user_id(one),
            arn=arn_of(one),
            create_date=date(one.created_at),
            permissions_boundary=AttachedPermissionsBoundary.of(boundary),
        )


class CreateUserRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    path: Path | None = None
    user_name: UserName
    permissions_boundary: Arn | None = None
    tags: Tags | None = None


class CreateUserResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    user: User


@query_operation("iam", "CreateUser", errors=frozenset({"EntityAlreadyExists", "InvalidInput", "NoSuchEntity"}))
def create_user(req: CreateUserRequest, call: Call) -> CreateUserResponse:
    only_root_path(req.path)
    not_offered(tags=req.tags or None)
    boundary = None if req.permissions_boundary is None else policy(req.permissions_boundary)
    try:
        made = call(ops.CreateUser(tenant=account(call), name=req.user_name, boundary=boundary))
    except AlreadyExists as taken:
        taken.args = (f"User with name {req.user_name} already exists.", *taken.args[1:])
        raise
    except NotFound as absent:
        raise not_attachable(absent) from None
    return CreateUserResponse(user=User.of(made.principal, made.boundary))


class GetUserRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName | None = None


class GetUserResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    user: User


@query_operation("iam", "GetUser", errors=frozenset({"NoSuchEntity"}))
def get_user(req: GetUserRequest, call: Call) -> GetUserResponse:
    found = call(ops.ReadUser(principal=user_or_caller(req.user_name, call)))
    return GetUserResponse(user=User.of(found.principal, found.boundary))


class ListUsersRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListUsersResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    users: list[User]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListUsers", errors=frozenset())
def list_users(req: ListUsersRequest, call: Call) -> ListUsersResponse:
    page = call(ops.ListUsers(tenant=account(call), after=place(call, req.marker), limit=req.max_items or PAGE))
    if req.path_prefix not in (None, ROOT_PATH):  # no user's path begins so
        return ListUsersResponse(users=[], is_truncated=False)
    marker = next_marker(call, page.after)
    return ListUsersResponse(users=[User.of(one) for one in page.items], is_truncated=bool(marker), marker=marker)


class DeleteUserRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName


@query_operation("iam", "DeleteUser", errors=frozenset({"NoSuchEntity", "DeleteConflict"}))
def delete_user(req: DeleteUserRequest, call: Call) -> None:
    call(ops.DeleteUser(principal=user(req.user_name, call)))


OPERATIONS = (create_user, get_user, list_users, delete_user)
