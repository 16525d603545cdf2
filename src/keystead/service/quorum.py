"""What others have to approve before it is done: asked by the pipeline after it has authorized, and before it acts.

Rule 1: the act is found by a digest of all that it is (service.canonical). Another argument, another revision of its
        target, another rule: another request.
Rule 2: a request is used once, in the transaction of the changes that it was for; the rules are among what that
        transaction rests on, so no rule is made behind the back of an act that is under way.
Rule 3: an approval counts while whoever gave it is there, is enabled, is still one whom the rule names, and, where the
        rule says so, may do it too. What was withdrawn so is asked for again.
Rule 4: whatever changes a rule is held by that rule, as it is; and so is a way to become one of its approvers
        (service.guards).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.actions import Action
from keystead.core.approvals import (
    MAX_WAITING,
    RULABLE,
    Standing,
    actions_of,
    counted,
    not_approved,
)
from keystead.core.caller import SYSTEM_DOOR, Caller
from keystead.core.entities import (
    INSTALLATION,
    Approval,
    ApprovalRequest,
    ApprovalRule,
    ApprovalRules,
    Entity,
    IdentityEntity,
    PrincipalKind,
    Token,
)
from keystead.core.errors import Denied, LimitExceeded, NotApproved
from keystead.core.operations import DeleteApprovalRule, Demand, DisableMount, Operation, PutApprovalRule, SealUp
from keystead.core.ports import Entropy, Stale
from keystead.core.rights import Rights
from keystead.service.amounts import amounts_to, ends_with, reaches
from keystead.service.barrier import Barrier, Commit
from keystead.service.belonging import belonging
from keystead.service.canonical import Canonical, canonical
from keystead.service.guards import is_guarded
from keystead.service.held import Held, HeldKey, HeldKeyring, HeldKeyStore, HeldReplica, HeldSecret, HeldTenant
from keystead.service.persons import asker, persons_of
from keystead.service.rights import of_bearer

if TYPE_CHECKING:
    from keystead.service.pipeline import Authorizer
    from keystead.service.view import View

MAX_OF_ONE = 20  # requests that one who asks may have waiting
MAX_OF_PEOPLE = 100  # that have somebody behind them in common: of a token and of all that it has made
LABEL = "approval"

_covered = lru_cache(maxsize=1024)(actions_of)


Recorder = Callable[[Caller, Operation[Any], tuple[Demand, ...], tuple[Held | None, ...], str, str], bytes]
"""Makes the audit record of a request for approval: (…, what has allowed it so far, the id of the request)."""


class Leave(Struct, frozen=True):
    """What the act's own commit carries along: the request that it uses up, and what that rests on."""

    seen: tuple[Entity, ...]
    spent: ApprovalRequest | None = None

    @property
    def used(self) -> tuple[ApprovalRequest, ...]:
        return () if self.spent is None else (self.spent,)


NO_LEAVE = Leave(())
"""Of what no rule can cover."""


class Covering(Struct, frozen=True):
    """A rule that covers an act."""

    scope: str
    rule: ApprovalRule

    @property
    def said(self) -> tuple[str, str, int]:
        return self.scope, self.rule.name, self.rule.number


def is_rulable(kind: type[Operation[Any]]) -> bool:
    """Whether any rule can cover operations of that kind. Nobody waits to seal the server: that closes it."""
    return kind.action in RULABLE and kind is not SealUp


class Quorum:
    """One per process; safe to use from any thread."""

    def __init__(
        self,
        view: View,
        barrier: Barrier,
        authorizer: Authorizer,
        recorder: Recorder,
        entropy: Entropy,
        announce: Callable[[None], None],
    ) -> None:
        self._view, self._barrier, self._authorizer = view, barrier, authorizer
        self._recorder, self._entropy, self._announce = recorder, entropy, announce

    def leave(
        self, caller: Caller, op: Operation[Any], demands: tuple[Demand, ...], found: tuple[Held | None, ...], rule: str
    ) -> tuple[str, Leave]:
        """(what has allowed it, leave to do it now).

        `rule`: what has allowed it so far, for the record. Raises NotApproved, once its request is kept and on record;
        LimitExceeded (detail "approvals"), WouldBlock.
        """
        if caller.principal.principal_kind is PrincipalKind.SYSTEM and caller.door == SYSTEM_DOOR:
            return rule, NO_LEAVE  # what the scheduler does was approved when it was appointed
        if not op.changes and op.action not in OF_THE_SERVER and self._is_unruled(found):
            return rule, NO_LEAVE
        scopes = [INSTALLATION] if op.action in OF_THE_SERVER else []
        ends = [tenant] if (tenant := ends_with(op, found[0])) else []  # first: its people cannot reach those above
        rows = {scope: self._view.approval_rules(scope) for scope in (*ends, *map(_scope, found), *scopes)}
        covering = tuple(_covering(rows, op, demands, found, ends))
        if not covering:
            return rule, Leave(tuple(rows.values())) if op.changes else NO_LEAVE
        self._view.may_block()
        asked_by = asker(caller, self._token)
        beside = [asked_by, sorted(one.said for one in covering)]
        act = canonical(op, demands, found, beside, self._barrier.subkey(LABEL))
        request = self._find(asked_by, act.digest)
        asking = _Asking(caller, op, demands, found, rule, covering, act, asked_by)
        if request is None or request.is_over(caller.now):
            raise self._ask(asking, tuple(rows.values()), request)
        if request.denied_by:
            raise not_approved(request, Standing.DENIED, 0, 0)
        behind = self._still_behind(asking)
        good = tuple(self._still_good(asking, request))
        for one in covering:
            n = len(counted(one.rule, [approval for approval, _ in good], request.persons))
            if n < one.rule.n_approvals:
                raise not_approved(request, Standing.PENDING, n, one.rule.n_approvals)
        seen = {(entity.kind, entity.id): entity for rests in (behind, *(one for _, one in good)) for entity in rests}
        return f"{rule}; approval {request.id}", Leave((*rows.values(), *seen.values()), request)

    def _is_unruled(self, found: tuple[Held | None, ...]) -> bool:
        """Whether there is no rule where they are: those alone can cover what changes nothing. Raises WouldBlock."""
        for held in found:  # noqa: SIM110 - every read of a secret asks this
            if self._view.approval_rules(_scope(held)).rules:
                return False
        return True

    # --- requests

    def _token(self, id_: str) -> Token | None:
        return self._barrier.get(Token, id_)

    def _find(self, asked_by: str, digest: str) -> ApprovalRequest | None:
        waiting = self._barrier.children(ApprovalRequest, asked_by)
        return next((one for one in waiting if one.digest == digest), None)

    def _ask(self, asking: _Asking, rows: tuple[ApprovalRules, ...], before: ApprovalRequest | None) -> NotApproved:
        """Keep a new request with its record, in place of one that is over. Raises LimitExceeded, Stale."""
        caller, rules = asking.caller, [one.rule for one in asking.covering]
        fresh = asking.request(self._new_id(), persons_of(caller, self._token))
        told = "" if before is None else f"; request {before.id} {_ended(before)}"
        error = not_approved(fresh, Standing.PENDING, 0, max(rule.n_approvals for rule in rules), told)
        if asking.op.dry_run:
            return NotApproved("it needs the approval of others, and nobody has been asked", error.detail)
        self._require_room(caller, fresh)
        record = self._recorder(caller, asking.op, asking.demands, asking.found, asking.allowed_by, fresh.id)
        scopes = {one.scope for one in asking.covering}
        change = Commit(
            put=(fresh, *(row for row in rows if row.id in scopes)),  # so that of two who ask at once one finds it
            delete=() if before is None else (before,),
            seen=(*(row for row in rows if row.id not in scopes), *caller.rights.seen),
            record=record,
        )
        try:
            self._barrier.commit(change)
        finally:
            self._announce(None)
        error.recorded = True
        return error

    def _new_id(self) -> str:
        return self._entropy(12).hex()

    def _require_room(self, caller: Caller, fresh: ApprovalRequest) -> None:
        """Nobody's request gives way to another: who has too many waits, and so does a tenant that has.

        Of one who asks by many tokens all count: whoever made them stands behind each. Raises LimitExceeded, Stale.
        """
        kept = self._barrier.linked(ApprovalRequest, fresh.scope, limit=2 * MAX_WAITING)
        waiting = [one for one in kept if not one.is_over(caller.now)]
        if any((one.asked_by, one.digest) == (fresh.asked_by, fresh.digest) for one in waiting):
            raise Stale  # it has come since it was looked for, and counts: whoever looks again finds it
        people = set(fresh.persons)
        for n, most in (
            (sum(one.asked_by == fresh.asked_by for one in waiting), MAX_OF_ONE),
            (sum(not people.isdisjoint(one.persons) for one in waiting), MAX_OF_PEOPLE),
            (len(waiting), MAX_WAITING),
        ):
            if n >= most:
                raise LimitExceeded(f"{most} requests wait for approval already", "approvals")

    # --- who asks

    def _still_behind(self, asking: _Asking) -> tuple[Entity, ...]:
        """What it rests on that everybody is there who stands behind a session, or a token and what it was made with.

        Its own rights were asked already, as they are today; these are other people's. Raises Denied.
        """
        rests = list[Entity]()
        people = persons_of(asking.caller, self._token)
        if not all(self._person(one, rests, asking) for one in people if not one.startswith("token:")):
            raise Denied("whoever asked for this has been shut out meanwhile")
        return tuple(rests)

    # --- approvals

    def _still_good(self, asking: _Asking, request: ApprovalRequest) -> Iterator[tuple[Approval, tuple[Entity, ...]]]:
        """The approvals that count today, each with what that rests on."""
        needs_right = any(one.rule.needs_right for one in asking.covering)
        for approval in request.approvals:
            rests: list[Entity] = []
            people = [self._person(one, rests, asking) for one in approval.persons]
            if not all(people):
                continue
            rights = self._rights(approval.by, asking)
            if rights is not None:
                rests += rights.seen
                named = tuple(id_ for id_ in approval.named if self._is_named(id_, rights))
                if not named or (needs_right and not self._may(asking, rights)):
                    continue
                approval = replace(approval, named=named)  # noqa: PLW2901 - the same one, as far as it still holds
            yield approval, tuple(rests)

    def _person(self, person: str, rests: list[Entity], asking: _Asking) -> bool:
        """Whether that person is there, and not shut out."""
        kind, _, id_ = person.partition(":")
        if kind == "principal":
            rights = self._view.rights(id_)
            if rights is None or not rights.principal.enabled:
                return False
            rests.append(rights.principal)
        elif kind == "entity":
            entity = self._barrier.get(IdentityEntity, id_)
            if entity is None or entity.disabled or entity.merged_into:
                return False
            rests.append(entity)
        elif kind == "token":
            token = self._token(id_)
            return token is not None and not token.is_over(asking.caller.now)
        return True

    def _rights(self, by: str, asking: _Asking) -> Rights | None:
        """What whoever has approved may today; None for the holder of a key, whom the rule names by nothing else."""
        kind, _, id_ = by.partition(":")
        if kind == "principal":
            return self._view.rights(id_)
        if kind != "entity":
            return None
        entity = self._barrier.get(IdentityEntity, id_)
        tenant = entity.tenant if entity is not None else asking.covering[0].scope
        bearer = Token(
            id=f"approver:{id_}", tenant=tenant, accessor=f"approver:{id_}", policies=("default",), entity=id_, path="",
            created_at=asking.caller.now, is_batch=True,
        )  # fmt: skip
        rights = of_bearer(self._barrier, bearer)
        return replace(rights, bases=rights.bases | belonging(self._barrier, id_, tenant).bases)

    def _is_named(self, id_: str, rights: Rights) -> bool:
        if id_.startswith("uid:"):
            held = self._view.credential(id_)
            return held is not None and held.credential.enabled and held.principal.id == rights.id
        return id_ == rights.id or id_ in rights.bases

    def _may(self, asking: _Asking, rights: Rights) -> bool:
        """Whether they may do it themselves, where and when it is asked for."""
        other = replace(asking.caller, principal=rights.principal, rights=rights, session="", provider="", behind=())
        try:
            for demand, held in zip(asking.demands, asking.found, strict=True):
                self._authorizer.require(other, demand, held, asking.op)
        except Denied:
            return False
        return True


class _Asking(Struct, frozen=True):
    """One act that a rule covers."""

    caller: Caller
    op: Operation[Any]
    demands: tuple[Demand, ...]
    found: tuple[Held | None, ...]
    allowed_by: str
    covering: tuple[Covering, ...]
    act: Canonical
    asked_by: str

    def request(self, id_: str, persons: frozenset[str]) -> ApprovalRequest:
        rules, now = [one.rule for one in self.covering], self.caller.now
        return ApprovalRequest(
            id=id_,
            scope=self.covering[0].scope,
            digest=self.act.digest,
            asked_by=self.asked_by,
            asked_name=self.caller.principal.name or self.asked_by,
            persons=tuple(sorted(persons)),
            operation=type(self.op).__name__,
            actions=tuple(dict.fromkeys(demand.action.value for demand in self.demands)),
            targets=self.act.targets,
            summary=self.act.summary,
            rules=tuple(one.said for one in self.covering),
            door=self.caller.door,
            asked_at=now,
            ends_at=now + timedelta(seconds=min(rule.waits_for for rule in rules)),
            good_for=min(rule.good_for for rule in rules),
        )


def _ended(request: ApprovalRequest) -> str:
    return "was denied" if request.denied_by else "expired"


def _scope(held: Held | None) -> str:
    return (held.tenant if held is not None else "") or INSTALLATION


OF_THE_SERVER = frozenset({Action.ROTATE_ROOT_KEY})
"""What is asked for in a tenant, and done to the installation: rules of either hold it."""


def _is_of(scope: str, action: Action, held: Held | None) -> bool:
    return _scope(held) == scope or (scope == INSTALLATION and action in OF_THE_SERVER)


CHANGES_RULES = (PutApprovalRule, DeleteApprovalRule)


def _covering(
    rows: dict[str, ApprovalRules],
    op: Operation[Any],
    demands: tuple[Demand, ...],
    found: tuple[Held | None, ...],
    ends: Collection[str],
) -> Iterator[Covering]:
    """The rules that cover an act, each once; of a tenant that ends all of them, for they go with it."""
    touched = op.name if isinstance(op, CHANGES_RULES) else None
    if not any(row.rules for row in rows.values()):
        return
    done = [(d.action, held) for d, held in zip(demands, found, strict=True)]
    done += [(action, found[0]) for action in amounts_to(op, found[0])]
    for scope, row in rows.items():
        here = [(action, held) for action, held in done if _is_of(scope, action, held)]
        for rule in row.rules:
            if scope in ends:
                yield Covering(scope, rule)
                continue
            covers = rule.name == touched or any(_covers(rule, op, action, held) for action, held in here)
            covers = covers or any(_takes_away(rule, op, held) for _, held in here)
            if covers or (here and is_guarded(rule, op, found[0])):
                yield Covering(scope, rule)


def _covers(rule: ApprovalRule, op: Operation[Any], action: Action, held: Held | None) -> bool:
    if action not in _covered(rule.actions):
        return False
    if not rule.keys and not rule.keyrings:
        return True
    places = (_place(held), *((other.key.id, other.key.keyring) for other in reaches(op, held)))
    return any(key in rule.keys or ring in rule.keyrings for key, ring in places)


def _takes_away(rule: ApprovalRule, op: Operation[Any], held: Held | None) -> bool:
    """Whether a keyring goes with the act that the rule is of, or of a key in."""
    if not isinstance(op, DisableMount) or not isinstance(held, HeldTenant) or op.action not in _covered(rule.actions):
        return False
    mount = held.mount_at(op.path)
    ring = mount.keyring if mount is not None else ""
    keys = (held.key_of_id(id_) for id_ in rule.keys)
    return bool(ring) and (ring in rule.keyrings or any(key.keyring == ring for key in keys if key is not None))


def _place(held: Held | None) -> tuple[str, str]:
    """(key, keyring); "" of what is neither of a key nor in a keyring."""
    if isinstance(held, HeldKey):
        return held.id, held.keyring.id
    if isinstance(held, HeldReplica):
        return held.like.id, held.like.keyring.id
    if isinstance(held, HeldKeyring):
        return "", held.id
    if isinstance(held, HeldKeyStore):
        return "", held.keyring.id
    return ("", held.ring.id) if isinstance(held, HeldSecret) else ("", "")
