"""Targets: found objects, as handlers and the policy decision get them.

Rule 1: a target reaches its own subtree and nothing beside it, so a handler cannot fetch "one more key". A key
        reaches its relatives too, as far as what they share goes (service.related).
Rule 2: what is shared between requests does not change; a change makes a new target (service.view).
Rule 3: whatever may block (a page of rows, loading a key) asks `may_block` first, which raises WouldBlock
        on the event loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from keystead.core.caller import Caller
from keystead.core.entities import (
    Attachment,
    Binding,
    Credential,
    Cubby,
    Entity,
    Grant,
    Key,
    KeyPolicy,
    Keyring,
    KeyVersion,
    LastUse,
    ManagedPolicy,
    Membership,
    Mount,
    Name,
    Principal,
    PrincipalKind,
    Tenant,
    Token,
)
from keystead.core.errors import Internal, InvalidArgument, NotFound, WrongState
from keystead.core.federation import OidcProvider
from keystead.core.keystores import Connection, KeyStore, Moment, Trouble, failed
from keystead.core.naming import elsewhere
from keystead.core.operations import CubbyRef, PolicyRef
from keystead.core.ports import Loaded
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Use
from keystead.service.barrier import Barrier
from keystead.service.heldbelonging import OfIdentities
from keystead.service.heldotp import OtpKeysOf
from keystead.service.heldpaths import OfPaths
from keystead.service.heldsecret import HeldCubby, HeldSecret, SecretsOf, cubby_of
from keystead.service.heldspaces import OfSpaces, first_tenant
from keystead.service.reach import PAGE, Reach
from keystead.service.related import Relative, relatives


class HeldVersion:
    """One key version, loaded when it is first used."""

    __slots__ = ("_in_header", "_loaded", "_reach", "_slow", "_spec", "calm", "version")

    def __init__(self, version: KeyVersion, key: Key, reach: Reach) -> None:
        self.version = version
        self.calm: set[Use] = set()  # what it may be used for, whatever the time
        self._spec, self._slow, self._reach = key.spec, key.spec.slow, reach
        self._in_header = key.in_header
        self._loaded: Loaded | None = None

    @property
    def loaded(self) -> Loaded:
        """Ready for use. Raises WouldBlock on the event loop when loading or using it takes long."""
        if self._slow or self._loaded is None:
            self._reach.may_block()
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def _load(self) -> Loaded:
        provider, version = self._reach.provider, self.version
        if version.is_public:
            return provider.load_public(self._spec, version.public_key)
        material = self._reach.barrier.material(version)
        return provider.load(self._spec, material, key_id=self._in_header, version=version.number)

    def material(self) -> Sensitive:
        """The keying material, to be wrapped once more for a copy of the key."""
        self._reach.may_block()
        return self._reach.barrier.material(self.version)

    def serving(self, _caller: Caller) -> Loaded:
        """Ready for a request of the caller's, of whom a key that is held here tells nobody. Raises WouldBlock."""
        return self.loaded if self._loaded is None or self._slow else self._loaded


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
        self._reach.may_wait()
        number = self.version.number
        return self._reach.outside.load(self._store, self._key, self.loaded, caller, version=number)


class HeldKeyring:
    """A keyring and the addresses bound to it. `secrets`: what it keeps at paths; `otp`: keys of passwords."""

    def __init__(self, keyring: Keyring, namespaces: tuple[str, ...], reach: Reach) -> None:
        self.keyring, self.namespaces, self._reach = keyring, namespaces, reach
        self.secrets = SecretsOf(keyring.id, reach)
        self.otp = OtpKeysOf(keyring.id, reach)
        self.by_dialect = {namespace.partition(":")[0]: namespace for namespace in reversed(namespaces)}

    @property
    def id(self) -> str:
        return self.keyring.id

    @property
    def tenant(self) -> str:
        return self.keyring.tenant

    def keys(self, *, after: str, limit: int) -> list[Key]:
        return self._reach.children(Key, self.id, after, limit)

    def names(self, *, after: str, limit: int) -> list[Name]:
        return self._reach.children(Name, self.id, after, limit)

    def versions(self, key: Key) -> list[KeyVersion]:
        """Of one of its keys."""
        return list(self._reach.every_child(KeyVersion, key.id)) if key.keyring == self.id else []

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

    @property
    def id(self) -> str:
        return self.store.id

    @property
    def tenant(self) -> str:
        return self.store.tenant

    def lasting(self, now: datetime) -> Iterator[Key]:
        """The keys in it that are not destroyed."""
        return (key for key in self._keys() if key.lifecycle.at(now).state is not KeyState.DESTROYED)

    def _keys(self) -> Iterator[Key]:
        self._reach.may_block()
        after = ""
        while page := self._reach.barrier.linked(Key, self.id, after=after, limit=PAGE):
            yield from page
            after = page[-1].id


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
        self._reach = reach
        self.store = store  # of a key whose other half is in one
        self._versions: dict[int, HeldVersion] = {}
        self.compiled: dict[str, Any] = {}  # what service.authorize prepared for this key
        self.calm: set[Use] = set()  # what the key may be used for, whatever the time

    @property
    def id(self) -> str:
        return self.key.id

    @property
    def tenant(self) -> str:
        return self.key.tenant

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.keyring.namespaces

    def version(self, number: int | None = None) -> HeldVersion:
        """Version `number`, or the current one. Raises NotFound, WrongState where there is no material."""
        number = self.key.current if number is None else number
        held = self._versions.get(number)
        if held is None:
            found = self._reach.get(KeyVersion, f"{self.key.id}/{number}")
            if found is None:
                if self.key.n_versions == 0:
                    raise WrongState("the key has no material yet", self.key.origin)
                raise NotFound("no such key version", "version")
            held = self._versions[number] = self._hold(found)
        return held

    def _hold(self, version: KeyVersion) -> HeldVersion:
        if self.key.elsewhere is None:
            return HeldVersion(version, self.key, self._reach)
        return HalfVersion(version, self.key, self.store, self._reach)

    def versions(self) -> list[KeyVersion]:
        """Every version, oldest first."""
        return sorted(self._reach.every_child(KeyVersion, self.id), key=lambda v: v.number)

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

    def import_key(self) -> Sensitive:
        """What import tickets are sealed under (service.tickets)."""
        self._reach.may_block()
        return self._reach.barrier.subkey("import")

    def last_use(self) -> LastUse | None:
        return self._reach.get(LastUse, self.id)


class HeldReplica:
    """A copy that is to be: the key, and the keyring it is to be in."""

    def __init__(self, like: HeldKey, keyring: HeldKeyring) -> None:
        self.like, self.keyring = like, keyring

    @property
    def id(self) -> str:
        return self.keyring.id

    @property
    def tenant(self) -> str:
        return self.keyring.tenant

    @property
    def key(self) -> Key:
        """What a policy is asked about: all that the copy will share, and nothing that is the other's own."""
        return replace(self.like.key, is_primary=False, tags={}, description="")


class HeldTenant(OfSpaces, OfPaths, OfIdentities):
    """A tenant with its principals and their credentials."""

    def __init__(self, tenant: Tenant, reach: Reach) -> None:
        self.record, self._reach = tenant, reach

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def tenant(self) -> str:
        return self.record.id

    @property
    def is_first(self) -> bool:
        """Whether the installation began with it: only from there is the whole of it steered."""
        self._reach.may_block()
        return first_tenant(self._reach.barrier) == self.id

    def other(self, record: Tenant) -> HeldTenant:
        return HeldTenant(record, self._reach)

    def principals(self, *, after: str, limit: int) -> list[Principal]:
        return self._reach.children(Principal, self.id, after, limit)

    def find_principal(self, kind: PrincipalKind, name: str) -> Principal | None:
        """The principal of that kind and name."""
        self._reach.may_block()
        digest = self.name_digest(kind, name)
        return next(iter(self._reach.barrier.linked(Principal, digest, limit=1)), None)

    def principal(self, name: str) -> Principal:
        """The user, or else the role, of that name. Raises NotFound."""
        for kind in (PrincipalKind.USER, PrincipalKind.ROLE, PrincipalKind.ROOT):
            if found := self.find_principal(kind, name):
                return found
        raise NotFound(f"no principal named {name!r}", "name")

    def principal_of_id(self, id: str) -> Principal:
        """One that something of this tenant names. Raises Internal: nothing names one that is gone."""
        found = self._reach.get(Principal, id)
        if found is None or found.tenant != self.id:
            raise Internal("a principal is missing")
        return found

    def memberships(self, user: Principal) -> list[Membership]:
        """What it is in, by the group's id; a user is in few."""
        self._reach.may_block()
        return sorted(self._reach.barrier.linked(Membership, user.id), key=lambda one: one.group_id)

    def members(self, group: Principal, *, after: str, limit: int) -> list[Membership]:
        return self._reach.children(Membership, group.id, after, limit)

    def attachments(self, holder: Principal) -> list[Attachment]:
        """What it has attached to it, by the policy's id; a principal has few."""
        self._reach.may_block()
        return sorted(self._reach.barrier.linked(Attachment, holder.id), key=lambda one: one.policy_id)

    def policies(self, *, after: str, limit: int) -> list[ManagedPolicy]:
        return self._reach.children(ManagedPolicy, self.id, after, limit)

    def find_policy(self, ref: PolicyRef) -> ManagedPolicy | None:
        """A managed policy as a caller names it: by name and path."""
        found = self.policy_named(ref.name) if ref.tenant == self.id else None
        return found if found is not None and found.path == ref.path else None

    def policy_named(self, name: str) -> ManagedPolicy | None:
        self._reach.may_block()
        return next(iter(self._reach.barrier.linked(ManagedPolicy, self.policy_digest(name), limit=1)), None)

    def policy_digest(self, name: str) -> str:
        return self._reach.barrier.name_id(f"policy:{self.id}", name)

    def policy_of_id(self, id: str) -> ManagedPolicy:
        """One that something of this tenant names. Raises Internal."""
        found = self._reach.get(ManagedPolicy, id)
        if found is None or found.tenant != self.id:
            raise Internal("a policy is missing")
        return found

    def holders(self, policy: ManagedPolicy, *, after: str, limit: int) -> list[Attachment]:
        return self._reach.children(Attachment, policy.id, after, limit)

    def name_digest(self, kind: PrincipalKind, name: str) -> str:
        return self._reach.barrier.name_id(f"principal:{self.id}", f"{kind.value}/{name}")

    def credentials(self, principal: Principal, *, after: str, limit: int) -> list[Credential]:
        if principal.tenant != self.id:
            raise InvalidArgument("the principal belongs to another tenant", "name")
        return self._reach.children(Credential, principal.id, after, limit)

    def credential(self, id: str) -> tuple[Credential, Principal]:
        """A credential of one of this tenant's principals, and whose. Raises NotFound, also for another tenant's."""
        found = self._reach.get(Credential, id)
        owner = self._reach.get(Principal, found.principal_id) if found else None
        if found is None or owner is None or owner.tenant != self.id:
            raise NotFound("no such credential", "credential")
        return found, owner

    def providers(self) -> tuple[OidcProvider, ...]:
        return tuple(self._reach.every_child(OidcProvider, self.id))

    def provider(self, issuer: str) -> OidcProvider | None:
        return self._reach.get(OidcProvider, self.provider_id(issuer))

    def provider_id(self, issuer: str) -> str:
        return self._reach.barrier.name_id(f"oidc-provider:{self.id}", issuer)

    def last_use(self, credential_id: str) -> LastUse | None:
        return self._reach.get(LastUse, credential_id)

    def all_of(self, credentials: Iterable[Credential]) -> tuple[Entity, ...]:
        """Credentials and what is kept of their use: what goes with them."""
        found = tuple(credentials)
        return (*found, *(use for one in found if (use := self.last_use(one.id)) is not None))

    def mounts(self) -> list[Mount]:
        """What is kept of its tree of paths."""
        return list(self._reach.every_child(Mount, self.id))

    def cubby(self, token: Token, path: str) -> HeldCubby:
        """A path of that token's own."""
        return cubby_of(CubbyRef(self.id, token.id, path), self._reach)

    def kept_by(self, token: Token) -> list[Cubby]:
        """What a token keeps for itself: whoever deletes the token deletes these."""
        return list(self._reach.every_child(Cubby, token.id))

    def keyring_at(self, mount: Mount) -> HeldKeyring | None:
        """What a mount keeps its keys or secrets in."""
        if not mount.keyring:
            return None
        ring = self._reach.get(Keyring, mount.keyring)
        if ring is None or ring.tenant != self.id:
            raise Internal("a keyring is missing")
        return HeldKeyring(ring, tuple(one.id for one in self._reach.every_child(Binding, ring.id)), self._reach)

    def keyring_bound(self, namespace: str) -> HeldKeyring | None:
        """What stands at an address of this tenant."""
        bound = self.binding(namespace)
        ring = self._reach.get(Keyring, bound.keyring) if bound is not None else None
        return None if ring is None else self.held_keyring(ring, namespace)

    def held_keyring(self, ring: Keyring, *namespaces: str) -> HeldKeyring:
        """One that is kept, or is about to be."""
        return HeldKeyring(ring, namespaces, self._reach)

    def key(self, id: str) -> Key:
        """A key that something of this tenant names. Raises Internal."""
        found = self._reach.get(Key, id)
        if found is None or found.tenant != self.id:
            raise Internal("a key is missing")
        return found

    def key_version(self, key_id: str, number: int) -> KeyVersion:
        """Of a key of this tenant's. Raises Internal."""
        if (found := self._reach.get(KeyVersion, f"{key_id}/{number}")) is None:
            raise Internal("a key version is missing")
        return found

    def binding(self, namespace: str) -> Binding | None:
        """An address of this tenant that is bound to a keyring."""
        found = self._reach.get(Binding, namespace)
        return found if found is not None and namespace.split(":")[1] == self.id else None

    def session_key(self) -> Sensitive:
        """What session tokens are sealed under (service.credentials.session)."""
        self._reach.may_block()
        return self._reach.barrier.subkey("session-token")

    def owns(self, principal_id: str) -> bool:
        """Whether that is the id of this tenant, or of a principal of its own."""
        if principal_id == self.id:
            return True
        found = self._reach.get(Principal, principal_id)
        return found is not None and found.tenant == self.id

    def retirable(self, principal_id: str, *, after: str) -> Iterator[Grant]:
        """The grants that name this principal to retire them, by id, whosever keys they are on."""
        self._reach.may_block()
        while page := self._reach.barrier.linked(Grant, principal_id, after=after, limit=PAGE):
            yield from page
            after = page[-1].id

    def address(self, keyring_id: str, namespace: str) -> str | None:
        """Where that keyring stands in the dialect and at the place of `namespace`; None if it does not stand there."""
        dialect, _, place = namespace.split(":", 2)
        bound = self._reach.every_child(Binding, keyring_id)
        return next((b.id for b in bound if b.id.split(":", 2)[::2] == [dialect, place]), None)


class HeldPrincipal:
    """A principal with the credentials it has, and whom it goes with."""

    def __init__(self, principal: Principal, home: HeldTenant) -> None:
        self.principal, self.home = principal, home

    @property
    def id(self) -> str:
        return self.principal.id

    @property
    def tenant(self) -> str:
        return self.principal.tenant

    def credentials(self, *, after: str, limit: int) -> list[Credential]:
        return self.home.credentials(self.principal, after=after, limit=limit)

    def memberships(self) -> list[Membership]:
        """A user's."""
        return self.home.memberships(self.principal)

    def members(self, *, after: str, limit: int) -> list[Membership]:
        """A group's."""
        return self.home.members(self.principal, after=after, limit=limit)

    def attachments(self) -> list[Attachment]:
        return self.home.attachments(self.principal)

    def boundary(self) -> ManagedPolicy | None:
        return self.home.policy_of_id(self.principal.boundary) if self.principal.boundary else None

    def credential(self, id: str) -> Credential:
        """Raises NotFound, also for somebody else's."""
        found, owner = self.home.credential(id)
        if owner.id != self.id:
            raise NotFound("no such credential", "credential")
        return found

    def last_use(self, credential_id: str) -> LastUse | None:
        """What one of these credentials was last used for."""
        return self.home.last_use(self.credential(credential_id).id)


class HeldProvider:
    """An OpenID Connect provider."""

    def __init__(self, provider: OidcProvider) -> None:
        self.provider = provider

    @property
    def id(self) -> str:
        return self.provider.id

    @property
    def tenant(self) -> str:
        return self.provider.tenant


class HeldPolicy:
    """A managed policy with what it is attached to."""

    def __init__(self, policy: ManagedPolicy, home: HeldTenant) -> None:
        self.policy, self.home = policy, home

    @property
    def id(self) -> str:
        return self.policy.id

    @property
    def tenant(self) -> str:
        return self.policy.tenant

    def attachments(self, *, after: str, limit: int) -> list[Attachment]:
        return self.home.holders(self.policy, after=after, limit=limit)


class HeldSystem:
    """The installation."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    tenant = ""
    id = "system"

    @property
    def barrier(self) -> Barrier:
        self._reach.may_block()
        return self._reach.barrier

    def keyrings(self, *, after: str, limit: int) -> list[Keyring]:
        self._reach.may_block()
        return self._reach.barrier.every(Keyring, after=after, limit=limit)

    def keyring(self, id: str) -> Keyring:
        if (found := self._reach.get(Keyring, id)) is None:
            raise NotFound("no such keyring", "keyring")
        return found

    def addresses(self, keyring: Keyring) -> tuple[str, ...]:
        return tuple(binding.id for binding in self._reach.every_child(Binding, keyring.id))

    def tenant_record(self, id: str) -> Tenant | None:
        return self._reach.get(Tenant, id)

    def tenant_of(self, record: Tenant) -> HeldTenant:
        """A tenant, kept already or about to be."""
        return HeldTenant(record, self._reach)

    def binding(self, namespace: str) -> Binding | None:
        return self._reach.get(Binding, namespace)


class HeldCredential:
    """A credential with the rights of the principal it stands for, and what a verifier has come to know of it."""

    __slots__ = ("credential", "known", "principal", "rights")

    def __init__(self, credential: Credential, rights: Rights) -> None:
        self.credential, self.rights, self.principal = credential, rights, rights.principal
        self.known: Any = None  # the verifier's own


class HeldToken:
    """A token with the rights of whoever bears it."""

    __slots__ = ("rights", "token")

    def __init__(self, token: Token, rights: Rights) -> None:
        self.token, self.rights = token, rights


Held = (
    HeldKey
    | HeldKeyring
    | HeldReplica
    | HeldKeyStore
    | HeldTenant
    | HeldPrincipal
    | HeldPolicy
    | HeldProvider
    | HeldSystem
    | HeldSecret
    | HeldCubby
)
