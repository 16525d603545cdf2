"""iam:CreateRole, GetRole, ListRoles, DeleteRole, UpdateAssumeRolePolicy.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.entities import ManagedPolicy, PolicyText, Principal
from keystead.core.errors import AlreadyExists, InvalidArgument, NotFound
from keystead.core.policy.arn import arn_of
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    POLICY_ARN,
    ROOT_PATH,
    Arn,
    AttachedPermissionsBoundary,
    Marker,
    MaxItems,
    Path,
    PathPrefix,
    PolicyDocument,
    RoleName,
    Tags,
    account,
    date,
    next_marker,
    not_attachable,
    only_root_path,
    place,
    policy,
    role,
    written,
)
from keystead.doors.aws_kms.query import not_offered, query_operation
from keystead.doors.aws_kms.shapes import matching
from keystead.doors.aws_kms.sts import user_id
from keystead.kit import Call, Message

TRUST = "trust"  # it has no name of its own
DEFAULT_SESSION = 3600  # seconds
Description = Annotated[
    str, Meta(max_length=1000, pattern=matching(r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"))
]
MaxSessionDuration = Annotated[int, Meta(ge=3600, le=43200)]
MaxSigninSessionDuration = Annotated[int, Meta(ge=3600, le=7776000)]


class Role(Message, frozen=True, kw_only=True, rename="pascal"):
    path: str = ROOT_PATH
    role_name: str
    role_id: str
    arn: str
    create_date: datetime
    assume_role_policy_document: str | None = None
    description: str | None = None
    max_session_duration: int | None = None
    permissions_boundary: AttachedPermissionsBoundary | None = None

    @classmethod
    def of(cls, one: Principal, boundary: ManagedPolicy | None = None) -> Role:
        """A listing leaves the boundary out."""
        return cls(
            role_name=one.name,
            role_id=user_id(one),
            arn=arn_of(one),
            create_date=date(one.created_at),
            assume_role_policy_document=None if one.trust is None else written(one.trust.text),
            description=one.description or None,
            max_session_duration=one.max_session_for,
            permissions_boundary=AttachedPermissionsBoundary.of(boundary),
        )


class CreateRoleRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    path: Path | None = None
    role_name: RoleName
    assume_role_policy_document: PolicyDocument
    description: Description | None = None
    max_session_duration: MaxSessionDuration | None = None
    max_signin_session_duration: MaxSigninSessionDuration | None = None
    permissions_boundary: Arn | None = None
    tags: Tags | None = None


class CreateRoleResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    role: Role


@query_operation(
    "iam",
    "CreateRole",
    errors=frozenset({"EntityAlreadyExists", "InvalidInput", "LimitExceeded", "MalformedPolicyDocument"}),
)
def create_role(req: CreateRoleRequest, call: Call) -> CreateRoleResponse:
    only_root_path(req.path)
    not_offered(
        max_signin_session_duration=req.max_signin_session_duration,
        tags=req.tags or None,
    )
    asked = ops.CreateRole(
        tenant=account(call),
        name=req.role_name,
        trust=PolicyText(TRUST, "aws", req.assume_role_policy_document),
        description=req.description or "",
        max_session_for=req.max_session_duration or DEFAULT_SESSION,
        boundary=None if req.permissions_boundary is None else policy(req.permissions_boundary),
    )
    try:
        made = call(asked)
        return CreateRoleResponse(role=Role.of(made.principal, made.boundary))
    except AlreadyExists as taken:
        taken.args = (f"Role with name {req.role_name} already exists.", *taken.args[1:])
        raise
    except NotFound as absent:
        raise InvalidArgument(str(not_attachable(absent)), POLICY_ARN) from None  # CreateRole has no NoSuchEntity


class GetRoleRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName


class GetRoleResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    role: Role


@query_operation("iam", "GetRole", errors=frozenset({"NoSuchEntity"}))
def get_role(req: GetRoleRequest, call: Call) -> GetRoleResponse:
    found = call(ops.ReadRole(principal=role(req.role_name, call)))
    return GetRoleResponse(role=Role.of(found.principal, found.boundary))


class ListRolesRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListRolesResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    roles: list[Role]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListRoles", errors=frozenset())
def list_roles(req: ListRolesRequest, call: Call) -> ListRolesResponse:
    page = call(ops.ListRoles(tenant=account(call), after=place(call, req.marker), limit=req.max_items or PAGE))
    if req.path_prefix not in (None, ROOT_PATH):  # no role's path begins so
        return ListRolesResponse(roles=[], is_truncated=False)
    marker = next_marker(call, page.after)
    return ListRolesResponse(roles=[Role.of(one) for one in page.items], is_truncated=bool(marker), marker=marker)


class DeleteRoleRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName


@query_operation("iam", "DeleteRole", errors=frozenset({"NoSuchEntity", "DeleteConflict"}))
def delete_role(req: DeleteRoleRequest, call: Call) -> None:
    call(ops.DeleteRole(principal=role(req.role_name, call)))


class UpdateAssumeRolePolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    policy_document: PolicyDocument


@query_operation(
    "iam",
    "UpdateAssumeRolePolicy",
    errors=frozenset({"NoSuchEntity", "LimitExceeded", "MalformedPolicyDocument"}),
)
def update_assume_role_policy(req: UpdateAssumeRolePolicyRequest, call: Call) -> None:
    trust = PolicyText(TRUST, "aws", req.policy_document)
    call(ops.PutTrustPolicy(principal=role(req.role_name, call), trust=trust))


OPERATIONS = (create_role, get_role, list_roles, delete_role, update_assume_role_policy)
