"""code: made and checked. OpenBao, totp/path_code.go."""

from __future__ import annotations

from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.totp.keys import NameRequest, checked, ring
from keystead.doors.vault.transit.words import said
from keystead.kit import Call
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import duration_text

NANO = 1_000_000_000


class CheckRequest(NameRequest, frozen=True, kw_only=True):
    code: str = ""

    def __repr__(self) -> str:
        return "CheckRequest(…)"


@endpoint("totp", Verb.READ, "code/{name}")
def generate(req: NameRequest, call: Call) -> dict[str, Any]:
    try:
        made = call(ops.GenerateOtp(keyring=ring(call), name=checked(req.name)))
    except e.NotFound as error:
        raise said(400, f"unknown key: {req.name}", error) from error
    return {
        "code": made.code,
        "expire_time": int(made.ends_at.timestamp()),
        "generated": int(made.made_at.timestamp()),
        "period": duration_text(made.key.period * NANO),
    }


@endpoint("totp", Verb.WRITE, "code/{name}")
def check(req: CheckRequest, call: Call) -> dict[str, Any]:
    name = checked(req.name)
    try:
        key = call(ops.ReadOtpKey(keyring=ring(call), name=name))
        if not req.code:
            raise Said(400, "the code value is required")
        if req.code.strip() != req.code or len(req.code.encode()) != key.digits:
            raise Said(400, "invalid number of digits for the code")
        code = Sensitive(req.code.encode())
        return {"valid": call(ops.CheckOtp(keyring=ring(call), name=name, code=code))}
    except e.NotFound as error:
        raise said(400, f"unknown key: {name}", error) from error
    except e.Conflict as error:
        if error.detail != ops.USED:
            raise
        raise said(400, "code already used; wait until the next time period", error) from error


OPERATIONS = (generate, check)
