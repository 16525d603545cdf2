"""Data keys: fresh keys for use elsewhere, each handed out with its own ciphertext (SP 800-57pt1r5 §6.2.2.3)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Purpose, data_key_pair_spec
from keystead.core.errors import Unsupported
from keystead.core.sensitive import Sensitive
from keystead.service.handlers.cipher import bind, wrapping
from keystead.service.handlers.use import algorithm_for, require_to_protect
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def generate(
    op: ops.GenerateDataKey | ops.GenerateDataKeyBlind, targets: tuple[HeldKey], act: Act
) -> Outcome[ops.DataKey]:
    """Raises WrongUsage, WrongState, Unsupported."""
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.CIPHER) if op.by_any else wrapping(held.key)
    bound = bind(held, op.aad)
    version = require_to_protect(held, algorithm, act, op.version)
    plaintext = Sensitive(act.entropy(op.n_bytes))
    ciphertext = version.serving(act.caller).encrypt(algorithm, plaintext, bound)
    number = version.version.number
    answer = ops.DataKey(held.key, number, plaintext, ciphertext)
    return Outcome(answer=answer, versions=(number,), bound=bound)


def generate_pair(
    op: ops.GenerateDataKeyPair | ops.GenerateDataKeyPairBlind, targets: tuple[HeldKey], act: Act
) -> Outcome[ops.DataKeyPair]:
    """Raises WrongUsage, WrongState; Unsupported for a pair type that is not made, and (detail Origin) for a key in a
    key store (KMS API Reference, GenerateDataKeyPair)."""
    (held,) = targets
    algorithm = wrapping(held.key)
    if held.key.elsewhere is not None:
        raise Unsupported("a key in a key store wraps no pairs", held.key.origin)
    pair_spec = data_key_pair_spec(op.pair_spec)
    bound = bind(held, op.aad)
    version = require_to_protect(held, algorithm, act)
    if act.cutoffs is not None:
        act.cutoffs.require_any(pair_spec, None, act.now)
    pair = act.provider.generate(pair_spec)
    ciphertext = version.loaded.encrypt(algorithm, pair.material, bound)
    number = version.version.number
    answer = ops.DataKeyPair(held.key, number, pair_spec, pair.material, ciphertext, pair.public_key)
    return Outcome(answer=answer, versions=(number,), bound=bound)


HANDLERS: dict[type, Handler] = {
    ops.GenerateDataKey: generate,
    ops.GenerateDataKeyBlind: generate,
    ops.GenerateDataKeyPair: generate_pair,
    ops.GenerateDataKeyPairBlind: generate_pair,
}
