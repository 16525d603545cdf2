"""iam:Put, Get, List and Delete of UserPolicy, RolePolicy and GroupPolicy: inline policies.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from keystead.core.entities import PolicyText
from keystead.core.errors import NotFound
from keystead.core.operations import INLINE_POLICIES, PrincipalRef
from keystead.doors.aws_kms.iam.kinds import Answer, Named, for_each
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    Marker,
    MaxItems,
    PolicyDocument,
    PolicyName,
    written,
)
from keystead.doors.aws_kms.pages import next_marker, place
from keystead.doors.aws_kms.query import query_operation
from keystead.kit import Call

PUT = frozenset({"NoSuchEntity", "LimitExceeded", "MalformedPolicyDocument"})
ABSENT = frozenset({"NoSuchEntity"})


def _named(absent: NotFound, req: GetPolicyRequest | DeletePolicyRequest) -> NotFound:
    """The error in AWS's words, where it is the policy that is not there."""
    if not isinstance(absent.detail, PrincipalRef):
        absent.args = (f"The {req.kind.value} policy with name {req.policy_name} cannot be found.", *absent.args[1:])
    return absent


class PutPolicyRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    policy_name: PolicyName
    policy_document: PolicyDocument


@query_operation("iam", "PutPrincipalPolicy", errors=PUT)
def put_policy(req: PutPolicyRequest, call: Call) -> None:
    policy = PolicyText(req.policy_name, "aws", req.policy_document)
    call(INLINE_POLICIES[req.kind].put(principal=req.whom(call), policy=policy))


class GetPolicyRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    policy_name: PolicyName


class GetPolicyResponse(Answer, frozen=True, kw_only=True, rename="pascal"):
    name: str
    policy_name: str
    policy_document: str


@query_operation("iam", "GetPrincipalPolicy", errors=ABSENT)
def get_policy(req: GetPolicyRequest, call: Call) -> GetPolicyResponse:
    try:
        found = call(INLINE_POLICIES[req.kind].read(principal=req.whom(call), policy_name=req.policy_name))
    except NotFound as absent:
        raise _named(absent, req) from None
    answer: GetPolicyResponse = req.answer(name=req.name, policy_name=found.name, policy_document=written(found.text))
    return answer


class ListPoliciesRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListPoliciesResponse(Answer, frozen=True, kw_only=True, rename="pascal"):
    policy_names: list[str]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListPrincipalPolicies", errors=ABSENT)
def list_policies(req: ListPoliciesRequest, call: Call) -> ListPoliciesResponse:
    listing, of, after = INLINE_POLICIES[req.kind].list, req.whom(call), place(call, req.marker)
    page = call(listing(principal=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, page.after)
    return ListPoliciesResponse(policy_names=list(page.items), is_truncated=bool(marker), marker=marker)


class DeletePolicyRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    policy_name: PolicyName


@query_operation("iam", "DeletePrincipalPolicy", errors=ABSENT)
def delete_policy(req: DeletePolicyRequest, call: Call) -> None:
    try:
        call(INLINE_POLICIES[req.kind].delete(principal=req.whom(call), policy_name=req.policy_name))
    except NotFound as absent:
        raise _named(absent, req) from None


OPERATIONS = (
    *for_each(put_policy),
    *for_each(get_policy),
    *for_each(list_policies),
    *for_each(delete_policy),
)
