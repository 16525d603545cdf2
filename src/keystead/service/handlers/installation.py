"""Leave for what the server then does with itself: it is asked for, and put on record, like everything else."""

from __future__ import annotations

import re

from keystead.core import operations as ops
from keystead.core.audit.note import VerifierKey
from keystead.core.errors import InvalidArgument, Malformed
from keystead.core.operations import Nothing, Operation
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome


def allow(_op: Operation[Nothing], _targets: tuple[HeldSystem], _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing())


MOST_KEY = 256
HASH = re.compile(r"[0-9a-f]{64}")
LEAVE = (
    ops.SealUp,
    ops.AddSeal,
    ops.RemoveSeal,
    ops.MigrateSeal,
    ops.RecordShareProof,
    ops.RotateSlot,
    ops.AddSlot,
    ops.RemoveSlot,
    ops.BackUp,
    ops.RestoreBackup,
    ops.ProveDestroyed,
)


def note_ceremony(op: ops.NoteCeremony, _targets: tuple[HeldSystem], _act: Act) -> Outcome[Nothing]:
    """Of the record, `made` is both."""
    try:
        VerifierKey.parse(op.key)
    except Malformed:
        raise InvalidArgument("a ceremony signs with a verifier key", "key") from None
    if len(op.key) > MOST_KEY or not HASH.fullmatch(op.head):
        raise InvalidArgument("the hash of a line is 64 hexadecimal digits", "head")
    return Outcome(answer=Nothing(), made=f"{op.key} {op.head}")


HANDLERS: dict[type, Handler] = {**dict.fromkeys(LEAVE, allow), ops.NoteCeremony: note_ceremony}
