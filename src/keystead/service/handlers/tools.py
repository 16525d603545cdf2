"""Tools that stand beside keys."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument
from keystead.core.operations import Nothing
from keystead.core.sensitive import Sensitive
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_BYTES = 131072  # OpenBao, helper/random: maxBytes


def use_tools(_op: ops.UseTools, _targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing())


def draw_random(op: ops.DrawRandom, _targets: tuple[HeldTenant], act: Act) -> Outcome[Sensitive]:
    if not 1 <= op.n_bytes <= MAX_BYTES:
        raise InvalidArgument(f"1 to {MAX_BYTES} bytes", "n_bytes")
    return Outcome(answer=Sensitive(act.entropy(op.n_bytes)))


HANDLERS: dict[type, Handler] = {
    ops.UseTools: use_tools,
    ops.DrawRandom: draw_random,
}
