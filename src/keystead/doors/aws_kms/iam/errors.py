"""How IAM says that something went wrong.

Codes and statuses: botocore data/iam/2010-05-08/service-2.json; IAM API Reference, "Common Errors".
"""

from __future__ import annotations

from keystead.core import errors as e
from keystead.core.entities import PrincipalKind
from keystead.core.operations import IN_USE, PolicyRef, PrincipalRef, ProviderRef
from keystead.core.policy.arn import policy_arn, provider_arn
from keystead.core.policy.aws import BAD_ARN
from keystead.core.quotas import OverQuota
from keystead.doors.aws_kms import query
from keystead.doors.aws_kms.iam.shapes import POLICY_ARN
from keystead.kit import ErrorTable, Fault

MALFORMED = Fault("MalformedPolicyDocument", 400)

ERRORS: ErrorTable = {
    **query.ERRORS,
    e.NotFound: Fault("NoSuchEntity", 404),
    (e.InvalidArgument, "Policy"): MALFORMED,
    (e.InvalidArgument, BAD_ARN): MALFORMED,
    **{(e.InvalidArgument, member): Fault("InvalidInput", 400) for member in ("issuer", "client_ids", "thumbprints")},
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

# As IAM calls them (GetAccountSummary)
_QUOTAS = {"users": "UsersPerAccount", "roles": "RolesPerAccount", "access_keys": "AccessKeysPerUser"}


def words(error: e.KeysteadError) -> str | None:
    """What is said beside the code."""
    detail = error.detail
    if isinstance(error, e.NotFound) and isinstance(detail, PrincipalRef):
        return f"The {_KINDS[detail.kind]} with name {detail.name} cannot be found."
    if isinstance(error, e.NotFound) and isinstance(detail, PolicyRef):
        return f"Policy {policy_arn(detail)} was not found."
    if isinstance(error, e.NotFound) and isinstance(detail, ProviderRef):
        return f"OpenIDConnect Provider not found for arn {provider_arn(detail.tenant, detail.issuer)}"
    if isinstance(error, e.LimitExceeded) and isinstance(detail, OverQuota):
        return f"Cannot exceed quota for {_QUOTAS[detail.of]}: {detail.most}"
    return None if isinstance(error, e.Internal) else str(error)
