"""sys/audit: files, sockets and syslog that the audit log is told to again. HTTP API, "/sys/audit", "/sys/audit-hash".

The log itself is there always, and no request waits for a device: a device follows it (app.devices).
"""

from __future__ import annotations

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import AuditDevice, DeviceType, Topic
from keystead.core.errors import NotFound
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.handlers.settings import value_of
from keystead.wire.vault.kinds import Pairs, Slashless
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

NOT_OFFERED = frozenset({"http"})
TYPES = frozenset(DeviceType)


class PathRequest(Parameters, frozen=True, kw_only=True):
    path: Slashless = CAPTURED


class EnableRequest(PathRequest, frozen=True, kw_only=True):
    type: str = ""
    description: str = ""
    options: Pairs = msgspec.field(default_factory=dict)
    local: bool = False


class HashRequest(PathRequest, frozen=True, kw_only=True):
    input: str = ""

    def __repr__(self) -> str:
        return "HashRequest(…)"


@endpoint("system", Verb.READ, "audit", sudo=True)
def list_devices(_req: Nothing, call: Call) -> Answer:
    found = {}
    for one in call(ops.ListSettings(tenant=here(call), topic=Topic.AUDIT_DEVICE)):
        device = value_of(one, AuditDevice)
        found[f"{one.name}/"] = {
            "description": device.description,
            "local": device.local,
            "options": device.options,
            "path": f"{one.name}/",
            "type": device.type,
        }
    return Answer(data=found, doubled=True)


@endpoint("system", Verb.WRITE, "audit/{path:path}", sudo=True)
def enable_device(req: EnableRequest, call: Call) -> None:
    if req.type in NOT_OFFERED:
        raise Said(400, f'audit devices of type "{req.type}" are not offered')
    if req.type not in TYPES:
        raise Said(400, f'unknown backend type: "{req.type}"')
    given = {"type": req.type, "options": req.options, "description": req.description, "local": req.local}
    name = req.path.strip("/")
    call(ops.WriteSetting(tenant=here(call), topic=Topic.AUDIT_DEVICE, name=name, given=given))


@endpoint("system", Verb.DELETE, "audit/{path:path}", sudo=True)
def disable_device(req: PathRequest, call: Call) -> None:
    call(ops.DeleteSetting(tenant=here(call), topic=Topic.AUDIT_DEVICE, name=req.path.strip("/")))


@endpoint("system", Verb.WRITE, "audit-hash/{path:path}")
def digest(req: HashRequest, call: Call) -> Answer:
    if not req.input:
        raise Said(400, 'the "input" parameter is empty')
    name = req.path.strip("/")
    try:
        op = ops.DigestForDevice(tenant=here(call), name=name, value=Sensitive(req.input.encode()))
        return Answer(data={"hash": call(op)}, doubled=True)
    except NotFound as error:
        raise Said(400, f'unknown audit backend "{name}/"') from error


OPERATIONS = (list_devices, enable_device, disable_device, digest)
