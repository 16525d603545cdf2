"""Whom tokens belong to: entities, the aliases they are known by where they log in, and the groups they are in.

Vault documentation, "Identity: entities and groups". An alias never changes without a new revision of whose it is. Who
makes a tie puts both its ends, who takes one away puts the group: so what rests on either hears of it.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field

from keystead.core.entities.base import Entity, Kind


class IdentityEntity(Entity, frozen=True, kw_only=True):
    """Somebody, however they log in. `policies` count for every token that belongs to it.

    `merged_into`: the id of the entity that it has become a part of; of this one nothing but the id is left.
    """

    kind = Kind.IDENTITY_ENTITY
    tenant: str
    name: str
    metadata: dict[str, str] | None = None
    policies: tuple[str, ...] = ()  # names, sorted
    disabled: bool = False
    merged_ids: tuple[str, ...] = ()
    merged_into: str = ""
    created_at: datetime
    updated_at: datetime

    @property
    def parent(self) -> str:
        return self.merged_into or self.tenant


class IdentityGroup(Entity, frozen=True, kw_only=True):
    """Entities and groups, which all have its policies. Who is in an `external` one is said by where they log in."""

    kind = Kind.IDENTITY_GROUP
    tenant: str
    name: str
    external: bool = False
    metadata: dict[str, str] | None = None
    policies: tuple[str, ...] | None = None  # names, sorted
    created_at: datetime
    updated_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class GroupTie(Entity, frozen=True, kw_only=True):
    """An entity, or a group, is in a group; `id` is "<group id>/<member id>"."""

    kind = Kind.GROUP_TIE
    group_id: str
    member_id: str
    of_group: bool = False  # the member is one

    @property
    def parent(self) -> str:
        return self.group_id

    @property
    def link(self) -> str:
        return self.member_id

    @classmethod
    def of(cls, group: IdentityGroup, member: IdentityEntity | IdentityGroup) -> GroupTie:
        of_group = isinstance(member, IdentityGroup)
        return cls(id=f"{group.id}/{member.id}", group_id=group.id, member_id=member.id, of_group=of_group)


class Alias(Entity, frozen=True, kw_only=True):
    """A name that a mount which logs in knows an entity by; or a group."""

    kind = Kind.ALIAS
    tenant: str
    holder: str  # id of that entity or group
    accessor: str  # of the mount
    name: str
    of_group: bool = False
    metadata: dict[str, str] | None = None  # as the last login had it
    custom: dict[str, str] | None = None  # an administrator's
    merged_from: tuple[str, ...] = ()  # ids of the entities that it was of before
    created_at: datetime
    updated_at: datetime

    @property
    def parent(self) -> str:
        return self.holder


class IdentityName(Entity, frozen=True, kw_only=True):
    """What an entity, a group or an alias is found by; `id` is a digest of tenant, kind and name.

    `means` is its id. So of two that would have one name, one comes second.
    """

    kind = Kind.IDENTITY_NAME
    means: str

    @property
    def parent(self) -> str:
        return self.means


class OidcSettings(Entity, frozen=True, kw_only=True):
    """What tokens of identity are issued as; `id` is the tenant's."""

    kind = Kind.OIDC_SETTINGS
    issuer: str = ""  # "https://host:port", nothing after it


class Retired(Struct, frozen=True):
    """A key that signs no more: (version, until when it is published)."""

    key_id: str
    algorithm: str
    versions: tuple[tuple[int, datetime], ...]


class OidcKey(Entity, frozen=True, kw_only=True):
    """How a key signs tokens of identity. `id` is a digest of tenant and name; the key itself is one of a keyring's.

    Its current version waits, published, for the next rotation; the one before it signs.
    """

    kind = Kind.OIDC_KEY
    tenant: str
    name: str
    algorithm: str  # RFC 7518
    rotation_period: int  # seconds
    verification_ttl: int  # seconds that a version is published for once it signs no more
    allowed_client_ids: tuple[str, ...] = ()
    key_id: str = ""  # "": none has been made yet
    ends: dict[str, datetime] = field(default_factory=dict)  # version -> its end, where a rotation has said so
    retired: tuple[Retired, ...] = ()  # of algorithms that it had before

    @property
    def parent(self) -> str:
        return self.tenant


class OidcRole(Entity, frozen=True, kw_only=True):
    """What a token of identity is like. `id` is a digest of tenant and name."""

    kind = Kind.OIDC_ROLE
    tenant: str
    name: str
    key: str  # name
    template: str = ""
    ttl: int = 0  # seconds
    client_id: str

    @property
    def parent(self) -> str:
        return self.tenant
