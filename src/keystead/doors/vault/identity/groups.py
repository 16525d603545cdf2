"""identity/group, identity/lookup/group. Vault HTTP API, "Identity secrets engine: group", "lookup"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Said, endpoint, namespace_id
from keystead.doors.vault.identity import shapes
from keystead.doors.vault.identity.entities import IdRequest, LookUpRequest, NameRequest, asked
from keystead.doors.vault.identity.shapes import listed, names, speaking
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import Caseless, CommaStrings, Pairs
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class GroupRequest(Parameters, frozen=True, kw_only=True):
    id: str | None = None
    type: str | None = None
    name: str | None = None
    metadata: Pairs | None = None
    policies: CommaStrings | None = None
    member_group_ids: CommaStrings | None = None
    member_entity_ids: CommaStrings | None = None


class GroupByIdRequest(GroupRequest, frozen=True, kw_only=True):
    id: str = CAPTURED


class GroupByNameRequest(GroupRequest, frozen=True, kw_only=True):
    name: Caseless = CAPTURED


def _write(req: GroupRequest, call: Call, id_: str | None) -> dict[str, str] | None:
    with speaking():
        written = call(
            ops.WriteIdentityGroup(
                tenant=here(call),
                id=id_,
                name=req.name,
                type=req.type,
                metadata=req.metadata,
                policies=req.policies,
                entities=req.member_entity_ids,
                groups=req.member_group_ids,
            )
        )
    return {"id": written.group.id, "name": written.group.name} if written.is_new else None


@endpoint("identity", Verb.WRITE, "group")
def write_group(req: GroupRequest, call: Call) -> dict[str, str] | None:
    return _write(req, call, req.id)


@endpoint("identity", Verb.WRITE, "group/id/{id}")
def write_group_by_id(req: GroupByIdRequest, call: Call) -> dict[str, str] | None:
    return _write(req, call, req.id)


@endpoint("identity", Verb.WRITE, "group/name/{name:path}")
def write_group_by_name(req: GroupByNameRequest, call: Call) -> dict[str, str] | None:
    """Whatever id it says: the path has the name."""
    return _write(req, call, None)


def _told(found: ops.ShownGroup | None, call: Call) -> dict[str, Any]:
    if found is None:
        raise Said(404, "")
    return shapes.group(found, namespace_id(call))


@endpoint("identity", Verb.READ, "group/id/{id}")
def read_group_by_id(req: IdRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadIdentityGroup(tenant=here(call), by=ops.FoundBy(id=req.id))), call)


@endpoint("identity", Verb.READ, "group/name/{name:path}")
def read_group_by_name(req: NameRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadIdentityGroup(tenant=here(call), by=ops.FoundBy(name=req.name))), call)


@endpoint("identity", Verb.LIST, "group/id/?")
def list_groups_by_id(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListIdentityGroups(tenant=here(call)))
    return listed(found, lambda one: one.group.id, shapes.group_in_list)


@endpoint("identity", Verb.LIST, "group/name/?")
def list_groups_by_name(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListIdentityGroups(tenant=here(call)))
    return {"keys": names(found, lambda one: one.group.name)}


@endpoint("identity", Verb.DELETE, "group/id/{id}")
def delete_group_by_id(req: IdRequest, call: Call) -> None:
    call(ops.DeleteIdentityGroup(tenant=here(call), id=req.id))


@endpoint("identity", Verb.DELETE, "group/name/{name:path}")
def delete_group_by_name(req: NameRequest, call: Call) -> None:
    call(ops.DeleteIdentityGroup(tenant=here(call), name=req.name))


@endpoint("identity", Verb.WRITE, "lookup/group")
def look_up_group(req: LookUpRequest, call: Call) -> dict[str, Any] | None:
    found = call(ops.ReadIdentityGroup(tenant=here(call), by=asked(req)))
    return None if found is None else shapes.group(found, namespace_id(call))


OPERATIONS = (
    write_group,
    write_group_by_id,
    write_group_by_name,
    read_group_by_id,
    read_group_by_name,
    list_groups_by_id,
    list_groups_by_name,
    delete_group_by_id,
    delete_group_by_name,
    look_up_group,
)
