"""Tenants as they are held: their mounts, rate limits, and the namespaces that lead to them (service.view)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from msgspec.structs import replace

from keystead.core.entities import (
    ONLY,
    ApprovalRules,
    Entity,
    Kind,
    Lineage,
    Mount,
    Namespace,
    OidcClient,
    OidcIssuer,
    OidcRole,
    OidcSettings,
    Tenant,
    Topic,
    path_of_chain,
)
from keystead.core.errors import Denied, Unavailable
from keystead.core.mounts import MountTable
from keystead.core.operations import TenantRef
from keystead.core.rights import Rights
from keystead.service.held import HeldTenant
from keystead.service.held.spaces import chain_of, first_tenant, has_ended
from keystead.service.ratelimits import RateLimitTable
from keystead.service.view.cache import Cache, Finds, Forgets

PUBLISHING: tuple[type[Entity], ...] = (OidcRole, OidcClient, OidcIssuer)
EPOCH = datetime.fromtimestamp(0, UTC)
LOCKED = 'API access to this namespace has been locked by an administrator - "{}" must be unlocked to gain access.'


class TenantCache(Cache):
    """Part of service.view.View."""

    def __init__(self, *sources: Any) -> None:
        super().__init__(*sources)
        self._mounts: dict[str, MountTable] = {}
        self._rate_limits: dict[str, RateLimitTable] = {}
        self._spaces: dict[str, Mapping[str, Namespace]] = {}
        self._chains: dict[str, Lineage] = {}
        self._publishing: dict[str, bool] = {}
        self._within: dict[tuple[str, str], tuple[Rights, Rights]] = {}
        self._approval_rules: dict[str, ApprovalRules] = {}
        self._home = ""

    def _forget_everything(self) -> None:
        super()._forget_everything()
        self._mounts.clear()
        self._rate_limits.clear()
        self._spaces.clear()
        self._chains.clear()
        self._within.clear()
        self._approval_rules.clear()
        self._publishing.clear()

    def forget(self) -> None:
        self._home = ""
        super().forget()

    def _forget_settings(self, _id: str) -> None:
        self._rate_limits.clear()

    def _forget_approval_rules(self, id_: str) -> None:
        self._approval_rules.pop(id_, None)

    def _forget_publishing(self, _id: str) -> None:
        self._publishing.clear()

    def _find_tenant(self, ref: TenantRef) -> HeldTenant | None:
        found = self._barrier.get(Tenant, ref.tenant)
        return HeldTenant(found, self._reach) if found else None

    def tenant(self, id_: str) -> HeldTenant | None:
        self.may_block()
        return self._find_tenant(TenantRef(id_))

    def home(self) -> str:
        """The tenant of a request that says of none: the first there was."""
        self.refresh()
        if not self._home:
            self.may_block()
            self._home = first_tenant(self._barrier)  # for good: there is no way to take it away
        return self._home

    def mounts(self, tenant: str) -> MountTable:
        """Which engine answers at which of the tenant's paths."""
        self.refresh()
        if (found := self._mounts.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            found = MountTable(tenant, self._reach.every_child(Mount, tenant))
            self._keep(stamp, self._mounts, tenant, found)
        return found

    def rate_limits(self) -> RateLimitTable:
        """What requests are counted by; the first tenant's."""
        self.refresh()
        if (found := self._rate_limits.get(self._home)) is None:
            self.may_block()
            tenant = self.home()
            stamp = self._seen_change
            held = HeldTenant(Tenant(id=tenant, name="", created_at=EPOCH), self._reach)
            found = RateLimitTable(held.settings(Topic.RATE_LIMIT), held.setting(Topic.RATE_LIMITS, ONLY))
            self._keep(stamp, self._rate_limits, tenant, found)
        return found

    def approval_rules(self, scope: str) -> ApprovalRules:
        """Of a tenant or of the installation; with revision 0 where there have never been any."""
        if (found := self._approval_rules.get(scope)) is None:
            self.may_block()
            stamp = self._seen_change
            found = self._barrier.get(ApprovalRules, scope) or ApprovalRules(id=scope)
            self._keep(stamp, self._approval_rules, scope, found)
        return found

    def spaces(self, tenant: str) -> Mapping[str, Namespace]:
        """The namespaces below it that somebody may come into, by name."""
        self.refresh()
        if (found := self._spaces.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            found = {one.name: one for one in self._reach.every_child(Namespace, tenant) if not one.ends}
            self._keep(stamp, self._spaces, tenant, found)
        return found

    def chain(self, tenant: str) -> Lineage:
        """The namespaces that lead to a tenant, its own the last; () of a root."""
        self.refresh()
        return self._chain(tenant)

    def _chain(self, tenant: str) -> Lineage:
        if (found := self._chains.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            found = chain_of(self._barrier.get, tenant)
            self._keep(stamp, self._chains, tenant, found)
        return found

    def _is_there(self, tenant: str) -> bool:
        """Whether anything of a tenant's counts for anybody, of whatever tenant. Not once it has ended."""
        return not has_ended(self._chain(tenant))

    def publishes(self, tenant: str) -> bool:
        """Whether it says who it is as an issuer of tokens of identity, or has somebody for whom there are keys."""
        self.refresh()
        if (found := self._publishing.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            settings = self._barrier.get(OidcSettings, tenant)
            found = settings is not None or any(self._barrier.children(kind, tenant, limit=1) for kind in PUBLISHING)
            self._keep(stamp, self._publishing, tenant, found)
        return found

    def within(self, rights: Rights, tenant: str, *, unlocking: bool = False) -> Rights:
        """The rights of a token's bearer as one of that tenant's: of its own namespace, or of one below it.

        Raises Denied for any other, and for one that ends; Unavailable for one whose API is locked, or one above.
        """
        if rights.token is None:
            raise Denied("permission denied")
        if (chain := self._chains.get(tenant)) is None:
            chain = self.chain(tenant)
        if not chain and rights.token.tenant == tenant:
            return rights
        if rights.token.tenant != (chain[0].above if chain else "") and rights.token.tenant not in {
            one.id for one in chain
        }:
            raise Denied("permission denied")
        require_open(chain, unlocking=unlocking)
        base, found = self._within.get((rights.token.id, tenant), (None, None))
        if found is None or base is not rights:
            stamp = self._seen_change
            found = replace(
                rights,
                principal=replace(rights.principal, tenant=tenant),
                key=f"{rights.key}@{tenant}",
                rests_on=(*rights.rests_on, *chain),
                bases=rights.bases.union(one.id for one in chain),
            )
            self._keep(stamp, self._within, (rights.token.id, tenant), (rights, found))
        return found

    def strangers(self, rights: Rights) -> Rights | None:
        """Of somebody about to log in, who rests on the namespace being there, and open. None: it is not."""
        chain = self.chain(rights.principal.tenant)
        if has_ended(chain) or any(one.lock for one in chain):
            return None
        return rights if rights.rests_on == chain else replace(rights, rests_on=chain)

    FORGET: ClassVar[Forgets] = {
        **Cache.FORGET,
        Kind.SETTING: _forget_settings,
        Kind.OIDC_SETTINGS: _forget_publishing,
        Kind.OIDC_ROLE: _forget_publishing,
        Kind.OIDC_CLIENT: _forget_publishing,
        Kind.OIDC_ISSUER: _forget_publishing,
        Kind.APPROVAL_RULES: _forget_approval_rules,
    }
    FIND: ClassVar[Finds] = {**Cache.FIND, TenantRef: _find_tenant}


def require_open(chain: Lineage, *, unlocking: bool = False) -> None:
    """Raise Denied where one of them ends; Unavailable where one is locked, but for whoever is about to unlock it."""
    if has_ended(chain):
        raise Denied("permission denied")
    for n, one in enumerate(chain, 1):
        if one.lock and not unlocking:
            raise Unavailable(LOCKED.format(path_of_chain(chain[:n])))
