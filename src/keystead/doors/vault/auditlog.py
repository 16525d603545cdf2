"""Audit records as Vault writes its audit log: two lines of JSON for each, a request and a response.

Vault documentation, "Audit devices". What a record does not hold is not there: no parameters, no answers, and of a path
its template; accessors and ids are digests under the device's salt, as sys/audit-hash makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from keystead.core.audit.record import PERFORMED, Record, in_ascii, timestamp
from keystead.core.entities import Lineage, path_of_chain, sign_of_chain

OPERATIONS = {"read": "read", "list": "list", "write": "update", "delete": "delete", "patch": "patch", "head": "header"}
DOOR = "vault"
Digest = Callable[[str], str]


def shaped(
    record: Record, digest: Digest, *, plain_accessors: bool = False, chain: Lineage = (), gone: bool = False
) -> bytes:
    """Both lines, each with its line feed. `chain`: what leads to the namespace of the record.

    `gone`: nothing is left of that namespace, its name neither; then it is told by the tenant that it was.
    """
    told = str if plain_accessors else digest
    via, at = record.who.via, timestamp(record.at)
    auth: dict[str, Any] = {"token_type": "default"}
    if record.who.id:
        auth = {
            "accessor": told(via) if via else "",
            "display_name": record.who.name,
            "token_type": "batch" if via.startswith("batch-") else "service",
        }
        if record.rule:
            auth["policy_results"] = {"allowed": record.outcome == PERFORMED}
    request: dict[str, Any] = {
        "id": record.request_id,
        **_asked(record),
        "client_token_accessor": told(via) if via else "",
        "namespace": {"id": record.tenant if gone else sign_of_chain(chain)}
        | ({"path": path_of_chain(chain)} if chain else {}),
        "remote_address": record.source,
    }
    common: dict[str, Any] = {"auth": auth, "request": request}
    if record.outcome != PERFORMED:
        common["error"] = f"{record.outcome}: {record.why}" if record.why else record.outcome
    response: dict[str, Any] = {"mount_type": request["mount_type"]}
    if record.made:
        response["data"] = {"made": told(record.made)}
    lines = (
        {"time": at, "type": "request", **common},
        {"time": at, "type": "response", **common, "response": response},
    )
    return b"".join(in_ascii(msgspec.json.encode(line)) + b"\n" for line in lines)


def _asked(record: Record) -> dict[str, str]:
    """Where the request went. One of another door is shown by the names that it has there."""
    engine, _, rest = record.operation.partition(" ")
    verb, _, template = rest.partition(" ")
    if record.door != DOOR or verb not in OPERATIONS:
        return {"operation": "update", "mount_type": record.door, "path": f"{record.door}/{record.operation}"}
    dialect, _, place = record.namespace.partition(":")
    mount = place.partition(":")[2]
    mount = f"auth/{mount}" if dialect == "vault-auth" else mount
    if not mount:  # it was answered before anybody knew of mounts
        mount = "sys" if engine == "system" else engine
    return {
        "operation": OPERATIONS[verb],
        "mount_point": f"{mount}/",
        "mount_type": engine,
        "path": f"{mount}/{template.removesuffix('?')}",
    }
