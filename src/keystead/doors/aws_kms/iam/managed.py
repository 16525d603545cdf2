"""iam:CreatePolicy, GetPolicy, ListPolicies, DeletePolicy, and the versions of a policy.

Spec: IAM API Reference 2010-05-08, under these names. The policies that AWS gives to every account are not held here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from keystead.core import operations as ops
from keystead.core.entities import ManagedPolicy, PolicyText
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.operations import VersionOfPolicy
from keystead.core.policy.arn import policy_arn
from keystead.doors.aws_kms.iam.shapes import (
    MAKING,
    PAGE,
    ROOT_PATH,
    Arn,
    Marker,
    MaxItems,
    PolicyDescription,
    PolicyDocument,
    PolicyName,
    PolicyPath,
    Tag,
    Tags,
    VersionId,
    account,
    date,
    pairs,
    policy,
    shown,
    written,
)
from keystead.doors.aws_kms.pages import next_marker, place
from keystead.doors.aws_kms.query import query_operation
from keystead.kit import Call, Message

ABSENT = frozenset({"NoSuchEntity", "InvalidInput"})
UNREADABLE = frozenset({"MalformedPolicyDocument", "LimitExceeded"})
Usage = Literal["PermissionsPolicy", "PermissionsBoundary"]
AS_BOUNDARY: dict[str | None, bool | None] = {None: None, "PermissionsPolicy": False, "PermissionsBoundary": True}


class Policy(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_name: str
    policy_id: str
    arn: str
    path: str
    default_version_id: str
    attachment_count: int
    permissions_boundary_usage_count: int
    is_attachable: bool = True
    description: str | None = None
    create_date: datetime
    update_date: datetime
    tags: list[Tag] | None = None

    @classmethod
    def of(cls, one: ManagedPolicy, *, whole: bool = True) -> Policy:
        """A listing leaves the description and the tags out."""
        return cls(
            policy_name=one.name,
            policy_id=one.id,
            arn=policy_arn(one),
            path=one.path,
            default_version_id=f"v{one.default}",
            attachment_count=one.n_attached,
            permissions_boundary_usage_count=one.n_bounded,
            description=(one.description or None) if whole else None,
            create_date=date(one.created_at),
            update_date=date(one.versions[-1].created_at),
            tags=shown(one.tags) if whole else None,
        )


class PolicyVersion(Message, frozen=True, kw_only=True, rename="pascal"):
    document: str | None = None
    version_id: str
    is_default_version: bool
    create_date: datetime

    @classmethod
    def of(cls, one: VersionOfPolicy, *, whole: bool = False) -> PolicyVersion:
        """GetPolicyVersion alone answers the document."""
        return cls(
            document=written(one.version.text) if whole else None,
            version_id=f"v{one.version.number}",
            is_default_version=one.is_default,
            create_date=date(one.version.created_at),
        )


class CreatePolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_name: PolicyName
    path: PolicyPath | None = None
    policy_document: PolicyDocument
    description: PolicyDescription | None = None
    tags: Tags | None = None


class CreatePolicyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy: Policy


@query_operation("iam", "CreatePolicy", errors=UNREADABLE | MAKING)
def create_policy(req: CreatePolicyRequest, call: Call) -> CreatePolicyResponse:
    asked = ops.CreateManagedPolicy(
        tenant=account(call),
        text=PolicyText(req.policy_name, "aws", req.policy_document),
        path=req.path or ROOT_PATH,
        tags=pairs(req.tags),
        description=req.description or "",
    )
    try:
        return CreatePolicyResponse(policy=Policy.of(call(asked)))
    except AlreadyExists as taken:
        taken.args = (f"A policy called {req.policy_name} already exists. Duplicate names are not allowed.",)
        raise


class GetPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn


class GetPolicyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy: Policy


@query_operation("iam", "GetPolicy", errors=ABSENT)
def get_policy(req: GetPolicyRequest, call: Call) -> GetPolicyResponse:
    return GetPolicyResponse(policy=Policy.of(call(ops.ReadManagedPolicy(policy=policy(req.policy_arn)))))


class ListPoliciesRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    scope: Literal["All", "AWS", "Local"] | None = None
    only_attached: bool | None = None
    path_prefix: PolicyPath | None = None
    policy_usage_filter: Usage | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListPoliciesResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policies: list[Policy]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListPolicies", errors=frozenset())
def list_policies(req: ListPoliciesRequest, call: Call) -> ListPoliciesResponse:
    page = call(
        ops.ListManagedPolicies(
            tenant=account(call),
            only_attached=req.only_attached or False,
            as_boundary=AS_BOUNDARY[req.policy_usage_filter],
            path_prefix=req.path_prefix or ROOT_PATH,
            after=place(call, req.marker),
            limit=req.max_items or PAGE,
        )
    )
    if req.scope == "AWS":  # none of those is held here
        return ListPoliciesResponse(policies=[], is_truncated=False)
    marker = next_marker(call, page.after)
    listed = [Policy.of(one, whole=False) for one in page.items]
    return ListPoliciesResponse(policies=listed, is_truncated=bool(marker), marker=marker)


class DeletePolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn


@query_operation("iam", "DeletePolicy", errors=ABSENT | {"DeleteConflict"})
def delete_policy(req: DeletePolicyRequest, call: Call) -> None:
    call(ops.DeleteManagedPolicy(policy=policy(req.policy_arn)))


# --- versions


class CreatePolicyVersionRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn
    policy_document: PolicyDocument
    set_as_default: bool | None = None


class CreatePolicyVersionResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_version: PolicyVersion


@query_operation("iam", "CreatePolicyVersion", errors=ABSENT | UNREADABLE)
def create_policy_version(req: CreatePolicyVersionRequest, call: Call) -> CreatePolicyVersionResponse:
    of, as_default = policy(req.policy_arn), req.set_as_default or False
    text = PolicyText(of.name, "aws", req.policy_document)
    made = call(ops.CreatePolicyVersion(policy=of, text=text, as_default=as_default))
    return CreatePolicyVersionResponse(policy_version=PolicyVersion.of(VersionOfPolicy(made, as_default)))


class VersionRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn
    version_id: VersionId

    def number(self) -> int:
        """Raises NotFound: whoever has ever had "v1.x" or a number of a hundred digits does not say so."""
        digits = self.version_id[1:]
        if not digits.isdecimal() or len(digits) > 9:
            raise self.unknown(NotFound("no such version", ops.NO_VERSION))
        return int(digits)

    def unknown(self, absent: NotFound) -> NotFound:
        """The error in AWS's words, where it is the version that is not there."""
        if absent.detail == ops.NO_VERSION:
            absent.args = (f"Policy {self.policy_arn} version {self.version_id} does not exist.", *absent.args[1:])
        return absent


class GetPolicyVersionResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_version: PolicyVersion


@query_operation("iam", "GetPolicyVersion", errors=ABSENT)
def get_policy_version(req: VersionRequest, call: Call) -> GetPolicyVersionResponse:
    try:
        found = call(ops.ReadPolicyVersion(policy=policy(req.policy_arn), number=req.number()))
    except NotFound as absent:
        raise req.unknown(absent) from None
    return GetPolicyVersionResponse(policy_version=PolicyVersion.of(found, whole=True))


@query_operation("iam", "SetDefaultPolicyVersion", errors=ABSENT)
def set_default_policy_version(req: VersionRequest, call: Call) -> None:
    try:
        call(ops.SetDefaultPolicyVersion(policy=policy(req.policy_arn), number=req.number()))
    except NotFound as absent:
        raise req.unknown(absent) from None


@query_operation("iam", "DeletePolicyVersion", errors=ABSENT | {"DeleteConflict"})
def delete_policy_version(req: VersionRequest, call: Call) -> None:
    try:
        call(ops.DeletePolicyVersion(policy=policy(req.policy_arn), number=req.number()))
    except NotFound as absent:
        raise req.unknown(absent) from None


class ListPolicyVersionsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListPolicyVersionsResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    versions: list[PolicyVersion]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListPolicyVersions", errors=ABSENT)
def list_policy_versions(req: ListPolicyVersionsRequest, call: Call) -> ListPolicyVersionsResponse:
    of, after = policy(req.policy_arn), place(call, req.marker)
    page = call(ops.ListPolicyVersions(policy=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, page.after)
    listed = [PolicyVersion.of(one) for one in page.items]
    return ListPolicyVersionsResponse(versions=listed, is_truncated=bool(marker), marker=marker)


OPERATIONS = (
    create_policy,
    get_policy,
    list_policies,
    delete_policy,
    create_policy_version,
    get_policy_version,
    set_default_policy_version,
    delete_policy_version,
    list_policy_versions,
)
