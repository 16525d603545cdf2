"""Entities, groups and their aliases, as Vault's identity engine has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Alias, IdentityEntity, IdentityGroup, Mount
from keystead.core.operations.base import Nothing, R, TenantOperation


class ShownAlias(Struct, frozen=True):
    """`mount`: None where there is none of that accessor any more."""

    alias: Alias
    mount: Mount | None


class ShownEntity(Struct, frozen=True):
    """`direct`, `inherited`: ids of groups."""

    entity: IdentityEntity
    aliases: tuple[ShownAlias, ...]
    direct: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()


class ShownGroup(Struct, frozen=True):
    """Ids of members, and of the groups that it is a member of."""

    group: IdentityGroup
    alias: ShownAlias | None
    entities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


class Clash(Struct, frozen=True):
    """An alias that stands in the way of a merge."""

    alias: str
    entity: str
    entity_id: str
    mount: str
    mount_path: str


SERVERS = "its own fault"
"""detail of the InvalidArgument for what Vault takes for a fault of its own, and answers with 500."""


class FoundBy(Struct, frozen=True, kw_only=True):
    """What an entity or a group is found by: one of these, or the two of an alias."""

    id: str | None = None
    name: str | None = None
    alias_id: str | None = None
    alias_name: str | None = None
    alias_accessor: str | None = None


class Wanted(TenantOperation[R], Generic[R], frozen=True, kw_only=True):
    """One of them; answered by None where there is none. Raises InvalidArgument for more than one question, or none."""

    by: FoundBy


class WrittenEntity(Struct, frozen=True):
    entity: IdentityEntity
    is_new: bool


class WriteEntity(TenantOperation[WrittenEntity], frozen=True, kw_only=True):
    """By id, or else by name; without either, a new one. None: as it was. Raises InvalidArgument in Vault's words.

    With an id, `name` is the one it is to have.
    """

    action = Action.WRITE_ENTITY
    changes = True
    id: str = ""
    name: str = ""
    metadata: Mapping[str, str] | None = None
    policies: tuple[str, ...] | None = None
    disabled: bool | None = None


class ReadEntity(Wanted[ShownEntity | None], frozen=True, kw_only=True):
    action = Action.READ_ENTITY


class ListEntities(TenantOperation[tuple[ShownEntity, ...]], frozen=True, kw_only=True):
    """With their aliases; without their groups."""

    action = Action.LIST_ENTITIES


class DeleteEntities(TenantOperation[Nothing], frozen=True, kw_only=True):
    """By id, or one by name; with their aliases, out of all groups. One that is not there is gone already.

    What tokens they have authenticate nobody any more.
    """

    action = Action.DELETE_ENTITIES
    changes = True
    ids: tuple[str, ...] = ()
    name: str = ""


class MergeEntities(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Aliases, policies and groups of `sources` become those of `into`, and so do their tokens.

    `keep`: ids of the aliases that stay, where there would be two of one mount. `force`: what the sources have for a
    second factor takes the place of what `into` has. Raises InvalidArgument in Vault's words, its detail a tuple of
    Clash.
    """

    action = Action.MERGE_ENTITIES
    changes = True
    into: str
    sources: tuple[str, ...]
    keep: tuple[str, ...] = ()
    force: bool = False


class WrittenAlias(Struct, frozen=True):
    """`changed`: whether anything has."""

    alias: Alias
    changed: bool


class WriteEntityAlias(TenantOperation[WrittenAlias], frozen=True, kw_only=True):
    """By id, or by mount and name; a new one, with an entity of its own where none is said. None: as it was.

    Raises InvalidArgument in Vault's words.
    """

    action = Action.WRITE_ENTITY_ALIAS
    changes = True
    id: str = ""
    name: str = ""
    accessor: str = ""
    entity: str = ""
    custom: Mapping[str, str] | None = None


class WriteGroupAlias(TenantOperation[WrittenAlias], frozen=True, kw_only=True):
    """By id, or a new one, with an external group of its own where none is said. Raises InvalidArgument."""

    action = Action.WRITE_GROUP_ALIAS
    changes = True
    id: str = ""
    name: str
    accessor: str
    group: str = ""


class AliasOperation(TenantOperation[R], Generic[R], frozen=True, kw_only=True):
    """About aliases of entities, or of groups."""

    of_group: bool = False


class ReadAlias(AliasOperation[ShownAlias | None], frozen=True, kw_only=True):
    action = Action.READ_ALIAS
    id: str


class ListAliases(AliasOperation[tuple[ShownAlias, ...]], frozen=True, kw_only=True):
    action = Action.LIST_ALIASES


class DeleteAlias(AliasOperation[Nothing], frozen=True, kw_only=True):
    """One that is not there is gone already."""

    action = Action.DELETE_ALIAS
    changes = True
    id: str


class WrittenGroup(Struct, frozen=True):
    group: IdentityGroup
    is_new: bool


class WriteIdentityGroup(TenantOperation[WrittenGroup], frozen=True, kw_only=True):
    """By id, or else by name; without either, a new one. None: as it was. Raises InvalidArgument in Vault's words.

    With an id, `name` is the one it is to have.
    """

    action = Action.WRITE_IDENTITY_GROUP
    changes = True
    id: str | None = None
    name: str | None = None
    type: str | None = None  # "internal", "external"
    metadata: Mapping[str, str] | None = None
    policies: tuple[str, ...] | None = None
    entities: tuple[str, ...] | None = None  # ids of members
    groups: tuple[str, ...] | None = None


class ReadIdentityGroup(Wanted[ShownGroup | None], frozen=True, kw_only=True):
    action = Action.READ_IDENTITY_GROUP


class ListIdentityGroups(TenantOperation[tuple[ShownGroup, ...]], frozen=True, kw_only=True):
    action = Action.LIST_IDENTITY_GROUPS


class DeleteIdentityGroup(TenantOperation[Nothing], frozen=True, kw_only=True):
    """By id or by name. One that is not there is gone already."""

    action = Action.DELETE_IDENTITY_GROUP
    changes = True
    id: str = ""
    name: str = ""
