"""Rotation: a new version protects, and every version before it still processes what it protected."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Key, KeyVersion, Origin, RotatedBy, Rotation
from keystead.core.errors import Conflict, InvalidArgument, LimitExceeded, Unsupported, WrongState
from keystead.core.operations import Described, Nothing, Page, RotationStatus
from keystead.core.states import Event, KeyState, Lifecycle
from keystead.service.handlers.material import lapse, present
from keystead.service.handlers.standing import active, existing
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome

DEFAULT_DAYS, MIN_DAYS, MAX_DAYS = 365, 90, 2560  # KMS API Reference, EnableKeyRotation
MAX_ON_DEMAND = 25  # KMS API Reference, RotateKeyOnDemand
CLEAR_FOR = timedelta(minutes=20)  # ConflictException: a scheduled rotation begins sooner than that


def rotatable(key: Key) -> None:
    """Only a symmetric cipher key can take a new version without its users noticing, or one whose users name it."""
    if key.terms.every_version and key.origin is Origin.GENERATED:
        return
    if key.spec.family is not Family.AES or key.origin not in {Origin.GENERATED, Origin.EXTERNAL}:
        raise Unsupported(f"{key.spec.name} keys of {key.origin.value} origin are not rotated", "rotation")


def schedulable(key: Key, now: datetime) -> None:
    """In service and rotatable, by itself: imported material comes first (KMS Developer Guide, "Key states", [6])."""
    existing(key, now)
    if key.origin is not Origin.GENERATED:
        raise Unsupported(f"keys of {key.origin.value} origin have no schedule", key.origin)
    active(key, now)
    rotatable(key)


def enable_rotation(op: ops.EnableRotation, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """Counted from now. Asked again for the period it has, the schedule stays as it is."""
    key = targets[0].key
    if op.period_days is not None and not MIN_DAYS <= op.period_days <= MAX_DAYS:
        raise InvalidArgument(f"a rotation period is {MIN_DAYS} to {MAX_DAYS} days", "period_days")
    schedulable(key, act.now)
    held_for = key.rotation.period_days if key.rotation else DEFAULT_DAYS
    days = held_for if op.period_days is None else op.period_days
    if key.rotation and key.rotation.period_days == days:
        return Outcome(answer=Nothing())
    rotation = Rotation(period_days=days, next_at=act.now + timedelta(days=days))
    return Outcome(answer=Nothing(), put=(replace(key, rotation=rotation),))


def disable_rotation(_op: ops.DisableRotation, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    key = targets[0].key
    schedulable(key, act.now)
    return Outcome(answer=Nothing(), put=(replace(key, rotation=None),))


def read_rotation(_op: ops.ReadRotation, targets: tuple[HeldKey], act: Act) -> Outcome[RotationStatus]:
    """No schedule while a destruction is appointed: the scheduler would not keep it."""
    key = targets[0].key
    life = existing(key, act.now)
    return Outcome(answer=RotationStatus(key, None if life.destroy_at else key.rotation))


def rotate_key(op: ops.RotateKey, targets: tuple[HeldKey], act: Act) -> Outcome[Described]:
    """Raises Unsupported, WrongState, Conflict; LimitExceeded (detail "rotations")."""
    (held,) = targets
    key = held.key
    active(key, act.now)
    rotatable(key)
    if key.origin is Origin.EXTERNAL:
        return _rotate_imported(held, act.now)
    changed = _on_schedule(key, act.now) if op.scheduled else _on_demand(key, act.now)
    made = act.provider.generate(key.spec)
    number = key.n_versions + 1
    old = held.version().version
    new = KeyVersion(
        id=f"{key.id}/{number}",
        key_id=key.id,
        number=number,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=act.now),
        created_at=act.now,
        rotated_by=RotatedBy.SCHEDULE if op.scheduled else RotatedBy.DEMAND,
        public_key=made.public_key,
    )
    retired = (
        () if key.terms.every_version else (replace(old, lifecycle=old.lifecycle.after(Event.DEACTIVATE, act.now)),)
    )
    key = replace(changed, n_versions=number, current=number)
    return Outcome(
        answer=Described(key, new),
        put=(key, new, *retired),
        material={new.id: made.material},
        versions=(number,),
    )


def _rotate_imported(held: HeldKey, now: datetime) -> Outcome[Described]:
    """To the material that was imported for it. Raises WrongState (detail ops.NOTHING_WAITS), LimitExceeded."""
    key = held.key
    versions = {version.number: version for version in held.versions()}
    new = versions.get(key.current + 1) if key.n_versions > key.current else None
    if new is None or not present(new, now):
        raise WrongState("no material waits for a rotation", ops.NOTHING_WAITS)
    old = versions[key.current]
    new = replace(
        new,
        lifecycle=new.lifecycle.after(Event.ACTIVATE, now),
        rotated_by=RotatedBy.DEMAND,
        rotated_at=now,
    )
    retired = replace(old, lifecycle=old.lifecycle.after(Event.DEACTIVATE, now))
    versions |= {new.number: new, retired.number: retired}
    key = replace(_on_demand(key, now), current=new.number)
    key = replace(key, lapses_at=lapse(key, versions.values()))
    return Outcome(answer=Described(key, new), put=(key, new, retired), versions=(new.number,))


def _on_demand(key: Key, now: datetime) -> Key:
    """On-demand rotations leave the schedule alone."""
    if key.n_on_demand >= MAX_ON_DEMAND and not key.terms.every_version:
        raise LimitExceeded(f"a key is rotated on demand at most {MAX_ON_DEMAND} times", "rotations")
    if key.rotation and key.rotation.next_at - now < CLEAR_FOR:
        raise Conflict("a scheduled rotation is about to begin", "rotation")
    return replace(key, n_on_demand=key.n_on_demand + 1)


def _on_schedule(key: Key, now: datetime) -> Key:
    if key.rotation is None or key.rotation.next_at > now:
        raise Conflict("no rotation is due", "rotation")
    period = key.rotation.period
    due = key.rotation.next_at + period
    return replace(key, rotation=replace(key.rotation, next_at=due if due > now else now + period))


def list_rotations(op: ops.ListRotations, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Rotations]:
    """Oldest first; the first version came by no rotation, nor has what waits for one. `after`: a number."""
    (held,) = targets
    key = held.key
    existing(key, act.now)
    rotatable(key)
    since, last = int(op.after or (0 if op.everything else 1)), key.n_versions if op.everything else key.current
    rest = [version for version in held.versions() if since < version.number <= last]
    page = tuple(rest[: op.limit])
    return Outcome(answer=ops.Rotations(key, Page(page, str(page[-1].number) if len(rest) > op.limit else None)))


HANDLERS: dict[type, Handler] = {
    ops.EnableRotation: enable_rotation,
    ops.DisableRotation: disable_rotation,
    ops.ReadRotation: read_rotation,
    ops.RotateKey: rotate_key,
    ops.ListRotations: list_rotations,
}
