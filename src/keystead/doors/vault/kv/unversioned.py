"""kv version 1: one value at each path. HTTP API, "KV secrets engine - version 1"."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.errors import NotFound
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, TokenCall, endpoint
from keystead.doors.vault.kv.body import BodyRequest, whole
from keystead.doors.vault.kv.metadata import listed
from keystead.doors.vault.kv.shapes import At, at, sealed, told
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault import scalars
from keystead.wire.vault.request import Verb

ENGINE = "kv"
USUAL_LEASE = 768 * 3600  # seconds: the installation's default_lease_ttl


class _Lease(msgspec.Struct, frozen=True):
    """What a value says of how long it may be kept."""

    ttl: Any = msgspec.UNSET
    lease: Any = msgspec.UNSET


_lease = msgspec.json.Decoder(_Lease, float_hook=float).decode


def lease_for(value: Sensitive, usual: int) -> int:
    """Seconds that a client may keep it: as its member `ttl`, or else `lease`, says; or else what is usual there."""
    said = value.reveal()
    if b'"ttl"' not in said and b'"lease"' not in said:
        return usual
    found = _lease(said)
    given = found.lease if found.ttl is msgspec.UNSET else found.ttl
    if isinstance(given, bool) or not isinstance(given, str | int):
        return usual
    try:
        return scalars.seconds(str(given)) if given != "" else 0
    except Malformed:
        return usual


@endpoint(ENGINE, Verb.READ, "{path:path?}")
def read(req: At, call: Call) -> Answer:
    found = call(ops.ReadSecret(secret=at(req.path, call)))
    if found.value is None:
        raise NotFound("nothing is kept there", "secret")
    usual = (call.lease_for if isinstance(call, TokenCall) else 0) or USUAL_LEASE
    return Answer(data=told(found.value), lease_duration=lease_for(found.value, usual))


@endpoint(ENGINE, Verb.WRITE, "{path:path?}", creates=True, reads=whole)
def write(req: BodyRequest, call: Call) -> None:
    if not req.path:
        raise Said(400, "missing path")
    if not req.body:
        raise Said(400, "missing data fields")
    call(ops.WriteSecret(secret=at(req.path, call), value=sealed(req.body), n_kept=1))


@endpoint(ENGINE, Verb.DELETE, "{path:path?}")
def delete(req: At, call: Call) -> None:
    if req.path and not req.path.endswith("/"):
        call(ops.DeleteSecret(secret=at(req.path, call)))


@endpoint(ENGINE, Verb.LIST, "{path:path?}")
def list_secrets(req: At, call: Call) -> dict[str, Any]:
    return listed(call, req.path)


OPERATIONS = (read, write, delete, list_secrets)
