"""Destruction: appointed, perhaps called off, and then done by the scheduler (docs/adr/0003)."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.errors import Conflict, InvalidArgument, WrongState
from keystead.core.operations import Described, Nothing
from keystead.core.states import Event, KeyState
from keystead.service.handlers.keys import described
from keystead.service.handlers.material import damaged, erased, given_up, lost, without
from keystead.service.handlers.related import giving_up
from keystead.service.handlers.standing import NOT_APPOINTED, existing, staying
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.related import waited

MIN_DAYS, MAX_DAYS = 7, 30  # KMS API Reference, ScheduleKeyDeletion


def schedule_destruction(op: ops.ScheduleDestruction, targets: tuple[HeldKey], act: Act) -> Outcome[Described]:
    """The key is out of service from now on, and destroyed at the date; a primary, so long after its last replica."""
    (held,) = targets
    if not MIN_DAYS <= op.after_days <= MAX_DAYS:
        raise InvalidArgument(f"a key waits {MIN_DAYS} to {MAX_DAYS} days to be destroyed", "after_days")
    life = staying(held.key, act.now)
    if life.state is KeyState.ACTIVE:
        life = life.after(Event.SUSPEND, act.now)
    waits = held.key.is_primary and held.relatives() != ()
    when = {"destroy_in_days": op.after_days} if waits else {"destroy_at": act.now + timedelta(days=op.after_days)}
    key = replace(held.key, lifecycle=replace(life, **when))
    return Outcome(answer=Described(key, described(held, ends=True).version), put=(key,))


def cancel_destruction(_op: ops.CancelDestruction, targets: tuple[HeldKey], act: Act) -> Outcome[Described]:
    """The key stays out of service until somebody enables it. Refused from the date on, destroyed yet or not."""
    (held,) = targets
    life = existing(held.key, act.now)
    if not life.doomed:
        raise WrongState("no destruction is appointed", NOT_APPOINTED)
    key = replace(held.key, lifecycle=replace(life, destroy_at=None, destroy_in_days=0))
    return Outcome(answer=Described(key, described(held).version), put=(key,))


def put_off_destruction(op: ops.PutOffDestruction, targets: tuple[HeldKey], _act: Act) -> Outcome[Nothing]:
    """Raises WrongState where none is appointed; Conflict for a date that is no later. Overdue makes no difference."""
    key = targets[0].key
    if key.lifecycle.state is KeyState.DESTROYED or key.lifecycle.destroy_at is None:
        raise WrongState("no destruction is appointed", NOT_APPOINTED)
    if op.until <= key.lifecycle.destroy_at:
        raise Conflict("the destruction is appointed for a later date", "until")
    return Outcome(answer=Nothing(), put=(replace(key, lifecycle=replace(key.lifecycle, destroy_at=op.until)),))


def destroy_key(_op: ops.DestroyKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """Every version's material is erased; names and grants go; metadata and policy stay. Of related keys it is this
    copy's material, and the last copy's is the last there is. The primary's days begin with its last replica's end.
    """
    (held,) = targets
    key = held.key
    if key.lifecycle.state is KeyState.DESTROYED:
        return Outcome(answer=Nothing())
    if key.lifecycle.destroy_at is None:
        raise WrongState("no destruction is appointed", NOT_APPOINTED)
    if key.lifecycle.destroy_at > act.now:
        raise WrongState("the appointment has not come yet", Event.DESTROY)
    others = held.relatives()
    if key.is_primary and others:
        raise WrongState("the key has replicas", key.lifecycle.state)
    gone = tuple(erased(version, act.now) for version in held.to_erase())
    key = replace(key, lifecycle=key.lifecycle.after(Event.DESTROY, act.now), rotation=None)
    return Outcome(
        answer=Nothing(),
        put=(key, *gone, *(waited(o.key, len(others) - 1, act.now) for o in others if o.key.is_primary)),
        delete=(*held.names, *held.grants),
        destroy=gone,
        versions=tuple(version.number for version in gone),
        why=lost(gone),
    )


def expire_material(_op: ops.ExpireMaterial, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """Erase the imported material whose time has run out; the key waits for it (material.without).

    What is damaged goes with the first that does: it may be the one.
    """
    (held,) = targets
    key = held.key
    existing(key, act.now)
    versions = held.known()
    over = [v for v in versions if v.wrapped and v.expires_at is not None and v.expires_at <= act.now]
    if over or (key.lapses_at is not None and key.lapses_at <= act.now):
        over += damaged(versions)
    gone = tuple(erased(version, act.now) for version in over)
    if not gone:
        raise WrongState("no material has expired", key.lifecycle.state)
    left = without(key, gone, versions, act.now)
    keys, theirs = giving_up(held, act.now) if given_up(key, gone) else ((), ())
    numbers = tuple(version.number for version in gone)
    put = (left, *keys, *gone, *theirs)
    return Outcome(answer=Nothing(), put=put, destroy=(*gone, *theirs), versions=numbers, why=lost((*gone, *theirs)))


HANDLERS: dict[type, Handler] = {
    ops.ScheduleDestruction: schedule_destruction,
    ops.CancelDestruction: cancel_destruction,
    ops.PutOffDestruction: put_off_destruction,
    ops.DestroyKey: destroy_key,
    ops.ExpireMaterial: expire_material,
}
