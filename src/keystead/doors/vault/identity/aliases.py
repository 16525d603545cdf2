"""identity/entity-alias, its older name identity/alias, identity/group-alias."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Endpoint, Said, endpoint, namespace_id
from keystead.doors.vault.identity import shapes
from keystead.doors.vault.identity.entities import IdRequest
from keystead.doors.vault.identity.shapes import listed, speaking
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import Pairs
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class OlderRequest(Parameters, frozen=True, kw_only=True):
    """`entity_id` is the older name of `canonical_id`, and means the same."""

    id: str = ""
    entity_id: str = ""
    canonical_id: str = ""
    mount_accessor: str = ""
    name: str = ""


class OlderByIdRequest(OlderRequest, frozen=True, kw_only=True):
    id: str = CAPTURED


class AliasRequest(OlderRequest, frozen=True, kw_only=True):
    custom_metadata: Pairs | None = None


class AliasByIdRequest(AliasRequest, frozen=True, kw_only=True):
    id: str = CAPTURED


class GroupAliasRequest(Parameters, frozen=True, kw_only=True):
    id: str = ""
    name: str = ""
    mount_accessor: str = ""
    canonical_id: str = ""


class GroupAliasByIdRequest(GroupAliasRequest, frozen=True, kw_only=True):
    id: str = CAPTURED


def _said(written: ops.WrittenAlias) -> dict[str, str] | None:
    return {"id": written.alias.id, "canonical_id": written.alias.holder} if written.changed else None


def _write(req: OlderRequest, call: Call) -> dict[str, str] | None:
    with speaking():
        return _said(
            call(
                ops.WriteEntityAlias(
                    tenant=here(call),
                    id=req.id,
                    name=req.name,
                    accessor=req.mount_accessor,
                    entity=req.canonical_id or req.entity_id,
                    custom=req.custom_metadata if isinstance(req, AliasRequest) else None,
                )
            )
        )


@endpoint("identity", Verb.WRITE, "entity-alias")
def write_entity_alias(req: AliasRequest, call: Call) -> dict[str, str] | None:
    return _write(req, call)


@endpoint("identity", Verb.WRITE, "entity-alias/id/{id}")
def write_entity_alias_by_id(req: AliasByIdRequest, call: Call) -> dict[str, str] | None:
    return _write(req, call)


@endpoint("identity", Verb.WRITE, "alias")
def write_alias(req: OlderRequest, call: Call) -> dict[str, str] | None:
    return _write(req, call)


@endpoint("identity", Verb.WRITE, "alias/id/{id}")
def write_alias_by_id(req: OlderByIdRequest, call: Call) -> dict[str, str] | None:
    return _write(req, call)


def _write_of_group(req: GroupAliasRequest, call: Call) -> dict[str, str] | None:
    with speaking():
        return _said(
            call(
                ops.WriteGroupAlias(
                    tenant=here(call), id=req.id, name=req.name, accessor=req.mount_accessor, group=req.canonical_id
                )
            )
        )


@endpoint("identity", Verb.WRITE, "group-alias")
def write_group_alias(req: GroupAliasRequest, call: Call) -> dict[str, str] | None:
    return _write_of_group(req, call)


@endpoint("identity", Verb.WRITE, "group-alias/id/{id}")
def write_group_alias_by_id(req: GroupAliasByIdRequest, call: Call) -> dict[str, str] | None:
    return _write_of_group(req, call)


def _kept(path: str, *, of_group: bool = False) -> tuple[Endpoint, ...]:
    """What is the same of all three: read, list, delete."""

    @endpoint("identity", Verb.READ, f"{path}/id/{{id}}")
    def read_alias(req: IdRequest, call: Call) -> dict[str, Any]:
        found = call(ops.ReadAlias(tenant=here(call), id=req.id, of_group=of_group))
        if found is None:
            raise Said(404, "")
        return shapes.alone(found, namespace_id(call))

    @endpoint("identity", Verb.LIST, f"{path}/id/?")
    def list_aliases(_req: Nothing, call: Call) -> dict[str, Any]:
        found = call(ops.ListAliases(tenant=here(call), of_group=of_group))
        return listed(found, lambda one: one.alias.id, shapes.alias_in_list)

    @endpoint("identity", Verb.DELETE, f"{path}/id/{{id}}")
    def delete_alias(req: IdRequest, call: Call) -> None:
        call(ops.DeleteAlias(tenant=here(call), id=req.id, of_group=of_group))

    return read_alias, list_aliases, delete_alias


OPERATIONS = (
    write_entity_alias,
    write_entity_alias_by_id,
    write_alias,
    write_alias_by_id,
    write_group_alias,
    write_group_alias_by_id,
    *_kept("entity-alias"),
    *_kept("alias"),
    *_kept("group-alias", of_group=True),
)
