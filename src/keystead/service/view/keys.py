"""Keys, keyrings, key stores and secrets, as they are held (service.view)."""

from __future__ import annotations

from typing import Any, ClassVar

from keystead.core.entities import Binding, Grant, Key, KeyPolicy, Keyring, Kind, Name
from keystead.core.errors import Internal
from keystead.core.family import is_family, of_header
from keystead.core.keystores import KeyStore
from keystead.core.naming import PATHS, elsewhere
from keystead.core.operations import CubbyRef, KeyRef, KeyringRef, KeyStoreRef, ReplicaRef, SecretRef
from keystead.core.states import KeyState
from keystead.service.held import HeldKey, HeldKeyring, HeldKeyStore, HeldReplica
from keystead.service.held.secrets import HeldCubby, HeldSecret, SecretCache, cubby_of
from keystead.service.related import lasting
from keystead.service.view.cache import Finds, Forgets
from keystead.service.view.tenants import TenantCache

MAX_KEYS = 8192


class KeyCache(TenantCache):
    """Part of service.view.View."""

    def __init__(self, *sources: Any) -> None:
        super().__init__(*sources)
        self._keys: dict[str, tuple[HeldKey, list[KeyRef]]] = {}
        self._keyrings: dict[str, HeldKeyring] = {}
        self._secrets = SecretCache(self._refs)

    def _forget_everything(self) -> None:
        super()._forget_everything()
        self._keys.clear()
        self._keyrings.clear()
        self._secrets.clear()

    def _forget_key(self, id_: str) -> None:
        _, refs = self._keys.pop(id_, (None, ()))
        for ref in refs:
            self._refs.pop(ref, None)

    def _forget_key_store(self, id_: str) -> None:
        """With the store go the keys in it: whether they may be used is the store's to say."""
        for key_id, (held, _) in list(self._keys.items()):
            if held.key.elsewhere is not None and held.key.elsewhere.store == id_:
                self._forget_key(key_id)

    def _forget_secret(self, id_: str) -> None:
        self._secrets.forget(id_)

    def _find_keyring(self, ref: KeyringRef) -> HeldKeyring | None:
        stamp = self._seen_change
        if (bound := self._barrier.get(Binding, ref.namespace)) is None:
            return None
        held = self._keyring(bound.keyring)
        self._keep(stamp, self._refs, ref, held)
        return held

    def _keyring(self, id_: str) -> HeldKeyring:
        if (held := self._keyrings.get(id_)) is None:
            stamp = self._seen_change
            if (found := self._barrier.get(Keyring, id_)) is None:
                raise Internal("a keyring is missing")
            namespaces = tuple(b.id for b in self._reach.every_child(Binding, id_))
            held = HeldKeyring(found, namespaces, self._reach)
            self._keep(stamp, self._keyrings, id_, held)
        return held

    def _find_key_store(self, ref: KeyStoreRef) -> HeldKeyStore | None:
        ring = self._find_keyring(KeyringRef(ref.namespace))
        found = ring.key_store(ref.id) if ring else None
        return HeldKeyStore(found, ring, self._reach) if ring and found else None

    def _find_key(self, ref: KeyRef) -> HeldKey | None:
        stamp, id_ = self._seen_change, ref.id
        if ref.name:
            name = self._barrier.get(Name, self._barrier.name_id(ref.namespace, ref.name)) or self._elsewhere(ref)
            if name is None:
                return None
            id_ = name.key_id
        held = self._keys.get(id_, (None, ()))[0] or self._load_key(id_) or self._find_copy(ref)
        if held is None or not _is_at(held.keyring, ref):
            return None
        id_ = held.id
        if held.key.multi_region and held.key.lifecycle.state is KeyState.DESTROYED:
            return held  # not kept: the next one there is another copy
        with self._lock:
            if stamp == self._seen_change and (entry := self._keys.get(id_)):
                if len(self._refs) >= MAX_KEYS * 4:
                    self._forget_everything()
                else:
                    entry[1].append(ref)
                    self._refs[ref] = held = entry[0]
        return held

    def _elsewhere(self, ref: KeyRef) -> Name | None:
        """A name that another address of the same keyring has, and that counts at this one too."""
        ring = self._find_keyring(KeyringRef(ref.namespace)) if ref.namespace.startswith(PATHS) else None
        if ring is not None:
            for namespace, text in elsewhere(ref.namespace, ref.name, ring.namespaces):
                if (name := self._barrier.get(Name, self._barrier.name_id(namespace, text))) is not None:
                    return name
        return None

    def _find_copy(self, ref: KeyRef) -> HeldKey | None:
        """Of the keys that are known by that id, the one where the caller is; the last there was if all are gone."""
        family = of_header(ref.id) if ref.by_ciphertext else ref.id
        if not is_family(family):
            return None
        here = [key for key in self._reach.linked(Key, family) if _is_at(self._keyring(key.keyring), ref)]
        here.sort(key=lambda key: key.created_at)
        found = (lasting(here) or here)[-1:]
        return (self._keys.get(found[0].id, (None, ()))[0] or self._load_key(found[0].id)) if found else None

    def _load_key(self, id_: str) -> HeldKey | None:
        stamp = self._seen_change
        key = self._barrier.get(Key, id_)
        policy = self._barrier.get(KeyPolicy, id_)
        if key is None or policy is None:
            return None
        keyring = self._keyring(key.keyring)
        if not self._is_there(keyring.tenant):
            return None  # whatever key policies and grants say to other tenants
        held = HeldKey(
            key,
            keyring,
            policy,
            tuple(self._reach.every_child(Grant, id_)),
            tuple(self._barrier.linked(Name, id_)),
            self._reach,
            self._barrier.get(KeyStore, key.elsewhere.store) if key.elsewhere else None,
        )
        with self._lock:
            if stamp == self._seen_change:
                while len(self._keys) >= MAX_KEYS:
                    self._forget_key(next(iter(self._keys)))
                # Two threads may have missed it at once: one entry only, or a change would find half of its refs.
                held, _ = self._keys.setdefault(id_, (held, []))
        return held

    def _find_replica(self, ref: ReplicaRef) -> HeldReplica | None:
        like, ring = self.find(ref.key), self.find(KeyringRef(ref.namespace))
        return HeldReplica(like, ring) if isinstance(like, HeldKey) and isinstance(ring, HeldKeyring) else None

    def _find_secret(self, ref: SecretRef) -> HeldSecret | None:
        """The place, whether there is a secret at it or not; None where there is no such keyring."""
        stamp = self._seen_change
        ring = self.find(KeyringRef(ref.namespace))
        if not isinstance(ring, HeldKeyring):
            return None
        held = HeldSecret(ring, ref.path, self._reach, self._secrets)
        if not held.is_absent:
            with self._lock:
                if stamp == self._seen_change:
                    held = self._secrets.keep(ref, held)
        return held

    def _find_cubby(self, ref: CubbyRef) -> HeldCubby:
        return cubby_of(ref, self._reach)

    FORGET: ClassVar[Forgets] = {
        **TenantCache.FORGET,
        Kind.KEY: _forget_key,
        Kind.KEY_STORE: _forget_key_store,
        Kind.SECRET: _forget_secret,
    }
    FIND: ClassVar[Finds] = {
        **TenantCache.FIND,
        KeyRef: _find_key,
        KeyringRef: _find_keyring,
        ReplicaRef: _find_replica,
        KeyStoreRef: _find_key_store,
        SecretRef: _find_secret,
        CubbyRef: _find_cubby,
    }


def _is_at(keyring: HeldKeyring, ref: KeyRef) -> bool:
    """Whether a key of `keyring` answers at the address the caller named."""
    if ref.namespace in keyring.namespaces:
        return True
    if not (ref.by_ciphertext or ref.in_ciphertext):
        return False
    # A ciphertext names a key of any tenant, at the same place of the same door.
    dialect, _, place = ref.namespace.split(":", 2)
    return any(n.split(":", 2)[::2] == [dialect, place] for n in keyring.namespaces)
