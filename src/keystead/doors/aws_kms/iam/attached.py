"""iam:Attach, Detach and ListAttached of UserPolicy, RolePolicy and GroupPolicy; ListEntitiesForPolicy.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from typing import Literal

from msgspec import field

from keystead.core import operations as ops
from keystead.core.entities import PrincipalKind
from keystead.core.errors import NotFound
from keystead.core.operations import ATTACHED_POLICIES
from keystead.core.policy.arn import policy_arn
from keystead.doors.aws_kms.iam.kinds import Answer, Named, for_each
from keystead.doors.aws_kms.iam.managed import ABSENT, AS_BOUNDARY, Usage
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    ROOT_PATH,
    Arn,
    Marker,
    MaxItems,
    Path,
    PolicyPath,
    not_attachable,
    policy,
)
from keystead.doors.aws_kms.pages import next_marker, place
from keystead.doors.aws_kms.query import query_operation
from keystead.kit import Call, Message


class AttachPolicyRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn


@query_operation("iam", "AttachPrincipalPolicy", errors=ABSENT | {"LimitExceeded"})
def attach_policy(req: AttachPolicyRequest, call: Call) -> None:
    try:
        call(ATTACHED_POLICIES[req.kind].attach(principal=req.whom(call), policy=policy(req.policy_arn)))
    except NotFound as absent:
        raise not_attachable(absent) from None


class DetachPolicyRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn


@query_operation("iam", "DetachPrincipalPolicy", errors=ABSENT)
def detach_policy(req: DetachPolicyRequest, call: Call) -> None:
    call(ATTACHED_POLICIES[req.kind].detach(principal=req.whom(call), policy=policy(req.policy_arn)))


class AttachedPolicy(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_name: str
    policy_arn: str


class ListAttachedPoliciesRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    path_prefix: PolicyPath | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListAttachedPoliciesResponse(Answer, frozen=True, kw_only=True, rename="pascal"):
    attached_policies: list[AttachedPolicy]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListAttachedPrincipalPolicies", errors=ABSENT)
def list_attached_policies(req: ListAttachedPoliciesRequest, call: Call) -> ListAttachedPoliciesResponse:
    page = call(
        ATTACHED_POLICIES[req.kind].list(
            principal=req.whom(call),
            path_prefix=req.path_prefix or ROOT_PATH,
            after=place(call, req.marker),
            limit=req.max_items or PAGE,
        )
    )
    marker = next_marker(call, page.after)
    listed = [AttachedPolicy(policy_name=one.name, policy_arn=policy_arn(one)) for one in page.items]
    return ListAttachedPoliciesResponse(attached_policies=listed, is_truncated=bool(marker), marker=marker)


# --- the other way round


class PolicyGroup(Message, frozen=True, kw_only=True, rename="pascal"):
    group_name: str
    group_id: str


class PolicyUser(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: str
    user_id: str


class PolicyRole(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: str
    role_id: str


# EntityFilter: the others are no entities that a policy is attached to
KINDS = {"User": PrincipalKind.USER, "Role": PrincipalKind.ROLE, "Group": PrincipalKind.GROUP}


class ListEntitiesForPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn
    entity_filter: Literal["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"] | None = None
    path_prefix: Path | None = None
    policy_usage_filter: Usage | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListEntitiesForPolicyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_groups: list[PolicyGroup] = field(default_factory=list)
    policy_users: list[PolicyUser] = field(default_factory=list)
    policy_roles: list[PolicyRole] = field(default_factory=list)
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListEntitiesForPolicy", errors=ABSENT)
def list_entities_for_policy(req: ListEntitiesForPolicyRequest, call: Call) -> ListEntitiesForPolicyResponse:
    page = call(
        ops.ListHolders(
            policy=policy(req.policy_arn),
            of_kind=KINDS.get(req.entity_filter or ""),
            as_boundary=AS_BOUNDARY[req.policy_usage_filter],
            path_prefix=req.path_prefix or ROOT_PATH,
            after=place(call, req.marker),
            limit=req.max_items or PAGE,
        )
    )
    if (req.entity_filter or "User") not in KINDS:
        return ListEntitiesForPolicyResponse(is_truncated=False)
    marker = next_marker(call, page.after)
    of = {kind: [one for one in page.items if one.principal_kind is kind] for kind in KINDS.values()}
    return ListEntitiesForPolicyResponse(
        policy_groups=[PolicyGroup(group_name=one.name, group_id=one.id) for one in of[PrincipalKind.GROUP]],
        policy_users=[PolicyUser(user_name=one.name, user_id=one.id) for one in of[PrincipalKind.USER]],
        policy_roles=[PolicyRole(role_name=one.name, role_id=one.id) for one in of[PrincipalKind.ROLE]],
        is_truncated=bool(marker),
        marker=marker,
    )


OPERATIONS = (
    *for_each(attach_policy, new_name=True),
    *for_each(detach_policy, new_name=True),
    *for_each(list_attached_policies, new_name=True),
    list_entities_for_policy,
)
