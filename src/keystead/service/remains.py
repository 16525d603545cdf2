"""What is left today of what an old backup has: whether it was taken away since, as far as that can be told.

What was taken away has left the key tree; what a disk has lost has not. So a key all of whose values are out of the
tree was taken away; and so was a keyring, or a namespace, of which besides no row is left. A key store can be deleted
only where no key is in it. Of a name that was deleted while its key lasts nothing is left to tell, so it comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from keystead.core import entities
from keystead.core.entities import Entity, Kind, Wrapped
from keystead.core.keystores import KeyStore
from keystead.core.ports import Reader, Row
from keystead.core.states import KeyState
from keystead.service.barrier import Barrier
from keystead.service.inspection import is_destroyed, verifies

OF: dict[type[Entity], tuple[Kind, Callable[[Any], str]]] = {
    entities.Keyring: (Kind.TENANT, lambda one: one.tenant),
    KeyStore: (Kind.KEYRING, lambda one: one.keyring),
    entities.Binding: (Kind.KEYRING, lambda one: one.keyring),
    entities.Key: (Kind.KEYRING, lambda one: one.keyring),
    entities.KeyVersion: (Kind.KEY, lambda one: one.key_id),
    entities.KeyPolicy: (Kind.KEY, lambda one: one.id),
    entities.Name: (Kind.KEY, lambda one: one.key_id),
    entities.SecretSettings: (Kind.KEYRING, lambda one: one.id),
    entities.OtpKey: (Kind.KEYRING, lambda one: one.keyring),
    entities.Secret: (Kind.KEYRING, lambda one: one.keyring),
}
"""What a row is of, and is nothing without."""
IN_KEYRING = Kind.KEY, Kind.BINDING, Kind.OTP_KEY
"""Kinds of rows that stand below a keyring; a secret is linked with it."""


class Remains:
    """Of one backup, in one installation."""

    def __init__(self, old: Reader, barrier: Barrier, live: Reader) -> None:
        self._old, self._barrier, self._live = old, barrier, live

    def is_gone(self, entity: Entity) -> bool:
        """Whether it was taken away since the backup, itself or with what it is of. Raises Internal."""
        if isinstance(entity, Wrapped) and entity.wrapped and not self._holds(entity):
            return True
        if self._live.get(entity.kind, entity.id) is not None:  # it is there, and damaged
            return False
        of = OF.get(type(entity))
        if of is not None and self.was_taken(of[0], of[1](entity)):
            return True
        look = LOOKS.get(type(entity))
        return look is not None and look(self, entity)

    def was_taken(self, kind: Kind, id_: str) -> bool:
        return self._live.get(kind, id_) is None and self._old.get(kind, id_) is not None

    def is_destroyed(self, key: str) -> bool:
        row = self._live.get(Kind.KEY, key)
        if row is None or not verifies(self._barrier, row):
            return False
        return self._barrier.rows.open(row, entities.Key).lifecycle.state is KeyState.DESTROYED

    def is_unused(self, key_store: str) -> bool:
        """Whether no key is in it that lasts: no other one can have been deleted, and none is missed that has none."""
        rows = self._rows(self._live.linked, Kind.KEY, key_store)
        return all(self.is_destroyed(row.id) for row in rows)

    def _holds(self, value: Wrapped) -> bool:
        return value.wrapped != b"" and not is_destroyed(self._barrier, self._live, value)

    def is_emptied(self, values: Iterator[Wrapped]) -> bool:
        """Whether it held something, and no more."""
        had = False
        for one in values:
            if self._holds(one):
                return False
            had |= one.wrapped != b""
        return had

    def has_ended(self, tenant: str) -> bool:
        """Whether it was a namespace; its row and the tenant's are gone in one transaction, all others before them."""
        if not self.was_taken(Kind.NAMESPACE, tenant) or self._live.children(Kind.KEYRING, tenant, limit=1):
            return False
        rings = self._rows(self._old.children, Kind.KEYRING, tenant)
        return not any(self._holds(value) for ring in rings for value in self.of_keyring(ring.id))

    def is_cleared(self, ring: str) -> bool:
        """Whether what it held was taken away, and the keyring with it."""
        left = any(self._live.children(kind, ring, limit=1) for kind in IN_KEYRING)
        left = left or bool(self._live.linked(Kind.SECRET, ring, limit=1))
        return not left and self.is_emptied(self.of_keyring(ring))

    def of_keyring(self, ring: str) -> Iterator[Wrapped]:
        for key in self._rows(self._old.children, Kind.KEY, ring):
            yield from self.of_key(key.id)
        for secret in self._rows(self._old.linked, Kind.SECRET, ring):
            yield from self._opened(entities.SecretVersion, secret.id)
        yield from self._opened(entities.OtpKey, ring)

    def of_key(self, key: str) -> Iterator[Wrapped]:
        yield from self._opened(entities.KeyVersion, key)

    def _opened(self, of: type[Wrapped], parent: str) -> Iterator[Wrapped]:
        """Then, and today: others may have come since."""
        for reader in (self._old, self._live):
            for row in self._rows(reader.children, of.kind, parent):
                if verifies(self._barrier, row):
                    yield self._barrier.rows.open(row, of)

    @staticmethod
    def _rows(listed: Callable[..., list[Row]], kind: Kind, of: str) -> Iterator[Row]:
        after = ""
        while page := listed(kind, of, after=after):
            yield from page
            after = page[-1].id


LOOKS: dict[type[Entity], Callable[[Remains, Any], bool]] = {
    entities.Tenant: lambda self, one: self.has_ended(one.id),
    entities.Keyring: lambda self, one: self.is_cleared(one.id),
    KeyStore: lambda self, one: self.is_unused(one.id),
    entities.Binding: lambda self, one: self.was_taken(Kind.MOUNT, one.id),
    entities.Key: lambda self, one: self.is_emptied(self.of_key(one.id)),
    entities.Name: lambda self, one: self.is_destroyed(one.key_id),
}
"""What else says that a row was taken away."""
