"""What keys of before are to know of their versions (service.traces)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.entities import Key
from keystead.core.errors import LimitExceeded
from keystead.core.operations import Nothing
from keystead.service.held import HeldSystem
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.remnants import whole
from keystead.service.traces import with_traces

MOST_TRACED = 500


def trace_keys(op: ops.TraceKeys, targets: tuple[HeldSystem], _act: Act) -> Outcome[Nothing]:
    barrier = targets[0].barrier
    if len(op.keys) > MOST_TRACED:
        raise LimitExceeded(f"{MOST_TRACED} keys at once", "keys")
    found = [key for id_ in op.keys if (key := barrier.get(Key, id_)) is not None]
    traced = [(key, with_traces(key, whole(key, barrier))) for key in found]
    return Outcome(answer=Nothing(), put=tuple(after for before, after in traced if after is not before))


HANDLERS: dict[type, Handler] = {ops.TraceKeys: trace_keys}
