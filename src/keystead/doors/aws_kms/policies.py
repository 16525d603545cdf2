"""TrentService.PutKeyPolicy, GetKeyPolicy, ListKeyPolicies.

Spec: KMS API Reference 2014-11-01, under these names. A key has one policy, and its name is "default".
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.entities import PolicyText
from keystead.core.errors import InvalidArgument
from keystead.doors.aws_kms.keys import OF_A_MANAGED_KEY, Policy
from keystead.doors.aws_kms.names import key_by_id
from keystead.doors.aws_kms.pages import Limit, Marker, size
from keystead.doors.aws_kms.shapes import KeyId, matching
from keystead.kit import Call, Message, operation

PolicyName = Annotated[str, Meta(min_length=1, max_length=128, pattern=matching(r"[\w]+"))]
DEFAULT, OF_RAM = "default", "AWS_RAM"


class PutKeyPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    policy_name: PolicyName | None = None
    policy: Policy
    bypass_policy_lockout_safety_check: bool | None = None


@operation(
    "TrentService.PutKeyPolicy",
    errors=OF_A_MANAGED_KEY | {"MalformedPolicyDocumentException", "LimitExceededException"},
)
def put_key_policy(req: PutKeyPolicyRequest, call: Call) -> None:
    if req.policy_name == OF_RAM:
        raise InvalidArgument("The AWS_RAM policy can only be managed by the RAM service.", "PolicyName")
    call(
        ops.PutPolicy(
            key=key_by_id(req.key_id, call.namespace),
            policy=PolicyText(req.policy_name or DEFAULT, "aws", req.policy),
            bypass_lockout_check=bool(req.bypass_policy_lockout_safety_check),
        )
    )


class GetKeyPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    policy_name: PolicyName | None = None


class GetKeyPolicyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    policy: str
    policy_name: str


@operation("TrentService.GetKeyPolicy", errors=OF_A_MANAGED_KEY)
def get_key_policy(req: GetKeyPolicyRequest, call: Call) -> GetKeyPolicyResponse:
    asked = ops.ReadPolicy(key=key_by_id(req.key_id, call.namespace), name=req.policy_name or DEFAULT)
    found = call(asked)
    return GetKeyPolicyResponse(policy=found.text, policy_name=found.name)


class ListKeyPoliciesRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    limit: Limit | None = None
    marker: Marker | None = None


class ListKeyPoliciesResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    policy_names: list[str]
    next_marker: str | None = None
    truncated: bool


@operation("TrentService.ListKeyPolicies", errors=OF_A_MANAGED_KEY)
def list_key_policies(req: ListKeyPoliciesRequest, call: Call) -> ListKeyPoliciesResponse:
    """One page: no marker is ever given for this listing, so none is valid; and it has no error of its own for one."""
    if req.marker is not None:
        raise InvalidArgument("The marker is not valid.", "marker")
    size(req.limit, default=100, most=1000)
    page = call(ops.ListPolicies(key=key_by_id(req.key_id, call.namespace)))
    return ListKeyPoliciesResponse(policy_names=list(page.items), truncated=False)


OPERATIONS = (put_key_policy, get_key_policy, list_key_policies)
