"""sys/control-group, sys/config/control-group: what waits for the approval of others (docs/adr/0037).

Vault documentation, "Control groups"; HTTP API, "/sys/control-group", "/sys/config/control-group". What is held is
answered with a wrapping token; the request itself is in it, for whoever asked to have it done once it is approved.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from keystead.core import operations as ops
from keystead.core.entities import ONLY, ApprovalRequest, ControlGroups, Token, Topic
from keystead.core.errors import NotFound
from keystead.core.operations import WAITS_FOR, ShownRequest
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.times import short
from keystead.doors.vault.tokens import AccessorRequest, Nothing, here
from keystead.kit import Call
from keystead.service.handlers.settings import value_of
from keystead.wire.http import HttpRequest
from keystead.wire.vault.kinds import Duration
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb

HEAD = b"keystead waiting request v1\n"
"""No answer in JSON begins like this."""
KEPT = (b"content-type", b"x-vault-namespace", b"x-vault-wrap-ttl", b"x-vault-policy-override")
MAX_BODY = 65_536  # bytes of a request that is kept; a longer one is sent again by whoever asked
NOT_YET = "Request needs further approval"


class Waiting(Struct, frozen=True, array_like=True):
    """A request, to be made again."""

    method: bytes
    target: bytes
    headers: dict[str, bytes]
    body: bytes


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Waiting).decode


def parked(request: HttpRequest) -> bytes:
    """A request as its wrapping token keeps it; the token that it came with is not in it."""
    headers = {name.decode(): request.headers[name] for name in KEPT if name in request.headers}
    return HEAD + _encode(Waiting(request.method, request.target, headers, request.body))


def is_parked(inside: bytes) -> bool:
    return inside.startswith(HEAD)


def unparked(inside: bytes) -> Waiting:
    return _decode(inside.removeprefix(HEAD))


# --- sys/control-group


def _found(req: AccessorRequest, call: Call) -> tuple[Token, ShownRequest]:
    """Raises Said."""
    if not req.accessor:
        raise Said(400, multierror("missing accessor"))
    try:
        token = call(ops.LookUpWrapped(tenant=here(call), accessor=req.accessor))
        return token, call(ops.ShowApproval(scope=here(call).tenant, id=token.meta.get(WAITS_FOR, "")))
    except NotFound:
        raise Said(400, multierror("invalid accessor")) from None


def _approved(shown: ShownRequest) -> bool:
    return shown.request.approved_at is not None and not shown.request.denied_by


def _entity(by: str) -> str:
    kind, _, id_ = by.partition(":")
    return id_ if kind == "entity" else ""


def _authorizations(request: ApprovalRequest) -> list[dict[str, str]]:
    return [{"entity_id": _entity(one.by), "entity_name": one.name} for one in request.approvals]


@endpoint("system", Verb.WRITE, "control-group/request")
def check(req: AccessorRequest, call: Call) -> dict[str, Any]:
    token, shown = _found(req, call)
    request = shown.request
    return {
        "approved": _approved(shown),
        "request_path": token.path,
        "request_entity": {"id": _entity(request.asked_by), "name": request.asked_name},
        "authorizations": _authorizations(request),
    }


@endpoint("system", Verb.WRITE, "control-group/authorize")
def authorize(req: AccessorRequest, call: Call) -> dict[str, Any]:
    _, shown = _found(req, call)
    return {"approved": _approved(call(ops.Approve(scope=here(call).tenant, id=shown.request.id)))}


# --- sys/config/control-group


class ConfigRequest(Parameters, frozen=True, kw_only=True):
    max_ttl: Duration = 0


@endpoint("system", Verb.READ, "config/control-group")
def read_config(_req: Nothing, call: Call) -> Answer:
    try:
        setting = call(ops.ReadSetting(tenant=here(call), topic=Topic.CONTROL_GROUP, name=ONLY))
    except NotFound:
        raise Said(404, "") from None
    return Answer(data={"max_ttl": short(value_of(setting, ControlGroups).max_ttl)}, doubled=True)


@endpoint("system", Verb.WRITE, "config/control-group")
def write_config(req: ConfigRequest, call: Call) -> None:
    given = {"max_ttl": req.max_ttl}
    call(ops.WriteSetting(tenant=here(call), topic=Topic.CONTROL_GROUP, name=ONLY, given=given))


@endpoint("system", Verb.DELETE, "config/control-group")
def delete_config(_req: Nothing, call: Call) -> None:
    call(ops.DeleteSetting(tenant=here(call), topic=Topic.CONTROL_GROUP, name=ONLY))


OPERATIONS = (check, authorize, read_config, write_config, delete_config)
