"""iam:CreateRole, GetRole, ListRoles, DeleteRole, UpdateRole, UpdateRoleDescription, UpdateAssumeRolePolicy,
ListInstanceProfilesForRole.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import PolicyText, Principal
from keystead.core.errors import AlreadyExists, InvalidArgument, NotFound
from keystead.core.operations import DescribedPrincipal
from keystead.core.policy.arn import arn_of
from keystead.doors.aws_kms.iam.shapes import (
    MAKING,
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
    Tag,
    Tags,
    account,
    date,
    not_attachable,
    pairs,
    policy,
    role,
    shown,
    written,
)
from keystead.doors.aws_kms.pages import next_marker, place
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
    path: str
    role_name: str
    role_id: str
    arn: str
    create_date: datetime
    assume_role_policy_document: str | None = None
    description: str | None = None
    max_session_duration: int | None = None
    permissions_boundary: AttachedPermissionsBoundary | None = None
    tags: list[Tag] | None = None

    @classmethod
    def of(cls, one: Principal) -> Role:
        """As a listing has it, without tags and boundary."""
        return cls(
            path=one.path,
            role_name=one.name,
            role_id=user_id(one),
            arn=arn_of(one),
            create_date=date(one.created_at),
            assume_role_policy_document=None if one.trust is None else written(one.trust.text),
            description=one.description or None,
            max_session_duration=one.max_session_for,
        )

    @classmethod
    def whole(cls, found: DescribedPrincipal) -> Role:
        boundary = AttachedPermissionsBoundary.of(found.boundary)
        return replace(cls.of(found.principal), permissions_boundary=boundary, tags=shown(found.principal.tags))


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
    errors=MAKING | {"MalformedPolicyDocument"},
)
def create_role(req: CreateRoleRequest, call: Call) -> CreateRoleResponse:
    not_offered(max_signin_session_duration=req.max_signin_session_duration)
    asked = ops.CreateRole(
        tenant=account(call),
        name=req.role_name,
        path=req.path or ROOT_PATH,
        tags=pairs(req.tags),
        trust=PolicyText(TRUST, "aws", req.assume_role_policy_document),
        description=req.description or "",
        max_session_for=req.max_session_duration or DEFAULT_SESSION,
        boundary=None if req.permissions_boundary is None else policy(req.permissions_boundary),
    )
    try:
        return CreateRoleResponse(role=Role.whole(call(asked)))
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
    return GetRoleResponse(role=Role.whole(call(ops.ReadRole(principal=role(req.role_name, call)))))


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
    page = call(
        ops.ListRoles(
            tenant=account(call),
            path_prefix=req.path_prefix or ROOT_PATH,
            after=place(call, req.marker),
            limit=req.max_items or PAGE,
        )
    )
    marker = next_marker(call, page.after)
    return ListRolesResponse(roles=[Role.of(one) for one in page.items], is_truncated=bool(marker), marker=marker)


class DeleteRoleRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName


@query_operation("iam", "DeleteRole", errors=frozenset({"NoSuchEntity", "DeleteConflict"}))
def delete_role(req: DeleteRoleRequest, call: Call) -> None:
    call(ops.DeleteRole(principal=role(req.role_name, call)))


class UpdateRoleRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    description: Description | None = None
    max_session_duration: MaxSessionDuration | None = None
    max_signin_session_duration: MaxSigninSessionDuration | None = None
    reset_max_signin_session_duration: bool | None = None


class UpdateRoleResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    """It has no members."""


@query_operation("iam", "UpdateRole", errors=frozenset({"NoSuchEntity", "InvalidInput"}))
def update_role(req: UpdateRoleRequest, call: Call) -> UpdateRoleResponse:
    """Nobody signs in here, so there is nothing to reset."""
    not_offered(max_signin_session_duration=req.max_signin_session_duration)
    of, longest = role(req.role_name, call), req.max_session_duration
    call(ops.UpdateRole(principal=of, description=req.description, max_session_for=longest))
    return UpdateRoleResponse()


class UpdateRoleDescriptionRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    description: Description


class UpdateRoleDescriptionResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    role: Role


@query_operation("iam", "UpdateRoleDescription", errors=frozenset({"NoSuchEntity"}))
def update_role_description(req: UpdateRoleDescriptionRequest, call: Call) -> UpdateRoleDescriptionResponse:
    """What Terraform changes the description of a role with."""
    found = call(ops.PutRoleDescription(principal=role(req.role_name, call), description=req.description))
    return UpdateRoleDescriptionResponse(role=Role.whole(found))


class ListInstanceProfilesForRoleRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class InstanceProfile(Message, frozen=True, kw_only=True, rename="pascal"):
    """There is none, and no action here makes one."""


class ListInstanceProfilesForRoleResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    instance_profiles: list[InstanceProfile]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListInstanceProfilesForRole", errors=frozenset({"NoSuchEntity"}))
def list_instance_profiles_for_role(
    req: ListInstanceProfilesForRoleRequest, call: Call
) -> ListInstanceProfilesForRoleResponse:
    """Whoever deletes a role in an orderly way asks for them first."""
    place(call, req.marker)
    call(ops.ListInstanceProfiles(principal=role(req.role_name, call)))
    return ListInstanceProfilesForRoleResponse(instance_profiles=[], is_truncated=False)


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


OPERATIONS = (
    create_role,
    get_role,
    list_roles,
    delete_role,
    update_role,
    update_role_description,
    update_assume_role_policy,
    list_instance_profiles_for_role,
)
