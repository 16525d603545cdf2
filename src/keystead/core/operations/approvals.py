"""Rules of approval, requests that wait under them, what approvers say. `scope`: a tenant; "": the installation.

Changing or taking away a rule waits for the quorum of the rule as it is (service.quorum).
"""

from __future__ import annotations

from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.approvals import Standing
from keystead.core.entities import ApprovalRequest, ApprovalRule
from keystead.core.operations.base import Demand, Nothing, Operation, R, SystemRef, TenantRef


class ScopeOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    scope: str = ""

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, TenantRef(self.scope) if self.scope else SystemRef()),)


class ApproverSaid(Struct, frozen=True, kw_only=True):
    """`who`: "user:NAME", "role:NAME", "group:NAME", "entity:NAME", "identity-group:NAME", "uid:N" or "key:NAME".

    `public_key`: Ed25519, 32 bytes. "key" has to have one, and a group cannot.
    """

    who: str
    public_key: bytes = b""


class PutApprovalRule(ScopeOperation[ApprovalRule], frozen=True, kw_only=True):
    """The rule of that name as it is to be. Raises InvalidArgument, NotFound (an approver), LimitExceeded."""

    action = Action.PUT_APPROVAL_RULE
    changes = True
    name: str
    actions: tuple[str, ...]
    n_approvals: int
    approvers: tuple[ApproverSaid, ...]
    keyrings: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    own: bool = False
    needs_right: bool = False
    waits_for: int = 86_400
    good_for: int = 86_400


class DeleteApprovalRule(ScopeOperation[Nothing], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.PUT_APPROVAL_RULE
    changes = True
    name: str


class ListApprovalRules(ScopeOperation[tuple[ApprovalRule, ...]], frozen=True, kw_only=True):
    action = Action.LIST_APPROVAL_RULES


class ShownRequest(Struct, frozen=True, kw_only=True):
    """`n_needed`: of the rule that lacks the most. `to_sign`: what an approver signs (core.approvals)."""

    request: ApprovalRequest
    standing: Standing
    n_approvals: int
    n_needed: int
    to_sign: bytes


class ListApprovals(ScopeOperation[tuple[ShownRequest, ...]], frozen=True, kw_only=True):
    """What waits, what is approved and not used yet, and what was denied a while ago. The oldest first.

    Without what only who looks at one needs: its summary, and what an approver signs.
    """

    action = Action.LIST_APPROVALS


class ShowApproval(ScopeOperation[ShownRequest], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.LIST_APPROVALS
    id: str


class Approve(ScopeOperation[ShownRequest], frozen=True, kw_only=True):
    """The caller's approval; or that of whose signature comes with it. Raises NotFound, Denied, WrongState."""

    action = Action.APPROVE
    changes = True
    id: str
    signature: bytes = b""
    public_key: bytes = b""


class Deny(ScopeOperation[ShownRequest], frozen=True, kw_only=True):
    """By any of the approvers, or by whoever has asked. Raises NotFound, Denied, WrongState."""

    action = Action.APPROVE
    changes = True
    id: str


class EndApproval(ScopeOperation[Nothing], frozen=True, kw_only=True):
    """Take away a request that is over; the chore's."""

    action = Action.END_APPROVAL
    changes = True
    id: str
