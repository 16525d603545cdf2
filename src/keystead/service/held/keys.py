"""Keys, their versions on demand, and copies that are to be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from msgspec.structs import replace

from keystead.core.algorithms import Algorithm, Word
from keystead.core.caller import Caller
from keystead.core.entities import (
    EndedRoot,
    Erasure,
    Fate,
    Grant,
    Key,
    KeyPolicy,
    KeyVersion,
    LastUse,
    Mode,
    Name,
    Usage,
)
from keystead.core.errors import NotFound, Unavailable, WrongState
from keystead.core.keystores import Connection, KeyStore, Moment, Trouble, failed
from keystead.core.providers import Loaded
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Use
from keystead.crypto.notes import NoteSigner
from keystead.service.damaged import DAMAGED, held_by, whole, whole_versions, with_damaged
from keystead.service.held.keyrings import HeldKeyring
from keystead.service.held.limited import Room
from keystead.service.reach import Reach
from keystead.service.related import Relative, relatives
from keystead.service.signing import signer


class HeldVersion:
    """One key version, loaded when it is first used."""

    __slots__ = ("_hsm", "_in_header", "_loaded", "_may", "_reach", "_slow", "_spec", "calm", "version")

    def __init__(self, version: KeyVersion, key: Key, reach: Reach) -> None:
        self.version = version
        self.calm: set[Use] = set()  # what it may be used for, whatever the time
        self._spec, self._hsm, self._reach = key.spec, key.hsm, reach
        self._slow = key.spec.slow or key.hsm != ""
        self._may = partial(reach.may_wait, key.hsm, key.tenant) if key.hsm else reach.may_block
        self._in_header = key.in_header
        self._loaded: Loaded | None = None

    @property
    def apart(self) -> Callable[[], None] | None:
        """What asks, before any use of it, for the threads of its HSM. None: there is none, or more is to be asked."""
        return self._may if self._hsm else None

    @property
    def loaded(self) -> Loaded:
        """Ready for use. Raises WouldBlock on the event loop when loading or using it takes long, or is in an HSM."""
        if self._slow or self._loaded is None:
            self._may()
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def _load(self) -> Loaded:
        reach, version = self._reach, self.version
        if version.is_public:
            return reach.provider.load_public(self._spec, version.public_key)
        provider = reach.hsms.at(self._hsm) if self._hsm else reach.provider
        material = self._reach.barrier.material(version)
        return provider.load(self._spec, material, key_id=self._in_header, version=version.number)

    def material(self) -> Sensitive:
        """The keying material, to be wrapped once more for a copy of the key."""
        self._reach.may_block()
        return self._reach.barrier.material(self.version)

    def serving(self, _caller: Caller) -> Loaded:
        """Ready for a request of the caller's, of whom a key that is held here tells nobody. Raises WouldBlock."""
        return self.loaded if self._loaded is None or self._slow else self._loaded


class StoredVersion(HeldVersion):
    """A version of a key in a key store that is an HSM."""

    __slots__ = ("_store",)

    def __init__(self, version: KeyVersion, key: Key, store: KeyStore | None, reach: Reach) -> None:
        super().__init__(version, key, reach)
        self._store = store

    @property
    def apart(self) -> None:
        """The store comes first."""
        return

    @property
    def loaded(self) -> Loaded:
        """Raises WrongState (core.keystores.failed) unless the store is connected; WouldWait on the event loop."""
        if self._store is None or self._store.connection is not Connection.CONNECTED:
            raise failed(Trouble.DISCONNECTED, Moment.USE)
        try:
            loaded = super().loaded
        except Unavailable as error:
            raise failed(Trouble.AWAY, Moment.USE) from error
        return cast("Loaded", _InStore(loaded))


class _InStore:
    """core.providers.Loaded of a key in a store that is an HSM: where that is away, it is the store that has failed."""

    __slots__ = ("_loaded",)

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._loaded, name)

        def asked(*args: Any) -> Any:
            try:
                return method(*args)
            except Unavailable as error:
                raise failed(Trouble.AWAY, Moment.USE) from error

        return asked


class HalfVersion(HeldVersion):
    """A version of a key whose other half is in a key store."""

    __slots__ = ("_key", "_store")

    def __init__(self, version: KeyVersion, key: Key, store: KeyStore | None, reach: Reach) -> None:
        super().__init__(version, key, reach)
        self._key, self._store = key, store

    def serving(self, caller: Caller) -> Loaded:
        """Raises WrongState (core.keystores.failed) unless the store is connected; WouldWait on the event loop."""
        if self._store is None or self._store.connection is not Connection.CONNECTED:
            raise failed(Trouble.DISCONNECTED, Moment.USE)
        self._reach.may_wait(tenant=self._key.tenant)
        number = self.version.number
        return self._reach.outside.load(self._store, self._key, self.loaded, caller, version=number)


class LimitedVersion(HeldVersion):
    """Any version, of a key that has limits."""

    __slots__ = ("_inner", "_room")

    def __init__(self, inner: HeldVersion, room: Room) -> None:
        self.version, self.calm = inner.version, inner.calm
        self._inner, self._room = inner, room

    @property
    def loaded(self) -> Loaded:
        return self._room.counting(self._inner.loaded)

    def material(self) -> Sensitive:
        return self._inner.material()

    def serving(self, caller: Caller) -> Loaded:
        return self._room.counting(self._inner.serving(caller))


class HeldKey:
    """A key with its policy, grants and names, and its versions on demand."""

    def __init__(
        self,
        key: Key,
        keyring: HeldKeyring,
        policy: KeyPolicy,
        grants: tuple[Grant, ...],
        names: tuple[Name, ...],
        reach: Reach,
        store: KeyStore | None = None,
    ) -> None:
        self.key, self.keyring, self.policy, self.grants, self.names = key, keyring, policy, grants, names
        self.id, self.tenant, self.spec = key.id, key.tenant, key.spec
        self._reach = reach
        self.store = store  # of a key that is in one, or its other half
        self._versions: dict[int, HeldVersion] = {}
        self.compiled: dict[str, Any] = {}  # what service.authorize prepared for this key
        self.ciphers: dict[Word | None, Algorithm] = {}  # what it encrypts by, and by which of a caller's words
        self.calm: set[Use] = set()  # what the key may be used for, whatever the time
        self.ready: HeldVersion | None = None  # the current version, once it and the key may protect, whatever the time
        self.apart: Callable[[], None] | None = None  # of such a key that is in an HSM: raises WouldWait on the loop
        self.room = Room(key, key.limits, reach) if key.limits is not None else None

    def be_ready(self, version: HeldVersion) -> None:
        """`version`: the current one. It and the key may protect, whatever the time."""
        self.ready, self.apart = version, version.apart

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.keyring.namespaces

    def version(self, number: int | None = None) -> HeldVersion:
        """Version `number`, or the current one.

        Raises NotFound, WrongState where there is no material; Unavailable (detail DAMAGED).
        """
        number = self.key.current if number is None else number
        held = self._versions.get(number)
        if held is None:
            with whole_versions():
                found = self._reach.get(KeyVersion, f"{self.key.id}/{number}")
            if found is None:
                if self.key.n_versions == 0:
                    raise WrongState("the key has no material yet", self.key.origin)
                raise NotFound("no such key version", "version")
            held = self._hold(found)
            held = self._versions[number] = held if self.room is None else LimitedVersion(held, self.room)
        return held

    def _hold(self, version: KeyVersion) -> HeldVersion:
        if self.key.elsewhere is None:
            return HeldVersion(version, self.key, self._reach)
        if self.key.hsm:
            return StoredVersion(version, self.key, self.store, self._reach)
        return HalfVersion(version, self.key, self.store, self._reach)

    def versions(self) -> list[KeyVersion]:
        """Every version, oldest first. Raises Unavailable (detail DAMAGED)."""
        with whole_versions():
            return sorted(self._reach.every_child(KeyVersion, self.id), key=lambda v: v.number)

    def readable(self) -> list[KeyVersion]:
        """The versions that are not damaged, oldest first."""
        try:
            return self.versions()
        except Unavailable as error:
            if error.detail != DAMAGED:
                raise
        return list(whole(self.key, self._reach.barrier))

    def known(self) -> list[KeyVersion]:
        """Every version, oldest first; of a damaged one what is known of it (service.damaged).

        Raises Unavailable (detail DAMAGED) where of a damaged one too little is known.
        """
        return with_damaged(self.key, self.readable(), self._reach.barrier)

    def to_erase(self) -> list[KeyVersion]:
        """Of these, the ones that hold something."""
        return held_by(self.known())

    def relatives(self) -> tuple[Relative, ...]:
        """The other copies of the key that there are."""
        return relatives(self.key, self._reach)

    def material(self, version: KeyVersion) -> Sensitive:
        """Of one of this key's own versions."""
        self._reach.may_block()
        return self._reach.barrier.material(version)

    def at_length(self) -> None:
        """What is about to be done with it takes long: not on the event loop. Raises WouldBlock."""
        self._reach.may_block()

    def at_a_distance(self) -> None:
        """Somebody else is to be asked: not on the event loop. Raises WouldWait."""
        self._reach.may_wait(tenant=self.key.tenant)

    def n_outstanding(self) -> int:
        """Objects that are still to be erased in the HSM, once the key is destroyed."""
        is_gone = self.key.hsm != "" and self.key.lifecycle.state is KeyState.DESTROYED
        return len(self._reach.linked(Erasure, self.id)) if is_gone else 0

    def fate(self, version: KeyVersion) -> Fate:
        """What is true of a version that holds nothing any more: asked of the slots, so not on the event loop."""
        self._reach.may_wait(tenant=self.key.tenant)
        return self._reach.barrier.fate(version)

    @property
    def slot_mode(self) -> Mode:
        return self._reach.barrier.slot_rule.mode

    def ended_roots(self, gone: list[KeyVersion]) -> list[EndedRoot]:
        """Those that the versions were last under, and older ones that something may still open; oldest first."""
        self._reach.may_block()
        under = {version.destroyed_under for version in gone}
        return self._reach.barrier.ended_roots(under)

    def signer(self) -> NoteSigner:
        """Who signs what is told of it."""
        self._reach.may_block()
        return signer(self._reach.barrier)

    def import_key(self) -> Sensitive:
        """What import tickets are sealed under (service.tickets)."""
        self._reach.may_block()
        return self._reach.barrier.subkey("import")

    def usage(self) -> Usage | None:
        """What is kept of its use, once it has had limits."""
        return self._reach.get(Usage, self.id)

    def last_use(self) -> LastUse | None:
        return self._reach.get(LastUse, self.id)


class HeldReplica:
    """A copy that is to be: the key, and the keyring it is to be in."""

    def __init__(self, like: HeldKey, keyring: HeldKeyring) -> None:
        self.like, self.keyring = like, keyring
        self.id, self.tenant = keyring.id, keyring.tenant

    @property
    def key(self) -> Key:
        """What a policy is asked about: all that the copy will share, and nothing that is the other's own."""
        return replace(self.like.key, is_primary=False, tags={}, description="")
