"""Permissions boundaries.

IAM User Guide, "Permissions boundaries for IAM entities"; IAM API Reference 2010-05-08, under the names of the actions.
The principal itself says which policy bounds it: a boundary that is lost is noticed, and nothing is done without it.
"""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.operations import Nothing
from keystead.service.handlers.bounding import bound, severed
from keystead.service.handlers.identities import OneOf, changeable
from keystead.service.pipeline import Act, Handler, Outcome


def put_boundary(op: ops.PutBoundary, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    (held,) = targets
    bounded, tie, policy = bound(changeable(held), held.home, op.boundary)
    if policy.id == held.principal.boundary:
        return Outcome(answer=Nothing())
    put, delete = severed(held, boundary_only=True)
    return Outcome(answer=Nothing(), put=(bounded, tie, policy, *put), delete=delete, made=tie.id)


def delete_boundary(_op: ops.DeleteBoundary, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    (held,) = targets
    principal = changeable(held)
    if not principal.boundary:
        return Outcome(answer=Nothing())
    put, delete = severed(held, boundary_only=True)
    return Outcome(answer=Nothing(), put=(replace(principal, boundary=""), *put), delete=delete, made=delete[0].id)


HANDLERS: dict[type, Handler] = {
    **{row.put: put_boundary for row in ops.BOUNDARIES.values()},
    **{row.delete: delete_boundary for row in ops.BOUNDARIES.values()},
}
