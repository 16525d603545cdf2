"""iam:Put, Get, List and Delete of UserPolicy and RolePolicy: inline policies.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.entities import PolicyText
from keystead.core.errors import NotFound
from keystead.core.operations import PrincipalRef
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    ExistingUserName,
    Marker,
    MaxItems,
    PolicyDocument,
    PolicyName,
    RoleName,
    next_marker,
    place,
    role,
    user,
    written,
)
from keystead.doors.aws_kms.query import query_operation
from keystead.kit import Call, Message

PUT = frozenset({"NoSuchEntity", "LimitExceeded", "MalformedPolicyDocument"})
ABSENT = frozenset({"NoSuchEntity"})


def _named(absent: NotFound, kind: str, name: str) -> NotFound:
    """The error in AWS's words, where it is the policy that is not there."""
    if not isinstance(absent.detail, PrincipalRef):
        absent.args = (f"The {kind} policy with name {name} cannot be found.", *absent.args[1:])
    return absent


# --- of a user


class PutUserPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName
    policy_name: PolicyName
    policy_document: PolicyDocument


@query_operation("iam", "PutUserPolicy", errors=PUT)
def put_user_policy(req: PutUserPolicyRequest, call: Call) -> None:
    policy = PolicyText(req.policy_name, "aws", req.policy_document)
    call(ops.PutUserPolicy(principal=user(req.user_name, call), policy=policy))


class GetUserPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName
    policy_name: PolicyName


class GetUserPolicyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: str
    policy_name: str
    policy_document: str


@query_operation("iam", "GetUserPolicy", errors=ABSENT)
def get_user_policy(req: GetUserPolicyRequest, call: Call) -> GetUserPolicyResponse:
    try:
        asked = ops.ReadUserPolicy(principal=user(req.user_name, call), policy_name=req.policy_name)
        found = call(asked)
    except NotFound as absent:
        raise _named(absent, "user", req.policy_name) from None
    return GetUserPolicyResponse(user_name=req.user_name, policy_name=found.name, policy_document=written(found.text))


class ListUserPoliciesRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListUserPoliciesResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_names: list[str]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListUserPolicies", errors=ABSENT)
def list_user_policies(req: ListUserPoliciesRequest, call: Call) -> ListUserPoliciesResponse:
    of, after = user(req.user_name, call), place(call, req.marker)
    page = call(ops.ListUserPolicies(principal=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, page.after)
    return ListUserPoliciesResponse(policy_names=list(page.items), is_truncated=bool(marker), marker=marker)


class DeleteUserPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName
    policy_name: PolicyName


@query_operation("iam", "DeleteUserPolicy", errors=ABSENT)
def delete_user_policy(req: DeleteUserPolicyRequest, call: Call) -> None:
    try:
        call(ops.DeleteUserPolicy(principal=user(req.user_name, call), policy_name=req.policy_name))
    except NotFound as absent:
        raise _named(absent, "user", req.policy_name) from None


# --- of a role


class PutRolePolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    policy_name: PolicyName
    policy_document: PolicyDocument


@query_operation("iam", "PutRolePolicy", errors=PUT)
def put_role_policy(req: PutRolePolicyRequest, call: Call) -> None:
    policy = PolicyText(req.policy_name, "aws", req.policy_document)
    call(ops.PutRolePolicy(principal=role(req.role_name, call), policy=policy))


class GetRolePolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    policy_name: PolicyName


class GetRolePolicyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: str
    policy_name: str
    policy_document: str


@query_operation("iam", "GetRolePolicy", errors=ABSENT)
def get_role_policy(req: GetRolePolicyRequest, call: Call) -> GetRolePolicyResponse:
    try:
        asked = ops.ReadRolePolicy(principal=role(req.role_name, call), policy_name=req.policy_name)
        found = call(asked)
    except NotFound as absent:
        raise _named(absent, "role", req.policy_name) from None
    return GetRolePolicyResponse(role_name=req.role_name, policy_name=found.name, policy_document=written(found.text))


class ListRolePoliciesRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListRolePoliciesResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_names: list[str]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListRolePolicies", errors=ABSENT)
def list_role_policies(req: ListRolePoliciesRequest, call: Call) -> ListRolePoliciesResponse:
    of, after = role(req.role_name, call), place(call, req.marker)
    page = call(ops.ListRolePolicies(principal=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, page.after)
    return ListRolePoliciesResponse(policy_names=list(page.items), is_truncated=bool(marker), marker=marker)


class DeleteRolePolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_name: RoleName
    policy_name: PolicyName


@query_operation("iam", "DeleteRolePolicy", errors=ABSENT)
def delete_role_policy(req: DeleteRolePolicyRequest, call: Call) -> None:
    try:
        call(ops.DeleteRolePolicy(principal=role(req.role_name, call), policy_name=req.policy_name))
    except NotFound as absent:
        raise _named(absent, "role", req.policy_name) from None


OPERATIONS = (
    put_user_policy,
    get_user_policy,
    list_user_policies,
    delete_user_policy,
    put_role_policy,
    get_role_policy,
    list_role_policies,
    delete_role_policy,
)
