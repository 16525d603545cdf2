"""Random bytes."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.sensitive import Sensitive
from keystead.service.held import HeldKeyring
from keystead.service.pipeline import Act, Handler, Outcome


def generate_random(op: ops.GenerateRandom, _targets: tuple[HeldKeyring], act: Act) -> Outcome[Sensitive]:
    return Outcome(answer=Sensitive(act.entropy(op.n_bytes)))


HANDLERS: dict[type, Handler] = {ops.GenerateRandom: generate_random}
