"""Keyrings, and the key stores outside that keys of theirs have a half in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from keystead.core.entities import Grant, Key, Keyring, KeyVersion, Name
from keystead.core.keystores import KeyStore
from keystead.core.naming import elsewhere
from keystead.core.states import KeyState
from keystead.service.damaged import every_version, held_by
from keystead.service.held.otp import OtpKeysOf
from keystead.service.held.secrets import SecretsOf
from keystead.service.reach import PAGE, Reach


class HeldKeyring:
    """A keyring and the addresses bound to it. `secrets`: what it keeps at paths; `otp`: keys of passwords."""

    def __init__(self, keyring: Keyring, namespaces: tuple[str, ...], reach: Reach) -> None:
        self.keyring, self.namespaces, self._reach = keyring, namespaces, reach
        self.id, self.tenant = keyring.id, keyring.tenant
        self.secrets = SecretsOf(keyring.id, reach)
        self.otp = OtpKeysOf(keyring.id, reach)
        self.by_dialect = {namespace.partition(":")[0]: namespace for namespace in reversed(namespaces)}

    def keys(self, *, after: str, limit: int) -> list[Key]:
        return self._reach.children(Key, self.id, after, limit)

    def names(self, *, after: str, limit: int) -> list[Name]:
        return self._reach.children(Name, self.id, after, limit)

    def to_erase(self, key: Key) -> list[KeyVersion]:
        """The versions that hold something, of one of its keys. Raises Unavailable (detail DAMAGED)."""
        self._reach.may_block()
        return held_by(every_version(key, self._reach.barrier)) if key.keyring == self.id else []

    def grants(self, key: Key) -> list[Grant]:
        """On one of its keys."""
        return list(self._reach.every_child(Grant, key.id)) if key.keyring == self.id else []

    def name(self, namespace: str, name: str) -> Name | None:
        return self._reach.get(Name, self._reach.barrier.name_id(namespace, name))

    def answers(self, namespace: str, name: str) -> bool:
        """Whether a key is called so at that address, by a name of its own or one that counts there too."""
        places = ((namespace, name), *elsewhere(namespace, name, self.namespaces))
        return any(self.name(*place) is not None for place in places)

    def name_id(self, namespace: str, name: str) -> str:
        return self._reach.barrier.name_id(namespace, name)

    def key_stores(self, *, after: str = "", limit: int = PAGE) -> list[KeyStore]:
        return self._reach.children(KeyStore, self.id, after, limit)

    def key_store(self, id: str) -> KeyStore | None:
        found = self._reach.get(KeyStore, id)
        return found if found is not None and found.keyring == self.id else None


class HeldKeyStore:
    """A key store, the others beside it, and the keys in it."""

    def __init__(self, store: KeyStore, keyring: HeldKeyring, reach: Reach) -> None:
        self.store, self.keyring, self._reach = store, keyring, reach
        self.id, self.tenant = store.id, store.tenant

    def at_a_distance(self) -> None:
        """Somebody else is to be asked: not on the event loop. Raises WouldWait."""
        self._reach.may_wait(tenant=self.tenant)

    def lasting(self, now: datetime) -> Iterator[Key]:
        """The keys in it that are not destroyed."""
        every = self._reach.every_linked(Key, self.id)
        return (key for key in every if key.lifecycle.at(now).state is not KeyState.DESTROYED)
