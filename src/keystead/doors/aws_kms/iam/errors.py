"""How IAM says that something went wrong.

Codes and statuses: botocore data/iam/2010-05-08/service-2.json; IAM API Reference, "Common Errors".
"""

from __future__ import annotations

from keystead.core import errors as e
from keystead.core.entities import PrincipalKind
from keystead.core.operations import IN_USE, PolicyRef, PrincipalRef
from keystead.core.policy.arn import policy_arn
from keystead.core.policy.aws import BAD_ARN
from keystead.doors.aws_kms import query
from keystead.doors.aws_kms.iam.shapes import POLICY_ARN
from keystead.kit import ErrorTable, Fault

MALFORMED = Fault("MalformedPolicyDocument", 400)

ERRORS: ErrorTable = {
    **query.ERRORS,
    e.NotFound: Fault("NoSuchEntity", 404),
    (e.InvalidArgument, "Policy"): MALFORMED,
    (e.InvalidArgument, BAD_ARN): MALFORMED,
    (e.InvalidArgument, "tags"): Fault("InvalidInput", 400),
    (e.InvalidArgument, POLICY_ARN): Fault("InvalidInput", 400),
    (e.WrongState, IN_USE): Fault("DeleteConflict", 409),
    (e.Unsupported, query.MEMBER): Fault("InvalidInput", 400),
}

_KINDS = {
    PrincipalKind.USER: "user",
    PrincipalKind.ROLE: "role",
    PrincipalKind.GROUP: "group",
    PrincipalKind.ROOT: "user",
}


def words(error: e.KeysteadError) -> str | None:
    """What is said beside the code."""
    absent = error.detail
    if isinstance(error, e.NotFound) and isinstance(absent, PrincipalRef):
        return f"The {_KINDS[absent.kind]} with name {absent.name} cannot be found."
    if isinstance(error, e.NotFound) and isinstance(absent, PolicyRef):
        return f"Policy {policy_arn(absent)} was not found."
    return None if isinstance(error, e.Internal) else str(error)
