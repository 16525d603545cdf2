"""cubbyhole/: what each token keeps for itself. HTTP API, "Cubbyhole secrets engine"."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from keystead.core import operations as ops
from keystead.core.errors import NotFound
from keystead.core.operations import WAITS_FOR, CubbyRef
from keystead.doors.vault.endpoint import Answer, Said, endpoint, token_of_caller
from keystead.doors.vault.kv.body import BodyRequest, whole
from keystead.doors.vault.kv.shapes import At, sealed
from keystead.doors.vault.system.wrapping import as_it_was
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.service.handlers.aclpolicies import WRAPPING
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.request import Verb

ENGINE = "cubbyhole"
RESPONSE = "response"
OLD_WAY = (
    "Reading from 'cubbyhole/response' is deprecated. Please use sys/wrapping/unwrap to unwrap responses, as it "
    "provides additional security checks and other benefits."
)
NO_PATH, NO_DATA = multierror("missing path"), multierror("missing data fields")


def _at(path: str, call: Call) -> CubbyRef:
    token, tenant = call.caller.rights.token, call.caller.principal.tenant
    if token is None:
        return CubbyRef(tenant, "", path.rstrip("/"))
    return CubbyRef(tenant, token.id, path.rstrip("/"), abroad=token.tenant != tenant)


@endpoint(ENGINE, Verb.READ, "{path:path?}")
def read(req: At, call: Call) -> Raw | Answer:
    token = call.caller.rights.token
    if req.path == RESPONSE and token is not None and token.policies == (WRAPPING,) and WAITS_FOR not in token.meta:
        return _wrapped(call)
    if not req.path:
        raise Said(500, NO_PATH)
    if req.path.endswith("/"):  # of which a policy was asked, and nothing is called so
        raise Said(404, "")
    return Raw(call(ops.ReadCubby(cubby=_at(req.path, call), text=token_of_caller(call))).reveal())


def _wrapped(call: Call) -> Answer:
    """What the caller's token wraps, as clients asked for it before Vault 0.6.2: the answer as a text."""
    inside = as_it_was(call(ops.Unwrap(tenant=here(call), text=token_of_caller(call))))
    return Answer(data={RESPONSE: bytes(inside.data).decode()}, warnings=(OLD_WAY,))


@endpoint(ENGINE, Verb.WRITE, "{path:path?}", creates=True, reads=whole)
def write(req: BodyRequest, call: Call) -> None:
    if not req.path:
        raise Said(500, NO_PATH)
    if not req.body:
        raise Said(500, NO_DATA)
    call(ops.WriteCubby(cubby=_at(req.path, call), value=sealed(req.body), text=token_of_caller(call)))


@endpoint(ENGINE, Verb.DELETE, "{path:path?}")
def delete(req: At, call: Call) -> None:
    if req.path and not req.path.endswith("/"):
        call(ops.DeleteCubby(cubby=_at(req.path, call)))


@endpoint(ENGINE, Verb.LIST, "{path:path?}")
def list_paths(req: At, call: Call) -> dict[str, Any]:
    names = call(ops.ListCubbies(cubby=_at(req.path, call)))
    if not names:
        raise NotFound("nothing is listed there", "folder")
    return {"keys": names}


OPERATIONS = (read, write, delete, list_paths)
