"""Objects in HSMs that no key needs any more (service.hsms)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.errors import NotFound
from keystead.core.operations import Nothing
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome


def erase_object(op: ops.EraseObject, targets: tuple[HeldSystem], act: Act) -> Outcome[Nothing]:
    (system,) = targets
    if (erasure := system.erasure(op.name)) is not None:
        act.hsms.at(erasure.hsm).destroy(erasure.id, erasure.serial)
        return Outcome(answer=Nothing(), delete=(erasure,), made=f"{erasure.key_id}/{erasure.number}")
    note = next((one for one in act.hsms.unsettled(system.barrier) if one.in_hsm.name == op.name), None)
    if note is None:
        raise NotFound("no such object is to be erased", "name")
    act.hsms.at(note.in_hsm.hsm).destroy(op.name)
    act.hsms.notes.drop(op.name)
    return Outcome(answer=Nothing(), made=note.version)


HANDLERS: dict[type, Handler] = {ops.EraseObject: erase_object}
