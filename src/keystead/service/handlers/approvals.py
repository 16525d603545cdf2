"""Requests for approval: shown, approved, denied and ended (docs/adr/0037)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.approvals import MAX_APPROVALS, Standing, counted, is_enough, standing_of, text_to_sign
from keystead.core.entities import Approval, ApprovalRequest, ApprovalRule, ApprovalRules, Approver, ApproverKind
from keystead.core.errors import Conflict, Denied, LimitExceeded, NotFound, WrongState
from keystead.core.operations import Nothing, ShownRequest
from keystead.crypto.notes import verify_ed25519
from keystead.service.handlers.approvalrules import Office
from keystead.service.held import HeldTenant
from keystead.service.persons import asker, hats_of, persons_of
from keystead.service.pipeline import Act, Handler, Outcome


def _rules_of(request: ApprovalRequest, office: Office) -> Iterator[tuple[ApprovalRules, ApprovalRule]]:
    """The rules it waits under, with the rows they are in. Raises Conflict where one is not as it was."""
    for scope, name, number in request.rules:
        row = office.rules_of(scope)
        rule = row.named(name) if row is not None else None
        if row is None or rule is None or rule.number != number:
            raise Conflict("the rule has changed since: it has to be asked for again", "rule")
        yield row, rule


def shown(request: ApprovalRequest, office: Office, act: Act) -> ShownRequest:
    try:
        rules = [rule for _, rule in _rules_of(request, office)]
    except Conflict:
        standing = Standing.DENIED if request.denied_by else Standing.EXPIRED  # nothing can come of it any more
        return ShownRequest(
            request=request, standing=standing, n_approvals=0, n_needed=0, to_sign=text_to_sign(request)
        )
    counts = [(len(counted(rule, request.approvals, request.persons)), rule.n_approvals) for rule in rules]
    n, needed = min(counts, key=lambda pair: pair[0] - pair[1])
    return ShownRequest(
        request=request,
        standing=standing_of(request, act.now),
        n_approvals=n,
        n_needed=needed,
        to_sign=text_to_sign(request),
    )


def list_requests(_op: ops.ListApprovals, targets: tuple[Office], act: Act) -> Outcome[tuple[ShownRequest, ...]]:
    (office,) = targets
    found = sorted(office.approval_requests(), key=lambda one: (one.asked_at, one.id))
    return Outcome(answer=tuple(_briefly(shown(one, office, act)) for one in found))


def _briefly(one: ShownRequest) -> ShownRequest:
    return replace(one, request=replace(one.request, summary=()), to_sign=b"")


def _request(id_: str, office: Office) -> ApprovalRequest:
    if (found := office.approval_request(id_)) is None:
        raise NotFound("there is no such request for approval", "id")
    return found


def show_request(op: ops.ShowApproval, targets: tuple[Office], act: Act) -> Outcome[ShownRequest]:
    (office,) = targets
    return Outcome(answer=shown(_request(op.id, office), office, act))


def _open(op: ops.Approve | ops.Deny, office: Office, act: Act) -> ApprovalRequest:
    """Raises NotFound, WrongState."""
    request = _request(op.id, office)
    if (standing := standing_of(request, act.now)) in {Standing.DENIED, Standing.EXPIRED}:
        raise WrongState(f"the request is {standing.value}", standing)
    return request


def approve(op: ops.Approve, targets: tuple[Office], act: Act) -> Outcome[ShownRequest]:
    (office,) = targets
    request = _open(op, office, act)
    found = tuple(_rules_of(request, office))
    rules = [rule for _, rule in found]
    named = tuple(approver for rule in rules for approver in rule.approvers)
    approval = _signed(op, request, named, act) if op.signature else _given(office, named, act)
    if not any(_may_approve(rule, approval, request) for rule in rules):
        raise Denied("who asks for something does not approve it", "own")
    if any(not set(one.persons).isdisjoint(approval.persons) for one in request.approvals):
        return Outcome(answer=shown(request, office, act))
    if len(request.approvals) >= MAX_APPROVALS * len(rules):
        raise LimitExceeded("there are enough approvals", "approvals")
    request = replace(request, approvals=(*request.approvals, approval))
    if request.approved_at is None and is_enough(rules, request):
        request = replace(request, approved_at=act.now, ends_at=act.now + timedelta(seconds=request.good_for))
    seen = tuple({row.id: row for row, _ in found}.values())
    return Outcome(answer=shown(request, office, act), put=(request,), seen=seen, made=request.id)


def _may_approve(rule: ApprovalRule, approval: Approval, request: ApprovalRequest) -> bool:
    return bool(counted(rule, (approval,), request.persons))


def _given(office: Office, named: tuple[Approver, ...], act: Act) -> Approval:
    """The approval of whoever has authenticated. Raises Denied."""
    hats = hats_of(act.caller)
    mine = [approver for approver in named if approver.id in hats]
    if not mine:
        raise Denied("the rule does not name who asks", "approvers")
    unsigned = tuple(dict.fromkeys(approver.id for approver in mine if not approver.public_key))
    if not unsigned:
        raise Denied("this approval has to be signed with the key that the rule names", "signature")
    token = act.caller.rights.token
    return Approval(
        by=f"entity:{token.entity}" if token is not None else f"principal:{act.principal.id}",
        name=_name(office, token.entity) if token is not None else act.principal.name,
        persons=tuple(sorted(persons_of(act.caller, office.token_of_id))),
        named=unsigned,
        at=act.now,
    )


def _name(office: Office, entity: str) -> str:
    found = office.entity(entity) if isinstance(office, HeldTenant) else None
    return entity if found is None else found.name


_PERSON = {ApproverKind.PRINCIPAL: "principal:", ApproverKind.ENTITY: "entity:"}


def _signed(op: ops.Approve, request: ApprovalRequest, named: tuple[Approver, ...], act: Act) -> Approval:
    """The approval of whose signature it is, whoever has brought it. Raises Denied."""
    text = text_to_sign(request)
    keys = dict.fromkeys(one.public_key for one in named if one.public_key)
    good = next((key for key in keys if op.public_key in {b"", key} and verify_ed25519(key, op.signature, text)), None)
    if good is None:
        raise Denied("the signature is not that of an approver over this request", "signature")
    mine = [approver for approver in named if approver.public_key == good]
    kind = _PERSON.get(mine[0].approver_kind)
    by = f"key:{good.hex()}" if kind is None else f"{kind}{mine[0].id}"
    return Approval(
        by=by,
        name=mine[0].name,
        persons=(by,),
        named=tuple(dict.fromkeys(approver.id for approver in mine)),
        at=act.now,
        public_key=good,
        signature=op.signature,
    )


def deny(op: ops.Deny, targets: tuple[Office], act: Act) -> Outcome[ShownRequest]:
    (office,) = targets
    request = _open(op, office, act)
    found = tuple(_rules_of(request, office))
    hats = hats_of(act.caller)
    names_me = any(approver.id in hats for _, rule in found for approver in rule.approvers)
    if not names_me and asker(act.caller, office.token_of_id) != request.asked_by:
        raise Denied("the rule does not name who asks", "approvers")
    request = replace(request, denied_by=act.principal.id, denied_name=act.principal.name)
    return Outcome(answer=shown(request, office, act), put=(request,), made=request.id)


def end(op: ops.EndApproval, targets: tuple[Office], act: Act) -> Outcome[Nothing]:
    request = _request(op.id, targets[0])
    if not request.is_over(act.now):
        raise WrongState("the request is not over", standing_of(request, act.now))
    why = "denied" if request.denied_by else "expired" if request.approved_at is None else "not used"
    return Outcome(answer=Nothing(), delete=(request,), made=request.id, why=why)


HANDLERS: dict[type, Handler] = {
    ops.ListApprovals: list_requests,
    ops.ShowApproval: show_request,
    ops.Approve: approve,
    ops.Deny: deny,
    ops.EndApproval: end,
}
