"""What an entity brings to the tokens that belong to it: its policies, those of its groups, and what templates ask.

Vault documentation, "Identity", "Templated policies". Groups count for whoever is in a group that is in them, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from keystead.core.entities import Alias, Entity, GroupTie, IdentityEntity, IdentityGroup
from keystead.core.errors import Internal, LimitExceeded
from keystead.core.policy.vault import Facts
from keystead.service.barrier import Barrier

MAX_GROUPS = 1000  # that one entity is in
EVERY = 100_000  # ties, aliases of one


class Belonging(Struct, frozen=True, kw_only=True):
    """`direct`: the groups that the entity itself is in; `inherited`: those that these are in, in their turn."""

    entity: IdentityEntity | None = None
    aliases: tuple[Alias, ...] = ()
    direct: tuple[IdentityGroup, ...] = ()
    inherited: tuple[IdentityGroup, ...] = ()
    policies: tuple[str, ...] = ()
    facts: Facts = {}
    bases: frozenset[str] = frozenset()
    is_good: bool = True  # its tokens are

    @property
    def groups(self) -> tuple[IdentityGroup, ...]:
        return (*self.direct, *self.inherited)

    @property
    def rests_on(self) -> tuple[Entity, ...]:
        return () if self.entity is None else (self.entity, *self.groups)


NOBODYS = Belonging()
"""Of a token that belongs to no entity."""


def belonging(barrier: Barrier, id_: str, tenant: str) -> Belonging:
    """Of the entity of that id, or the one that it has been merged into. Several reads, as rights.gather.

    `tenant`: whose token it is. One that was made from a namespace above may belong to an entity of that one: it is
    good as long as the entity is, and has no policies of it, whose names mean others here.
    Raises Internal where a group is missing, LimitExceeded (MAX_GROUPS).
    """
    entity = barrier.get(IdentityEntity, id_)
    if entity is not None and entity.merged_into:
        entity = barrier.get(IdentityEntity, entity.merged_into)
    if entity is None:
        return Belonging(bases=frozenset({id_}), is_good=False)
    if entity.tenant != tenant:
        return Belonging(entity=entity, bases=frozenset({id_, entity.id}), is_good=not entity.disabled)
    aliases = aliases_of(barrier, entity.id)
    direct, inherited = groups_of(barrier, entity.id)
    groups = (*direct, *inherited)
    return Belonging(
        entity=entity,
        aliases=aliases,
        direct=direct,
        inherited=inherited,
        policies=policies_of(entity, groups),
        facts=facts_of(entity, aliases, groups),
        bases=frozenset({id_, entity.id, *(group.id for group in groups)}),
        is_good=not entity.disabled,
    )


def policies_of(entity: IdentityEntity, groups: Iterable[IdentityGroup]) -> tuple[str, ...]:
    """Names, sorted."""
    return tuple(sorted({*entity.policies, *(name for group in groups for name in group.policies or ())}))


def aliases_of(barrier: Barrier, holder: str) -> tuple[Alias, ...]:
    """The oldest first."""
    return tuple(sorted(barrier.children(Alias, holder, limit=EVERY), key=lambda one: (one.created_at, one.id)))


def groups_of(barrier: Barrier, member: str) -> tuple[tuple[IdentityGroup, ...], tuple[IdentityGroup, ...]]:
    """(those that it is in itself, those that these are in)"""
    direct = tuple(_above(barrier, member, set()))
    return direct, climbed(barrier, direct)


def climbed(barrier: Barrier, direct: Iterable[IdentityGroup]) -> tuple[IdentityGroup, ...]:
    """The groups that these are in, and so on; without these. Raises LimitExceeded, Internal."""
    todo = list(direct)
    found = {group.id for group in todo}
    inherited: list[IdentityGroup] = []
    for group in todo:
        above = list(_above(barrier, group.id, found))
        todo += above
        inherited += above
    return tuple(inherited)


def _above(barrier: Barrier, member: str, found: set[str]) -> Iterator[IdentityGroup]:
    """The groups that it is in and that have not been found yet."""
    for tie in barrier.linked(GroupTie, member, limit=EVERY):
        if tie.group_id in found:
            continue
        if (group := barrier.get(IdentityGroup, tie.group_id)) is None:
            raise Internal("an IdentityGroup that rights rest on is missing")
        if len(found) >= MAX_GROUPS:
            raise LimitExceeded(f"an entity is in {MAX_GROUPS} groups at most", "groups")
        found.add(group.id)
        yield group


def facts_of(entity: IdentityEntity, aliases: tuple[Alias, ...], groups: tuple[IdentityGroup, ...]) -> Facts:
    """Under the names that templates use. A group whose name has a dot cannot be named in one."""
    facts: dict[str, str] = {"identity.entity.id": entity.id, "identity.entity.name": entity.name}
    _tell(facts, "identity.entity.metadata", entity.metadata)
    for alias in reversed(aliases):  # of two at one mount the older counts
        at = f"identity.entity.aliases.{alias.accessor}"
        facts |= {f"{at}.id": alias.id, f"{at}.name": alias.name}
        _tell(facts, f"{at}.metadata", alias.metadata)
        _tell(facts, f"{at}.custom_metadata", alias.custom)
    for group in groups:
        for kind, text in (("ids", group.id), ("names", group.name)):
            if "." not in text:
                at = f"identity.groups.{kind}.{text}"
                facts |= {f"{at}.id": group.id, f"{at}.name": group.name}
                _tell(facts, f"{at}.metadata", group.metadata)
    return facts


def _tell(facts: dict[str, str], at: str, values: Mapping[str, str] | None) -> None:
    facts.update((f"{at}.{name}", value) for name, value in (values or {}).items())
