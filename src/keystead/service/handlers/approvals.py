"""Rules of approval put and taken away; requests shown, approved, denied and ended (docs/adr/0037)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.approvals import (
    MAX_APPROVALS,
    MAX_APPROVERS,
    MAX_RULES,
    MAX_WAIT,
    Standing,
    actions_of,
    counted,
    is_enough,
    standing_of,
    text_to_sign,
)
from keystead.core.entities import (
    Approval,
    ApprovalRequest,
    ApprovalRule,
    ApprovalRules,
    Approver,
    ApproverKind,
    PrincipalKind,
)
from keystead.core.errors import Conflict, Denied, InvalidArgument, LimitExceeded, NotFound, WrongState
from keystead.core.operations import ApproverSaid, Nothing, ShownRequest
from keystead.crypto.notes import verify_ed25519
from keystead.service.held import HeldSystem, HeldTenant
from keystead.service.persons import asker, hats_of, persons_of
from keystead.service.pipeline import Act, Handler, Outcome

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
KEY_BYTES = 32  # of an Ed25519 public key
LEAST_WAIT = 60  # seconds
Office = HeldTenant | HeldSystem
_GROUPS = frozenset({ApproverKind.GROUP, ApproverKind.IDENTITY_GROUP})
_WITHOUT_RIGHTS = frozenset({ApproverKind.KEY, ApproverKind.PEER})


# --- whom a rule names


def _principal(kind: PrincipalKind) -> Callable[[Office, str], str | None]:
    def found(office: Office, name: str) -> str | None:
        principal = office.find_principal(kind, name) if isinstance(office, HeldTenant) else None
        return None if principal is None else principal.id

    return found


def _entity(office: Office, name: str) -> str | None:
    entity = office.entity_named(name) if isinstance(office, HeldTenant) else None
    return None if entity is None else entity.id


def _identity_group(office: Office, name: str) -> str | None:
    group = office.group_named(name) if isinstance(office, HeldTenant) else None
    return None if group is None else group.id


def _peer(office: Office, name: str) -> str | None:
    found = office.peer(f"uid:{name}")
    return None if found is None else found.id


WORDS: Mapping[str, tuple[ApproverKind, Callable[[Office, str], str | None]]] = {
    "user": (ApproverKind.PRINCIPAL, _principal(PrincipalKind.USER)),
    "role": (ApproverKind.PRINCIPAL, _principal(PrincipalKind.ROLE)),
    "root": (ApproverKind.PRINCIPAL, _principal(PrincipalKind.ROOT)),
    "group": (ApproverKind.GROUP, _principal(PrincipalKind.GROUP)),
    "entity": (ApproverKind.ENTITY, _entity),
    "identity-group": (ApproverKind.IDENTITY_GROUP, _identity_group),
    "uid": (ApproverKind.PEER, _peer),
}
"""The word before the colon -> what kind of approver that is, and its id by what stands behind."""


def _approver(said: ApproverSaid, office: Office) -> Approver:
    """Raises InvalidArgument, NotFound."""
    word, colon, name = said.who.partition(":")
    if not colon or not 0 < len(name) <= 256 or not name.isprintable():
        raise InvalidArgument(f"an approver is one of {', '.join((*WORDS, 'key'))}, a colon, and a name", "approvers")
    if said.public_key and len(said.public_key) != KEY_BYTES:
        raise InvalidArgument("the public key of an approver is 32 bytes, of Ed25519", "approvers")
    if word == "key":
        if not said.public_key:
            raise InvalidArgument("an approver that is a key has a public key", "approvers")
        key = said.public_key
        return Approver(approver_kind=ApproverKind.KEY, id=f"key:{key.hex()}", name=said.who, public_key=key)
    if word not in WORDS:
        raise InvalidArgument(f"{word!r} is no kind of approver; there are {', '.join((*WORDS, 'key'))}", "approvers")
    kind, find = WORDS[word]
    if kind in _GROUPS and said.public_key:
        raise InvalidArgument("a group has no key: name its members", "approvers")
    if (id_ := find(office, name)) is None:
        raise NotFound(f"there is no {said.who}", "approvers")
    return Approver(approver_kind=kind, id=id_, name=said.who, public_key=said.public_key)


def _people(approver: Approver, office: Office) -> int:
    """How many it stands for today: to fill a group that a rule names will need the rule's own approvers."""
    if approver.approver_kind not in _GROUPS or not isinstance(office, HeldTenant):
        return 1
    if approver.approver_kind is ApproverKind.GROUP:
        return len(office.members(office.principal_of_id(approver.id), after="", limit=MAX_APPROVALS))
    group = office.group(approver.id)
    return 0 if group is None else MAX_APPROVALS if group.external else len(office.ties_of(group))


def _require(holds: bool, words: str, member: str) -> None:  # noqa: FBT001 - a sentence reads so
    if not holds:
        raise InvalidArgument(words, member)


def _checked(op: ops.PutApprovalRule, office: Office) -> tuple[Approver, ...]:
    """Raises InvalidArgument, NotFound."""
    _require(_NAME.fullmatch(op.name) is not None, "a rule's name is 1 to 64 letters, digits, '_', '.', '-'", "name")
    _require(0 < len(op.actions) <= 256, "a rule names 1 to 256 actions", "actions")
    actions_of(op.actions)
    _require(0 < op.n_approvals <= MAX_APPROVALS, f"a rule wants 1 to {MAX_APPROVALS} approvals", "n_approvals")
    _require(0 < len(op.approvers) <= MAX_APPROVERS, f"a rule names 1 to {MAX_APPROVERS} approvers", "approvers")
    for member in ("waits_for", "good_for"):
        fits = LEAST_WAIT <= getattr(op, member) <= MAX_WAIT
        _require(fits, f"{member} is {LEAST_WAIT} to {MAX_WAIT} seconds", member)
    approvers = tuple(_approver(said, office) for said in op.approvers)
    _require(len({one.id for one in approvers}) == len(approvers), "an approver is named twice", "approvers")
    keys = [one.public_key for one in approvers if one.public_key]
    _require(len(set(keys)) == len(keys), "two approvers have one key", "approvers")
    people = sum(_people(one, office) for one in approvers)
    _require(people >= op.n_approvals, "there are fewer approvers than approvals wanted", "n_approvals")
    by_nothing = any(one.approver_kind in _WITHOUT_RIGHTS for one in approvers)
    _require(
        not (op.needs_right and by_nothing), "a key or a user of this machine has no rights to ask for", "approvers"
    )
    return approvers


def _places(op: ops.PutApprovalRule, office: Office) -> None:
    """Raises NotFound; LimitExceeded."""
    if len(op.keys) + len(op.keyrings) > 256:
        raise LimitExceeded("a rule names at most 256 keys and keyrings", "keys")
    for id_ in op.keys:
        if office.key_of_id(id_) is None:
            raise NotFound("there is no such key", "keys")
    for id_ in op.keyrings:
        if office.keyring_of_id(id_) is None:
            raise NotFound("there is no such keyring", "keyrings")


# --- rules


def put_rule(op: ops.PutApprovalRule, targets: tuple[Office], _act: Act) -> Outcome[ApprovalRule]:
    (office,) = targets
    approvers = _checked(op, office)
    _places(op, office)
    row = office.approval_rules()
    others = tuple(rule for rule in row.rules if rule.name != op.name)
    if len(others) >= MAX_RULES:
        raise LimitExceeded(f"there are at most {MAX_RULES} rules", "name")
    rule = ApprovalRule(
        name=op.name,
        number=row.n_made + 1,
        actions=op.actions,
        n_approvals=op.n_approvals,
        approvers=approvers,
        keyrings=op.keyrings,
        keys=op.keys,
        own=op.own,
        needs_right=op.needs_right,
        waits_for=op.waits_for,
        good_for=op.good_for,
    )
    changed = replace(row, n_made=rule.number, rules=(*others, rule))
    return Outcome(answer=rule, put=(changed,), made=f"{rule.name}/{rule.number}")


def delete_rule(op: ops.DeleteApprovalRule, targets: tuple[Office], _act: Act) -> Outcome[Nothing]:
    row = targets[0].approval_rules()
    if (gone := row.named(op.name)) is None:
        raise NotFound("there is no such rule", "name")
    changed = replace(row, rules=tuple(rule for rule in row.rules if rule is not gone))
    return Outcome(answer=Nothing(), put=(changed,), made=f"{gone.name}/{gone.number}")


def list_rules(_op: ops.ListApprovalRules, targets: tuple[Office], _act: Act) -> Outcome[tuple[ApprovalRule, ...]]:
    return Outcome(answer=targets[0].approval_rules().rules)


# --- requests


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
    ops.PutApprovalRule: put_rule,
    ops.DeleteApprovalRule: delete_rule,
    ops.ListApprovalRules: list_rules,
    ops.ListApprovals: list_requests,
    ops.ShowApproval: show_request,
    ops.Approve: approve,
    ops.Deny: deny,
    ops.EndApproval: end,
}
