"""sys/rekey/…: other shares for the seal, by enough of those it has. Vault HTTP API; words held to OpenBao 2.7.2.

And sys/rotate/root/…, OpenBao's name for it (custodial.py).
"""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.beginning import check_numbers, spelled
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.system.custodial import Step, declared
from keystead.doors.vault.system.sealing import NoRequest
from keystead.doors.vault.system.shares import NO_PGP, WRONG, ask, share
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.kit.custody import (
    BeginRekey,
    CancelRekey,
    CancelVerify,
    GiveForRekey,
    GiveForVerify,
    LookAtRekey,
    LookAtVerify,
    Rekeyed,
    Rekeying,
    Verifying,
    Why,
)
from keystead.wire.vault.kinds import Int, Strings
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb

LACKING = "'key' must be specified in request body as JSON"
NONE_FOUND = "no rekey configuration found"
WORDS = {
    Why.IN_PROGRESS: (400, "rekey already in progress"),
    Why.NOTHING_BEGUN: (400, "no barrier rekey in progress"),
    Why.TO_BE_VERIFIED: (400, "rekey operation already finished; verification must be performed"),
    Why.WRONG_NONCE: (400, "incorrect nonce supplied"),
    Why.WRONG_SHARES: (500, f"failed to read root key: {WRONG}"),
}
OF_VERIFYING = {
    Why.NOTHING_BEGUN: (400, NONE_FOUND),
    Why.TO_BE_VERIFIED: (400, "no rekey verification in progress"),
    Why.WRONG_NONCE: (400, "incorrect nonce supplied"),
    Why.WRONG_SHARES: (400, "rekey verification failed; incorrect key shares supplied"),
}


class BeginRequest(Parameters, frozen=True, kw_only=True):
    secret_shares: Int = 0
    secret_threshold: Int = 0
    pgp_keys: Strings | None = None
    backup: bool = False
    require_verification: bool = False


class GiveRequest(Parameters, frozen=True, kw_only=True):
    key: str = ""
    nonce: str = ""


def _progress(one: Rekeying) -> dict[str, Any]:
    data = {
        "nonce": one.nonce,
        "started": bool(one.nonce),
        "t": one.threshold,
        "n": one.n_shares,
        "progress": one.progress,
        "required": one.required,
        "pgp_fingerprints": None,
        "backup": False,
        "verification_required": one.with_verification,
    }
    return data | ({"verification_nonce": one.verification_nonce} if one.verification_nonce else {})


def _verifying(one: Verifying) -> dict[str, Any]:
    if one.complete:
        return {"nonce": one.nonce, "complete": True}
    return {
        "nonce": one.nonce,
        "started": bool(one.nonce),
        "t": one.threshold,
        "n": one.n_shares,
        "progress": one.progress,
    }


def _look(_req: NoRequest, call: Call) -> dict[str, Any]:
    return _progress(ask(call, LookAtRekey(), WORDS))


def _begin(req: BeginRequest, call: Call) -> dict[str, Any]:
    if req.backup and not req.pgp_keys:
        raise Said(400, "cannot request a backup of the new keys without providing PGP keys for encryption")
    if req.pgp_keys:
        raise Said(400, NO_PGP)
    if wrong := check_numbers(req.secret_shares, req.secret_threshold):
        raise Said(500, f"invalid rekey seal configuration: {wrong}")
    begun = BeginRekey(
        n_shares=req.secret_shares, threshold=req.secret_threshold, with_verification=req.require_verification
    )
    return _progress(ask(call, begun, WORDS))


def _cancel(_req: NoRequest, call: Call) -> None:
    ask(call, CancelRekey(), WORDS)


def _give(req: GiveRequest, call: Call) -> dict[str, Any]:
    came = ask(call, GiveForRekey(share=share(req.key, LACKING), nonce=req.nonce), WORDS)
    if not isinstance(came, Rekeyed):
        return _progress(came)
    data = {
        "nonce": came.nonce,
        "complete": True,
        **spelled(came.shares),
        "pgp_fingerprints": None,
        "backup": False,
        "verification_required": bool(came.verification_nonce),
    }
    return data | ({"verification_nonce": came.verification_nonce} if came.verification_nonce else {})


def _look_at_verify(_req: NoRequest, call: Call) -> dict[str, Any]:
    return _verifying(ask(call, LookAtVerify(), OF_VERIFYING))


def _cancel_verify(_req: NoRequest, call: Call) -> dict[str, Any]:
    return _verifying(ask(call, CancelVerify(), OF_VERIFYING))


def _verify(req: GiveRequest, call: Call) -> dict[str, Any]:
    return _verifying(ask(call, GiveForVerify(share=share(req.key, LACKING), nonce=req.nonce), OF_VERIFYING))


STEPS = (
    Step(Verb.READ, "init", NoRequest, _look),
    Step(Verb.WRITE, "init", BeginRequest, _begin),
    Step(Verb.DELETE, "init", NoRequest, _cancel),
    Step(Verb.WRITE, "update", GiveRequest, _give, gives=True),
    Step(Verb.READ, "verify", NoRequest, _look_at_verify),
    Step(Verb.WRITE, "verify", GiveRequest, _verify, gives=True),
    Step(Verb.DELETE, "verify", NoRequest, _cancel_verify),
)


def _none_kept(_req: NoRequest, call: Call) -> None:
    call(ops.ChangeShares(tenant=here(call)))
    raise Said(400, "no backed-up keys found")


def _none_to_forget(_req: NoRequest, call: Call) -> None:
    call(ops.ChangeShares(tenant=here(call)))


OPERATIONS = (
    *declared(STEPS, ops.ChangeShares, "rekey", "rotate/root"),
    *(endpoint("system", Verb.READ, path)(_none_kept) for path in ("rekey/backup", "rotate/root/backup")),
    *(endpoint("system", Verb.DELETE, path)(_none_to_forget) for path in ("rekey/backup", "rotate/root/backup")),
)
