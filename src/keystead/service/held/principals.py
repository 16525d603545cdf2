"""Principals as a tenant has them, with their credentials, groups, policies and providers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from keystead.core.entities import (
    Attachment,
    Credential,
    Entity,
    Grant,
    LastUse,
    ManagedPolicy,
    Membership,
    Principal,
    PrincipalKind,
)
from keystead.core.errors import Internal, InvalidArgument, NotFound
from keystead.core.federation import OidcProvider
from keystead.core.operations import PolicyRef
from keystead.core.sensitive import Sensitive
from keystead.service.reach import PAGE, Reach

if TYPE_CHECKING:
    from keystead.service.held.tenants import HeldTenant


class OfPrincipals:
    """Part of service.held.HeldTenant."""

    _reach: Reach
    id: str

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
        raise NotFound(f"no principal named {name!r}", "principal")

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


class HeldPrincipal:
    """A principal with the credentials it has, and whom it goes with."""

    def __init__(self, principal: Principal, home: HeldTenant) -> None:
        self.principal, self.home = principal, home
        self.id, self.tenant = principal.id, principal.tenant

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
        self.id, self.tenant = provider.id, provider.tenant


class HeldPolicy:
    """A managed policy with what it is attached to."""

    def __init__(self, policy: ManagedPolicy, home: HeldTenant) -> None:
        self.policy, self.home = policy, home
        self.id, self.tenant = policy.id, policy.tenant

    def attachments(self, *, after: str, limit: int) -> list[Attachment]:
        return self.home.holders(self.policy, after=after, limit=limit)
