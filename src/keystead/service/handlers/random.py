"""Random bytes."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.errors import Unsupported
from keystead.core.sensitive import Sensitive
from keystead.service.held import HeldKeyring
from keystead.service.pipeline import Act, Handler, Outcome


def generate_random(op: ops.GenerateRandom, _targets: tuple[HeldKeyring, ...], act: Act) -> Outcome[Sensitive]:
    """Raises Unsupported (detail "store"): an XKS proxy gives none (KMS API Reference, GenerateRandom)."""
    if op.store is not None:
        raise Unsupported("an external key store generates no random bytes", "store")
    return Outcome(answer=Sensitive(act.entropy(op.n_bytes)))


HANDLERS: dict[type, Handler] = {ops.GenerateRandom: generate_random}
