"""sys/plugins/catalog: the engines there are, all of them built in. HTTP API, "/sys/plugins/catalog"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.openly import SPOKEN
from keystead.doors.vault.system.engines import LOGINS, SECRETS, Engine
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.envelope import UNSUPPORTED_OPERATION
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

VERSION = f"v{SPOKEN}+builtin.keystead"


def _names(engines: Mapping[str, Engine]) -> list[str]:
    """Each once, by the name that is its own."""
    return sorted({engine.name or name for name, engine in engines.items()} - {"generic"})


def _catalog() -> dict[str, list[str]]:
    return {"auth": _names(LOGINS), "database": [], "secret": _names(SECRETS)}


@endpoint("system", Verb.READ, "plugins/catalog")
def read_catalog(_req: Nothing, call: Call) -> dict[str, Any]:
    call(ops.UseTools(tenant=here(call)))
    found = _catalog()
    detailed = [
        {"builtin": True, "deprecation_status": "supported", "name": name, "type": kind, "version": VERSION}
        for kind, names in found.items()
        for name in names
    ]
    return {**found, "detailed": detailed}


class TypeRequest(Parameters, frozen=True, kw_only=True):
    type: str = CAPTURED


class PluginRequest(TypeRequest, frozen=True, kw_only=True):
    name: str = CAPTURED


@endpoint("system", Verb.LIST, "plugins/catalog/{type}/?", sudo=True)
def list_type(req: TypeRequest, call: Call) -> dict[str, Any]:
    call(ops.UseTools(tenant=here(call)))
    if (names := _catalog().get(req.type)) is None:
        raise Said(405, UNSUPPORTED_OPERATION)
    if not names:
        raise Said(404, "")
    return {"keys": names}


@endpoint("system", Verb.READ, "plugins/catalog/{type}/{name}", sudo=True)
def read_plugin(req: PluginRequest, call: Call) -> dict[str, Any]:
    call(ops.UseTools(tenant=here(call)))
    if req.name not in _catalog().get(req.type, ()):
        raise Said(404, "")
    return {
        "args": None,
        "builtin": True,
        "command": "",
        "deprecation_status": "supported",
        "name": req.name,
        "sha256": "",
        "version": VERSION,
    }


OPERATIONS = (read_catalog, list_type, read_plugin)
