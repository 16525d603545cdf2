"""Encrypt, Decrypt, ReEncrypt: protect data under a key, and process what it protected (SP 800-57pt1r5 §5.3.5)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from keystead.core import operations as ops
from keystead.core.algorithms import ALGORITHMS, Algorithm, Family, Purpose, Word
from keystead.core.entities import Key
from keystead.core.envelope import peek, typed_aad
from keystead.core.errors import DecryptionFailed, InvalidArgument, KeysteadError, WrongUsage
from keystead.core.operations import Derivation
from keystead.core.sensitive import Sensitive
from keystead.core.states import Use
from keystead.service.handlers.use import (
    algorithm_for,
    not_gone,
    processing,
    require_key,
    require_to_protect,
    require_version,
)
from keystead.service.held import HeldKey, HeldVersion
from keystead.service.pipeline import Act, Handler, Outcome

# Every use looks at these, and for a member of an enumeration Python asks its class first.
_CIPHER, _AES = Purpose.CIPHER, Family.AES


def encrypt(op: ops.Encrypt, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Encrypted]:
    (held,) = targets
    algorithm = _algorithm(held, op.algorithm)
    if held.apart is not None:  # on the loop that is all of it: what follows is done where the HSM is waited for
        held.apart()
    bound = bind(held, op.aad)
    answer = protect(held, algorithm, op.plaintext, bound, act, op.version)
    return Outcome(answer=answer, versions=(answer.version,), bound=bound)


def decrypt(op: ops.Decrypt, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Decrypted]:
    (held,) = targets
    algorithm, bound = _to_process(held, op.ciphertext, op.algorithm, op.aad, op.version)
    blind = op.dry_run and not op.ciphertext
    answer = process(held, algorithm, op.ciphertext, bound, act, op.version, blind=blind)
    return Outcome(answer=answer, versions=(answer.version,), bound=bound)


def re_encrypt(op: ops.ReEncrypt, targets: tuple[HeldKey, HeldKey], act: Act) -> Outcome[ops.ReEncrypted]:
    source, destination = targets
    blind = op.dry_run and not op.ciphertext
    algorithm, bound = _to_process(source, op.ciphertext, op.source_algorithm, op.source_aad, op.source_version)
    opened = process(source, algorithm, op.ciphertext, bound, act, op.source_version, blind=blind)
    try:
        algorithm, anew = _to_protect(destination, op.destination_algorithm, op.destination_aad)
        sealed = protect(destination, algorithm, opened.plaintext, anew, act, op.destination_version)
    except KeysteadError as error:  # the pipeline takes the first target to be the one an error is about
        error.subject, error.about = destination.id, destination
        raise
    return Outcome(answer=ops.ReEncrypted(opened, sealed), versions=(opened.version, sealed.version), bound=bound)


def protect(  # every part of it
    held: HeldKey, algorithm: Algorithm, plaintext: Sensitive, bound: bytes, act: Act, number: int = 0
) -> ops.Encrypted:
    """By version `number`, or the current one.

    Raises WrongState, Unsupported; InvalidArgument (detail ops.TooLong, ops.Breach).
    """
    key = held.key
    version = require_to_protect(held, algorithm, act, number)
    limit = held.spec.max_plaintext(algorithm)
    if limit is not None and len(plaintext) > limit:
        raise InvalidArgument(f"{algorithm.name} takes {limit} bytes", ops.TooLong(algorithm, key.spec, limit))
    serving = version.serving(act.caller)
    ciphertext = (serving.encrypt_convergent if key.terms.convergent else serving.encrypt)(algorithm, plaintext, bound)
    return ops.Encrypted(key, version.version.number, algorithm, ciphertext)


def process(
    held: HeldKey,
    algorithm: Algorithm,
    ciphertext: bytes,
    bound: bytes,
    act: Act,
    number: int | None = None,
    *,
    blind: bool,
) -> ops.Decrypted:
    """`blind`: all but the cryptography. Raises WrongState, DecryptionFailed, InvalidArgument."""
    key, now = held.key, act.now
    require_key(held, Use.PROCESS, now)
    if blind:
        current = require_version(held, Use.PROCESS, now)
        current.serving(act.caller)
        return ops.Decrypted(key, current.version.number, algorithm, Sensitive(b""))
    version = _version_of(held, ciphertext, now, number)
    plaintext = version.serving(act.caller).decrypt(algorithm, ciphertext, bound)
    return ops.Decrypted(key, version.version.number, algorithm, plaintext)


def _to_protect(held: HeldKey, word: Word | None, aad: ops.Aad) -> tuple[Algorithm, bytes]:
    """The algorithm and the typed AAD. Raises WrongUsage; InvalidArgument with detail "aad"."""
    return _algorithm(held, word), bind(held, aad)


def _algorithm(held: HeldKey, word: Word | None) -> Algorithm:
    """As algorithm_for has it, which is asked once. Raises WrongUsage."""
    if (found := held.ciphers.get(word)) is None:
        found = held.ciphers[word] = algorithm_for(held.key, _CIPHER, word)
    return found


def _to_process(
    held: HeldKey, ciphertext: bytes, word: Word | None, aad: ops.Aad, said: int | None
) -> tuple[Algorithm, bytes]:
    """The same for a ciphertext, which may be another key's: that is said first (detail ops.WRONG_KEY).

    Unless the caller knows of itself what made it, down to the version.
    """
    try:
        return _to_protect(held, word, aad)
    except WrongUsage:
        if said is None:
            _not_anothers(ciphertext, held.key)
        raise


def bind(held: HeldKey, aad: ops.Aad) -> bytes:
    """The typed AAD. Raises InvalidArgument where the key's algorithms have none, or where a derived key gets none."""
    if type(aad) is Derivation or held.key.terms.derived:
        aad = _in_context(held.key, aad)
    if held.spec.family is _AES:
        return typed_aad(aad)
    if aad:
        raise InvalidArgument(f"{held.spec.name} binds a ciphertext to no context", "aad")
    return typed_aad(None)


def _in_context(key: Key, aad: ops.Aad) -> ops.Aad:
    """What binds a ciphertext of a key that is derived, or not for derivation. Raises InvalidArgument (ops.Breach)."""
    if not key.terms.derived:
        return aad.data or None if isinstance(aad, Derivation) else aad
    if not isinstance(aad, Derivation) or not aad.context:
        raise InvalidArgument("this key is used with a context to derive from", ops.Breach.NO_CONTEXT)
    return aad


def _version_of(held: HeldKey, ciphertext: bytes, now: datetime, said: int | None) -> HeldVersion:
    """The version that made the ciphertext: named in its header, where it is in our own format, or else by `said`."""
    key = held.key
    if said is not None:
        processing(key, said)
    if not key.spec.names_versions:
        return require_version(held, Use.PROCESS, now, said)
    key_id, number = peek(ciphertext)
    if key_id != key.in_header:
        raise _wrong_key()
    if said is not None and said != number:
        raise DecryptionFailed("the ciphertext does not open")
    if not 1 <= number <= key.current:
        raise DecryptionFailed("the ciphertext does not open")
    return require_version(held, Use.PROCESS, now, number)


def _not_anothers(ciphertext: bytes, key: Key) -> None:
    """Raises InvalidArgument (detail ops.WRONG_KEY) for a ciphertext that names another key than this one."""
    with suppress(DecryptionFailed):
        if peek(ciphertext)[0] != key.in_header:
            raise _wrong_key()


def _wrong_key() -> InvalidArgument:
    return InvalidArgument("another key made this ciphertext", ops.WRONG_KEY)


_WRAPPING = ALGORITHMS["AES_GCM"]


def wrapping(key: Key) -> Algorithm:
    """The algorithm of a key that wraps data keys. Raises WrongUsage (detail: the purpose, or the algorithm)."""
    algorithm = algorithm_for(key, Purpose.CIPHER)
    if algorithm is not _WRAPPING:
        not_gone(key)
        raise WrongUsage(f"{key.spec.name} wraps no data keys", _WRAPPING)
    return algorithm


HANDLERS: dict[type, Handler] = {ops.Encrypt: encrypt, ops.Decrypt: decrypt, ops.ReEncrypt: re_encrypt}
