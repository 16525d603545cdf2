"""Signatures and MACs by a scheme that the caller puts together (core.operations.schemes)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import ALGORITHMS, Family, Purpose
from keystead.core.errors import InvalidArgument
from keystead.core.providers import Loaded
from keystead.core.states import Use
from keystead.service.handlers.use import algorithm_for, chosen, processing, require, require_to_protect
from keystead.service.held import HeldKey, HeldVersion
from keystead.service.pipeline import Act, Handler, Outcome


def _to_process(held: HeldKey, number: int, act: Act) -> HeldVersion:
    processing(held.key, number)
    return require(held, Use.PROCESS, act.now, number)


def _derived(version: HeldVersion, context: bytes) -> tuple[Loaded, bytes]:
    """The pair of a context, and its public key. Raises InvalidArgument (ops.Breach)."""
    if not context:
        raise InvalidArgument("this key is used with a context to derive from", ops.Breach.NO_CONTEXT)
    return version.loaded.derived(context)


def sign(op: ops.SignAs, targets: tuple[HeldKey], act: Act) -> Outcome[ops.SignedAs]:
    """Raises WrongUsage, WrongState, InvalidArgument, Unsupported (Withdrawn)."""
    (held,) = targets
    spec = held.key.spec
    algorithm = algorithm_for(held.key, Purpose.SIGNATURE)
    if act.cutoffs is not None and spec.family is not Family.EDWARDS:  # which looks at no digest of the caller's
        algorithm = ops.nearest(spec, op.scheme)
        act.cutoffs.require_digest(spec, algorithm, op.scheme.digest, act.now)
    version = require_to_protect(held, algorithm, act, op.version)
    loaded, public_key = (version.loaded, b"") if not held.key.terms.derived else _derived(version, op.in_context)
    signature = loaded.sign_as(op.scheme, op.message, op.form)
    number = version.version.number
    return Outcome(answer=ops.SignedAs(held.key, number, signature, public_key), versions=(number,))


def verify(op: ops.VerifyAs, targets: tuple[HeldKey], act: Act) -> Outcome[ops.CheckedAs]:
    """Raises WrongUsage, WrongState, InvalidArgument."""
    (held,) = targets
    algorithm_for(held.key, Purpose.SIGNATURE)
    version = _to_process(held, op.version, act)
    loaded = version.loaded if not held.key.terms.derived else _derived(version, op.in_context)[0]
    valid = loaded.verify_as(op.scheme, op.message, op.signature, op.form)
    return _checked(held, op.version, ops.NOT_SIGNED, valid=valid)


def generate_mac(op: ops.GenerateMacAs, targets: tuple[HeldKey], act: Act) -> Outcome[ops.TaggedAs]:
    """Raises WrongState, InvalidArgument, Unsupported (Withdrawn)."""
    (held,) = targets
    if act.cutoffs is not None:
        algorithm = ALGORITHMS.get(f"HMAC_{op.digest.upper()}", ALGORITHMS["HMAC_SHA256"])
        act.cutoffs.require_digest(held.key.spec, algorithm, op.digest, act.now)
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
