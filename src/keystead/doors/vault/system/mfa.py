"""sys/mfa/validate: the second factor of a login that waits. Vault HTTP API, "/sys/mfa/validate"."""

from __future__ import annotations

import msgspec

from keystead.core import operations as ops
from keystead.core.operations import NotProven
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.factors import of_payload
from keystead.doors.vault.terms import logged_in
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire.vault.kinds import Map
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb


class ValidateRequest(Parameters, frozen=True, kw_only=True):
    mfa_request_id: str = ""
    mfa_payload: Map = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return "ValidateRequest(…)"


@endpoint("system", Verb.WRITE, "mfa/validate", unsigned=True)
def validate(req: ValidateRequest, call: Call) -> Answer:
    if not req.mfa_request_id:
        raise Said(400, "missing request ID")
    factors = of_payload(req.mfa_payload)
    request_id = Sensitive(req.mfa_request_id.encode())
    done = call(ops.ValidateLogin(tenant=here(call), request_id=request_id, factors=factors))
    if isinstance(done, NotProven):
        raise Said(403, done.words)
    return logged_in(done)


OPERATIONS = (validate,)
