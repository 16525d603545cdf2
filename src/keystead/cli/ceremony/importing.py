"""A key out of components: each typed by another custodian, and compared with its check value before the next.

    present → the key → component n … → the key's check value → imported → on record

The key is the exclusive or of its components, so that all but one of them tell nothing of it. Nothing is made before
all of them have come and the check value is the one that the plan announces.
"""

from __future__ import annotations

import hmac
from contextlib import suppress

from keystead.cli import places
from keystead.cli.ceremony.holding import Held
from keystead.cli.ceremony.plan import SIZES, NewKey
from keystead.cli.ceremony.room import TRIES, Stopped
from keystead.cli.session import Session
from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS
from keystead.core.audit.transcript import Person
from keystead.core.entities import Origin
from keystead.core.errors import KeysteadError
from keystead.core.operations import KeyRef, KeyringRef
from keystead.core.sensitive import Sensitive
from keystead.core.words import count_of
from keystead.core.wrapping import WRAPPINGS
from keystead.crypto.check import check_value
from keystead.crypto.importing import wrapped

WRAPPING, WRAPPED_BY = "RSA_OAEP_SHA256", "RSA_4096"
AFTER_DAYS = 7


def hold(held: Held, new: NewKey, session: Session) -> str:
    """The id of the key. Raises Stopped, and what importing raises."""
    namespace = places.address(session, new.place, new.tenant)
    session.perform(ops.NoteCeremony(key=held.transcript.key, head=held.transcript.head))
    held.transcript.add("on record")
    held.present()
    out_of = count_of(len(held.plan.custodians), "component")
    words = (
        f"{held.plan.title}: a key of kind {new.spec} at {namespace}, out of {out_of}, "
        f"with the check value {new.check_value.upper()} ({new.check})"
        + (f", to be held in the HSM {new.hsm}." if new.hsm else ".")
    )
    facts = {"spec": new.spec, "place": namespace, "check": new.check, "hsm": new.hsm or ""}
    held.confirmed("key", held.plan.onlookers, words, **facts)
    components = _components(held, new)
    whole = combined(components)
    found = check_value(new.check, whole)
    if not hmac.compare_digest(found, new.check_value.upper()):
        held.transcript.add("another check value", found=found, announced=new.check_value.upper())
        raise Stopped("the components make another key than the one that was announced")
    held.confirmed("import", held.plan.onlookers, f"The check value is {found}. Import the key now.", check_value=found)
    id_ = _imported(held, new, namespace, whole, session)
    session.perform(ops.NoteCeremony(key=held.transcript.key, head=held.transcript.head))
    return id_


def _components(held: Held, new: NewKey) -> list[Sensitive]:
    components: list[Sensitive] = []
    for number, custodian in enumerate(held.plan.custodians, 1):
        components.append(_component(held, new, number, custodian, components))
    return components


def _component(held: Held, new: NewKey, number: int, custodian: Person, before: list[Sensitive]) -> Sensitive:
    """Raises Stopped where it does not come with its check value in TRIES tries."""
    step, n_bytes = f"component {number}", SIZES[new.spec]
    for n in range(1, TRIES + 1):
        typed = held.room.ask(custodian, step, f"Type your component, {2 * n_bytes} hexadecimal digits")
        said = held.room.ask(custodian, f"{step} check value", f"Type the check value ({new.check}) that goes with it")
        component = _read(typed, n_bytes)
        if component is None:
            held.room.tell(f"{custodian.name}: that is no component of {count_of(n_bytes, 'byte')}.")
        elif any(hmac.compare_digest(component.reveal(), one.reveal()) for one in before):
            held.room.tell(f"{custodian.name}: that component has been given already.")
        else:
            found = check_value(new.check, component)
            if hmac.compare_digest(found.encode(), _plain(said).encode()):
                held.transcript.add(step, (custodian,), check_value=found, tries=n)
                return component
            held.room.tell(f"{custodian.name}: the check value is another one. One of the two is mistyped.")
    raise Stopped(f"{custodian.name} has not given a component with its check value")


def _plain(typed: Sensitive) -> str:
    """Digits without what stands between them, in upper case."""
    return "".join(typed.reveal().decode(errors="replace").replace("-", " ").split()).upper()


def _read(typed: Sensitive, n_bytes: int) -> Sensitive | None:
    """None: it is no component, or one of zeros alone, which hides nothing."""
    try:
        raw = bytes.fromhex(_plain(typed))
    except ValueError:
        return None
    return Sensitive(raw) if len(raw) == n_bytes and any(raw) else None


def combined(components: list[Sensitive]) -> Sensitive:
    """SP 800-57pt1r5 §8.1.5.2.2.1: key components, by exclusive or. Raises Stopped for a key of zeros."""
    whole = bytes(len(components[0]))
    for one in components:
        whole = bytes(a ^ b for a, b in zip(whole, one.reveal(), strict=True))
    if not any(whole):
        raise Stopped("the components make a key of zeros")
    return Sensitive(whole)


def _imported(held: Held, new: NewKey, namespace: str, whole: Sensitive, session: Session) -> str:
    """A key whole; or one that is not, and is appointed to be destroyed where that waits for nobody."""
    spec = KEY_SPECS[new.spec]
    made = session.perform(
        ops.CreateKey(
            keyring=KeyringRef(namespace),
            spec=spec,
            purpose=spec.purposes[0],
            origin=Origin.EXTERNAL,
            description=new.description,
            hsm=new.hsm,
        )
    )
    ref = KeyRef(namespace, id=made.key.id)
    held.transcript.add("key made", key=made.key.id)
    try:
        prepared = session.perform(
            ops.PrepareImport(key=ref, wrapping=WRAPPINGS[WRAPPING], wrapping_spec=KEY_SPECS[WRAPPED_BY])
        )
        parcel = wrapped(prepared.wrapping_key, whole)
        session.perform(ops.ImportMaterial(key=ref, ticket=prepared.ticket, wrapped=parcel))
        if new.name:
            session.perform(ops.CreateName(key=ref, name=new.name))
    except BaseException:
        became = "key left"  # a rule of approval may hold its destruction, or nobody answers any more
        with suppress(KeysteadError):
            session.perform(ops.ScheduleDestruction(key=ref, after_days=AFTER_DAYS))
            became = "key given up"
        held.transcript.add(became, key=made.key.id)
        raise
    held.transcript.add("imported", key=made.key.id)
    return made.key.id
