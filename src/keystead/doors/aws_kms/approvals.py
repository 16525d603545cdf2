"""Keystead.ListApprovals, DescribeApproval, Approve, Deny: what AWS has no words for, said as AWS says things.

JSON 1.1, signed for the service "kms"; X-Amz-Target begins with OWN. So whoever has AWS credentials here can approve
with them (docs/approvals.md). It is about the caller's own account.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.operations import ShownRequest
from keystead.doors.aws_kms.errors import COMMON
from keystead.doors.aws_kms.pages import date
from keystead.kit import Call, Message, operation

OWN = "Keystead."
Id = Annotated[str, Meta(min_length=1, max_length=64)]
ERRORS = COMMON | {"NotFoundException", "KMSInvalidStateException", "ConflictException", "LimitExceededException"}


class Approval(Message, frozen=True, kw_only=True, rename="pascal"):
    id: str
    standing: str  # pending, approved, denied, expired
    approvals: int
    needed: int
    operation: str
    asked_by: str
    asked_at: float
    ends_at: float
    targets: tuple[str, ...]
    approved_by: tuple[str, ...]


class ShownApproval(Approval, frozen=True, kw_only=True, rename="pascal"):
    summary: dict[str, str]  # the act's members, without secrets
    to_sign: bytes  # what an approver signs whose key the rule names


def _approval(one: ShownRequest) -> Approval:
    request = one.request
    return Approval(
        id=request.id,
        standing=one.standing.value,
        approvals=one.n_approvals,
        needed=one.n_needed,
        operation=request.operation,
        asked_by=request.asked_name,
        asked_at=date(request.asked_at),
        ends_at=date(request.ends_at),
        targets=request.targets,
        approved_by=tuple(each.name for each in request.approvals),
    )


def _scope(call: Call) -> str:
    return call.caller.principal.tenant


class ListApprovalsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    """It has no members."""


class ListApprovalsResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    approvals: tuple[Approval, ...]


@operation(f"{OWN}ListApprovals", errors=ERRORS)
def list_approvals(_req: ListApprovalsRequest, call: Call) -> ListApprovalsResponse:
    found = call(ops.ListApprovals(scope=_scope(call)))
    return ListApprovalsResponse(approvals=tuple(_approval(one) for one in found))


class ApprovalRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    id: Id


@operation(f"{OWN}DescribeApproval", errors=ERRORS)
def describe_approval(req: ApprovalRequest, call: Call) -> ShownApproval:
    found = call(ops.ShowApproval(scope=_scope(call), id=req.id))
    told = {name: getattr(_approval(found), name) for name in Approval.__struct_fields__}
    return ShownApproval(**told, summary=dict(found.request.summary), to_sign=found.to_sign)


class ApproveRequest(ApprovalRequest, frozen=True, kw_only=True, rename="pascal"):
    signature: Annotated[bytes, Meta(max_length=64)] = b""  # Ed25519


@operation(f"{OWN}Approve", errors=ERRORS)
def approve(req: ApproveRequest, call: Call) -> Approval:
    return _approval(call(ops.Approve(scope=_scope(call), id=req.id, signature=req.signature)))


@operation(f"{OWN}Deny", errors=ERRORS)
def deny(req: ApprovalRequest, call: Call) -> Approval:
    return _approval(call(ops.Deny(scope=_scope(call), id=req.id)))


OPERATIONS = (list_approvals, describe_approval, approve, deny)
