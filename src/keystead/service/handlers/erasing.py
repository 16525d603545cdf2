"""Objects in HSMs that no key needs any more (service.hsms)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from keystead.core import operations as ops
from keystead.core.entities import Entity, Erasure, GivenUp
from keystead.core.errors import KeysteadError, NotFound
from keystead.core.operations import GaveUp, Nothing, TookUp
from keystead.core.providers import is_of_one_object
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome

E = TypeVar("E", Erasure, GivenUp)
MOST_GIVEN_UP = 200


def erase_object(op: ops.EraseObject, targets: tuple[HeldSystem], act: Act) -> Outcome[Nothing]:
    (system,) = targets
    if (erasure := system.erasure(op.name)) is not None:
        act.hsms.at(erasure.hsm).destroy(erasure.id, erasure.serial)
        return Outcome(answer=Nothing(), delete=(erasure,), made=f"{erasure.key_id}/{erasure.number}")
    note = next((one for one in act.hsms.unsettled(system.barrier) if one.in_hsm.name == op.name), None)
    if note is None:
        raise NotFound("no such object is to be erased", "name")
    if system.given_up(op.name) is None:
        act.hsms.at(note.in_hsm.hsm).destroy(op.name)
    act.hsms.notes.drop(op.name)
    return Outcome(answer=Nothing(), made=note.version)


def give_up_objects(op: ops.GiveUpObjects, targets: tuple[HeldSystem], act: Act) -> Outcome[GaveUp]:
    (system,) = targets
    owed = [*_owed(op.hsm, system), *_noted(op.hsm, system, act)]
    if not owed:
        raise NotFound(f"nothing is to be erased in an HSM called {op.hsm}", "hsm")
    owed, more = owed[:MOST_GIVEN_UP], len(owed) > MOST_GIVEN_UP
    erased = _erased(owed, act)
    left = [one for one in owed if one.id not in erased]
    put: tuple[Entity, ...] = tuple(_given_up(one, act) for one in left)
    gone = tuple(one for one in owed if one.revision)
    told = GaveUp(n_given_up=len(left), n_erased=len(erased), more=more)
    said = f"{op.hsm}: {len(left)} given up, {len(erased)} erased"
    return Outcome(answer=told, put=put, delete=gone, made=said)


def take_up_objects(op: ops.TakeUpObjects, targets: tuple[HeldSystem], _act: Act) -> Outcome[TookUp]:
    """No HSM is asked here: whoever erases what is owed does it, and goes on until it is done."""
    (system,) = targets
    found = _some(one for one in system.all_given_up() if one.hsm == op.hsm)
    if not found:
        raise NotFound(f"nothing was given up in an HSM called {op.hsm}", "hsm")
    taken, more = tuple(found[:MOST_GIVEN_UP]), len(found) > MOST_GIVEN_UP
    put = tuple(_owed_again(one) for one in taken)
    return Outcome(answer=TookUp(len(taken), more), put=put, delete=taken, made=f"{op.hsm}: {len(taken)} taken up")


def _owed(hsm: str, system: HeldSystem) -> list[Erasure]:
    return _some(one for one in system.erasures() if one.hsm == hsm)


def _some(found: Iterator[E]) -> list[E]:
    """As many as are taken at once, and one more where there are more."""
    return list(islice(found, MOST_GIVEN_UP + 1))


def _noted(hsm: str, system: HeldSystem, act: Act) -> Iterator[Erasure]:
    """Of objects that came to no key, as if they were owed. Their notes go by themselves (erase_object)."""
    for note in act.hsms.unsettled(system.barrier):
        if note.in_hsm.hsm == hsm and system.given_up(note.in_hsm.name) is None:
            key_id, _, number = note.version.rpartition("/")
            serial = note.in_hsm.serial
            yield Erasure(
                id=note.in_hsm.name, hsm=hsm, key_id=key_id, number=int(number), since=note.since, serial=serial
            )


def _erased(owed: list[Erasure], act: Act) -> set[str]:
    """Those that could be erased after all. An HSM that does not answer is asked once."""
    erased: set[str] = set()
    for one in owed:
        try:
            act.hsms.at(one.hsm).destroy(one.id, one.serial)
        except KeysteadError as error:
            if not is_of_one_object(error):
                break
        else:
            erased.add(one.id)
    return erased


def _given_up(one: Erasure, act: Act) -> GivenUp:
    return GivenUp(
        id=one.id,
        hsm=one.hsm,
        key_id=one.key_id,
        number=one.number,
        serial=one.serial,
        since=one.since,
        by=act.principal.id,
        at=act.now,
    )


def _owed_again(one: GivenUp) -> Erasure:
    return Erasure(id=one.id, hsm=one.hsm, key_id=one.key_id, number=one.number, since=one.since, serial=one.serial)


HANDLERS: dict[type, Handler] = {
    ops.EraseObject: erase_object,
    ops.GiveUpObjects: give_up_objects,
    ops.TakeUpObjects: take_up_objects,
}
