"""identity/entity, identity/lookup/entity. Vault HTTP API, "Identity secrets engine: entity", "lookup"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument
from keystead.doors.vault.endpoint import Answer, Said, endpoint, namespace_id
from keystead.doors.vault.identity import shapes
from keystead.doors.vault.identity.shapes import listed, names, speaking
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import Caseless, CommaStrings, Pairs
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class EntityRequest(Parameters, frozen=True, kw_only=True):
    id: str = ""
    name: str = ""
    metadata: Pairs | None = None
    policies: CommaStrings | None = None
    disabled: bool | None = None


class EntityByIdRequest(EntityRequest, frozen=True, kw_only=True):
    id: str = CAPTURED


class EntityByNameRequest(EntityRequest, frozen=True, kw_only=True):
    name: Caseless = CAPTURED


class IdRequest(Parameters, frozen=True, kw_only=True):
    id: str = CAPTURED


class NameRequest(Parameters, frozen=True, kw_only=True):
    name: Caseless = CAPTURED


class BatchRequest(Parameters, frozen=True, kw_only=True):
    entity_ids: CommaStrings = ()


class MergeRequest(Parameters, frozen=True, kw_only=True):
    """`force`: secrets of a second factor take the place of those that are there."""

    from_entity_ids: CommaStrings = ()
    to_entity_id: str = ""
    conflicting_alias_ids_to_keep: CommaStrings = ()
    force: bool = False


class LookUpRequest(Parameters, frozen=True, kw_only=True):
    id: str | None = None
    name: str | None = None
    alias_id: str | None = None
    alias_name: str | None = None
    alias_mount_accessor: str | None = None


def _write(req: EntityRequest, call: Call) -> dict[str, Any] | None:
    with speaking():
        written = call(
            ops.WriteEntity(
                tenant=here(call),
                id=req.id,
                name=req.name,
                metadata=req.metadata,
                policies=req.policies,
                disabled=req.disabled,
            )
        )
    if not written.is_new:
        return None
    return {"id": written.entity.id, "name": written.entity.name, "aliases": None}


@endpoint("identity", Verb.WRITE, "entity")
def write_entity(req: EntityRequest, call: Call) -> dict[str, Any] | None:
    return _write(req, call)


@endpoint("identity", Verb.WRITE, "entity/id/{id}")
def write_entity_by_id(req: EntityByIdRequest, call: Call) -> dict[str, Any] | None:
    return _write(req, call)


@endpoint("identity", Verb.WRITE, "entity/name/{name:path}")
def write_entity_by_name(req: EntityByNameRequest, call: Call) -> dict[str, Any] | None:
    return _write(req, call)


def _told(found: ops.ShownEntity | None, call: Call) -> dict[str, Any]:
    if found is None:
        raise Said(404, "")
    return shapes.entity(found, namespace_id(call))


@endpoint("identity", Verb.READ, "entity/id/{id}")
def read_entity_by_id(req: IdRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadEntity(tenant=here(call), by=ops.FoundBy(id=req.id))), call)


@endpoint("identity", Verb.READ, "entity/name/{name:path}")
def read_entity_by_name(req: NameRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadEntity(tenant=here(call), by=ops.FoundBy(name=req.name))), call)


@endpoint("identity", Verb.LIST, "entity/id/?")
def list_entities_by_id(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListEntities(tenant=here(call)))
    return listed(found, lambda one: one.entity.id, shapes.entity_in_list)


@endpoint("identity", Verb.LIST, "entity/name/?")
def list_entities_by_name(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListEntities(tenant=here(call)))
    return {"keys": names(found, lambda one: one.entity.name)}


@endpoint("identity", Verb.DELETE, "entity/id/{id}")
def delete_entity_by_id(req: IdRequest, call: Call) -> None:
    call(ops.DeleteEntities(tenant=here(call), ids=(req.id,)))


@endpoint("identity", Verb.DELETE, "entity/name/{name:path}")
def delete_entity_by_name(req: NameRequest, call: Call) -> None:
    call(ops.DeleteEntities(tenant=here(call), name=req.name))


@endpoint("identity", Verb.WRITE, "entity/batch-delete")
def delete_entities(req: BatchRequest, call: Call) -> None:
    call(ops.DeleteEntities(tenant=here(call), ids=req.entity_ids))


@endpoint("identity", Verb.WRITE, "entity/merge/?")
def merge_entities(req: MergeRequest, call: Call) -> Answer | None:
    asked = ops.MergeEntities(
        tenant=here(call),
        into=req.to_entity_id,
        sources=req.from_entity_ids,
        keep=req.conflicting_alias_ids_to_keep,
        force=req.force,
    )
    try:
        with speaking():
            call(asked)
    except InvalidArgument as error:
        if not isinstance(error.detail, tuple):
            raise
        return Answer(status=400, bare=True, data={"errors": [str(error)], "data": error.detail})
    return None


@endpoint("identity", Verb.WRITE, "lookup/entity")
def look_up_entity(req: LookUpRequest, call: Call) -> dict[str, Any] | None:
    found = call(ops.ReadEntity(tenant=here(call), by=asked(req)))
    return None if found is None else shapes.entity(found, namespace_id(call))


def asked(req: LookUpRequest) -> ops.FoundBy:
    return ops.FoundBy(
        id=req.id,
        name=req.name,
        alias_id=req.alias_id,
        alias_name=req.alias_name,
        alias_accessor=req.alias_mount_accessor,
    )


OPERATIONS = (
    write_entity,
    write_entity_by_id,
    write_entity_by_name,
    read_entity_by_id,
    read_entity_by_name,
    list_entities_by_id,
    list_entities_by_name,
    delete_entity_by_id,
    delete_entity_by_name,
    delete_entities,
    merge_entities,
    look_up_entity,
)
