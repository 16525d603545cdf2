"""A key's terms, and what they allow to be done to it at once (core.operations.terms)."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Key, Rotation, Terms
from keystead.core.errors import InvalidArgument, Unsupported, WrongState
from keystead.core.operations import Breach, Nothing
from keystead.core.states import Event, Use
from keystead.service.handlers.making import in_software
from keystead.service.handlers.material import erased, lost
from keystead.service.handlers.standing import existing, staying
from keystead.service.handlers.use import require_key
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome

DERIVABLE = frozenset({Family.AES, Family.EDWARDS})
LEAST_PERIOD = 3600  # seconds; Vault, transit: auto_rotate_period
DAY = 24 * 3600


def read_versions(op: ops.ReadVersions, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Versions]:
    (held,) = targets
    key = held.key
    existing(key, act.now)
    found = tuple(one for one in held.readable() if one.wrapped)
    derived = {}
    if op.in_context and key.terms.derived and key.spec.family is Family.EDWARDS:
        require_key(held, Use.PROCESS, act.now, counts=False)
        told = [one.number for one in found if one.number >= key.terms.min_process]
        derived = {number: held.version(number).loaded.derived(op.in_context)[1] for number in told}
    return Outcome(answer=ops.Versions(key, found, derived))


def settled(terms: Terms, key: Key) -> Terms:
    """Terms that a new key begins with. Raises InvalidArgument."""
    if terms.convergent and not terms.derived:
        raise InvalidArgument("convergent encryption is for derived keys", Breach.UNDERIVED)
    if terms.convergent and key.spec.family is Family.EDWARDS:
        raise InvalidArgument(f"{key.spec.name} keys encrypt nothing", Breach.NOT_CONVERGENT)
    if terms.derived and key.spec.family not in DERIVABLE:
        raise InvalidArgument(f"{key.spec.name} keys derive no keys", Breach.NOT_DERIVABLE)
    return terms


def scheduled(seconds: int, key: Key, now: datetime) -> Rotation | None:
    """Raises InvalidArgument."""
    if seconds == 0:
        return None
    if key.terms.imports_only:
        raise InvalidArgument("new versions of the key are imported, and not made", Breach.NOT_MADE_HERE)
    if seconds < LEAST_PERIOD:
        raise InvalidArgument("a key is rotated once an hour at most", Breach.PERIOD)
    if key.rotation is not None and key.rotation.period == timedelta(seconds=seconds):
        return key.rotation
    days, rest = divmod(seconds, DAY)
    return Rotation(
        period_days=days + bool(rest), next_at=now + timedelta(seconds=seconds), seconds=seconds if rest else 0
    )


def put_terms(op: ops.PutTerms, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    key = held.key
    staying(key, act.now)
    old = key.terms
    if (op.exportable or op.copyable) and not old.every_version:
        raise Unsupported("a key that another door has made never leaves", "exportable")  # docs/adr/0020
    if op.exportable or op.copyable:
        in_software(key)
    terms = replace(
        old,
        min_process=_process(op.min_process, key),
        min_protect=_protect(op.min_protect, key),
        erasable=old.erasable if op.erasable is None else op.erasable,
        exportable=old.exportable or bool(op.exportable),
        copyable=old.copyable or bool(op.copyable),
    )
    if 0 < terms.min_protect < terms.min_process:
        raise InvalidArgument("what protects a version must process, too", Breach.PROTECT_TOO_LOW)
    if terms != old and terms.min_protect < terms.min_kept:
        raise InvalidArgument("that version is destroyed", Breach.PROTECT_GONE)
    if terms.min_process < terms.min_kept:
        raise InvalidArgument("that version is destroyed", Breach.PROCESS_GONE)
    rotation = key.rotation if op.rotate_every is None else scheduled(op.rotate_every, key, act.now)
    if terms == old and rotation == key.rotation:
        return Outcome(answer=Nothing())
    return Outcome(answer=Nothing(), put=(replace(key, terms=terms, rotation=rotation),))


def _process(number: int | None, key: Key) -> int:
    if number is None:
        return key.terms.min_process
    if number < 0:
        raise InvalidArgument("a version's number is not negative", Breach.PROCESS_NEGATIVE)
    if number > key.current:
        raise InvalidArgument("the key has no such version yet", Breach.PROCESS_TOO_NEW)
    return number or 1


def _protect(number: int | None, key: Key) -> int:
    if number is None:
        return key.terms.min_protect
    if number < 0:
        raise InvalidArgument("a version's number is not negative", Breach.PROTECT_NEGATIVE)
    if number > key.current:
        raise InvalidArgument("the key has no such version yet", Breach.PROTECT_TOO_NEW)
    return number


def trim_key(op: ops.TrimKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    key, terms = held.key, held.key.terms
    staying(key, act.now)
    for wrong, breach in (
        (op.min_kept < terms.min_kept, Breach.KEPT_BACK),
        (terms.min_protect == 0, Breach.KEPT_NO_PROTECT),
        (op.min_kept > terms.min_protect, Breach.KEPT_ABOVE_PROTECT),
        (op.min_kept > terms.min_process, Breach.KEPT_ABOVE_PROCESS),
        (op.min_kept == 0, Breach.KEPT_ZERO),
    ):
        if wrong:
            raise InvalidArgument(f"versions cannot be destroyed so: {breach.value}", breach)
    gone = tuple(erased(one, act.now) for one in held.to_erase() if one.number < op.min_kept)
    key = replace(key, terms=replace(terms, min_kept=op.min_kept))
    return Outcome(answer=Nothing(), put=(key, *gone), destroy=gone, why=lost(gone))


def erase_key(_op: ops.EraseKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """As when an appointment has come (handlers.destruction): material, names and grants go, metadata stays."""
    (held,) = targets
    key = held.key
    life = existing(key, act.now)
    if not key.terms.erasable:
        raise WrongState("the key's terms do not let it be erased", Breach.NOT_ERASABLE)
    gone = tuple(erased(version, act.now) for version in held.to_erase())
    key = replace(key, lifecycle=life.after(Event.DESTROY, act.now), rotation=None)
    return Outcome(answer=Nothing(), put=(key, *gone), delete=(*held.names, *held.grants), destroy=gone, why=lost(gone))


HANDLERS: dict[type, Handler] = {
    ops.ReadVersions: read_versions,
    ops.PutTerms: put_terms,
    ops.TrimKey: trim_key,
    ops.EraseKey: erase_key,
}
