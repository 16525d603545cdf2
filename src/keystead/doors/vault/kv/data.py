"""kv version 2: values, by version. HTTP API, "KV secrets engine - version 2"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.errors import NotFound
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.kv import VERSIONED
from keystead.doors.vault.kv.shapes import GONE, At, at, check_and_set, dates, sealed, told, version_told
from keystead.doors.vault.kv.subkeys import subkeys
from keystead.kit import Call
from keystead.wire.vault.kinds import CommaInts, Int, Map
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class ReadRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED
    version: Int = 0


@endpoint(VERSIONED, Verb.READ, "data/{path:path?}")
def read(req: ReadRequest, call: Call) -> Answer:
    found = call(ops.ReadSecret(secret=at(req.path, call), version=req.version))
    data = {"data": told(found.value), "metadata": version_told(found.secret, found.version)}
    return Answer(data=data, status=404 if found.value is None else 200)


class WriteRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED
    version: Int = 0
    data: Map | None = None
    options: Map | None = None


@endpoint(VERSIONED, Verb.WRITE, "data/{path:path?}", creates=True)
def write(req: WriteRequest, call: Call) -> dict[str, Any]:
    if req.data is None:
        raise Said(400, "no data provided")
    cas = check_and_set(req.options)
    made = call(ops.WriteSecret(secret=at(req.path, call), value=sealed(req.data), cas=cas))
    return _written(made)


@endpoint(VERSIONED, Verb.PATCH, "data/{path:path?}")
def patch(req: WriteRequest, call: Call) -> Answer:
    if req.data is None:
        raise Said(400, "no data provided")
    cas = check_and_set(req.options)
    try:
        made = call(ops.PatchSecret(secret=at(req.path, call), patch=sealed(req.data), cas=cas))
    except NotFound:
        return GONE
    if made.value is None:
        return Answer(data=version_told(made.secret, made.version), status=404)
    return Answer(data=_written(made))


def _written(made: ops.Versioned) -> dict[str, Any]:
    custom = {"custom_metadata": made.secret.custom or None, "version": made.version.number}
    return {**dates(made.version, written=False), **custom}


@endpoint(VERSIONED, Verb.DELETE, "data/{path:path?}")
def delete_newest(req: At, call: Call) -> None:
    call(ops.DeleteVersions(secret=at(req.path, call)))


class VersionsRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED
    versions: CommaInts = ()


@endpoint(VERSIONED, Verb.WRITE, "delete/{path:path}")
def delete(req: VersionsRequest, call: Call) -> None:
    call(ops.DeleteVersions(secret=at(req.path, call), versions=_some(req, "No version number provided")))


@endpoint(VERSIONED, Verb.WRITE, "undelete/{path:path}")
def undelete(req: VersionsRequest, call: Call) -> None:
    call(ops.UndeleteVersions(secret=at(req.path, call), versions=_some(req, "No version number provided")))


@endpoint(VERSIONED, Verb.WRITE, "destroy/{path:path}")
def destroy(req: VersionsRequest, call: Call) -> None:
    call(ops.DestroyVersions(secret=at(req.path, call), versions=_some(req, "no version number provided")))


def _some(req: VersionsRequest, otherwise: str) -> tuple[int, ...]:
    if not req.versions:
        raise Said(400, otherwise)
    return req.versions


class SubkeysRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED
    version: Int = 0
    depth: Int = 0


@endpoint(VERSIONED, Verb.READ, "subkeys/{path:path}")
def read_subkeys(req: SubkeysRequest, call: Call) -> Answer:
    found = call(ops.ReadSecret(secret=at(req.path, call), version=req.version))
    inside = None if found.value is None else subkeys(found.value, req.depth)
    data = {"subkeys": inside, "metadata": version_told(found.secret, found.version)}
    return Answer(data=data, status=404 if found.value is None else 200)


OPERATIONS = (read, write, patch, delete_newest, delete, undelete, destroy, read_subkeys)
