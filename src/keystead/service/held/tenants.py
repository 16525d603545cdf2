"""A tenant as a target: its mounts, keyrings and addresses; the rest of what it has is in its parts."""

from __future__ import annotations

from keystead.core.entities import Binding, Cubby, Key, Keyring, KeyVersion, Mount, Tenant, Token
from keystead.core.errors import Internal
from keystead.core.mounts import address
from keystead.core.operations import CubbyRef
from keystead.service.held.approvals import OfApprovals
from keystead.service.held.belonging import OfIdentities
from keystead.service.held.keyrings import HeldKeyring
from keystead.service.held.mfa import OfFactors
from keystead.service.held.oidcclients import OfOidcClients
from keystead.service.held.paths import OfPaths
from keystead.service.held.principals import OfPrincipals
from keystead.service.held.secrets import HeldCubby, cubby_of
from keystead.service.held.spaces import OfSpaces, first_tenant
from keystead.service.reach import Reach


class HeldTenant(OfSpaces, OfPaths, OfIdentities, OfFactors, OfOidcClients, OfPrincipals, OfApprovals):
    """A tenant, with what it has for its principals, paths, identities, second factors, applications and namespaces."""

    def __init__(self, tenant: Tenant, reach: Reach) -> None:
        self.record, self._reach = tenant, reach
        self.id = self.tenant = tenant.id

    @property
    def is_first(self) -> bool:
        """Whether the installation began with it: only from there is the whole of it steered."""
        self._reach.may_block()
        return first_tenant(self._reach.barrier) == self.id

    def other(self, record: Tenant) -> HeldTenant:
        return HeldTenant(record, self._reach)

    def mounts(self) -> list[Mount]:
        """What is kept of its tree of paths."""
        return list(self._reach.every_child(Mount, self.id))

    def mount_at(self, path: str) -> Mount | None:
        """The one that is kept of exactly that path."""
        return self._reach.get(Mount, address(self.id, path))

    def mount_of_id(self, id: str) -> Mount | None:
        """The one of these that is kept by that id."""
        found = self._reach.get(Mount, id)
        return found if found is not None and found.tenant == self.id else None

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

    def address(self, keyring_id: str, namespace: str) -> str | None:
        """Where that keyring stands in the dialect and at the place of `namespace`; None if it does not stand there."""
        dialect, _, place = namespace.split(":", 2)
        bound = self._reach.every_child(Binding, keyring_id)
        return next((b.id for b in bound if b.id.split(":", 2)[::2] == [dialect, place]), None)
