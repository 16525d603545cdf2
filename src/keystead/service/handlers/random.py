"""Random bytes, and digests: what takes no key."""

from __future__ import annotations

import hashlib
from typing import Any

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument, Unsupported, WrongState
from keystead.core.keystores import Connection
from keystead.core.sensitive import Sensitive
from keystead.service.held import HeldKeyring, HeldKeyStore
from keystead.service.pipeline import Act, Handler, Outcome


def generate_random(op: ops.GenerateRandom, targets: tuple[Any, ...], act: Act) -> Outcome[Sensitive]:
    """Raises Unsupported (detail "store"): an XKS proxy gives none (KMS API Reference, GenerateRandom)."""
    if op.store is not None:
        held: HeldKeyStore = targets[-1]
        store = held.store
        if store.cluster is None:
            raise Unsupported("an external key store generates no random bytes", "store")
        if store.connection is not Connection.CONNECTED:
            raise WrongState("the key store is not connected", ops.NOT_SO)
        held.at_a_distance()
        return Outcome(answer=act.hsms.clusters.random(store.cluster.hsm, op.n_bytes))
    return Outcome(answer=Sensitive(act.entropy(op.n_bytes)))


DIGESTS = frozenset({f"{family}{bits}" for family in ("sha", "sha3_") for bits in (224, 256, 384, 512)})


def digest(op: ops.Digest, _targets: tuple[HeldKeyring], _act: Act) -> Outcome[bytes]:
    if op.digest not in DIGESTS:
        raise InvalidArgument(f"no digests by {op.digest}", "digest")
    return Outcome(answer=hashlib.new(op.digest, op.message).digest())


HANDLERS: dict[type, Handler] = {ops.GenerateRandom: generate_random, ops.Digest: digest}
