"""Leases of tokens: looked up, listed, revoked. Vault documentation, "Lease, renew, and revoke"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from keystead.core import operations as ops
from keystead.core.entities import Entity, Token
from keystead.core.errors import NotFound
from keystead.core.operations import Nothing
from keystead.service.handlers.tokens import ended, tree
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

OF_TOKEN = "h"  # noqa: S105 - how the id of a token's lease begins, as Vault has it
AT_ONCE = 200


def lease_id(token: Token) -> str:
    return f"{token.path}/{OF_TOKEN}{token.accessor}"


def _found(tenant: HeldTenant, id_: str, now: datetime) -> Token | None:
    path, _, name = id_.rpartition("/")
    token = tenant.token_of_accessor(name[1:]) if name.startswith(OF_TOKEN) else None
    if token is None or token.path != path or token.expires_at is None or token.is_over(now):
        return None
    return token


def _all(tenant: HeldTenant, prefix: str, now: datetime) -> Iterator[Token]:
    """The lease of that id, and those below that path; not those whose path merely begins alike. "": every one."""
    below = f"{prefix.rstrip('/')}/" if prefix else ""
    for token in tenant.tokens():
        id_ = lease_id(token)
        if token.expires_at is not None and not token.is_over(now) and (id_ == prefix or id_.startswith(below)):
            yield token


def read_lease(op: ops.ReadLease, targets: tuple[HeldTenant], act: Act) -> Outcome[Token]:
    if (token := _found(targets[0], op.id, act.now)) is None:
        raise NotFound("no such lease", "lease")
    return Outcome(answer=token)


def list_leases(op: ops.ListLeases, targets: tuple[HeldTenant], act: Act) -> Outcome[tuple[str, ...]]:
    below = (lease_id(token)[len(op.prefix) :].partition("/") for token in _all(targets[0], op.prefix, act.now))
    return Outcome(answer=tuple(sorted({head + slash for head, slash, _ in below})))


def _trees(tenant: HeldTenant, tokens: list[Token]) -> tuple[Entity, ...]:
    """With all that were made with them, each once."""
    every = {one.id: one for token in tokens for one in tree(tenant, token)}
    return tuple(gone for one in every.values() for gone in ended(tenant, one))


def revoke_lease(op: ops.RevokeLease, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    token = _found(targets[0], op.id, act.now)
    made = "" if token is None else token.accessor
    return Outcome(answer=Nothing(), delete=() if token is None else _trees(targets[0], [token]), made=made)


def revoke_leases(op: ops.RevokeLeases, targets: tuple[HeldTenant], act: Act) -> Outcome[int]:
    (tenant,) = targets
    found = list(islice(_all(tenant, op.prefix, act.now), AT_ONCE))
    return Outcome(answer=len(found), delete=_trees(tenant, found))


HANDLERS: dict[type, Handler] = {
    ops.ReadLease: read_lease,
    ops.ListLeases: list_leases,
    ops.RevokeLease: revoke_lease,
    ops.RevokeLeases: revoke_leases,
}
