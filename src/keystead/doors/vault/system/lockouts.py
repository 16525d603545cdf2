"""sys/locked-users: who has failed to log in too often, and letting them try again. HTTP API, "/sys/locked-users"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import endpoint, namespace_id, namespace_path
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire.vault.kinds import Caseless
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class WhichRequest(Parameters, frozen=True, kw_only=True):
    mount_accessor: str = ""


@endpoint("system", Verb.READ, "locked-users")
def list_locked(req: WhichRequest, call: Call) -> dict[str, Any]:
    found = call(ops.ListLocked(tenant=here(call), accessor=req.mount_accessor))
    mounts = [
        {"mount_accessor": accessor, "counts": len(names), "alias_identifiers": names or None}
        for accessor, names in found.items()
    ]
    total = sum(map(len, found.values()))
    here_alone = {
        "namespace_id": namespace_id(call),
        "namespace_path": namespace_path(call, call.caller.principal.tenant),
        "counts": total,
        "mount_accessors": mounts,
    }
    return {"by_namespace": [here_alone], "total": total}


class UnlockRequest(Parameters, frozen=True, kw_only=True):
    mount_accessor: str = CAPTURED
    alias_identifier: Caseless = CAPTURED


@endpoint("system", Verb.WRITE, "locked-users/{mount_accessor}/unlock/{alias_identifier}")
def unlock(req: UnlockRequest, call: Call) -> None:
    """One who is not locked out, or not there, has nothing to be let out of."""
    call(ops.UnlockAccount(tenant=here(call), accessor=req.mount_accessor, name=req.alias_identifier))


OPERATIONS = (list_locked, unlock)
