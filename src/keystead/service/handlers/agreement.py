"""Shared secrets: key agreement (SP 800-56A), key encapsulation (FIPS 203)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.states import Use
from keystead.service.handlers.use import algorithm_for, require, require_to_protect
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def derive_shared_secret(op: ops.DeriveSharedSecret, targets: tuple[HeldKey], act: Act) -> Outcome[ops.SharedSecret]:
    """Raises WrongUsage, WrongState, InvalidArgument (the peer's key)."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.AGREEMENT, op.algorithm)
    version = require(held, Use.PROCESS, act.now)
    secret = version.loaded.agree(algorithm, op.peer_public_key)
    number = version.version.number
    return Outcome(answer=ops.SharedSecret(held.key, number, algorithm, secret), versions=(number,))


def encapsulate(op: ops.Encapsulate, targets: tuple[HeldKey], act: Act) -> Outcome[ops.SharedSecret]:
    """Raises WrongUsage, WrongState, Unsupported."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.ENCAPSULATION, op.algorithm)
    version = require_to_protect(held, algorithm, act)
    secret, ciphertext = version.loaded.encapsulate(algorithm)
    number = version.version.number
    answer = ops.SharedSecret(held.key, number, algorithm, secret, ciphertext)
    return Outcome(answer=answer, versions=(number,))


def decapsulate(op: ops.Decapsulate, targets: tuple[HeldKey], act: Act) -> Outcome[ops.SharedSecret]:
    """Raises WrongUsage, WrongState; DecryptionFailed only for a ciphertext of the wrong length (FIPS 203 §7.3)."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.ENCAPSULATION, op.algorithm)
    version = require(held, Use.PROCESS, act.now)
    secret = version.loaded.decapsulate(algorithm, op.ciphertext)
    number = version.version.number
    return Outcome(answer=ops.SharedSecret(held.key, number, algorithm, secret), versions=(number,))


HANDLERS: dict[type, Handler] = {
    ops.DeriveSharedSecret: derive_shared_secret,
    ops.Encapsulate: encapsulate,
    ops.Decapsulate: decapsulate,
}
