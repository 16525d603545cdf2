"""The choke point. Every door, the CLI, the scheduler and the library reach Keystead through `perform`.

    find -> authorize -> act -> commit (changes + audit record, if nothing moved) -> answer

Rule 1: nothing is answered before its audit record is durable. A change is committed with its record; the record
        of a use or a refusal joins the journal, and whoever called `perform` holds the answer until
        the journal has been flushed (kit.listener; keystead.open does it at once).
Rule 2: a handler gets targets already found and authorized. It has no store and cannot perform, so it
        cannot fetch "one more key" past the policy engine.
Rule 3: the commit names every revision the decision rested on; had one moved, we decide again. No
        database lock is held while an HSM thinks, and no key is used after it was revoked.
Rule 4: this file does not grow. A new verb is a type in core/operations/ and a function in
        service/handlers/; the pipeline never learns its name.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.audit.record import refused
from keystead.core.caller import Caller, Stranger
from keystead.core.cutoffs import Cutoffs
from keystead.core.entities import Entity, Principal, Wrapped
from keystead.core.errors import Denied, DryRun, Internal, KeysteadError, NotApproved, NotFound, Unavailable
from keystead.core.operations import KIND_OF, Demand, Operation
from keystead.core.places import NOWHERE, Places
from keystead.core.ports import Entropy, Stale, WouldBlock
from keystead.core.providers import KeyStores, NoKeyStores, Provider
from keystead.core.quotas import AWS, Quotas
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Barrier, Commit
from keystead.service.covering import is_rulable
from keystead.service.held import Held, HeldTenant
from keystead.service.hsms import Hsms, with_erasures
from keystead.service.meter import Meter, Taken
from keystead.service.quorum import NO_LEAVE, Leave, Quorum
from keystead.service.together import Together
from keystead.service.view import View

R = TypeVar("R")
ATTEMPTS = 10
N_TURNS = 64
LOG = logging.getLogger("keystead")
NO_KEY_STORES = NoKeyStores()
NO_HSMS = Hsms()


class Act(Struct, frozen=True, gc=False):
    """The circumstances of one act: what a handler may know beside its operation and targets."""

    now: datetime
    principal: Principal
    entropy: Entropy
    provider: Provider
    tenant: Callable[[str], HeldTenant | None]  # to resolve the principals a policy or a grant names
    caller: Caller  # facts for a policy's lockout check, and for a key store outside; nothing can be performed with it
    outside: KeyStores = NO_KEY_STORES
    cutoffs: Cutoffs | None = None
    quotas: Quotas = AWS
    places: Places = NOWHERE  # where audit devices may go
    hsms: Hsms = NO_HSMS


class Outcome(Struct, Generic[R], frozen=True, kw_only=True, gc=False):
    """What an act came to: an answer for the caller, new values for the store."""

    answer: R
    put: tuple[Entity, ...] = ()
    delete: tuple[Entity, ...] = ()
    seen: tuple[Entity, ...] = ()  # more than the targets themselves
    childless: tuple[Entity, ...] = ()  # as Commit has it
    material: Mapping[str, Sensitive] = {}  # id of a version -> fresh material, wrapped by the barrier
    destroy: tuple[Wrapped, ...] = ()
    versions: tuple[int, ...] = ()  # key version used, per target; for the record
    bound: bytes | None = None  # the typed AAD, where the act has made it; for the record
    made: str = ""  # the id of what came into being, or of the part of a target that changed or went; for the record
    why: str = ""  # of an answer that is a no, in a word; for the record


Handler = Callable[[Any, tuple[Any, ...], Act], Outcome[Any]]


class Journal(Protocol):
    def append(self, record: bytes) -> None: ...


class Recorder(Protocol):
    """Makes the canonical audit record (core.audit)."""

    def __call__(
        self,
        caller: Caller,
        op: Operation[Any],
        demands: tuple[Demand, ...],
        found: tuple[Held | None, ...],
        rule: str,
        outcome: str,
        done: Outcome[Any] | None = None,
        why: str = "",
    ) -> bytes: ...

    def at_the_door(self, who: Caller | Stranger, outcome: str, why: str = "") -> bytes: ...


class Authorizer(Protocol):
    def require(self, caller: Caller, demand: Demand, held: Any, op: Operation[Any]) -> str:
        """The rule that allowed it. Raises Denied; also for an absent target, so that absence stays a secret."""
        ...

    def check_tokens(self, op: Operation[Any], found: tuple[Held | None, ...]) -> None:
        """Raises InvalidArgument for a grant token of `op` that is of no grant on what was found."""
        ...


class Service:
    """Two verbs: authenticate (service/authenticate.py) makes a Caller, perform serves it."""

    def __init__(
        self,
        *,
        view: View,
        barrier: Barrier,
        authorizer: Authorizer,
        recorder: Recorder,
        journal: Journal,
        handlers: Mapping[type, Handler],
        provider: Provider,
        entropy: Entropy,
        announce: Callable[[], None],
        outside: KeyStores = NO_KEY_STORES,
        cutoffs: Cutoffs | None = None,
        quotas: Quotas = AWS,
        places: Places = NOWHERE,
        hsms: Hsms = NO_HSMS,
        meter: Meter | None = None,
    ) -> None:
        self.view, self._barrier, self._authorizer = view, barrier, authorizer
        self._recorder, self._journal, self._handlers = recorder, journal, handlers
        self._record = recorder.__call__
        self._provider, self._entropy = provider, entropy
        self._announce: Together[None] = Together(lambda _committed: announce())
        self._outside, self._cutoffs, self._quotas = outside, cutoffs or None, quotas
        self._places, self._hsms = places, hsms
        self._taken = meter.taken if meter is not None else Taken()
        self._quorum = Quorum(view, barrier, authorizer, self._asked_for, entropy, self._announce)
        self._rulable = frozenset(kind for kind in handlers if is_rulable(kind))
        self._turns = tuple(threading.Lock() for _ in range(N_TURNS))

    def perform(self, caller: Caller, op: Operation[R], *, in_turn: bool = False) -> R:
        """Do `op` for `caller`, or raise a KeysteadError; either way its record comes first.

        On the event loop it may raise WouldBlock, and has then done nothing. `in_turn`: who was overtaken once waits
        for whoever else was, on the same target, and who comes anew for them: else many who change one thing overtake
        one of them for ever.
        """
        view = self.view
        demands = op.demands()
        if op.changes and self._must_wait(caller, demands, in_turn=in_turn):
            return self._in_turn(caller, op, demands)
        for _ in range(ATTEMPTS):
            found: tuple[Held | None, ...] = ()
            rule, absent = "", None
            try:
                view.refresh()
                for demand in demands:
                    held = view.find(demand.target)
                    found += (held,)
                    # Before NotFound: absence is a secret too.
                    allowed_by = self._authorizer.require(caller, demand, held, op)
                    rule = allowed_by if not rule or rule == allowed_by else f"{rule}; {allowed_by}"
                    absent = demand.target if held is None and absent is None else absent
                if absent is not None:
                    raise NotFound(f"there is no such {KIND_OF[type(absent)]}", absent)
                if op.grant_tokens:
                    self._authorizer.check_tokens(op, found)
                ask = self._quorum.leave if type(op) in self._rulable else None
                rule, leave = (rule, NO_LEAVE) if ask is None else ask(caller, op, demands, found, rule)
                act = Act(
                    caller.now,
                    caller.principal,
                    self._entropy,
                    self._provider,
                    view.tenant,
                    caller,
                    self._outside,
                    self._cutoffs,
                    self._quotas,
                    self._places,
                    self._hsms,
                )
                outcome = self._handlers[type(op)](op, found, act)
                if op.dry_run:
                    raise DryRun("the request would have succeeded")
                record = self._record(caller, op, demands, found, rule, "performed", outcome)
                if outcome.put or outcome.delete or leave.spent:
                    self._commit(caller, op, outcome, record, leave)
                else:
                    self._journal.append(record)
                self._taken.entries.clear()  # what was counted stays so
                answer: R = outcome.answer
            except Stale:
                self._taken.undo()
                view.catch_up()
                caller = self._still(caller, op, demands)
                if not in_turn:
                    return self._in_turn(caller, op, demands)
                continue
            except WouldBlock as would:
                self._taken.undo()
                would.tenant = would.tenant or caller.principal.tenant
                raise
            except Exception as error:  # noqa: BLE001 - a bug too is recorded before it is answered
                self._taken.undo()
                known = isinstance(error, KeysteadError)  # then it is what is answered, and no cause of itself
                raise self._refuse(caller, op, demands, found, rule, error) from (None if known else error)
            return answer
        raise self._refuse(caller, op, demands, (), "", Unavailable("too many changes at once"))

    def _turn(self, demands: tuple[Demand, ...]) -> threading.Lock:
        return self._turns[hash(demands[0].target) % N_TURNS]

    def _must_wait(self, caller: Caller, demands: tuple[Demand, ...], *, in_turn: bool) -> bool:
        """Whether a change of that comes after somebody who was overtaken. Raises WouldBlock."""
        self.view.may_block(caller.principal.tenant)
        return not in_turn and self._turn(demands).locked()

    def _in_turn(self, caller: Caller, op: Operation[R], demands: tuple[Demand, ...]) -> R:
        with self._turn(demands):
            return self.perform(caller, op, in_turn=True)

    def turn_away(self, who: Caller | Stranger, error: KeysteadError) -> None:
        """Put on record a request that became no operation: not authenticated, or not of its protocol's form."""
        self._journal.append(self._recorder.at_the_door(who, refused(type(error)), error.reason))
        error.recorded = True

    def let_in(self, who: Caller | Stranger) -> None:
        """Put on record a request that a server answers of itself, without an operation (status, unseal)."""
        self._journal.append(self._recorder.at_the_door(who, "performed"))

    def _commit(self, caller: Caller, op: Operation[Any], outcome: Outcome[Any], record: bytes, leave: Leave) -> None:
        if not op.changes and (outcome.put or outcome.delete):  # it may be on the event loop
            raise Internal(f"{type(op).__name__} changes something and does not say so")
        change = Commit(
            seen=(*outcome.seen, *caller.rights.seen, *leave.seen),  # the decision rested on them
            put=outcome.put,
            delete=(*outcome.delete, *leave.used),
            childless=outcome.childless,
            material=outcome.material,
            destroy=outcome.destroy,
            record=record,
            within=self._quotas,
        )
        change = with_erasures(change, caller.now)
        try:
            with self._hsms.around(change, self._barrier):
                self._barrier.commit(change)
        finally:  # a commit that failed may have been kept all the same: let everybody look
            self._announce(None)

    def _asked_for(
        self,
        caller: Caller,
        op: Operation[Any],
        demands: tuple[Demand, ...],
        found: tuple[Held | None, ...],
        rule: str,
        made: str,
    ) -> bytes:
        """The record of an act that waits for the approval of others; `made`: the id of the request."""
        done: Outcome[None] = Outcome(answer=None, made=made, why="asked for")
        return self._record(caller, op, demands, found, rule, refused(NotApproved), done)

    def _still(self, caller: Caller, op: Operation[Any], demands: tuple[Demand, ...]) -> Caller:
        """The caller as it is now, to decide again by. Raises Denied where it has been shut out meanwhile."""
        rights = self.view.again(caller.rights, caller.now)
        if rights is None or not rights.principal.enabled:
            raise self._refuse(caller, op, demands, (), "", Denied("the principal has been shut out meanwhile"))
        return replace(caller, principal=rights.principal, rights=rights)

    def _refuse(
        self,
        caller: Caller,
        op: Operation[Any],
        demands: tuple[Demand, ...],
        found: tuple[Held | None, ...],
        rule: str,
        error: Exception,
    ) -> KeysteadError:
        """The error to answer, once its record is on its way."""
        if not isinstance(error, KeysteadError):
            LOG.error("internal error in request %s", caller.request_id, exc_info=error)
            error = Internal("internal error", caller.request_id)
        label = "dry run" if isinstance(error, DryRun) else refused(type(error))
        if error.recorded:
            return error
        if error.subject is None and rule and found and found[0] is not None:
            error.subject, error.about = found[0].id, found[0]
        self._journal.append(self._record(caller, op, demands, found, rule, label, why=error.reason))
        error.recorded = True
        return error
