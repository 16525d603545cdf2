"""What every use of a key asks first, as AWS KMS orders it: usage and algorithm, then key state, then cryptography.

That a use is permitted is kept with what is held of the key and of its version (`calm`), where no date will end it.
"""

from __future__ import annotations

from datetime import datetime

from keystead.core.algorithms import Algorithm, Purpose, Word
from keystead.core.entities import Key, Origin, Terms
from keystead.core.errors import InvalidArgument, WrongState, WrongUsage
from keystead.core.operations import Breach
from keystead.core.states import KeyState, Use
from keystead.service.handlers.standing import waiting
from keystead.service.held import HeldKey, HeldVersion
from keystead.service.pipeline import Act


def algorithm_for(key: Key, purpose: Purpose, word: Word | None = None) -> Algorithm:
    """The algorithm of `key` that `word` means, or its default.

    Raises WrongUsage; detail: the purpose, when the key has another one, or else the word.
    """
    if key.purpose is not purpose and not (key.terms.all_purposes and purpose in key.spec.purposes):
        not_gone(key)
        raise WrongUsage(f"a {key.purpose.name.lower()} key is not for {purpose.name.lower()}", purpose)
    spec = key.spec
    try:
        return spec.default(purpose) if word is None else spec.algorithm(word, purpose)
    except WrongUsage:
        not_gone(key)
        raise


def underived(key: Key) -> None:
    """Of a key that is used with a context there is no pair without one. Raises InvalidArgument (ops.Breach)."""
    if key.terms.derived:
        raise InvalidArgument("this key is used with a context to derive from", Breach.NO_CONTEXT)


def not_gone(key: Key) -> None:
    """Of what kind a destroyed key was is nobody's business: to AWS it is no key. Raises WrongState."""
    if key.lifecycle.state is KeyState.DESTROYED:
        raise WrongState("the key is destroyed", KeyState.DESTROYED)


def require_key(held: HeldKey, use: Use, now: datetime, *, counts: bool = True) -> None:
    """Raises WrongState; detail Origin.EXTERNAL: the key waits for its material, and is not doomed; detail Limit.

    `counts`: it is about to be used, and not only told of. Raises WouldBlock.
    """
    if use in held.calm:
        return
    key = held.key
    life = key.lifecycle
    if waiting(key, now) and not life.doomed:
        raise WrongState("the key waits for its material", key.origin)
    life.require(use, now=now)
    if key.limits is not None and held.room is not None:
        if counts:
            key.limits.of(use).require(now)
            held.room.require(use)
    elif not life.has_appointment and key.lapses_at is None:
        held.calm.add(use)


def require_version(held: HeldKey, use: Use, now: datetime, number: int | None = None) -> HeldVersion:
    """Version `number` (or the current one), fit for `use`. Raises WrongState, NotFound, WouldBlock."""
    found = held.version(number)
    if use in found.calm:
        return found
    version = found.version
    within(held.key.terms, use, version.number)
    if not version.wrapped and held.key.origin is Origin.EXTERNAL:
        raise WrongState("the imported material is gone", Origin.EXTERNAL)
    version.lifecycle.require(use, now=now)
    if version.expires_at is not None and version.expires_at <= now:
        raise WrongState("the imported material has expired", Origin.EXTERNAL)
    if not version.lifecycle.has_appointment and version.expires_at is None:
        found.calm.add(use)
    return found


def require_to_protect(held: HeldKey, algorithm: Algorithm, act: Act, number: int = 0) -> HeldVersion:
    """Version `number` (0: the current one) of a key that may protect by that algorithm.

    Raises as `require` and `chosen`; Unsupported (Withdrawn).
    """
    if act.cutoffs is not None:
        act.cutoffs.require(held.key.spec, algorithm, act.now)
    if number:
        return require(held, Use.PROTECT, act.now, chosen(held.key, number))
    if held.ready is None:
        version = require(held, Use.PROTECT, act.now)
        if not (Use.PROTECT in held.calm and Use.PROTECT in version.calm):
            return version
        held.be_ready(version)
        return version
    return held.ready


def within(terms: Terms, use: Use, number: int) -> None:
    """Raises WrongState (detail ops.Breach) for a version that the key's terms take out of use."""
    if use is Use.PROTECT and number < terms.min_protect:
        raise WrongState("the key's terms let only later versions protect", Breach.TOO_LOW)
    if number < terms.min_process:
        breach = Breach.RETIRED if use is Use.PROTECT else Breach.TOO_OLD
        raise WrongState("the key's terms take this version out of use", breach)


def chosen(key: Key, number: int) -> int | None:
    """The version that the caller names to protect with; None: the current one. Raises InvalidArgument (ops.Breach)."""
    if number == 0:
        return None
    if number < 0:
        raise InvalidArgument("a version's number is not negative", Breach.NEGATIVE)
    if number > key.current:
        raise InvalidArgument("the key has no such version yet", Breach.TOO_NEW)
    return number


def processing(key: Key, number: int) -> None:
    """The same for the version that a caller names to process with. Raises WrongState, too."""
    if number > key.current:
        raise InvalidArgument("the key has no such version yet", Breach.UNMADE)
    within(key.terms, Use.PROCESS, number)


def require(held: HeldKey, use: Use, now: datetime, number: int | None = None) -> HeldVersion:
    """Version `number` (or the current one) of a key that both may be used so. Raises as the two above."""
    require_key(held, use, now)
    return require_version(held, use, now, number)
