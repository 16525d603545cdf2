"""iam:Put and Delete of UserPermissionsBoundary and RolePermissionsBoundary.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from keystead.core.errors import NotFound
from keystead.core.operations import BOUNDARIES
from keystead.doors.aws_kms.iam.kinds import ROLE, USER, Named, for_each
from keystead.doors.aws_kms.iam.managed import ABSENT
from keystead.doors.aws_kms.iam.shapes import Arn, not_attachable, policy
from keystead.doors.aws_kms.query import query_operation
from keystead.kit import Call


class PutBoundaryRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    permissions_boundary: Arn


@query_operation("iam", "PutPrincipalPermissionsBoundary", errors=ABSENT)
def put_boundary(req: PutBoundaryRequest, call: Call) -> None:
    boundary = policy(req.permissions_boundary)
    try:
        call(BOUNDARIES[req.kind].put(principal=req.whom(call), boundary=boundary))
    except NotFound as absent:
        raise not_attachable(absent) from None


class DeleteBoundaryRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    """Whose."""


@query_operation("iam", "DeletePrincipalPermissionsBoundary", errors=frozenset({"NoSuchEntity"}))
def delete_boundary(req: DeleteBoundaryRequest, call: Call) -> None:
    call(BOUNDARIES[req.kind].delete(principal=req.whom(call)))


OPERATIONS = (
    *for_each(put_boundary, (USER, ROLE), new_name=True),
    *for_each(delete_boundary, (USER, ROLE), new_name=True),
)
