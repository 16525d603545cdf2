"""Entities that become one. Vault HTTP API, "Merge entities"; OpenBao, identity/store_entities.go.

What is left of one that was merged is its id, by which tokens that belonged to it find the other.
"""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Alias, Entity, GroupTie, IdentityEntity, MfaSecret, Mount
from keystead.core.errors import InvalidArgument
from keystead.core.mounts import path_of
from keystead.core.operations import SERVERS, Clash, Nothing
from keystead.service.handlers.entities import MAX_BATCH, accessors, out_of_groups
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.wire.vault.multierror import multierror

SAME_MOUNT = (
    "toEntity and at least one fromEntity have aliases with the same mount accessor, repeat the merge request "
    "specifying exactly one fromEntity, clashes: "
)


def merge_entities(op: ops.MergeEntities, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    into, sources = _found(op, tenant)
    ours = tenant.aliases_of(into.id)
    theirs = {one.id: tenant.aliases_of(one.id) for one in sources}
    gone = _settled(op, ours, theirs) if op.keep else _unclashing(tenant, into, ours, sources, theirs)
    known = {one.id: one for one in tenant.ties_to(into)}
    put: list[Entity] = []
    delete: list[Entity] = [row for alias in gone for row in (alias, *tenant.names_of(alias.id))]
    for source in sources:
        put += [replace(part, merged_into=into.id) for part in tenant.parts_of(source)]
        delete += tenant.names_of(source.id)
        for alias in theirs[source.id]:
            if alias not in gone:
                put.append(replace(alias, holder=into.id, merged_from=(*alias.merged_from, source.id)))
        ties, groups = out_of_groups(tenant, source)
        delete += ties
        put += groups
        for group in groups:
            tie = GroupTie.of(group, into)
            put.append(known.get(tie.id, tie))
        delete += tenant.waiting_logins_of(source.id)
    moved, left_behind = _secrets(op, tenant, into, sources)
    merged = replace(
        into,
        policies=tuple(sorted({*into.policies, *(name for one in sources for name in one.policies)})),
        merged_ids=(*into.merged_ids, *(id_ for one in sources for id_ in (*one.merged_ids, one.id))),
        updated_at=act.now,
    )
    left = [replace(one, merged_into=into.id, metadata=None, policies=(), merged_ids=(), name="") for one in sources]
    return Outcome(
        answer=Nothing(),
        put=(merged, *left, *put, *moved),
        delete=(*delete, *left_behind),
        destroy=left_behind,
        made=into.id,
    )


def _secrets(
    op: ops.MergeEntities, tenant: HeldTenant, into: IdentityEntity, sources: list[IdentityEntity]
) -> tuple[tuple[MfaSecret, ...], tuple[MfaSecret, ...]]:
    """(those that come over, those that give way to one that does: `force`). Raises InvalidArgument."""
    kept = {one.method: one for one in tenant.mfa_secrets_of(into.id)}
    behind: list[MfaSecret] = []
    for source in sources:
        for one in tenant.mfa_secrets_of(source.id):
            if (other := kept.get(one.method)) is not None:
                if not op.force:
                    words = f'conflicting MFA config ID "{one.method}" in entity ID "{source.id}"'
                    raise InvalidArgument(words, SERVERS)
                behind.append(other)
            kept[one.method] = one
    moved = tuple(replace(one, entity=into.id) for one in kept.values() if one.entity != into.id)
    return moved, tuple(behind)


def _found(op: ops.MergeEntities, tenant: HeldTenant) -> tuple[IdentityEntity, list[IdentityEntity]]:
    if not op.into:
        raise InvalidArgument("missing entity id to merge to", "to_entity_id")
    if not op.sources:
        raise InvalidArgument("missing entity ids to merge from", "from_entity_ids")
    if (into := tenant.entity(op.into)) is None:
        raise InvalidArgument("entity id to merge to is invalid", "to_entity_id")
    if len(op.sources) > 1 and len(op.keep) > 1:
        raise InvalidArgument(
            "aliases conflicts cannot be resolved with multiple from entity ids - merge one entity at a time",
            "conflicting_alias_ids_to_keep",
        )
    if len(op.sources) > MAX_BATCH:
        raise InvalidArgument(f"at most {MAX_BATCH} entities at once", "from_entity_ids")
    sources = []
    for id_ in dict.fromkeys(op.sources):
        if id_ == into.id:
            raise InvalidArgument("to_entity_id should not be present in from_entity_ids", "from_entity_ids")
        if (found := tenant.entity(id_)) is None:
            raise InvalidArgument("entity id to merge from is invalid", "from_entity_ids")
        sources.append(found)
    return into, sources


Theirs = dict[str, tuple[Alias, ...]]


def _settled(op: ops.MergeEntities, ours: tuple[Alias, ...], theirs: Theirs) -> list[Alias]:
    """The aliases that go, of each two that are of one mount."""
    gone = []
    for other in (alias for each in theirs.values() for alias in each):
        for alias in ours:
            if alias.accessor == other.accessor:
                if not {alias.id, other.id} & set(op.keep):
                    raise InvalidArgument(
                        "conflicting mount accessors in following alias IDs and neither were present in "
                        f"conflicting_alias_ids_to_keep: {other.id}, {alias.id}",
                        "conflicting_alias_ids_to_keep",
                    )
                gone.append(other if alias.id in op.keep else alias)
    return gone


def _unclashing(
    tenant: HeldTenant, into: IdentityEntity, ours: tuple[Alias, ...], sources: list[IdentityEntity], theirs: Theirs
) -> list[Alias]:
    """None at all; raises InvalidArgument where two are of one mount."""
    mounts = accessors(tenant)
    clashes: list[Clash] = []
    words: list[str] = []
    of: dict[str, str] = {}
    for source in sources:
        for other in theirs[source.id]:
            if of.setdefault(other.accessor, source.id) != source.id:
                raise InvalidArgument(
                    f"mount accessor {other.accessor} found in multiple fromEntities, merge should be done with one "
                    "fromEntity at a time",
                    "from_entity_ids",
                )
            for alias in (one for one in ours if one.accessor == other.accessor):
                words.append(
                    f"mountAccessor: {alias.accessor}, toEntity ID: {into.id}, fromEntity ID: {source.id}, "
                    f"conflicting toEntity alias ID: {alias.id}, conflicting fromEntity alias ID: {other.id}"
                )
                clashes += [_clash(alias, into, mounts), _clash(other, source, mounts)]
    if clashes:
        raise InvalidArgument(multierror(SAME_MOUNT, *words), tuple(clashes))
    return []


def _clash(alias: Alias, entity: IdentityEntity, mounts: dict[str, Mount]) -> Clash:
    mount = mounts.get(alias.accessor)
    if mount is None:
        return Clash(alias.name, entity.name, entity.id, "", "")
    return Clash(alias.name, entity.name, entity.id, mount.engine, f"{path_of(mount)}/")


HANDLERS: dict[type, Handler] = {ops.MergeEntities: merge_entities}
