"""sys/leases: of tokens. HTTP API, "/sys/leases".

A token's lease is looked up and revoked here; it is renewed at auth/token, and nothing else that is offered has one.
"""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.errors import NotFound
from keystead.doors.vault.endpoint import TIDIED, Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import Duration, Slashless
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import time_text


class LeaseRequest(Parameters, frozen=True, kw_only=True):
    lease_id: str = ""


QUEUED = Answer(status=202, bare=True)
"""To who would not wait (`sync: false`). It is done all the same when it is answered."""


class RenewRequest(LeaseRequest, frozen=True, kw_only=True):
    increment: Duration = 0


class RevokeRequest(LeaseRequest, frozen=True, kw_only=True):
    sync: bool = True


class PrefixRequest(Parameters, frozen=True, kw_only=True):
    prefix: Slashless = CAPTURED


class RevokePrefixRequest(PrefixRequest, frozen=True, kw_only=True):
    sync: bool = True


class KindRequest(Parameters, frozen=True, kw_only=True):
    type: str = ""


def _id(req: LeaseRequest) -> str:
    if not req.lease_id:
        raise Said(400, "lease_id must be specified")
    return req.lease_id


@endpoint("system", Verb.WRITE, "leases/lookup")
def look_up(req: LeaseRequest, call: Call) -> dict[str, Any]:
    try:
        token = call(ops.ReadLease(tenant=here(call), id=_id(req)))
    except NotFound as error:
        raise Said(400, "invalid lease") from error
    expires_at = token.expires_at or call.caller.now
    return {
        "expire_time": time_text(expires_at),
        "id": req.lease_id,
        "issue_time": time_text(token.created_at),
        "last_renewal": None if token.renewed_at is None else time_text(token.renewed_at),
        "renewable": token.renewable,
        "ttl": max(0, int((expires_at - call.caller.now).total_seconds())),
    }


def _renew(req: RenewRequest, call: Call) -> None:
    """There is none that could be: of those that are there, Vault says where to go."""
    try:
        call(ops.ReadLease(tenant=here(call), id=_id(req)))
    except NotFound as error:
        raise Said(400, "lease not found") from error
    raise Said(400, "tokens cannot be renewed through this endpoint")


def _revoke(req: RevokeRequest, call: Call) -> Answer | None:
    """One that is not there is revoked already."""
    call(ops.RevokeLease(tenant=here(call), id=_id(req)))
    return None if req.sync else QUEUED


def _listed(prefix: str, call: Call) -> dict[str, Any]:
    keys = call(ops.ListLeases(tenant=here(call), prefix=f"{prefix.strip('/')}/" if prefix.strip("/") else ""))
    if not keys:
        raise Said(404, "")
    return {"keys": keys}


def _revoke_all(req: PrefixRequest, call: Call) -> None:
    """Some at a time: whoever is stopped in between asks again."""
    while call(ops.RevokeLeases(tenant=here(call), prefix=req.prefix)):
        pass


@endpoint("system", Verb.WRITE, "leases/renew")
def renew(req: RenewRequest, call: Call) -> None:
    _renew(req, call)


@endpoint("system", Verb.WRITE, "leases/revoke")
def revoke(req: RevokeRequest, call: Call) -> Answer | None:
    return _revoke(req, call)


@endpoint("system", Verb.LIST, "leases/lookup/?", sudo=True)
def list_all(_req: Nothing, call: Call) -> dict[str, Any]:
    return _listed("", call)


@endpoint("system", Verb.LIST, "leases/lookup/{prefix:path}", sudo=True)
def list_leases(req: PrefixRequest, call: Call) -> dict[str, Any]:
    return _listed(req.prefix, call)


@endpoint("system", Verb.WRITE, "leases/revoke-prefix/{prefix:path}", sudo=True)
def revoke_prefix(req: RevokePrefixRequest, call: Call) -> Answer | None:
    _revoke_all(req, call)
    return None if req.sync else QUEUED


@endpoint("system", Verb.WRITE, "leases/revoke-force/{prefix:path}", sudo=True)
def revoke_force(req: PrefixRequest, call: Call) -> None:
    _revoke_all(req, call)


class RenewNamedRequest(RenewRequest, frozen=True, kw_only=True):
    lease_id: str = CAPTURED


class RevokeNamedRequest(RevokeRequest, frozen=True, kw_only=True):
    lease_id: str = CAPTURED


@endpoint("system", Verb.WRITE, "leases/renew/{lease_id:path}")
def renew_named(req: RenewNamedRequest, call: Call) -> None:
    _renew(req, call)


@endpoint("system", Verb.WRITE, "leases/revoke/{lease_id:path}")
def revoke_named(req: RevokeNamedRequest, call: Call) -> Answer | None:
    return _revoke(req, call)


# --- those that could not be revoked: of a token there is none


def _irrevocable(req: KindRequest, call: Call) -> None:
    call(ops.UseTools(tenant=here(call)))
    if req.type != "irrevocable":
        raise Said(404, "")


@endpoint("system", Verb.READ, "leases", sudo=True)
def list_irrevocable(req: KindRequest, call: Call) -> dict[str, Any]:
    _irrevocable(req, call)
    return {"lease_count": 0, "leases": ()}


@endpoint("system", Verb.READ, "leases/count")
def count(req: KindRequest, call: Call) -> dict[str, Any]:
    _irrevocable(req, call)
    return {"counts": {}, "lease_count": 0}


@endpoint("system", Verb.WRITE, "leases/tidy")
def tidy(_req: Nothing, call: Call) -> Answer:
    """There is nothing to tidy: a lease is its token's own row."""
    call(ops.UseTools(tenant=here(call)))
    return TIDIED


OPERATIONS = (
    look_up,
    renew,
    renew_named,
    revoke,
    revoke_named,
    list_all,
    list_leases,
    revoke_prefix,
    revoke_force,
    list_irrevocable,
    count,
    tidy,
)
