"""STS GetCallerIdentity.

Spec: STS API Reference 2011-06-15, "GetCallerIdentity": no permissions are required to perform it. Every other action
of STS and IAM answers an error in their own form (query).
"""

from __future__ import annotations

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.entities import Principal, PrincipalKind
from keystead.core.operations import TenantRef
from keystead.core.policy.arn import arn_of_caller
from keystead.doors.aws_kms import query
from keystead.doors.aws_kms.query import query_operation
from keystead.kit import Call, ErrorTable, Fault, Message


class GetCallerIdentityRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    """It has no parameters of its own."""


class GetCallerIdentityResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    arn: str
    user_id: str
    account: str


@query_operation("sts", "GetCallerIdentity", errors=frozenset())
def get_caller_identity(_req: GetCallerIdentityRequest, call: Call) -> GetCallerIdentityResponse:
    who = call(ops.WhoAmI(tenant=TenantRef(call.caller.principal.tenant))).principal
    session = call.caller.session if call.caller.is_role else ""
    return GetCallerIdentityResponse(arn=arn_of_caller(call.caller), user_id=user_id(who, session), account=who.tenant)


def user_id(principal: Principal, session: str = "") -> str:
    """IAM User Guide, "Unique identifiers": the root user's is its account's id; others are unique, and opaque."""
    own = principal.tenant if principal.principal_kind is PrincipalKind.ROOT else principal.id
    return f"{own}:{session}" if session else own


ERRORS: ErrorTable = {
    **query.ERRORS,
    (e.InvalidArgument, "Policy"): Fault("MalformedPolicyDocument", 400),
    (e.LimitExceeded, "session"): Fault("PackedPolicyTooLarge", 400),
}

OPERATIONS = (get_caller_identity,)
