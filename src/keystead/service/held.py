"""Targets: found objects, as handlers and the policy decision get them.

Rule 1: a target reaches its own subtree and nothing beside it, so a handler cannot fetch "one more key".
Rule 2: what is shared between requests does not change; a change makes a new target (service.view).
Rule 3: whatever may block (a page of rows, loading a key) asks `may_block` first, which raises WouldBlock
        on the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from keystead.core.entities import (
    Attachment,
    Binding,
    Credential,
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
from keystead.core.operations import PolicyRef
from keystead.core.ports import Loaded, Provider
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive
from keystead.core.states import Use
from keystead.service.barrier import Barrier
from keystead.service.heldpaths import OfPaths

E = TypeVar("E", bound=Entity)
PAGE = 1000


class Reach:
    """How targets reach their subtree; one per view."""

    __slots__ = ("barrier", "may_block", "provider")

    def __init__(self, barrier: Barrier, provider: Provider, may_block: Callable[[], None]) -> None:
        self.barrier, self.provider, self.may_block = barrier, provider, may_block

    def get(self, kind: type[E], id: str) -> E | None:
        self.may_block()
        return self.barrier.get(kind, id)

    def children(self, kind: type[E], parent: str, after: str, limit: int) -> list[E]:
        self.may_block()
        return self.barrier.children(kind, parent, after=after, limit=limit)

    def every_child(self, kind: type[E], parent: str) -> Iterator[E]:
        after = ""
        while page := self.children(kind, parent, after, PAGE):
            yield from page
            after = page[-1].id


class HeldVersion:
    """One key version, loaded when it is first used."""

    __slots__ = ("_loaded", "_reach", "_slow", "_spec", "calm", "version")

    def __init__(self, version: KeyVersion, key: Key, reach: Reach) -> None:
        self.version = version
        self.calm: set[Use] = set()  # what it may be used for, whatever the time
        self._spec, self._slow, self._reach = key.spec, key.spec.slow, reach
        self._loaded: Loaded | None = None

    @property
    def loaded(self) -> Loaded:
        """Ready for use. Raises WouldBlock on the event loop when loading or using it takes long."""
        if self._slow or self._loaded is None:
            self._reach.may_block()
        if self._loaded is None:
            material = self._reach.barrier.material(self.version)
            self._loaded = self._reach.provider.load(
                self._spec, material, key_id=self.version.key_id, version=self.version.number
            )
        return self._loaded


class HeldKeyring:
    """A keyring and the addresses bound to it."""

    def __init__(self, keyring: Keyring, namespaces: tuple[str, ...], reach: Reach) -> None:
        self.keyring, self.namespaces, self._reach = keyring, namespaces, reach
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

    def name_id(self, namespace: str, name: str) -> str:
        return self._reach.barrier.name_id(namespace, name)


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
    ) -> None:
        self.key, self.keyring, self.policy, self.grants, self.names = key, keyring, policy, grants, names
        self._reach = reach
        self._versions: dict[int, HeldVersion] = {}
        self.compiled: dict[str, Any] = {}  # what service.authorize prepared for this key
        self.calm: set[Use] = set()  # what the key may be used for, whatever the time

    @property
    def id(self) -> str:
        return self.key.id

    @property
    def tenant(self) -> str:
        return self.key.tenant

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
            held = self._versions[number] = HeldVersion(found, self.key, self._reach)
        return held

    def versions(self) -> list[KeyVersion]:
        """Every version, oldest first."""
        return sorted(self._reach.every_child(KeyVersion, self.id), key=lambda v: v.number)

    def import_key(self) -> Sensitive:
        """What import tickets are sealed under (service.tickets)."""
        self._reach.may_block()
        return self._reach.barrier.subkey("import")

    def last_use(self) -> LastUse | None:
        return self._reach.get(LastUse, self.id)


class HeldTenant(OfPaths):
    """A tenant with its principals and their credentials."""

    def __init__(self, tenant: Tenant, reach: Reach) -> None:
        self.record, self._reach = tenant, reach

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def tenant(self) -> str:
        return self.record.id

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

    def mounts(self) -> list[Mount]:
        """What is kept of its tree of paths."""
        return list(self._reach.every_child(Mount, self.id))

    def keyring_at(self, mount: Mount) -> HeldKeyring | None:
        """What a mount keeps its keys or secrets in."""
        if not mount.keyring:
            return None
        ring = self._reach.get(Keyring, mount.keyring)
        if ring is None or ring.tenant != self.id:
            raise Internal("a keyring is missing")
        return HeldKeyring(ring, tuple(one.id for one in self._reach.every_child(Binding, ring.id)), self._reach)

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


Held = HeldKey | HeldKeyring | HeldTenant | HeldPrincipal | HeldPolicy | HeldSystem
