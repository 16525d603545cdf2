"""What a key's standing lets happen to the key itself (its use is decided by core.states.PERMITTED).

KMS Developer Guide, "Key states of KMS keys", gives the table; its rows come in three kinds, one function each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from keystead.core.entities import Key
from keystead.core.errors import KeysteadError, WrongState
from keystead.core.states import Event, KeyState, Lifecycle
from keystead.service.held import HeldKey

NOT_APPOINTED = "destroy_at"
"""detail of the WrongState for cancelling a destruction that nobody has appointed."""


def existing(key: Key, now: datetime) -> Lifecycle:
    """Whatever its state, as long as there is a key. Raises WrongState once it is destroyed."""
    life = key.lifecycle.at(now)
    if life.state is KeyState.DESTROYED:
        raise WrongState("the key is destroyed", KeyState.DESTROYED)
    return life


def staying(key: Key, now: datetime) -> Lifecycle:
    """Existing, and no destruction is appointed. Raises WrongState."""
    life = existing(key, now)
    if life.doomed:
        raise WrongState("the key is appointed to be destroyed", Event.DESTROY)
    return life


def waiting(key: Key, now: datetime) -> bool:
    """Whether material that belongs to the key has not come, or its time has run out: erased by now, or not yet."""
    if key.lifecycle.state is KeyState.PRE_ACTIVE:
        return True
    return key.lapses_at is not None and key.lapses_at <= now


def begun(key: Key, now: datetime) -> Lifecycle:
    """Staying, and its material has come. Raises WrongState."""
    life = staying(key, now)
    if waiting(key, now):
        raise WrongState("the key waits for its material", key.origin)
    return life


def active(key: Key, now: datetime) -> Lifecycle:
    """Begun, and in service. Raises WrongState."""
    life = begun(key, now)
    if life.state is not KeyState.ACTIVE:
        raise WrongState(f"the key is {life.state.value}", life.state)
    return life


@contextmanager
def concerning(held: HeldKey) -> Iterator[None]:
    """What is refused within is refused for this key, which is not the operation's first target."""
    try:
        yield
    except KeysteadError as error:
        error.subject, error.about = held.id, held
        raise
