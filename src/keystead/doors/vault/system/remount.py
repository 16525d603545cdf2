"""sys/remount: a mount is moved to another path."""

from __future__ import annotations

import msgspec

from keystead.core import operations as ops
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.mounts import path_of
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.system.engines import OWN
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class RemountRequest(Parameters, frozen=True, kw_only=True):
    from_: str = msgspec.field(default="", name="from")
    to: str = ""


@endpoint("system", Verb.WRITE, "remount", sudo=True)
def remount(req: RemountRequest, call: Call) -> Answer:
    """Done when it is answered; the id is there for clients that go on asking."""
    source, to = req.from_.strip("/"), req.to.strip("/")
    if not source or not to:
        raise Said(400, "both 'from' and 'to' path must be specified as a string")
    if to.partition("/")[0] in OWN and not (source.startswith("auth/") and to.startswith("auth/")):
        raise Said(400, f"cannot remount to destination {to}/")
    try:
        moved = call(ops.MoveMount(tenant=here(call), path=source, to=to))
    except NotFound as error:
        raise Said(400, f'no matching mount at "{source}/"') from error
    except AlreadyExists as error:
        raise Said(400, f'path already in use at "{to}/"') from error
    words = (
        "Mount move has been queued. Progress will be reported in the server log, tagged with the returned migration_id"
    )
    return Answer(data={"migration_id": moved.uuid}, doubled=True, warnings=(words,))


class StatusRequest(Parameters, frozen=True, kw_only=True):
    migration_id: str = CAPTURED


@endpoint("system", Verb.READ, "remount/status/{migration_id}")
def remount_status(req: StatusRequest, call: Call) -> Answer:
    """A move's id is that of the mount: it is where it is, and nothing is under way."""
    for mount in call(ops.ListMounts(tenant=here(call))):
        if mount.uuid == req.migration_id:
            info = {"source_mount": "", "target_mount": f"{path_of(mount)}/", "status": "success"}
            return Answer(data={"migration_id": mount.uuid, "migration_info": info})
    raise Said(404, "")


OPERATIONS = (remount, remount_status)
