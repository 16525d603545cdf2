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

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from keystead.core.approvals import MAX_WAITING, Standing, counted, not_approved
from keystead.core.caller import SYSTEM_DOOR, Caller
from keystead.core.entities import INSTALLATION, ApprovalRequest, ApprovalRules, Entity, PrincipalKind
from keystead.core.errors import LimitExceeded, NotApproved
from keystead.core.operations import Demand, Operation
from keystead.core.ports import Entropy, Stale
from keystead.service.amounts import ends_with
from keystead.service.approvers import Approvers
from keystead.service.barrier import Barrier, Commit
from keystead.service.canonical import canonical
from keystead.service.covering import OF_THE_SERVER, Asking, covering_of, scope_of
from keystead.service.held import Held
from keystead.service.persons import asker, persons_of

if TYPE_CHECKING:
    from keystead.service.pipeline import Authorizer
    from keystead.service.view import View

MAX_OF_ONE = 20  # requests that one who asks may have waiting
MAX_OF_PEOPLE = 100  # that have somebody behind them in common: of a token and of all that it has made
LABEL = "approval"

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
        self._view, self._barrier = view, barrier
        self._approvers = Approvers(view, barrier, authorizer)
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
        rows = {scope: self._view.approval_rules(scope) for scope in (*ends, *map(scope_of, found), *scopes)}
        covering = tuple(covering_of(rows, op, demands, found, ends))
        if not covering:
            return rule, Leave(tuple(rows.values())) if op.changes else NO_LEAVE
        self._view.may_block()
        asked_by = asker(caller, self._approvers.token)
        beside = [asked_by, sorted(one.said for one in covering)]
        act = canonical(op, demands, found, beside, self._barrier.subkey(LABEL))
        request = self._find(asked_by, act.digest)
        asking = Asking(caller, op, demands, found, rule, covering, act, asked_by)
        if request is None or request.is_over(caller.now):
            raise self._ask(asking, tuple(rows.values()), request)
        if request.denied_by:
            raise not_approved(request, Standing.DENIED, 0, 0)
        behind = self._approvers.still_behind(asking)
        good = tuple(self._approvers.still_good(asking, request))
        for one in covering:
            n = len(counted(one.rule, [approval for approval, _ in good], request.persons))
            if n < one.rule.n_approvals:
                raise not_approved(request, Standing.PENDING, n, one.rule.n_approvals)
        seen = {(entity.kind, entity.id): entity for rests in (behind, *(one for _, one in good)) for entity in rests}
        return f"{rule}; approval {request.id}", Leave((*rows.values(), *seen.values()), request)

    def _is_unruled(self, found: tuple[Held | None, ...]) -> bool:
        """Whether there is no rule where they are: those alone can cover what changes nothing. Raises WouldBlock."""
        for held in found:  # noqa: SIM110 - every read of a secret asks this
            if self._view.approval_rules(scope_of(held)).rules:
                return False
        return True

    # --- requests

    def _find(self, asked_by: str, digest: str) -> ApprovalRequest | None:
        waiting = self._barrier.children(ApprovalRequest, asked_by)
        return next((one for one in waiting if one.digest == digest), None)

    def _ask(self, asking: Asking, rows: tuple[ApprovalRules, ...], before: ApprovalRequest | None) -> NotApproved:
        """Keep a new request with its record, in place of one that is over. Raises LimitExceeded, Stale."""
        caller, rules = asking.caller, [one.rule for one in asking.covering]
        fresh = asking.request(self._new_id(), persons_of(caller, self._approvers.token))
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


def _ended(request: ApprovalRequest) -> str:
    return "was denied" if request.denied_by else "expired"
