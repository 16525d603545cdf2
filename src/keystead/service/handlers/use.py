"""What every use of a key asks first, as AWS KMS orders it: usage and algorithm, then key state, then cryptography.

That a use is permitted is kept with what is held of the key and of its version (`calm`), where no date will end it.
"""

from __future__ import annotations

from datetime import datetime

from keystead.core.algorithms import Algorithm, Purpose, Word
from keystead.core.entities import Key, Origin
from keystead.core.errors import WrongState, WrongUsage
from keystead.core.states import KeyState, Use
from keystead.service.handlers.standing import waiting
from keystead.service.held import HeldKey, HeldVersion
from keystead.service.pipeline import Act


def algorithm_for(key: Key, purpose: Purpose, word: Word | None = None) -> Algorithm:
    """The algorithm of `key` that `word` means, or its default.

    Raises WrongUsage; detail: the purpose, when the key has another one, or else the word.
    """
    if key.purpose is not purpose:
        not_gone(key)
        raise WrongUsage(f"a {key.purpose.name.lower()} key is not for {purpose.name.lower()}", purpose)
    spec = key.spec
    try:
        return spec.default(purpose) if word is None else spec.algorithm(word, purpose)
    except WrongUsage:
        not_gone(key)
        raise


def not_gone(key: Key) -> None:
    """Of what kind a destroyed key was is nobody's business: to AWS it is no key. Raises WrongState."""
    if key.lifecycle.state is KeyState.DESTROYED:
        raise WrongState("the key is destroyed", KeyState.DESTROYED)


def require_key(held: HeldKey, use: Use, now: datetime) -> None:
    """Raises WrongState; detail Origin.EXTERNAL: the key waits for its material, and is not doomed."""
    if use in held.calm:
        return
    key = held.key
    life = key.lifecycle
    if waiting(key, now) and not life.doomed:
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
    if not version.wrapped and held.key.origin is Origin.EXTERNAL:
        raise WrongState("the imported material is gone", Origin.EXTERNAL)
    version.lifecycle.require(use, now=now)
    if version.expires_at is not None and version.expires_at <= now:
        raise WrongState("the imported material has expired", Origin.EXTERNAL)
    if not version.lifecycle.has_appointment and version.expires_at is None:
        found.calm.add(use)
    return found


def require_to_protect(held: HeldKey, algorithm: Algorithm, act: Act) -> HeldVersion:
    """The current version of a key that may protect by that algorithm. Raises as `require`; Unsupported (Withdrawn)."""
    if act.cutoffs is not None:
        act.cutoffs.require(held.key.spec, algorithm, act.now)
    return require(held, Use.PROTECT, act.now)


def require(held: HeldKey, use: Use, now: datetime) -> HeldVersion:
    """The current version of a key that both may be used so. Raises as the two above."""
    require_key(held, use, now)
    return require_version(held, use, now)
