"""Leave for what the server then does with itself: it is asked for, and put on record, like everything else."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.operations import Nothing, Operation
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome


def allow(_op: Operation[Nothing], _targets: tuple[HeldSystem], _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing())


LEAVE = (
    ops.SealUp,
    ops.AddSeal,
    ops.RemoveSeal,
    ops.MigrateSeal,
    ops.RotateSlot,
    ops.AddSlot,
    ops.RemoveSlot,
    ops.BackUp,
    ops.RestoreBackup,
    ops.ProveDestroyed,
)
HANDLERS: dict[type, Handler] = dict.fromkeys(LEAVE, allow)
