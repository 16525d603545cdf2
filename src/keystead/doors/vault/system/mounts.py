"""sys/mounts and sys/auth: which engine answers where."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import Mount
from keystead.core.mounts import path_of
from keystead.core.operations import TenantRef
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.kit import Call
from keystead.wire.vault.kinds import Map, Pairs
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

ENGINES = {"transit": True, "kv": True}
"""Engines that can be mounted -> whether they keep keys or secrets."""


def told(mount: Mount) -> dict[str, Any]:
    """One mount as sys/mounts shows it."""
    return {
        "accessor": mount.accessor,
        "config": {
            "default_lease_ttl": mount.default_lease_for,
            "force_no_cache": False,
            "max_lease_ttl": mount.max_lease_for,
        },
        "description": mount.description,
        "external_entropy_access": False,
        "local": mount.engine == "cubbyhole",
        "options": mount.options or None,
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "seal_wrap": False,
        "type": mount.engine,
        "uuid": mount.uuid,
    }


class Nothing(Parameters, frozen=True, kw_only=True):
    pass


@endpoint("system", Verb.READ, "mounts")
def list_mounts(_req: Nothing, call: Call) -> Answer:
    mounts = call(ops.ListMounts(tenant=TenantRef(call.caller.principal.tenant)))
    found = {f"{path_of(one)}/": told(one) for one in mounts if not path_of(one).startswith("auth/")}
    return Answer(data=found, doubled=True)


class EnableRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED
    type: str = ""
    description: str = ""
    config: Map = msgspec.field(default_factory=dict)
    options: Pairs = msgspec.field(default_factory=dict)


@endpoint("system", Verb.WRITE, "mounts/{path:path}", sudo=False)
def enable_mount(req: EnableRequest, call: Call) -> None:
    keeps = ENGINES.get(req.type)
    if not req.type:
        raise Said(400, "backend type must be specified as a string")
    if keeps is None:
        raise Said(400, f"unsupported secrets engine type: {req.type}")
    call(
        ops.EnableMount(
            tenant=TenantRef(call.caller.principal.tenant),
            path=req.path.strip("/"),
            engine=req.type,
            keeps=keeps,
            description=req.description,
            options=req.options,
        )
    )


OPERATIONS = (list_mounts, enable_mount)
