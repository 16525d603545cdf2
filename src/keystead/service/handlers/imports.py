"""Imported keying material (BYOK): tickets, material in, material out.

KMS Developer Guide, "Importing key material"; SP 800-57pt1r5 §8.1.5.2.2 (wrapped for its transport).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Key, KeyVersion, Origin
from keystead.core.errors import InvalidArgument, NotFound, Unsupported, WrongState
from keystead.core.family import known_as
from keystead.core.operations import Described
from keystead.core.sensitive import Sensitive
from keystead.core.states import Event, KeyState, Lifecycle
from keystead.core.wrapping import require_wrapping
from keystead.crypto import wrapping as crypto
from keystead.service.damaged import holds
from keystead.service.handlers.making import brought
from keystead.service.handlers.material import erased, given_up, lapse, lost, without
from keystead.service.handlers.related import expecting, giving_up
from keystead.service.handlers.rotation import leading
from keystead.service.handlers.standing import existing, staying
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.tickets import Ticket, Tickets, unwrap

VALID_FOR = timedelta(hours=24)  # KMS API Reference, GetParametersForImport
EXPIRES_WITHIN = timedelta(days=365)  # KMS API Reference, ImportKeyMaterial: ValidTo


def lent(key: Key) -> None:
    """Only such a key takes material. Raises Unsupported (detail Origin)."""
    if key.origin is not Origin.EXTERNAL or key.terms.every_version:  # what was imported to stay is not lent
        raise Unsupported(f"keys of {key.origin.value} origin take no material", key.origin)


def prepare_import(op: ops.PrepareImport, targets: tuple[HeldKey], act: Act) -> Outcome[ops.ImportParameters]:
    """Raises Unsupported, WrongState."""
    (held,) = targets
    key = held.key
    existing(key, act.now)
    lent(key)
    staying(key, act.now)
    require_wrapping(op.wrapping, op.wrapping_spec, key.spec)
    if act.cutoffs is not None:
        act.cutoffs.require(op.wrapping_spec, crypto.wraps_by(op.wrapping), act.now)
    private, public = crypto.generate(op.wrapping_spec)
    until = (act.now + VALID_FOR).replace(microsecond=0)
    ticket = Ticket(key_id=key.id, wrapping=op.wrapping, expires_at=until, private=Sensitive(private))
    sealed = Tickets(held.import_key(), act.entropy).seal(ticket)
    return Outcome(answer=ops.ImportParameters(key, sealed, public, until))


def import_material(op: ops.ImportMaterial, targets: tuple[HeldKey], act: Act) -> Outcome[Described]:
    """See the operation. The material is examined in full, and kept as we write it, whatever its encoding was."""
    (held,) = targets
    key = held.key
    existing(key, act.now)
    lent(key)
    staying(key, act.now)
    _checked(op, key, act.now)
    tickets = Tickets(held.import_key(), act.entropy)
    ticket = _ticket(op.ticket, tickets, key, act.now)
    ours = act.provider.register(key.spec, unwrap(ticket.wrapping, ticket.private, op.wrapped))
    identifier = tickets.identify(known_as(key.id), ours.material)
    if act.cutoffs is not None and identifier not in key.material_ids:  # what was here before is to be processed
        act.cutoffs.require_any(key.spec, key.purpose, act.now)
    versions = {version.number: version for version in held.versions()}
    number = _place(op, key, identifier)
    version = _came(op, key, number, versions.get(number), act.now)
    material: dict[str, Sensitive] = {}
    if not version.wrapped:
        made = brought(key, number, ours, act, is_public=False)
        version = replace(version, public_key=made.public_key, in_hsm=made.in_hsm)
        material[version.id] = made.material
    versions[number] = version
    grown = _grown(key, number, identifier)
    complete = all(v.number == number or v.wrapped for v in versions.values() if v.number <= grown.current)
    life = grown.lifecycle
    if complete and life.state is KeyState.PRE_ACTIVE:
        life = life.after(Event.ACTIVATE, act.now)
    put = replace(grown, lifecycle=life, lapses_at=lapse(grown, versions.values()))
    others = expecting(held, grown, act.now) if grown is not key else ()
    return Outcome(
        answer=Described(put, version),
        put=(put, version, *others),
        material=material,
        versions=(number,),
    )


def _checked(op: ops.ImportMaterial, key: Key, now: datetime) -> None:
    """What can be told without the material. Raises InvalidArgument, Unsupported."""
    if key.spec.family is not Family.AES and (op.new, op.description, op.identifier) != (None, None, None):
        raise Unsupported("only symmetric encryption keys have several materials", "materials")
    if op.new:
        leading(key)
    if op.new and op.identifier is not None:
        raise InvalidArgument("new material has no identifier yet", "identifier")
    if op.expires_at is not None and not now < op.expires_at <= now + EXPIRES_WITHIN:
        raise InvalidArgument("material expires within 365 days, and not in the past", "expires_at")


def _ticket(sealed: bytes, tickets: Tickets, key: Key, now: datetime) -> Ticket:
    """Raises InvalidArgument."""
    ticket = tickets.open(sealed)
    if ticket is None or ticket.key_id != key.id:
        raise InvalidArgument("no ticket of this key", ops.BAD_TICKET)
    if ticket.expires_at <= now:
        raise InvalidArgument("the ticket has expired", ops.OLD_TICKET)
    return ticket


def _place(op: ops.ImportMaterial, key: Key, identifier: str) -> int:
    """The number of the version that this material is. Raises InvalidArgument, WrongState."""
    new = op.new if op.new is not None else not key.material_ids
    known = identifier in key.material_ids
    if new is known:
        raise InvalidArgument("the key has that material" if new else "not a material of the key", ops.OTHER_MATERIAL)
    if op.identifier not in (None, identifier):
        raise InvalidArgument("another material than the one named", ops.OTHER_MATERIAL)
    if known:
        return key.material_ids.index(identifier) + 1
    if key.n_versions > key.current:
        raise WrongState("another material waits for its rotation", ops.Waiting(identifier, key.material_ids[-1]))
    return key.n_versions + 1


def _came(op: ops.ImportMaterial, key: Key, number: int, old: KeyVersion | None, now: datetime) -> KeyVersion:
    """The version with its material back, or a new one, in the place of what waited in vain if there was such."""
    known = old is not None and number <= key.n_versions
    if old is None:
        state = KeyState.PRE_ACTIVE
        life = Lifecycle(state=state, since=now)
        old = KeyVersion(id=f"{key.id}/{number}", key_id=key.id, number=number, lifecycle=life, created_at=now)
    if not known:
        old = replace(old, created_at=now, description="")
    version = replace(
        old,
        expires_at=op.expires_at,
        description=old.description if op.description is None else op.description,
        lost=False,
    )
    if version.wrapped:
        return version
    return replace(version, lifecycle=Lifecycle(state=_state(key, number), since=now))


def _state(key: Key, number: int) -> KeyState:
    if number == max(key.current, 1):
        return KeyState.ACTIVE
    return KeyState.DEACTIVATED if number < key.current else KeyState.PRE_ACTIVE


def _grown(key: Key, number: int, identifier: str) -> Key:
    """The key with one material more, if it is."""
    if number <= key.n_versions:
        return key
    return replace(
        key,
        n_versions=number,
        current=max(key.current, 1),
        material_ids=(*key.material_ids, identifier),
    )


def delete_material(op: ops.DeleteMaterial, targets: tuple[HeldKey], act: Act) -> Outcome[Described]:
    """A key that is appointed to be destroyed stays so. Raises Unsupported; NotFound (detail "material")."""
    (held,) = targets
    key = held.key
    existing(key, act.now)
    lent(key)
    if op.identifier is not None and op.identifier not in key.material_ids:
        raise NotFound("no such material", "material")
    number = key.current if op.identifier is None else key.material_ids.index(op.identifier) + 1
    versions = held.known()
    version = next((v for v in versions if v.number == number), None)
    if version is None or (not holds(version) and not given_up(key, (version,))):
        return Outcome(answer=Described(key, version))
    own = (erased(version, act.now),) if holds(version) else ()  # a primary may never have had what it gives up
    left = without(key, own or (version,), versions, act.now)
    keys, theirs = giving_up(held, act.now) if given_up(key, (version,)) else ((), ())
    gone = (*own, *theirs)
    answer = Described(key, own[0] if own else version)
    return Outcome(answer=answer, put=(left, *keys, *gone), destroy=gone, versions=(number,), why=lost(gone))


HANDLERS: dict[type, Handler] = {
    ops.PrepareImport: prepare_import,
    ops.ImportMaterial: import_material,
    ops.DeleteMaterial: delete_material,
}
