"""Sign, Verify, ReadPublicKey."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Family, Purpose
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.core.states import Use
from keystead.service.handlers.use import (
    algorithm_for,
    require,
    require_key,
    require_to_protect,
    require_version,
    underived,
)
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome

SYMMETRIC = frozenset({Family.AES, Family.HMAC})


def sign(op: ops.Sign, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Signed]:
    """Raises WrongUsage, WrongState, Unsupported, InvalidArgument (Algorithm.check_form)."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.SIGNATURE, op.algorithm)
    underived(held.key)
    version = require_to_protect(held, algorithm, act)
    signature = version.loaded.sign(algorithm, op.message, op.form)
    number = version.version.number
    return Outcome(answer=ops.Signed(held.key, number, algorithm, signature), versions=(number,))


def verify(op: ops.Verify, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Checked]:
    """Raises WrongUsage, WrongState, InvalidArgument (Algorithm.check_form; detail ops.NOT_SIGNED)."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.SIGNATURE, op.algorithm)
    underived(held.key)
    version = require(held, Use.PROCESS, act.now)
    valid = version.loaded.verify(algorithm, op.message, op.signature, op.form)
    if op.dry_run and not valid:
        raise InvalidArgument("the signature does not verify", ops.NOT_SIGNED)
    number = version.version.number
    return Outcome(
        answer=ops.Checked(held.key, number, algorithm, valid), versions=(number,), why="" if valid else ops.NOT_SIGNED
    )


def read_public_key(_op: ops.ReadPublicKey, targets: tuple[HeldKey], act: Act) -> Outcome[ops.PublicKey]:
    """Raises WrongState; Unsupported where there is none."""
    (held,) = targets
    require_key(held, Use.PROCESS, act.now, counts=False)
    if held.key.spec.family in SYMMETRIC:
        raise Unsupported(f"a {held.key.spec.name} key has no public part", ops.NO_PUBLIC_KEY)
    underived(held.key)
    version = require_version(held, Use.PROCESS, act.now)
    number = version.version.number
    answer = ops.PublicKey(held.key, number, version.version.public_key)
    return Outcome(answer=answer, versions=(number,))


HANDLERS: dict[type, Handler] = {ops.Sign: sign, ops.Verify: verify, ops.ReadPublicKey: read_public_key}
