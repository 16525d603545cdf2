"""Relatives of a key: the other copies of it, as far as whoever changes what they share has to know them.

A handler that reads them puts the primary, or names it as seen: then the commit fails where there have come to be
others meanwhile (core.entities, Rule 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from keystead.core.entities import Binding, Key, KeyVersion
from keystead.core.errors import Internal
from keystead.core.states import KeyState
from keystead.service.damaged import every_version, held_by, whole_versions
from keystead.service.reach import Reach


class Relative:
    """Another copy: its metadata, its versions and where it answers. Who may do what with it is out of reach."""

    __slots__ = ("_reach", "key")

    def __init__(self, key: Key, reach: Reach) -> None:
        self.key, self._reach = key, reach

    def versions(self) -> list[KeyVersion]:
        """Every version, oldest first."""
        with whole_versions():
            return sorted(self._reach.every_child(KeyVersion, self.key.id), key=lambda v: v.number)

    def to_erase(self) -> list[KeyVersion]:
        """As HeldKey.to_erase."""
        return held_by(every_version(self.key, self._reach.barrier))

    def version(self, number: int) -> KeyVersion:
        """Raises Internal where it is missing: related keys have the same versions."""
        with whole_versions():
            found = self._reach.get(KeyVersion, f"{self.key.id}/{number}")
        if found is None:
            raise Internal("a version of a related key is missing")
        return found

    def namespaces(self) -> tuple[str, ...]:
        return tuple(binding.id for binding in self._reach.every_child(Binding, self.key.keyring))


def relatives(key: Key, reach: Reach) -> tuple[Relative, ...]:
    """The other copies that are not destroyed. Costs nothing for a key that has no family."""
    if not key.multi_region:
        return ()
    return tuple(Relative(one, reach) for one in lasting(reach.linked(Key, key.link)) if one.id != key.id)


def lasting(keys: Iterable[Key]) -> list[Key]:
    return [key for key in keys if key.lifecycle.state is not KeyState.DESTROYED]


def waited(primary: Key, n_replicas: int, now: datetime) -> Key:
    """The primary with `n_replicas` left: where it waited for the last of them, its days begin."""
    life = primary.lifecycle
    if n_replicas or not life.destroy_in_days:
        return primary
    at = now + timedelta(days=life.destroy_in_days)
    return replace(primary, lifecycle=replace(life, destroy_at=at, destroy_in_days=0))
