"""How entities, aliases and groups are shown, and how what is wrong with a request is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from keystead.core.errors import InvalidArgument
from keystead.core.mounts import path_of
from keystead.core.operations import SERVERS, ShownAlias, ShownEntity, ShownGroup
from keystead.doors.vault.endpoint import Said
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.scalars import time_text

T = TypeVar("T")


@contextmanager
def speaking() -> Iterator[None]:
    """What Vault takes for a fault of its own is told as one."""
    try:
        yield
    except InvalidArgument as error:
        if error.detail == SERVERS:
            raise Said(500, multierror(str(error))) from error
        raise


def _mount(shown: ShownAlias) -> dict[str, str]:
    mount = shown.mount
    return {} if mount is None else {"mount_path": f"{path_of(mount)}/", "mount_type": mount.engine}


def alias(shown: ShownAlias) -> dict[str, Any]:
    one = shown.alias
    return {
        "id": one.id,
        "canonical_id": one.holder,
        "mount_accessor": one.accessor,
        "metadata": one.metadata,
        "custom_metadata": one.custom,
        "name": one.name,
        "merged_from_canonical_ids": one.merged_from or None,
        "local": False,
        "creation_time": time_text(one.created_at),
        "last_update_time": time_text(one.updated_at),
        **_mount(shown),
    }


def alone(shown: ShownAlias, namespace: str) -> dict[str, Any]:
    return {**alias(shown), "namespace_id": namespace}


def alias_in_list(shown: ShownAlias) -> dict[str, Any]:
    names = ("canonical_id", "custom_metadata", "local", "metadata", "mount_accessor", "name")
    found = alias(shown)
    return {name: found[name] for name in names} | _mount(shown)


def entity(shown: ShownEntity, namespace: str) -> dict[str, Any]:
    one = shown.entity
    return {
        "id": one.id,
        "name": one.name,
        "metadata": one.metadata,
        "policies": one.policies,
        "disabled": one.disabled,
        "merged_entity_ids": one.merged_ids or None,
        "namespace_id": namespace,
        "creation_time": time_text(one.created_at),
        "last_update_time": time_text(one.updated_at),
        "aliases": [alias(each) for each in shown.aliases],
        "direct_group_ids": shown.direct,
        "inherited_group_ids": shown.inherited,
        "group_ids": (*shown.direct, *shown.inherited),
    }


def _short(shown: ShownAlias) -> dict[str, str]:
    one = shown.alias
    return {"id": one.id, "name": one.name, "mount_accessor": one.accessor, **_mount(shown)}


def entity_in_list(shown: ShownEntity) -> dict[str, Any]:
    found: dict[str, Any] = {"name": shown.entity.name}
    return {**found, "aliases": [_short(one) for one in shown.aliases]} if shown.aliases else found


def group(shown: ShownGroup, namespace: str) -> dict[str, Any]:
    one = shown.group
    its = {} if shown.alias is None else alias(shown.alias)
    return {
        "id": one.id,
        "name": one.name,
        "type": "external" if one.external else "internal",
        "metadata": one.metadata,
        "policies": one.policies,
        "member_entity_ids": shown.entities or None,
        "member_group_ids": shown.groups or None,
        "parent_group_ids": shown.parents or None,
        "modify_index": one.revision,
        "namespace_id": namespace,
        "creation_time": time_text(one.created_at),
        "last_update_time": time_text(one.updated_at),
        "alias": {name: value for name, value in its.items() if name not in {"local", "custom_metadata"}},
    }


def group_in_list(shown: ShownGroup) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": shown.group.name,
        "num_member_entities": len(shown.entities),
        "num_parent_groups": len(shown.parents),
    }
    return found if shown.alias is None else {**found, "alias": _short(shown.alias)}


def listed(found: Iterable[T], key: Callable[[T], str], info: Callable[[T], Mapping[str, Any]]) -> dict[str, Any]:
    """Raises Said where there is nothing."""
    every = sorted(found, key=key)
    if not every:
        raise Said(404, "")
    return {"keys": [key(one) for one in every], "key_info": {key(one): info(one) for one in every}}


def names(found: Iterable[T], name: Callable[[T], str]) -> list[str]:
    """The same by name, of which nothing more is told."""
    every = sorted(map(name, found), key=str.lower)
    if not every:
        raise Said(404, "")
    return every
