"""What keys and secrets of before are to know of their versions (service.traces)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.entities import Entity, Key, Secret
from keystead.core.errors import LimitExceeded
from keystead.core.operations import Nothing
from keystead.service.damaged import whole
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.traces import with_secret_traces, with_traces

MOST_TRACED = 500


def trace_keys(op: ops.TraceKeys, targets: tuple[HeldSystem], _act: Act) -> Outcome[Nothing]:
    barrier = targets[0].barrier
    if len(op.keys) + len(op.secrets) > MOST_TRACED:
        raise LimitExceeded(f"{MOST_TRACED} keys and secrets at once", "keys")
    keys = [one for id_ in op.keys if (one := barrier.get(Key, id_)) is not None]
    secrets = [secret for id_ in op.secrets if (secret := barrier.get(Secret, id_)) is not None]
    traced: list[tuple[Entity, Entity]] = [(one, with_traces(one, whole(one, barrier))) for one in keys]
    traced += [(one, with_secret_traces(one, whole(one, barrier))) for one in secrets]
    return Outcome(answer=Nothing(), put=tuple(after for before, after in traced if after is not before))


HANDLERS: dict[type, Handler] = {ops.TraceKeys: trace_keys}
