"""Tokens made with a token, or by the operator. Vault documentation, "Tokens"; OpenBao, vault/token_store.go."""

from __future__ import annotations

import re
from datetime import timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Token, TokenRole
from keystead.core.errors import Internal, InvalidArgument
from keystead.core.mounts import TUNED, MountTable
from keystead.core.operations import MadeToken
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.token import check_custom, digest
from keystead.service.handlers.aclpolicies import has_sudo
from keystead.service.handlers.joining import NOBODY, Joined, join
from keystead.service.handlers.tokenparts import (
    BATCH,
    accessor,
    batch_of,
    kind_of,
    lasting,
    least,
    names,
    new_text,
    suffixed,
)
from keystead.service.handlers.tokenroles import allows_alias, settled
from keystead.service.held import HeldTenant
from keystead.service.persons import persons_of_token
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.rights import BUILT_IN, ROOT_POLICY

_ODD = re.compile(r"[^a-zA-Z0-9-]")


def create_token(op: ops.CreateToken, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken]:
    (tenant,) = targets
    parent = _maker(act)
    role = _role(tenant, op.role)
    like = role or TokenRole(id="", tenant=tenant.id, name="", orphan=op.orphan)  # which bounds nothing
    is_batch = kind_of(like.made_as, op.made_as) == BATCH
    if is_batch:
        _require_batchable(op, like)
    if op.n_uses < 0:
        raise InvalidArgument("number of uses cannot be negative", "num_uses")
    sudo, from_above = has_sudo(act), parent.tenant != tenant.id
    if not sudo:
        _require_modest(op, role, from_above=from_above)
    text = _given(op.text, tenant, sudo=sudo) if op.text is not None else new_text(tenant, act.entropy)
    bare = not op.with_default
    op = replace(op, with_default=op.with_default and like.with_default)
    policies = _chosen(op, like, parent, sudo=sudo, from_above=from_above)
    if bare:  # whoever asks for it without is given it by no role
        policies = tuple(one for one in policies if one != "default")
    period, most = least(op.period, like.period), least(op.explicit_max_ttl, like.explicit_max_ttl)
    at = tenant.mount_at(TUNED)
    ttl, capped = lasting(op.ttl, period, most, is_root=policies == (ROOT_POLICY,), at=at)
    if policies == (ROOT_POLICY,) and not ttl and parent.expires_at is not None:
        raise InvalidArgument("expiring root tokens cannot create non-expiring root tokens", "ttl")
    whose = _belongs(op, tenant, role, parent, act, orphan=like.orphan)
    token = Token(
        id=digest(text),
        tenant=tenant.id,
        accessor=suffixed(accessor(act.entropy), tenant),
        creator="" if like.orphan else parent.id,
        policies=policies,
        entity=whose.id,
        display_name=f"token-{_ODD.sub('-', op.display_name)}" if op.display_name else "token",
        meta=dict(op.meta),
        path=f"{op.path}/{like.path_suffix}" if like.path_suffix else op.path,
        role=op.role,
        created_at=act.now,
        ttl=ttl,
        period=period,
        explicit_max_ttl=most,
        expires_at=act.now + timedelta(seconds=ttl) if ttl else None,
        n_uses=least(op.n_uses, like.n_uses),
        renewable=op.renewable and ttl > 0 and like.renewable,
        bound_cidrs=like.bound_cidrs or parent.bound_cidrs,
        behind=persons_of_token(parent, tenant.token_of_id) if like.orphan or op.entity_alias else (),
    )
    absent = _absent(tenant, policies)
    seen = (*(() if role is None else (role,)), *whose.seen)
    if is_batch:
        made = batch_of(tenant, token, act, capped, absent, whose.policies)
        return Outcome(answer=made, put=whose.put, delete=whose.delete, seen=seen, made=made.token.bearer)
    made = MadeToken(token, text, capped, absent, whose.policies)
    return Outcome(
        answer=made,
        put=(token, *(() if like.orphan else (parent,)), *whose.put),
        delete=whose.delete,
        seen=seen,
        made=token.accessor,
    )


def _maker(act: Act) -> Token:
    """Whose token it is that makes one. Raises InvalidArgument."""
    parent = act.caller.rights.token
    if parent is None:
        raise InvalidArgument("only a token makes a token", "token")
    if parent.is_batch:
        raise InvalidArgument("batch tokens cannot create more tokens", "token")
    if parent.n_uses:
        raise InvalidArgument("restricted use token cannot generate child tokens", "num_uses")
    return parent


def _require_modest(op: ops.CreateToken, role: TokenRole | None, *, from_above: bool) -> None:
    """Raises InvalidArgument for what sudo alone may ask for."""
    if from_above:
        words = "root or sudo privileges required to directly generate a token in a child namespace"
        raise InvalidArgument(words, "tenant")
    if op.orphan and op.needs_sudo and role is None:
        raise InvalidArgument("root or sudo privileges required to create orphan token", "no_parent")
    if op.period:
        raise InvalidArgument("root or sudo privileges required to create periodic token", "period")


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
    if (mount := MountTable(tenant.id, ()).at(TUNED)) is None:
        raise Internal("there is no auth/token")
    return join(tenant, mount, op.entity_alias, None, act)


def _require_batchable(op: ops.CreateToken, like: TokenRole) -> None:
    for name, is_set in (
        ("explicit_max_ttl", op.explicit_max_ttl),
        ("num_uses", op.n_uses),
        ("period", op.period),
        ("id", op.text is not None),
    ):
        if is_set:
            raise InvalidArgument(f'batch tokens cannot have "{name}" set', name)
    if like.n_uses:  # nobody counts them
        raise InvalidArgument('batch tokens cannot have "num_uses" set', "num_uses")


def _role(tenant: HeldTenant, name: str) -> TokenRole | None:
    if not name:
        return None
    if (found := tenant.token_role(name)) is None:
        raise InvalidArgument(f"unknown role {name}", "role")
    return found


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


def _chosen(op: ops.CreateToken, like: TokenRole, parent: Token, *, sudo: bool, from_above: bool) -> tuple[str, ...]:
    if from_above:  # of its own policies the parent has none there: they are called so in its namespace
        return _from_above(op, like, parent)
    if like.bounds_policies:
        return settled(like, op, parent)
    return _policies(op, parent, sudo=sudo)


def _from_above(op: ops.CreateToken, like: TokenRole, parent: Token) -> tuple[str, ...]:
    """Of a token that is made in a namespace by one of a namespace above."""
    if ROOT_POLICY in names(op.policies or ()):
        raise InvalidArgument("root tokens may not be created from a parent namespace", "policies")
    bare = replace(parent, policies=("default",))
    return settled(like, op, bare) if like.bounds_policies else _policies(op, bare, sudo=True)


def _absent(tenant: HeldTenant, policies: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        name for name in policies if name != ROOT_POLICY and name not in BUILT_IN and tenant.acl_policy(name) is None
    )


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


HANDLERS: dict[type, Handler] = {
    ops.CreateToken: create_token,
    ops.IssueToken: issue_token,
}
