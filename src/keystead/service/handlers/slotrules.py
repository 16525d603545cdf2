"""How destruction erases: the mode, the recovery keys, and what people report (docs/adr/0036-slots.md)."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Erased, Mode, Recovery, SlotRule
from keystead.core.errors import Conflict, InvalidArgument, NotFound
from keystead.core.operations import Nothing
from keystead.crypto.hpke import PUBLIC_BYTES
from keystead.service.escrow import id_of
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome

MOST_KEYS = 8
MODES = {mode.value: mode for mode in Mode}


def set_slot_mode(op: ops.SetSlotMode, targets: tuple[HeldSystem], act: Act) -> Outcome[Nothing]:
    (system,) = targets
    if (mode := MODES.get(op.mode)) is None:
        raise InvalidArgument(f"no mode {op.mode!r}; there are {', '.join(MODES)}", "mode")
    if (mode is Mode.WINDOW) != bool(op.recovery_keys):
        raise InvalidArgument("the mode `window` has recovery keys, and no other mode has", "recovery_keys")
    today = system.slot_rule
    keys = _keys(op, today, act)
    after = replace(today, mode=mode, recovery=keys)
    return Outcome(answer=Nothing(), put=(after,), made=" ".join((mode.value, *(key.name for key in keys))))


def _keys(op: ops.SetSlotMode, today: SlotRule, act: Act) -> tuple[Recovery, ...]:
    """Those that stay keep their date. Raises InvalidArgument."""
    if len(set(op.recovery_keys)) != len(op.recovery_keys) or len(op.recovery_keys) > MOST_KEYS:
        raise InvalidArgument(f"at most {MOST_KEYS} recovery keys, and each once", "recovery_keys")
    if any(len(key) != PUBLIC_BYTES for key in op.recovery_keys):
        raise InvalidArgument("not the public half of a recovery key", "recovery_keys")
    since = {key.id: key.since for key in today.recovery}
    keys = [Recovery(id_of(key), key, since.get(id_of(key), act.now)) for key in op.recovery_keys]
    if again := [key.name for key in keys if key.name in today.reported]:
        raise InvalidArgument(f"{again[0]} was reported erased: make another one", "recovery_keys")
    return tuple(keys)


def report_erased(op: ops.ReportErased, targets: tuple[HeldSystem], act: Act) -> Outcome[Nothing]:
    (system,) = targets
    today, barrier = system.slot_rule, system.barrier
    if op.name in barrier.tree.root.openers or op.name in {key.name for key in today.recovery}:
        raise Conflict(f"{op.name} opens the root of today: replace or remove it first", "name")
    if op.name not in barrier.awaited():
        raise NotFound(f"nobody waits for {op.name} to be erased", "name")
    said = {**today.reported, op.name: Erased(act.principal.id, act.now)}
    return Outcome(answer=Nothing(), put=(replace(today, reported=said),), made=op.name)


HANDLERS: dict[type, Handler] = {ops.SetSlotMode: set_slot_mode, ops.ReportErased: report_erased}
