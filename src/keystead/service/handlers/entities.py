"""Entities: somebody, however they log in. Vault HTTP API, "Identity secrets engine: entity"."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Alias, Entity, IdentityEntity, IdentityGroup, IdentityName, MfaSecret, Mount
from keystead.core.errors import InvalidArgument
from keystead.core.identifiers import new_id
from keystead.core.mounts import MountTable
from keystead.core.operations import SERVERS, Nothing, ShownAlias, ShownEntity, WrittenEntity
from keystead.core.ports import Entropy
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.rights import ROOT_POLICY

MAX_NAME = 512
MAX_BATCH = 1000
MAX_PAIRS, MAX_KEY, MAX_VALUE = 64, 128, 512
MAX_POLICIES = 1000
_KEY = re.compile(r"[a-zA-Z0-9=/+_-]+")


# --- what may be said of one


def checked_name(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidArgument(f"a name has 1 to {MAX_NAME} printable characters", "name")
    return name


def checked_metadata(metadata: Mapping[str, str], of: str) -> dict[str, str]:
    """Raises InvalidArgument (detail SERVERS). OpenBao, identity/store_util.go"""
    if len(metadata) > MAX_PAIRS:
        raise _unfit(of, f"metadata cannot contain more than {MAX_PAIRS} key/value pairs")
    for key, value in metadata.items():
        wrong = _wrong(key, value)
        if wrong:
            raise _unfit(of, f"failed to load metadata pair ({_go(key)}, {_go(value)}): {wrong}")
    return dict(metadata)


def _wrong(key: str, value: str) -> str:
    if not key:
        return "key cannot be blank"
    if _KEY.fullmatch(key) is None:
        return "key contains invalid characters"
    if len(key) > MAX_KEY:
        return f"key is too long (limit: {MAX_KEY} characters)"
    if key.startswith("vault-"):
        return 'key prefix "vault-" is reserved for internal use'
    if len(value.encode()) > MAX_VALUE:
        return f"value is too long (limit: {MAX_VALUE} characters)"
    return ""


def checked_custom(metadata: Mapping[str, str]) -> dict[str, str]:
    """Raises InvalidArgument (detail SERVERS). OpenBao, sdk/helper/custommetadata"""
    if len(metadata) > MAX_PAIRS:
        raise _misfit(f"payload must contain at most {MAX_PAIRS} keys, provided {len(metadata)}")
    for key, value in metadata.items():
        for what, text, most in ((f"key {_go(key)}", key, MAX_KEY), (f"value for key {_go(key)}", value, MAX_VALUE)):
            if not 0 < (n := len(text.encode())) <= most:
                bound = f"0 < len({what.partition(' ')[0]}) <= {most}"
                raise _misfit(f"length of {what} is {n} but must be {bound}")
            if not text.isprintable():
                raise _misfit(f"{what} contains unprintable characters")
    return dict(metadata)


def _misfit(words: str) -> InvalidArgument:
    return InvalidArgument(f"custom_metadata validation failed: {words}", SERVERS)


def _unfit(of: str, words: str) -> InvalidArgument:
    return InvalidArgument(f"invalid {of} metadata: {words}", SERVERS)


def _go(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def checked_policies(policies: Iterable[str]) -> tuple[str, ...]:
    wanted = {name for name in (one.strip().lower() for one in policies) if name}
    if ROOT_POLICY in wanted:
        raise InvalidArgument("policies cannot contain root", "policies")
    if len(wanted) > MAX_POLICIES:
        raise InvalidArgument(f"there are {MAX_POLICIES} policies at most", "policies")
    return tuple(sorted(wanted))


# --- written


def write_entity(op: ops.WriteEntity, targets: tuple[HeldTenant], act: Act) -> Outcome[WrittenEntity]:
    (tenant,) = targets
    found = tenant.entity(op.id)
    if op.id and found is None:
        raise InvalidArgument("entity not found from id", "id")
    other = tenant.entity_named(checked_name(op.name)) if op.name else None
    if found is not None and other is not None and found.id != other.id:
        raise InvalidArgument("entity name is already in use", "name")
    before = found or other
    base = before or new_entity(tenant, act.entropy, act.now, op.name)
    entity = replace(
        base,
        name=op.name or base.name,
        policies=base.policies if op.policies is None else checked_policies(op.policies),
        disabled=base.disabled if op.disabled is None else op.disabled,
        metadata=base.metadata if op.metadata is None else checked_metadata(op.metadata, "entity"),
        updated_at=act.now,
    )
    put, delete = named(tenant, entity, "" if before is None else before.name)
    return Outcome(answer=WrittenEntity(entity, before is None), put=(entity, *put), delete=delete, made=entity.id)


def new_entity(tenant: HeldTenant, entropy: Entropy, now: datetime, name: str = "") -> IdentityEntity:
    name = name or f"entity_{entropy(4).hex()}"
    return IdentityEntity(id=new_id(entropy), tenant=tenant.id, name=name, created_at=now, updated_at=now)


def named(
    tenant: HeldTenant, of: IdentityEntity | IdentityGroup, before: str
) -> tuple[tuple[Entity, ...], tuple[Entity, ...]]:
    """(to put, to delete) so that it is found by its name; `before`: the one it had, "" for none."""
    digest = tenant.group_name_id if isinstance(of, IdentityGroup) else tenant.entity_name_id
    new, old = digest(of.name), digest(before) if before else ""
    if new == old:
        return (), ()
    gone = tenant.name_row(old) if old else None
    return (IdentityName(id=new, means=of.id),), () if gone is None else (gone,)


# --- read


def accessors(tenant: HeldTenant) -> dict[str, Mount]:
    return {mount.accessor: mount for mount in MountTable(tenant.id, tenant.mounts()).mounts}


def shown_alias(alias: Alias, mounts: Mapping[str, Mount]) -> ShownAlias:
    return ShownAlias(alias, mounts.get(alias.accessor))


def read_entity(op: ops.ReadEntity, targets: tuple[HeldTenant], _act: Act) -> Outcome[ShownEntity | None]:
    (tenant,) = targets
    entity = _wanted(op, tenant)
    if entity is None:
        return Outcome(answer=None, why="nobody")
    whose, mounts = tenant.belonging(entity.id, tenant.id), accessors(tenant)
    return Outcome(
        answer=ShownEntity(
            entity,
            tuple(shown_alias(alias, mounts) for alias in whose.aliases),
            tuple(group.id for group in whose.direct),
            tuple(group.id for group in whose.inherited),
        )
    )


def _wanted(op: ops.ReadEntity, tenant: HeldTenant) -> IdentityEntity | None:
    by = op.by
    check_question(by)
    if by.id:
        return tenant.entity(by.id)
    if by.name:
        return tenant.entity_named(by.name)
    alias = alias_asked(by, tenant, of_group=False)
    return None if alias is None else tenant.entity(alias.holder)


def check_question(by: ops.FoundBy) -> None:
    """Raises InvalidArgument. OpenBao, identity/lookup.go"""
    given = [one for one in (by.id, by.name, by.alias_id, by.alias_name, by.alias_accessor) if one is not None]
    if not given:
        raise InvalidArgument("query parameter not supplied", "query")
    if len(given) == 1 and (by.alias_name or by.alias_accessor):
        raise InvalidArgument("both 'alias_name' and 'alias_mount_accessor' needs to be set", "query")
    if len(given) > 1 and not (len(given) == 2 and by.alias_name and by.alias_accessor):
        raise InvalidArgument("query parameter conflict; please supply distinct set of query parameters", "query")


def alias_asked(by: ops.FoundBy, tenant: HeldTenant, *, of_group: bool) -> Alias | None:
    if by.alias_id:
        return tenant.alias(by.alias_id, of_group=of_group)
    if by.alias_accessor and by.alias_name:
        return tenant.alias_at(by.alias_accessor, by.alias_name, of_group=of_group)
    return None


def list_entities(_op: ops.ListEntities, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[ShownEntity, ...]]:
    (tenant,) = targets
    mounts = accessors(tenant)
    aliases: dict[str, list[Alias]] = defaultdict(list)
    for alias in tenant.aliases():
        aliases[alias.holder].append(alias)
    return Outcome(
        answer=tuple(
            ShownEntity(
                one,
                tuple(shown_alias(alias, mounts) for alias in sorted(aliases[one.id], key=lambda it: it.created_at)),
            )
            for one in tenant.entities()
        )
    )


# --- deleted


def delete_entities(op: ops.DeleteEntities, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if not op.ids and not op.name:
        raise InvalidArgument("missing entity ids to delete", "entity_ids")
    if len(op.ids) > MAX_BATCH:
        raise InvalidArgument(f"at most {MAX_BATCH} entities at once", "entity_ids")
    found = [tenant.entity(one) for one in dict.fromkeys(op.ids)] + [tenant.entity_named(op.name) if op.name else None]
    delete: list[Entity] = []
    destroyed: list[MfaSecret] = []
    touched: list[IdentityGroup] = []
    for entity in found:
        if entity is not None:
            delete += [entity, *tenant.parts_of(entity), *tenant.names_of(entity.id)]
            for alias in tenant.aliases_of(entity.id):
                delete += [alias, *tenant.names_of(alias.id)]
            gone, groups = out_of_groups(tenant, entity)
            secrets = tenant.mfa_secrets_of(entity.id)
            delete += [*gone, *secrets, *tenant.waiting_logins_of(entity.id)]
            destroyed += secrets
            touched += groups
    made = found[0].id if len(found) == 1 and found[0] is not None else ""
    return Outcome(
        answer=Nothing(),
        put=tuple({one.id: one for one in touched}.values()),
        delete=tuple(delete),
        destroy=tuple(destroyed),
        made=made,
    )


def out_of_groups(
    tenant: HeldTenant, member: IdentityEntity | IdentityGroup
) -> tuple[list[Entity], list[IdentityGroup]]:
    """(ties, the groups at their other ends)"""
    ties = tenant.ties_to(member)
    return [*ties], [group for tie in ties if (group := tenant.group(tie.group_id)) is not None]


HANDLERS: dict[type, Handler] = {
    ops.WriteEntity: write_entity,
    ops.ReadEntity: read_entity,
    ops.ListEntities: list_entities,
    ops.DeleteEntities: delete_entities,
}
