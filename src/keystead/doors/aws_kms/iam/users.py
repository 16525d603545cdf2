"""iam:CreateUser, GetUser, ListUsers, DeleteUser.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Principal
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.operations import DescribedPrincipal
from keystead.core.policy.arn import arn_of
from keystead.doors.aws_kms.iam.shapes import (
    MAKING,
    PAGE,
    ROOT_PATH,
    Arn,
    AttachedPermissionsBoundary,
    ExistingUserName,
    Marker,
    MaxItems,
    Path,
    PathPrefix,
    Tag,
    Tags,
    UserName,
    account,
    date,
    not_attachable,
    pairs,
    policy,
    shown,
    user,
    user_or_caller,
)
from keystead.doors.aws_kms.pages import next_marker, place
from keystead.doors.aws_kms.query import query_operation
from keystead.doors.aws_kms.sts import user_id
from keystead.kit import Call, Message


class User(Message, frozen=True, kw_only=True, rename="pascal"):
    path: str
    user_name: str
    user_id: str
    arn: str
    create_date: datetime
    permissions_boundary: AttachedPermissionsBoundary | None = None
    tags: list[Tag] | None = None

    @classmethod
    def of(cls, one: Principal) -> User:
        """As a listing has it, without tags and boundary."""
        return cls(
            path=one.path,
            user_name=one.name,
            user_id=user_id(one),
            arn=arn_of(one),
            create_date=date(one.created_at),
        )

    @classmethod
    def whole(cls, found: DescribedPrincipal) -> User:
        boundary = AttachedPermissionsBoundary.of(found.boundary)
        return replace(cls.of(found.principal), permissions_boundary=boundary, tags=shown(found.principal.tags))


class CreateUserRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    path: Path | None = None
    user_name: UserName
    permissions_boundary: Arn | None = None
    tags: Tags | None = None


class CreateUserResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    user: User


@query_operation("iam", "CreateUser", errors=MAKING | {"NoSuchEntity"})
def create_user(req: CreateUserRequest, call: Call) -> CreateUserResponse:
    boundary = None if req.permissions_boundary is None else policy(req.permissions_boundary)
    try:
        made = call(
            ops.CreateUser(
                tenant=account(call),
                name=req.user_name,
                path=req.path or ROOT_PATH,
                tags=pairs(req.tags),
                boundary=boundary,
            )
        )
    except AlreadyExists as taken:
        taken.args = (f"User with name {req.user_name} already exists.", *taken.args[1:])
        raise
    except NotFound as absent:
        raise not_attachable(absent) from None
    return CreateUserResponse(user=User.whole(made))


class GetUserRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName | None = None


class GetUserResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    user: User


@query_operation("iam", "GetUser", errors=frozenset({"NoSuchEntity"}))
def get_user(req: GetUserRequest, call: Call) -> GetUserResponse:
    return GetUserResponse(user=User.whole(call(ops.ReadUser(principal=user_or_caller(req.user_name, call)))))


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
    page = call(
        ops.ListUsers(
            tenant=account(call),
            path_prefix=req.path_prefix or ROOT_PATH,
            after=place(call, req.marker),
            limit=req.max_items or PAGE,
        )
    )
    marker = next_marker(call, page.after)
    return ListUsersResponse(users=[User.of(one) for one in page.items], is_truncated=bool(marker), marker=marker)


class DeleteUserRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName


@query_operation("iam", "DeleteUser", errors=frozenset({"NoSuchEntity", "DeleteConflict"}))
def delete_user(req: DeleteUserRequest, call: Call) -> None:
    call(ops.DeleteUser(principal=user(req.user_name, call)))


OPERATIONS = (create_user, get_user, list_users, delete_user)
