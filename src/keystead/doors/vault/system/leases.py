"""sys/leases: nothing that is offered has leases yet, so no id is one.

A token is no lease here either: it is looked up, renewed and revoked at auth/token.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire.vault.kinds import SignedDuration
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class LeaseRequest(Parameters, frozen=True, kw_only=True):
    lease_id: str = ""


class RenewRequest(LeaseRequest, frozen=True, kw_only=True):
    increment: SignedDuration = 0


class RevokeRequest(LeaseRequest, frozen=True, kw_only=True):
    sync: bool = True


class PrefixRequest(Parameters, frozen=True, kw_only=True):
    prefix: str = CAPTURED


class RevokePrefixRequest(PrefixRequest, frozen=True, kw_only=True):
    sync: bool = True


def _named(req: LeaseRequest, call: Call) -> None:
    call(ops.UseTools(tenant=here(call)))
    if not req.lease_id:
        raise Said(400, "lease_id must be specified")


@endpoint("system", Verb.WRITE, "leases/lookup")
def look_up(req: LeaseRequest, call: Call) -> None:
    _named(req, call)
    raise Said(400, "invalid lease")


@endpoint("system", Verb.WRITE, "leases/renew")
def renew(req: RenewRequest, call: Call) -> None:
    _named(req, call)
    raise Said(400, "lease not found")


@endpoint("system", Verb.WRITE, "leases/revoke")
def revoke(req: RevokeRequest, call: Call) -> None:
    """One that is not there is revoked already."""
    _named(req, call)


@endpoint("system", Verb.LIST, "leases/lookup/{prefix:path}", sudo=True)
def list_leases(_req: PrefixRequest, call: Call) -> None:
    call(ops.UseTools(tenant=here(call)))
    raise Said(404, "")


@endpoint("system", Verb.WRITE, "leases/revoke-prefix/{prefix:path}", sudo=True)
def revoke_prefix(_req: RevokePrefixRequest, call: Call) -> None:
    call(ops.UseTools(tenant=here(call)))


@endpoint("system", Verb.WRITE, "leases/revoke-force/{prefix:path}", sudo=True)
def revoke_force(_req: PrefixRequest, call: Call) -> None:
    call(ops.UseTools(tenant=here(call)))


class RenewNamedRequest(RenewRequest, frozen=True, kw_only=True):
    lease_id: str = CAPTURED


class RevokeNamedRequest(RevokeRequest, frozen=True, kw_only=True):
    lease_id: str = CAPTURED


@endpoint("system", Verb.WRITE, "leases/renew/{lease_id:path}")
def renew_named(req: RenewNamedRequest, call: Call) -> None:
    _named(req, call)
    raise Said(400, "lease not found")


@endpoint("system", Verb.WRITE, "leases/revoke/{lease_id:path}")
def revoke_named(req: RevokeNamedRequest, call: Call) -> None:
    _named(req, call)


OPERATIONS = (look_up, renew, renew_named, revoke, revoke_named, list_leases, revoke_prefix, revoke_force)
