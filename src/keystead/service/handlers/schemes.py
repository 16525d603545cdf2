"""Signatures and MACs by a scheme that the caller puts together (core.operations.schemes)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.states import Use
from keystead.service.handlers.use import algorithm_for, chosen, processing, require, require_to_protect
from keystead.service.held import HeldKey, HeldVersion
from keystead.service.pipeline import Act, Handler, Outcome


def _to_process(held: HeldKey, number: int, act: Act) -> HeldVersion:
    processing(held.key, number)
    return require(held, Use.PROCESS, act.now, number)


def sign(op: ops.SignAs, targets: tuple[HeldKey], act: Act) -> Outcome[ops.SignedAs]:
    """Raises WrongUsage, WrongState, InvalidArgument."""
    (held,) = targets
    version = require_to_protect(held, algorithm_for(held.key, Purpose.SIGNATURE), act, op.version)
    signature = version.loaded.sign_as(op.scheme, op.message, op.form)
    number = version.version.number
    return Outcome(answer=ops.SignedAs(held.key, number, signature), versions=(number,))


def verify(op: ops.VerifyAs, targets: tuple[HeldKey], act: Act) -> Outcome[ops.CheckedAs]:
    """Raises WrongUsage, WrongState, InvalidArgument."""
    (held,) = targets
    algorithm_for(held.key, Purpose.SIGNATURE)
    version = _to_process(held, op.version, act)
    valid = version.loaded.verify_as(op.scheme, op.message, op.signature, op.form)
    return _checked(held, op.version, ops.NOT_SIGNED, valid=valid)


def generate_mac(op: ops.GenerateMacAs, targets: tuple[HeldKey], act: Act) -> Outcome[ops.TaggedAs]:
    """Raises WrongState, InvalidArgument."""
    (held,) = targets
    version = require(held, Use.PROTECT, act.now, chosen(held.key, op.version))
    number = version.version.number
    tag = version.loaded.mac_as(op.digest, op.message)
    return Outcome(answer=ops.TaggedAs(held.key, number, tag), versions=(number,))


def verify_mac(op: ops.VerifyMacAs, targets: tuple[HeldKey], act: Act) -> Outcome[ops.CheckedAs]:
    """Raises WrongState, InvalidArgument."""
    (held,) = targets
    version = _to_process(held, op.version, act)
    valid = version.loaded.verify_mac_as(op.digest, op.message, op.tag)
    return _checked(held, op.version, ops.NOT_AUTHENTIC, valid=valid)


def _checked(held: HeldKey, number: int, why: str, *, valid: bool) -> Outcome[ops.CheckedAs]:
    answer = ops.CheckedAs(held.key, number, valid)
    return Outcome(answer=answer, versions=(number,), why="" if valid else why)


HANDLERS: dict[type, Handler] = {
    ops.SignAs: sign,
    ops.VerifyAs: verify,
    ops.GenerateMacAs: generate_mac,
    ops.VerifyMacAs: verify_mac,
}
