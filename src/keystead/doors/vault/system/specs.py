"""sys/internal/specs/openapi: the door's own declarations, as OpenAPI 3 has it, under the paths that are mounted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_type_hints

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import Mount
from keystead.core.mounts import path_of
from keystead.doors.vault.endpoint import Answer, Endpoint, endpoint
from keystead.doors.vault.openly import SPOKEN
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.kit.routes import captures
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import kind_of
from keystead.wire.vault.request import Verb

METHODS: Mapping[Verb, str] = {
    Verb.READ: "get",
    Verb.LIST: "get",
    Verb.WRITE: "post",
    Verb.DELETE: "delete",
    Verb.PATCH: "patch",
}
_STRINGS = {"type": "array", "items": {"type": "string"}}
SCHEMAS: Mapping[Kind | None, Mapping[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.LOWER: {"type": "string", "format": "lowercase"},
    Kind.TIME: {"type": "string", "format": "date-time"},
    Kind.BOOL: {"type": "boolean"},
    Kind.INT: {"type": "integer"},
    Kind.DURATION: {"type": "integer", "format": "seconds"},
    Kind.SIGNED: {"type": "integer", "format": "seconds"},
    Kind.FLOAT: {"type": "number", "format": "float"},
    Kind.COMMA_STRINGS: _STRINGS,
    Kind.STRINGS: _STRINGS,
    Kind.COMMA_INTS: {"type": "array", "items": {"type": "integer"}},
    Kind.LIST: {"type": "array", "items": {"type": "object"}},
    Kind.MAP: {"type": "object", "format": "map"},
    Kind.HEADER: {"type": "object", "format": "map"},
    Kind.PAIRS: {"type": "object", "format": "kvpairs"},
    Kind.ANY: {"type": "object"},
    None: {"type": "array", "items": {"type": "object"}},
}
_TAIL = re.compile(r":path\??")


def _parameters(one: Endpoint) -> Mapping[str, Mapping[str, Any]]:
    hints = get_type_hints(one.request, include_extras=True)
    return {f.encode_name: SCHEMAS[kind_of(hints[f.name])] for f in msgspec.structs.fields(one.request)}


def _operation(one: Endpoint) -> dict[str, Any]:
    found, captured = _parameters(one), captures(one.path)
    rest = {name: schema for name, schema in found.items() if name not in captured}
    said: dict[str, Any] = {"operationId": one.name.replace(" ", "-"), "responses": {"200": {"description": "OK"}}}
    if METHODS[one.verb] in {"post", "patch"}:
        if rest:
            schema = {"type": "object", "properties": rest}
            said["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    else:
        said["parameters"] = [{"name": name, "in": "query", "schema": schema} for name, schema in rest.items()]
        if one.verb is Verb.LIST:
            listing = {"name": "list", "in": "query", "required": True, "schema": {"type": "string", "enum": ["true"]}}
            said["parameters"].append(listing)
    return said


def _paths(operations: Iterable[Endpoint], mounts: Iterable[Mount]) -> Iterator[tuple[str, Endpoint]]:
    at: dict[str, list[str]] = {}
    for mount in mounts:
        at.setdefault(mount.engine, []).append(path_of(mount))
    for one in operations:
        if one.verb in METHODS:
            template = _TAIL.sub("", one.path).removesuffix("?").removesuffix("/")
            yield from ((f"/{place}/{template}", one) for place in at.get(one.engine, ()))


def document(operations: Iterable[Endpoint], mounts: Iterable[Mount]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for path, one in _paths(operations, mounts):
        item = paths.setdefault(path, {})
        if names := sorted(captures(one.path)):
            schemas = _parameters(one)
            item["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": schemas[name]} for name in names
            ]
        for fact, holds in (("sudo", one.sudo), ("unauthenticated", one.unsigned), ("createSupported", one.creates)):
            if holds:
                item[f"x-vault-{fact}"] = True
        item.setdefault(METHODS[one.verb], _operation(one))
    info = {"title": "Keystead, the Vault door", "version": SPOKEN}
    return {"openapi": "3.0.2", "info": info, "paths": paths, "components": {"schemas": {}}}


def over(operations: Iterable[Any]) -> tuple[Endpoint, ...]:
    """The operation that prints these, and itself."""
    printed = [one for one in operations if isinstance(one, Endpoint)]

    @endpoint("system", Verb.READ, "internal/specs/openapi")
    def openapi(_req: Nothing, call: Call) -> Answer:
        mounts = call(ops.ListMounts(tenant=here(call)))
        return Answer(data=document(printed, mounts), bare=True)

    printed.append(openapi)
    return (openapi,)
