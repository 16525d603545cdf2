"""Tokens: looked up, renewed, used, revoked. Vault documentation, "Tokens"; OpenBao, vault/token_store.go.

A token ends with the one it was made with. Whoever makes a child also puts its parent, so that a revocation that has
not seen the child is redone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import USED_UP, Entity, Token
from keystead.core.errors import Denied, InvalidArgument, NotFound
from keystead.core.operations import Capped, Nothing, Renewed, ShownToken
from keystead.core.sensitive import Sensitive
from keystead.crypto.chains import told
from keystead.service.credentials.batch import BatchTokens
from keystead.service.handlers.renewing import as_it_is_now
from keystead.service.handlers.tokenparts import least, most_at
from keystead.service.handlers.unrevoked import require_unrevoked
from keystead.service.held import HeldTenant
from keystead.service.persons import persons_of_token
from keystead.service.pipeline import Act, Handler, Outcome

# --- looking up, renewing


def meant(op: ops.TokenOperation[Any], tenant: HeldTenant, act: Act) -> Token | None:
    """The token that the operation is about, unless it is over."""
    if op.batch is not None:
        return _opened(op.batch, tenant, act.now)
    if not op.id and not op.accessor:
        return act.caller.rights.token
    found = tenant.token_at_or_below(op.id) if op.id else tenant.token_of_accessor(op.accessor)
    return valid(found, act.now)


def valid(found: Token | None, now: datetime) -> Token | None:
    """None where it is over."""
    return None if found is None or found.is_over(now) else found


def _opened(text: Sensitive, tenant: HeldTenant, now: datetime) -> Token | None:
    """A batch token, unless it is over, or what it ends with is."""
    token = BatchTokens(tenant.batch_key()).open(text)
    if token is None or not tenant.is_at_or_below(token.tenant) or token.is_over(now):
        return None
    maker = tenant.maker_of(token) if token.creator else None
    if token.creator and (maker is None or maker.is_over(now) or maker.n_uses == USED_UP):
        return None
    return None if token.mount and not tenant.is_mounted(token) else token


def look_up_token(op: ops.LookUpToken, targets: tuple[HeldTenant], act: Act) -> Outcome[ShownToken]:
    if (token := meant(op, targets[0], act)) is None:
        raise NotFound("no such token", "token")
    return Outcome(answer=ShownToken(token, _policies_of_entity(token, targets[0])))


def _policies_of_entity(token: Token, tenant: HeldTenant) -> tuple[str, ...]:
    return tenant.belonging(token.entity, token.tenant).policies if token.entity else ()


def look_up_self(_op: ops.LookUpSelf, _targets: tuple[HeldTenant], act: Act) -> Outcome[ShownToken]:
    rights = act.caller.rights
    if rights.token is None:
        raise InvalidArgument("this caller has no token", "token")
    return Outcome(answer=ShownToken(rights.token, rights.identity_policies))


def renew_token(op: ops.RenewToken, targets: tuple[HeldTenant], act: Act) -> Outcome[Renewed]:
    """From now on, but never beyond what it may last since it was made, by what lets its bearer in as that is now."""
    token = meant(op, targets[0], act)
    if token is None or token.n_uses == USED_UP:  # which this request may be
        raise NotFound("no such token", "token")
    if token.is_batch:
        raise InvalidArgument("batch tokens cannot be renewed", "token")
    if not token.renewable:
        raise InvalidArgument("lease is not renewable", "renewable")
    if token.bound_key and token.bound_key != _shown_key(act):
        words = "client identity during renewal not matching client identity used during login"
        raise InvalidArgument(words, "certificate")
    seen = require_unrevoked(targets[0], token, act)
    now, usual, by = as_it_is_now(token, targets[0])
    lasted = int((act.now - token.created_at).total_seconds())
    ttl, capped, end = _renewed_for(now, op.increment or usual, lasted, most_at(targets[0].bounding(token)))
    until = act.now + timedelta(seconds=ttl)
    if end:  # to the moment, not to the second
        until = min(until, token.created_at + timedelta(seconds=end))
    renewed = replace(token, period=now.period, renewed_at=act.now, expires_at=until)
    policies = _policies_of_entity(token, targets[0])
    return Outcome(answer=Renewed(renewed, ttl, capped, policies), put=(renewed,), seen=(*seen, *by))


def _shown_key(act: Act) -> str:
    """The digest of the key that the caller has shown a certificate of over TLS; "" without one."""
    try:
        return told(act.caller.certificates[0]).key if act.caller.certificates else ""
    except ValueError:
        return ""


def _renewed_for(token: Token, wanted: int, lasted: int, at_mount: int) -> tuple[int, Capped | None, int]:
    """Seconds from now on, and from when it was made that it may last at all; 0: for ever.

    `at_mount`: how long its mount, as it is now, lets a token last.
    """
    most = least(token.explicit_max_ttl, token.max_ttl, at_mount)
    end, capped = most, None
    if token.period:
        wanted, end = min(token.period, most), token.explicit_max_ttl
        capped = Capped("period", token.period, most) if token.period > most else None
    left = max(0, end - lasted) if end else wanted
    if wanted > left:
        capped = Capped("period" if token.period else "TTL", wanted, left)
    return min(wanted, left), capped, end


# --- using, ending


def use_token(op: ops.UseToken, targets: tuple[HeldTenant], act: Act) -> Outcome[Token]:
    token = act.caller.rights.token
    if token is None or not token.n_uses:
        raise InvalidArgument("this caller's uses are not counted", "token")
    if op.ended:
        if token.n_uses != USED_UP:
            raise InvalidArgument("the token has uses left", "token")
        left = targets[0].token(token.id)  # it may have ended itself
        return Outcome(answer=token, delete=() if left is None else ended(targets[0], left))
    if token.n_uses == USED_UP:
        raise Denied("permission denied")
    used = replace(token, n_uses=token.n_uses - 1 or USED_UP)
    return Outcome(answer=used, put=(used,))


def revoke_token(op: ops.RevokeToken, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    """Over or not: the scheduler takes away what has expired."""
    (tenant,) = targets
    token = act.caller.rights.token
    if op.batch is not None:
        token = _opened(op.batch, tenant, act.now)
    elif op.id or op.accessor:
        token = tenant.token_at_or_below(op.id) if op.id else tenant.token_of_accessor(op.accessor)
    if token is None:
        raise NotFound("no such token", "token")
    if token.is_batch:
        raise InvalidArgument("batch tokens cannot be revoked", "token")
    if op.orphaning:
        people = persons_of_token(token, tenant.token_of_id)  # who made them stays who made them
        left = tuple(
            replace(child, creator="", behind=tuple(sorted({*child.behind, *people})))
            for child in tenant.children_of(token)
        )
        return Outcome(answer=Nothing(), put=left, delete=ended(tenant, token), made=token.accessor)
    gone = tuple(gone for one in tree(tenant, token) for gone in ended(tenant, one))
    return Outcome(answer=Nothing(), delete=gone, made=token.accessor)


def tree(tenant: HeldTenant, token: Token) -> list[Token]:
    """It and all that were made with it."""
    found = [token]
    for one in found:
        found += tenant.children_of(one)
    return found


def ended(tenant: HeldTenant, token: Token) -> tuple[Entity, ...]:
    """What goes with one token."""
    wrapped, kept = tenant.wrapped(token), tenant.kept_by(token)
    return (token, *kept) if wrapped is None else (token, wrapped, *kept)


def list_tokens(_op: ops.ListTokens, targets: tuple[HeldTenant], act: Act) -> Outcome[tuple[Token, ...]]:
    return Outcome(answer=tuple(one for one in targets[0].tokens() if not one.is_over(act.now)))


HANDLERS: dict[type, Handler] = {
    ops.LookUpToken: look_up_token,
    ops.LookUpSelf: look_up_self,
    ops.RenewToken: renew_token,
    ops.UseToken: use_token,
    ops.RevokeToken: revoke_token,
    ops.ListTokens: list_tokens,
}
