"""A key's limits (core.operations.limits); that they are kept to is service.held.limited's and service.meter's."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Entity, Key, Usage
from keystead.core.errors import InvalidArgument, Unsupported, WrongState
from keystead.core.limits import NONE, Limit, Limits
from keystead.core.operations import Nothing
from keystead.service.handlers.standing import existing, staying
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def put_limits(op: ops.PutLimits, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    if op.limits.allow_more_than(held.key.limits or Limits()):
        raise InvalidArgument(f"the new limits are looser: {Limit.LOOSER.value}", Limit.LOOSER)
    return _settled(op.limits, held, act)


def loosen_limits(op: ops.LoosenLimits, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    return _settled(op.limits, held, act)


def _settled(limits: Limits, held: HeldKey, act: Act) -> Outcome[Nothing]:
    key = held.key
    staying(key, act.now)
    settled = fitting(limits, key)
    if settled == key.limits:
        return Outcome(answer=Nothing())
    begun: tuple[Entity, ...] = () if held.usage() is not None else (Usage(id=key.id),)
    return Outcome(answer=Nothing(), put=(replace(key, limits=settled), *begun))


def fitting(limits: Limits, key: Key) -> Limits | None:
    """As the key is to have them; None: no limits. Raises as PutLimits."""
    limits.check()
    if limits == Limits():
        return None
    if key.multi_region:
        raise Unsupported("a key that can be replicated has no limits: each copy would have them anew", "limits")
    return limits


def not_leaving(key: Key) -> None:
    """Raises WrongState (Limit.LEAVES): elsewhere nobody would count."""
    if key.limits is not None:
        raise WrongState(f"the key has limits: {Limit.LEAVES.value}", Limit.LEAVES)


def read_usage(_op: ops.ReadUsage, targets: tuple[HeldKey], act: Act) -> Outcome[ops.KeyUsage]:
    (held,) = targets
    existing(held.key, act.now)
    if held.room is not None:
        used = held.room.used()
    else:
        kept = held.usage()
        used = NONE if kept is None else kept.upto
    return Outcome(answer=ops.KeyUsage(held.key, held.key.limits or Limits(), used))


HANDLERS: dict[type, Handler] = {
    ops.PutLimits: put_limits,
    ops.LoosenLimits: loosen_limits,
    ops.ReadUsage: read_usage,
}
