"""Rotation: a new version protects, and every version before it still processes what it protected.

Of related keys the primary is rotated, and all of them with it in one commit (docs/adr/0014): there is no moment in
which one of them makes what another cannot open.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Key, KeyVersion, Origin, RotatedBy, Rotation
from keystead.core.errors import Conflict, InvalidArgument, LimitExceeded, Unavailable, Unsupported, WrongState
from keystead.core.operations import Breach, Described, Nothing, Page, RotationStatus
from keystead.core.states import Event, KeyState, Lifecycle
from keystead.service.damaged import DAMAGED
from keystead.service.handlers.making import generated
from keystead.service.handlers.material import lapse, present
from keystead.service.handlers.standing import active, existing
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome

DEFAULT_DAYS, MIN_DAYS, MAX_DAYS = 365, 90, 2560  # KMS API Reference, EnableKeyRotation
CLEAR_FOR = timedelta(minutes=20)  # ConflictException: a scheduled rotation begins sooner than that


def rotatable(key: Key) -> None:
    """Only a symmetric cipher key can take a new version without its users noticing, or one whose users name it."""
    if key.terms.every_version and key.origin in {Origin.GENERATED, Origin.EXTERNAL}:
        return
    if key.spec.family is not Family.AES or key.origin not in {Origin.GENERATED, Origin.EXTERNAL}:
        raise Unsupported(f"{key.spec.name} keys of {key.origin.value} origin are not rotated", "rotation")


def leading(key: Key) -> None:
    """Raises Unsupported (detail ops.NOT_PRIMARY) for a replica: what related keys share is changed at the primary."""
    if not key.leads:
        raise Unsupported("the key follows its primary", ops.NOT_PRIMARY)


def scheduled(held: HeldKey, rotation: Rotation | None) -> tuple[Key, ...]:
    """The key and its relatives with that schedule."""
    return tuple(replace(key, rotation=rotation) for key in (held.key, *(other.key for other in held.relatives())))


def _made_here(key: Key) -> None:
    """Raises Unsupported (detail Origin)."""
    if key.origin is not Origin.GENERATED:
        raise Unsupported(f"keys of {key.origin.value} origin have no schedule", key.origin)


def schedulable(key: Key, now: datetime) -> None:
    """In service and rotatable, by itself: imported material comes first (KMS Developer Guide, "Key states", [6])."""
    existing(key, now)
    leading(key)
    _made_here(key)
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
    return Outcome(answer=Nothing(), put=scheduled(targets[0], rotation))


def disable_rotation(_op: ops.DisableRotation, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    schedulable(held.key, act.now)
    return Outcome(answer=Nothing(), put=scheduled(held, None))


def read_rotation(_op: ops.ReadRotation, targets: tuple[HeldKey], act: Act) -> Outcome[RotationStatus]:
    """No schedule while a destruction is appointed: the scheduler would not keep it.

    Raises Unsupported for a key that can have none, unless that is for its spec: KMS Developer Guide, "Key states",
    [6] and [7].
    """
    key = targets[0].key
    life = existing(key, act.now)
    _made_here(key)
    return Outcome(answer=RotationStatus(key, None if life.doomed else key.rotation))


def rotate_key(op: ops.RotateKey, targets: tuple[HeldKey], act: Act) -> Outcome[Described]:
    """Raises Unsupported, WrongState, Conflict; LimitExceeded (detail "rotations")."""
    (held,) = targets
    key = held.key
    existing(key, act.now)
    leading(key)
    active(key, act.now)
    rotatable(key)
    if key.terms.imports_only:
        raise Unsupported("new versions of the key are imported, and not made", Breach.NOT_MADE_HERE)
    if key.origin is Origin.EXTERNAL and not key.terms.every_version:
        return _rotate_imported(held, act)
    changed = _on_schedule(key, act.now) if op.scheduled else _on_demand(key, act)
    made = generated(key, key.n_versions + 1, act)
    new = KeyVersion(
        id="",
        key_id="",
        number=key.n_versions + 1,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=act.now),
        created_at=act.now,
        rotated_by=RotatedBy.SCHEDULE if op.scheduled else RotatedBy.DEMAND,
        public_key=made.public_key,
        entropy=made.entropy,
        in_hsm=made.in_hsm,
    )
    own, *others = (
        _rotated(one, old, new, changed)
        for one, old in (
            (key, _whole(lambda: held.version().version)),
            *((o.key, _whole(partial(o.version, key.current))) for o in held.relatives()),
        )
    )
    return Outcome(
        answer=Described(own[0], own[1]),
        put=(*own, *(entity for other in others for entity in other)),
        material={version.id: made.material for _, version, *_ in (own, *others)},
        versions=(new.number,),
    )


def _whole(read: Callable[[], KeyVersion]) -> KeyVersion | None:
    """What protects until now; None where it is damaged: it protects no more, and a backup mends it or nothing does."""
    try:
        return read()
    except Unavailable as error:
        if error.detail != DAMAGED:
            raise
        return None


def _rotated(
    key: Key, old: KeyVersion | None, new: KeyVersion, leading: Key
) -> tuple[Key, KeyVersion, *tuple[KeyVersion, ...]]:
    """One of related keys, or a key alone, with version `new`; what they share as in `leading`."""
    version = replace(new, id=f"{key.id}/{new.number}", key_id=key.id)
    retired = (
        ()
        if key.terms.every_version or old is None
        else (replace(old, lifecycle=old.lifecycle.after(Event.DEACTIVATE, new.created_at)),)
    )
    if key.terms.every_version:
        key = replace(key, origin=Origin.GENERATED)  # from now on; Vault, transit: imported_key
    shared = {"rotation": leading.rotation, "n_on_demand": leading.n_on_demand}
    return replace(key, n_versions=new.number, current=new.number, **shared), version, *retired


def _rotate_imported(held: HeldKey, act: Act) -> Outcome[Described]:
    """To the material that was imported for it, into every related key, whatever else of theirs is missing.

    Raises WrongState (detail ops.NOTHING_WAITS), LimitExceeded.
    """
    everywhere = ((held.key, held.versions()), *((other.key, other.versions()) for other in held.relatives()))
    own, *others = [_moved_on(key, versions, held.key.n_on_demand + 1, act.now) for key, versions in everywhere]
    _on_demand(held.key, act)
    key, new = own[0], own[1]
    put = (*own, *(entity for other in others for entity in other))
    return Outcome(answer=Described(key, new), put=put, versions=(new.number,))


def _moved_on(
    key: Key, versions: list[KeyVersion], n_on_demand: int, now: datetime
) -> tuple[Key, KeyVersion, KeyVersion]:
    by_number = {version.number: version for version in versions}
    new = by_number.get(key.current + 1) if key.n_versions > key.current else None
    if new is None or not present(new, now):
        raise WrongState("no material waits for a rotation", ops.NOTHING_WAITS)
    old = by_number[key.current]
    new = replace(new, lifecycle=new.lifecycle.after(Event.ACTIVATE, now), rotated_by=RotatedBy.DEMAND, rotated_at=now)
    if old.lifecycle.state is KeyState.ACTIVE:  # else a replica has lost it, and may be given it again
        old = replace(old, lifecycle=old.lifecycle.after(Event.DEACTIVATE, now))
    by_number |= {new.number: new, old.number: old}
    moved = replace(key, current=new.number, n_on_demand=n_on_demand)
    return replace(moved, lapses_at=lapse(moved, by_number.values())), new, old


def _on_demand(key: Key, act: Act) -> Key:
    """On-demand rotations leave the schedule alone."""
    if key.n_on_demand >= act.quotas.rotations and not key.terms.every_version:
        raise LimitExceeded(f"a key is rotated on demand at most {act.quotas.rotations} times", "rotations")
    if key.rotation and key.rotation.next_at - act.now < CLEAR_FOR:
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
    rest = [version for version in held.readable() if since < version.number <= last]
    page = tuple(rest[: op.limit])
    found = Page(page, str(page[-1].number) if len(rest) > op.limit else None)
    return Outcome(answer=ops.Rotations(key, found, _scattered(held, act.now)))


def _scattered(held: HeldKey, now: datetime) -> bool:
    """Whether what waits for its rotation has not been imported into every related key yet."""
    key = held.key
    if not key.multi_region or key.n_versions == key.current:
        return False
    everywhere = (held.versions(), *(other.versions() for other in held.relatives()))
    return not all(any(v.number == key.n_versions and present(v, now) for v in versions) for versions in everywhere)


HANDLERS: dict[type, Handler] = {
    ops.EnableRotation: enable_rotation,
    ops.DisableRotation: disable_rotation,
    ops.ReadRotation: read_rotation,
    ops.RotateKey: rotate_key,
    ops.ListRotations: list_rotations,
}
