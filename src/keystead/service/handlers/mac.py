"""Message authentication codes."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.errors import InvalidArgument
from keystead.core.states import Use
from keystead.service.handlers.use import algorithm_for, require, require_to_protect
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def generate_mac(op: ops.GenerateMac, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Mac]:
    """Raises WrongUsage, WrongState, Unsupported."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.MAC, op.algorithm)
    version = require_to_protect(held, algorithm, act)
    number = version.version.number
    answer = ops.Mac(held.key, number, algorithm, version.loaded.mac(algorithm, op.message))
    return Outcome(answer=answer, versions=(number,))


def verify_mac(op: ops.VerifyMac, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Checked]:
    """Raises WrongUsage, WrongState, InvalidArgument (detail ops.NOT_AUTHENTIC)."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.MAC, op.algorithm)
    version = require(held, Use.PROCESS, act.now)
    valid = version.loaded.verify_mac(algorithm, op.message, op.tag)
    if op.dry_run and not valid:
        raise InvalidArgument("the MAC is another one", ops.NOT_AUTHENTIC)
    number = version.version.number
    return Outcome(
        answer=ops.Checked(held.key, number, algorithm, valid),
        versions=(number,),
        why="" if valid else ops.NOT_AUTHENTIC,
    )


HANDLERS: dict[type, Handler] = {ops.GenerateMac: generate_mac, ops.VerifyMac: verify_mac}
