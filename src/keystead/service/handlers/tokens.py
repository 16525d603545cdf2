"""Tokens: made, looked up, renewed, used, revoked. Vault documentation, "Tokens"; OpenBao, vault/token_store.go.

A token ends with the one it was made with. Whoever makes a child also puts its parent, so that a revocation that has
not seen the child is rewhose.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import USED_UP, Entity, Token, TokenRole
from keystead.core.errors import Denied, Internal, InvalidArgument, NotFound
from keystead.core.mounts import MountTable
from keystead.core.operations import Capped, MadeToken, Nothing, Renewed, ShownToken
from keystead.core.policy.paths import acl_of
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.chains import told
from keystead.service.credentials.batch import BatchTokens
from keystead.service.credentials.token import PREFIX, check_custom, digest
from keystead.service.handlers.joining import NOBODY, Joined, join
from keystead.service.handlers.tokenroles import allows_alias, settled
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.rights import BUILT_IN, ROOT_POLICY

DEFAULT_FOR = MAX_FOR = 768 * 3600  # seconds: the installation's default_lease_ttl and max_lease_ttl
_ODD = re.compile(r"[^a-zA-Z0-9-]")


def token_text(entropy: Entropy) -> str:
    """160 random bits."""
    return PREFIX + b32encode(entropy(20)).decode()


def accessor(entropy: Entropy) -> str:
    return b32encode(entropy(15)).decode()


def new_text(tenant: HeldTenant, entropy: Entropy) -> Sensitive:
    return Sensitive(suffixed(token_text(entropy), tenant).encode())


def suffixed(text: str, tenant: HeldTenant) -> str:
    """Of a token of a namespace the text and the accessor end in the namespace's own sign, after a dot."""
    return f"{text}.{sign}" if (sign := tenant.sign()) else text


def root_token(tenant: str, now: datetime, entropy: Entropy, text: Sensitive | None = None) -> MadeToken:
    """A token that may do everything, for ever. `text`: what it is to be; None: at random."""
    text = text or Sensitive(token_text(entropy).encode())
    token = Token(
        id=digest(text),
        tenant=tenant,
        accessor=accessor(entropy),
        policies=(ROOT_POLICY,),
        display_name="root",
        path="auth/token/root",
        created_at=now,
    )
    return MadeToken(token, text)


# --- making


def create_token(op: ops.CreateToken, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken]:
    (tenant,) = targets
    parent = act.caller.rights.token
    if parent is None:
        raise InvalidArgument("only a token makes a token", "token")
    if parent.is_batch:
        raise InvalidArgument("batch tokens cannot create more tokens", "token")
    if parent.n_uses:
        raise InvalidArgument("restricted use token cannot generate child tokens", "num_uses")
    role = _role(tenant, op.role)
    is_batch = kind_of("default-service" if role is None else role.made_as, op.made_as) == BATCH
    if is_batch:
        _require_batchable(op, role)
    if op.n_uses < 0:
        raise InvalidArgument("number of uses cannot be negative", "num_uses")
    sudo, from_above = has_sudo(act), parent.tenant != tenant.id
    if from_above and not sudo:
        words = "root or sudo privileges required to directly generate a token in a child namespace"
        raise InvalidArgument(words, "tenant")
    if op.orphan and op.needs_sudo and role is None and not sudo:
        raise InvalidArgument("root or sudo privileges required to create orphan token", "no_parent")
    if op.period and not sudo:
        raise InvalidArgument("root or sudo privileges required to create periodic token", "period")
    text = _given(op.text, tenant, sudo=sudo) if op.text is not None else new_text(tenant, act.entropy)
    if role is not None:
        op = replace(op, with_default=op.with_default and role.with_default)
    policies = _chosen(op, role, parent, sudo=sudo, from_above=from_above)
    period = least(op.period, role.period) if role is not None else op.period
    most = least(op.explicit_max_ttl, role.explicit_max_ttl) if role is not None else op.explicit_max_ttl
    ttl, capped = lasting(op.ttl, period, most, is_root=policies == (ROOT_POLICY,))
    orphan = op.orphan if role is None else role.orphan
    whose = _belongs(op, tenant, role, parent, act, orphan=orphan)
    token = Token(
        id=digest(text),
        tenant=tenant.id,
        accessor=suffixed(accessor(act.entropy), tenant),
        creator="" if orphan else parent.id,
        policies=policies,
        entity=whose.id,
        display_name=f"token-{_ODD.sub('-', op.display_name)}" if op.display_name else "token",
        meta=dict(op.meta),
        path=op.path if role is None or not role.path_suffix else f"{op.path}/{role.path_suffix}",
        role=op.role,
        created_at=act.now,
        ttl=ttl,
        period=period,
        explicit_max_ttl=most,
        expires_at=act.now + timedelta(seconds=ttl) if ttl else None,
        n_uses=least(op.n_uses, role.n_uses) if role is not None else op.n_uses,
        renewable=op.renewable and ttl > 0 and (role is None or role.renewable),
        bound_cidrs=(role.bound_cidrs if role is not None else ()) or parent.bound_cidrs,
    )
    absent = _absent(tenant, policies)
    seen = (*(() if role is None else (role,)), *whose.seen)
    if is_batch:
        made = batch_of(tenant, token, act, capped, absent, whose.policies)
        return Outcome(answer=made, put=whose.put, delete=whose.delete, seen=seen, made=made.token.bearer)
    made = MadeToken(token, text, capped, absent, whose.policies)
    return Outcome(
        answer=made,
        put=(token, *(() if orphan else (parent,)), *whose.put),
        delete=whose.delete,
        seen=seen,
        made=token.accessor,
    )


def _belongs(
    op: ops.CreateToken, tenant: HeldTenant, role: TokenRole | None, parent: Token, act: Act, *, orphan: bool
) -> Joined:
    """Whom an alias at auth/token makes it belong to; without one, a child belongs to whom its parent does.

    In a namespace below the parent's nobody has the policies of that entity.
    """
    if not op.entity_alias:
        policies = act.caller.rights.identity_policies if parent.tenant == tenant.id else ()
        return NOBODY if orphan else Joined(id=parent.entity, policies=policies)
    if role is None:
        raise InvalidArgument("'entity_alias' is only allowed in combination with token role", "entity_alias")
    if not allows_alias(role, op.entity_alias):
        raise InvalidArgument("invalid 'entity_alias' value", "entity_alias")
    if (mount := MountTable(tenant.id, ()).at("auth/token")) is None:
        raise Internal("there is no auth/token")
    return join(tenant, mount, op.entity_alias, None, act)


BATCH = "batch"


def kind_of(settled: str, asked: str) -> str:
    """What a token is where a role or a mount says `settled`: what may be asked for otherwise is a "default-…"."""
    return (asked or settled.removeprefix("default-")) if settled.startswith("default-") else settled


def _require_batchable(op: ops.CreateToken, role: TokenRole | None) -> None:
    for name, is_set in (
        ("explicit_max_ttl", op.explicit_max_ttl),
        ("num_uses", op.n_uses),
        ("period", op.period),
        ("id", op.text is not None),
    ):
        if is_set:
            raise InvalidArgument(f'batch tokens cannot have "{name}" set', name)
    if role is not None and role.n_uses:  # nobody counts them
        raise InvalidArgument('batch tokens cannot have "num_uses" set', "num_uses")


def batch_of(
    tenant: HeldTenant,
    token: Token,
    act: Act,
    capped: Capped | None,
    absent: tuple[str, ...] = (),
    identity: tuple[str, ...] = (),
) -> MadeToken:
    """That token as a batch token: nothing of it is put. Raises InvalidArgument, LimitExceeded."""
    if ROOT_POLICY in token.policies:
        raise InvalidArgument("batch tokens cannot be root tokens", "policies")
    if token.n_uses:
        raise InvalidArgument('batch tokens cannot have "num_uses" set', "num_uses")
    sealed = BatchTokens(tenant.batch_key()).seal(token, act.entropy, tenant.sign())
    return MadeToken(*sealed, capped, absent, identity)


def least(*seconds: int) -> int:
    """The least of those that are set."""
    return min((one for one in seconds if one), default=0)


def _role(tenant: HeldTenant, name: str) -> TokenRole | None:
    if not name:
        return None
    if (found := tenant.token_role(name)) is None:
        raise InvalidArgument(f"unknown role {name}", "role")
    return found


def has_sudo(act: Act) -> bool:
    """Whether the caller has sudo where it asked."""
    asked = act.caller.asked
    held = acl_of(act.caller.rights.policies, act.now).capabilities(asked.path) if asked is not None else ()
    return "root" in held or "sudo" in held


def _given(text: Sensitive, tenant: HeldTenant, *, sudo: bool) -> Sensitive:
    """A token whose text somebody has thought of."""
    if not sudo:
        raise InvalidArgument("root or sudo privileges required to specify token id", "id")
    if tenant.space() is not None:
        raise InvalidArgument("token IDs can only be manually specified in the root namespace", "id")
    check_custom(text)
    if tenant.token(digest(text)) is not None:
        raise InvalidArgument("cannot create a token with a duplicate ID", "id")
    return text


def names(policies: Iterable[str]) -> set[str]:
    return {name for name in (one.strip().lower() for one in policies) if name}


def _policies(op: ops.CreateToken, parent: Token, *, sudo: bool) -> tuple[str, ...]:
    """Root is made by root alone, and nobody without sudo gives more than it has."""
    given = names(op.policies or ())
    wanted = given or set(parent.policies)
    if "response-wrapping" in wanted:
        raise InvalidArgument('cannot assign policy "response-wrapping"', "policies")
    if ROOT_POLICY in wanted:
        if ROOT_POLICY not in parent.policies:
            words = "root tokens may not be created without parent token being root"
            raise InvalidArgument(words if sudo else "child policies must be subset of parent", "policies")
        return (ROOT_POLICY,)
    if not sudo and not wanted <= set(parent.policies):
        raise InvalidArgument("child policies must be subset of parent", "policies")
    if not op.with_default:
        wanted.discard("default")
    elif given and (sudo or "default" in parent.policies):
        wanted.add("default")
    return tuple(sorted(wanted))


def _chosen(
    op: ops.CreateToken, role: TokenRole | None, parent: Token, *, sudo: bool, from_above: bool
) -> tuple[str, ...]:
    if from_above:  # of its own policies the parent has none there: they are called so in its namespace
        return _from_above(op, role, parent)
    if role is not None and role.bounds_policies:
        return settled(role, op, parent)
    return _policies(op, parent, sudo=sudo)


def _from_above(op: ops.CreateToken, role: TokenRole | None, parent: Token) -> tuple[str, ...]:
    """Of a token that is made in a namespace by one of a namespace above."""
    if ROOT_POLICY in names(op.policies or ()):
        raise InvalidArgument("root tokens may not be created from a parent namespace", "policies")
    bare = replace(parent, policies=("default",))
    return settled(role, op, bare) if role is not None and role.bounds_policies else _policies(op, bare, sudo=True)


def _absent(tenant: HeldTenant, policies: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        name for name in policies if name != ROOT_POLICY and name not in BUILT_IN and tenant.acl_policy(name) is None
    )


def lasting(ttl: int, period: int, most: int, *, is_root: bool) -> tuple[int, Capped | None]:
    """Seconds; 0 of a root token that is to last. OpenBao, framework.CalculateTTL."""
    limit = least(most, MAX_FOR)
    if period:
        return (period, None) if period <= limit else (limit, Capped("period", period, limit))
    if is_root and not ttl:
        return most and limit, None
    wanted = ttl or DEFAULT_FOR
    return (wanted, None) if wanted <= limit else (limit, Capped("TTL", wanted, limit))


def issue_token(op: ops.IssueToken, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken]:
    (tenant,) = targets
    wanted = names(op.policies)
    if not wanted or "response-wrapping" in wanted:
        raise InvalidArgument("a token has one policy at least, and never response-wrapping", "policies")
    policies = (ROOT_POLICY,) if ROOT_POLICY in wanted else tuple(sorted({*wanted, "default"}))
    text = new_text(tenant, act.entropy)
    ttl, capped = lasting(op.ttl, op.period, 0, is_root=policies == (ROOT_POLICY,))
    token = Token(
        id=digest(text),
        tenant=tenant.id,
        accessor=suffixed(accessor(act.entropy), tenant),
        policies=policies,
        display_name=op.display_name or "token",
        path="auth/token/create",
        created_at=act.now,
        ttl=ttl,
        period=op.period,
        expires_at=act.now + timedelta(seconds=ttl) if ttl else None,
        n_uses=op.n_uses,
        renewable=ttl > 0,
    )
    made = MadeToken(token, text, capped, _absent(tenant, policies))
    return Outcome(answer=made, put=(token, tenant.record), made=token.accessor)  # it may be ending meanwhile


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
    """From now on, but never beyond what it may last since it was made."""
    if (token := meant(op, targets[0], act)) is None:
        raise NotFound("no such token", "token")
    if token.is_batch:
        raise InvalidArgument("batch tokens cannot be renewed", "token")
    if not token.renewable:
        raise InvalidArgument("lease is not renewable", "renewable")
    if token.bound_key and token.bound_key != _shown_key(act):
        words = "client identity during renewal not matching client identity used during login"
        raise InvalidArgument(words, "certificate")
    lasted = int((act.now - token.created_at).total_seconds())
    wanted = min(token.period, MAX_FOR) or op.increment or _last(token)
    most = (token.explicit_max_ttl if token.period else least(token.explicit_max_ttl, token.max_ttl, MAX_FOR)) or None
    left = wanted if most is None else max(0, most - lasted)
    capped = Capped("period" if token.period else "TTL", wanted, left) if wanted > left else None
    ttl = min(wanted, left)
    renewed = replace(token, renewed_at=act.now, expires_at=act.now + timedelta(seconds=ttl))
    policies = _policies_of_entity(token, targets[0])
    return Outcome(answer=Renewed(renewed, ttl, capped, policies), put=(renewed,))


def _shown_key(act: Act) -> str:
    """The digest of the key that the caller has shown a certificate of over TLS; "" without one."""
    try:
        return told(act.caller.certificates[0]).key if act.caller.certificates else ""
    except ValueError:
        return ""


def _last(token: Token) -> int:
    """Seconds that it was given when it was made, or renewed."""
    if token.renewed_at is None or token.expires_at is None:
        return token.ttl
    return int((token.expires_at - token.renewed_at).total_seconds())


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
        left = tuple(replace(child, creator="") for child in tenant.children_of(token))
        return Outcome(answer=Nothing(), put=left, delete=ended(tenant, token))
    return Outcome(answer=Nothing(), delete=tuple(gone for one in tree(tenant, token) for gone in ended(tenant, one)))


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
    ops.CreateToken: create_token,
    ops.IssueToken: issue_token,
    ops.LookUpToken: look_up_token,
    ops.LookUpSelf: look_up_self,
    ops.RenewToken: renew_token,
    ops.UseToken: use_token,
    ops.RevokeToken: revoke_token,
    ops.ListTokens: list_tokens,
}
