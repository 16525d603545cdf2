"""Rules of approval put and taken away (docs/adr/0037)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.approvals import MAX_APPROVALS, MAX_APPROVERS, MAX_RULES, MAX_WAIT, actions_of
from keystead.core.entities import ApprovalRule, Approver, ApproverKind, PrincipalKind
from keystead.core.errors import InvalidArgument, LimitExceeded, NotFound
from keystead.core.operations import ApproverSaid, Nothing
from keystead.service.held import HeldSystem, HeldTenant
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


HANDLERS: dict[type, Handler] = {
    ops.PutApprovalRule: put_rule,
    ops.DeleteApprovalRule: delete_rule,
    ops.ListApprovalRules: list_rules,
}
