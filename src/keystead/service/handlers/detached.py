"""EncryptDetached, DecryptDetached: AES-GCM whose parts somebody else's protocol carries (core.detached)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Algorithm
from keystead.core.detached import version_of
from keystead.core.entities import Key
from keystead.core.errors import DecryptionFailed, InvalidArgument, Unsupported
from keystead.core.sensitive import Sensitive
from keystead.core.states import Use
from keystead.service.handlers.cipher import wrapping
from keystead.service.handlers.use import require_key, require_to_protect, require_version
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def _sealing(key: Key) -> Algorithm:
    """Raises WrongUsage; Unsupported (detail Origin): the parts have no room for what a key store adds to a ciphertext;
    InvalidArgument (ops.Breach) for a key that wants a context: detached parts have none."""
    algorithm = wrapping(key)
    if key.elsewhere is not None:
        raise Unsupported("a key in a key store makes no detached ciphertexts", key.origin)
    if key.terms.derived:
        raise InvalidArgument("this key is used with a context to derive from", ops.Breach.NO_CONTEXT)
    return algorithm


def encrypt_detached(op: ops.EncryptDetached, targets: tuple[HeldKey], act: Act) -> Outcome[ops.EncryptedDetached]:
    """Raises WrongUsage, WrongState, Unsupported; InvalidArgument (detail "aad")."""
    (held,) = targets
    algorithm = _sealing(held.key)
    version = require_to_protect(held, algorithm, act)
    parts = version.loaded.encrypt_detached(algorithm, op.plaintext, op.aad)
    number = version.version.number
    return Outcome(answer=ops.EncryptedDetached(held.key, number, algorithm, parts), versions=(number,))


def decrypt_detached(op: ops.DecryptDetached, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Decrypted]:
    """By the version that the header names. Raises WrongUsage, WrongState, DecryptionFailed."""
    (held,) = targets
    key = held.key
    algorithm = _sealing(key)
    require_key(held, Use.PROCESS, act.now)
    if op.parts is None:
        if not op.dry_run:
            raise DecryptionFailed("there is no ciphertext")
        current = require_version(held, Use.PROCESS, act.now).version.number
        return Outcome(answer=ops.Decrypted(key, current, algorithm, Sensitive(b"")), versions=(current,))
    number = version_of(op.parts.header)
    if not 1 <= number <= key.n_versions:
        raise DecryptionFailed("the ciphertext does not open")
    version = require_version(held, Use.PROCESS, act.now, number)
    plaintext = version.loaded.decrypt_detached(algorithm, op.parts, op.aad)
    return Outcome(answer=ops.Decrypted(key, number, algorithm, plaintext), versions=(number,))


HANDLERS: dict[type, Handler] = {ops.EncryptDetached: encrypt_detached, ops.DecryptDetached: decrypt_detached}
