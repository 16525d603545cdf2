"""What a tenant has for whom tokens belong to: entities, groups, aliases, ties (service.held)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from keystead.core.entities import (
    Alias,
    GroupTie,
    IdentityEntity,
    IdentityGroup,
    IdentityName,
    OidcKey,
    OidcRole,
    OidcSettings,
)
from keystead.core.policy.fold import lower
from keystead.service.belonging import Belonging, aliases_of, belonging, climbed

if TYPE_CHECKING:
    from keystead.service.reach import Reach


class OfIdentities:
    """Part of service.held.HeldTenant. Names count without regard to the case of ASCII letters."""

    _reach: Reach
    id: str

    # --- names

    def entity_name_id(self, name: str) -> str:
        return self._reach.barrier.name_id(f"identity-entity:{self.id}", lower(name))

    def group_name_id(self, name: str) -> str:
        return self._reach.barrier.name_id(f"identity-group:{self.id}", lower(name))

    def alias_name_id(self, accessor: str, name: str, *, of_group: bool) -> str:
        kind = "group-alias" if of_group else "entity-alias"
        return self._reach.barrier.name_id(f"{kind}:{self.id}:{accessor}", lower(name))

    def name_row(self, id: str) -> IdentityName | None:
        return self._reach.get(IdentityName, id)

    def names_of(self, id: str) -> list[IdentityName]:
        return list(self._reach.every_child(IdentityName, id))

    def _meant(self, id: str) -> str:
        row = self.name_row(id)
        return "" if row is None else row.means

    # --- entities

    def entity(self, id: str) -> IdentityEntity | None:
        """One that has not become a part of another."""
        found = self._reach.get(IdentityEntity, id) if id else None
        return found if found is not None and found.tenant == self.id and not found.merged_into else None

    def entity_named(self, name: str) -> IdentityEntity | None:
        return self.entity(self._meant(self.entity_name_id(name)))

    def entities(self) -> Iterator[IdentityEntity]:
        return self._reach.every_child(IdentityEntity, self.id)

    def parts_of(self, entity: IdentityEntity) -> list[IdentityEntity]:
        """What is left of those that were merged into it."""
        return list(self._reach.every_child(IdentityEntity, entity.id))

    def belonging(self, id: str, tenant: str) -> Belonging:
        """`tenant`: whose token it is."""
        self._reach.may_block()
        return belonging(self._reach.barrier, id, tenant)

    # --- aliases

    def alias(self, id: str, *, of_group: bool = False) -> Alias | None:
        found = self._reach.get(Alias, id) if id else None
        return found if found is not None and found.tenant == self.id and found.of_group is of_group else None

    def alias_at(self, accessor: str, name: str, *, of_group: bool = False) -> Alias | None:
        return self.alias(self._meant(self.alias_name_id(accessor, name, of_group=of_group)), of_group=of_group)

    def aliases_of(self, holder: str) -> tuple[Alias, ...]:
        self._reach.may_block()
        return aliases_of(self._reach.barrier, holder)

    def aliases(self, *, of_group: bool = False) -> Iterator[Alias]:
        """Every one."""
        return (one for one in self._reach.every(Alias) if one.tenant == self.id and one.of_group is of_group)

    # --- groups

    def group(self, id: str) -> IdentityGroup | None:
        found = self._reach.get(IdentityGroup, id) if id else None
        return found if found is not None and found.tenant == self.id else None

    def group_named(self, name: str) -> IdentityGroup | None:
        return self.group(self._meant(self.group_name_id(name)))

    def groups(self) -> Iterator[IdentityGroup]:
        return self._reach.every_child(IdentityGroup, self.id)

    def ties_of(self, group: IdentityGroup) -> list[GroupTie]:
        """To its members."""
        return list(self._reach.every_child(GroupTie, group.id))

    def ties_to(self, member: IdentityEntity | IdentityGroup) -> list[GroupTie]:
        """Of the groups that it is in."""
        return sorted(self._reach.linked(GroupTie, member.id), key=lambda one: one.group_id)

    def with_those_above(self, direct: Iterable[IdentityGroup]) -> tuple[IdentityGroup, ...]:
        """These, and the groups that they are in, and so on."""
        groups = tuple(direct)
        return (*groups, *climbed(self._reach.barrier, groups))

    # --- tokens of identity

    def oidc_settings(self) -> OidcSettings | None:
        return self._reach.get(OidcSettings, self.id)

    def oidc_key(self, name: str) -> OidcKey | None:
        return self._reach.get(OidcKey, self.oidc_key_id(name))

    def oidc_key_id(self, name: str) -> str:
        return self._reach.barrier.name_id(f"oidc-key:{self.id}", name)

    def oidc_keys(self) -> list[OidcKey]:
        return sorted(self._reach.every_child(OidcKey, self.id), key=lambda one: one.name)

    def oidc_role(self, name: str) -> OidcRole | None:
        return self._reach.get(OidcRole, self.oidc_role_id(name))

    def oidc_role_id(self, name: str) -> str:
        return self._reach.barrier.name_id(f"oidc-role:{self.id}", name)

    def oidc_roles(self) -> list[OidcRole]:
        return sorted(self._reach.every_child(OidcRole, self.id), key=lambda one: one.name)
