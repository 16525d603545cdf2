"""auth/approle/login: a role id and a secret id for a token. Vault HTTP API, "AppRole auth method"."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.terms import logged_in
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb

WRONG = "invalid role or secret ID"


class LoginRequest(Parameters, frozen=True, kw_only=True):
    role_id: str = ""
    secret_id: str = ""


@endpoint("approle", Verb.WRITE, "login", unsigned=True)
def login(req: LoginRequest, call: Call) -> Answer:
    if not req.role_id:
        raise Said(500, "missing role_id")
    asked = call.caller.asked
    made = call(
        ops.LogInByRole(
            tenant=here(call),
            mount=call.namespace,
            role_id=req.role_id,
            secret_id=Sensitive(req.secret_id.encode()) if req.secret_id else None,
            path=asked.here if asked is not None else "",
        )
    )
    if made is None:
        raise Said(400, WRONG)
    return logged_in(made)
