"""Of what waits for others: rules, and requests under them. Who approves is named by the rule; this only lets them."""

from __future__ import annotations

from keystead.core.actions.names import Action
from keystead.core.actions.row import ActionRow

A, _R = Action, ActionRow
OF_APPROVALS = (
    _R(A.PUT_APPROVAL_RULE, "keystead:tenant:put-approval-rule", system=True),
    _R(A.LIST_APPROVAL_RULES, "keystead:tenant:list-approval-rules", system=True),
    _R(A.APPROVE, "keystead:tenant:approve", system=True),
    _R(A.LIST_APPROVALS, "keystead:tenant:list-approvals", system=True),
    _R(A.END_APPROVAL, "keystead:tenant:end-approval", system=True),
)
