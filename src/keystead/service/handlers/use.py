"""What every use of a key asks first, as AWS KMS orders it: usage and algorithm, then key state, then cryptography.

That a use is permitted is kept with what is held of the key and of its version (`calm`), where no date will end it.
"""

from __future__ import annotations

from datetime import datetime

from keystead.core.algorithms import Algorithm, Purpose, Word
from keystead.core.entities import Key, Origin, Terms
from keystead.core.errors import InvalidArgument, WrongState, WrongUsage
from keystead.core.operations import Breach
from keystead.core.states import Use
from keystead.service.handlers.standing import waiting
from keystead.service.held import HeldKey, HeldVersion


def algorithm_for(key: Key, purpose: Purpose, word: Word | None = None) -> Algorithm:
    """The algorithm of `key` that `word` means, or its default.

    Raises WrongUsage; detail: the purpose, when the key has another one, or else the word.
    """
    if key.purpose is not purpose and not (key.terms.all_purposes and purpose in key.spec.purposes):
        raise WrongUsage(f"a {key.purpose.name.lower()} key is not for {purpose.name.lower()}", purpose)
    spec = key.spec
    return spec.default(purpose) if word is None else spec.algorithm(word, purpose)


def require_key(held: HeldKey, use: Use, now: datetime) -> None:
    """Raises WrongState; detail Origin.EXTERNAL: the key waits for its material, and is not doomed."""
    if use in held.calm:
        return
    key = held.key
    life = key.lifecycle
    if life.destroy_at is None and waiting(key, now):
        raise WrongState("the key waits for its material", key.origin)
    life.require(use, now=now)
    if not life.has_appointment and key.lapses_at is None:
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
