"""Roles of tokens: what a token made at auth/token/create/<role> is like. OpenBao, vault/token_store.go."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Token, TokenRole
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import Nothing
from keystead.core.policy.fold import lower
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

_SUFFIX = re.compile(r"\w[\w.-]+\w", re.ASCII)
MAX_NAME = 256


def settled(role: TokenRole, op: ops.CreateToken, maker: Token) -> tuple[str, ...]:
    """The policies of a token of a role that bounds them. Raises InvalidArgument in Vault's words."""
    allowed, asked = set(role.allowed_policies), {one.strip().lower() for one in op.policies or ()} - {""}
    if not asked:
        asked = set(allowed) if allowed or role.allowed_policies_glob else set(maker.policies)
    if "response-wrapping" in asked:
        raise InvalidArgument('cannot assign policy "response-wrapping"', "policies")
    if "root" in asked and "root" not in maker.policies:
        raise InvalidArgument("root tokens may not be created without parent token being root", "policies")
    with_default = op.with_default and "default" not in role.disallowed_policies
    if with_default and "root" not in asked:
        asked.add("default")
    if (allowed or role.allowed_policies_glob) and not all(_fits(one, allowed, role, with_default) for one in asked):
        listed = sorted({*allowed, "default"} if with_default else allowed)
        raise InvalidArgument(
            f"token policies ({_list(sorted(asked))}) must be subset of the role's allowed policies "
            f"({_list(listed)}) or glob policies ({_list(role.allowed_policies_glob)})",
            "policies",
        )
    for one in sorted(asked):
        if one in role.disallowed_policies or any(_is_like(one, glob) for glob in role.disallowed_policies_glob):
            raise InvalidArgument(f'token policy "{one}" is disallowed by this role', "policies")
    return ("root",) if "root" in asked else tuple(sorted(asked))


def _fits(name: str, allowed: set[str], role: TokenRole, with_default: bool) -> bool:  # noqa: FBT001 - one of two facts
    if name in allowed or (with_default and name == "default"):
        return True
    return any(_is_like(name, glob) for glob in role.allowed_policies_glob)


def allows_alias(role: TokenRole, alias: str) -> bool:
    """Whether a token of the role may belong to whoever is known by that alias."""
    return any(_is_like(lower(alias), glob) for glob in role.allowed_entity_aliases)


def _is_like(text: str, glob: str) -> bool:
    """`glob`: "*" stands for anything, and nothing else does."""
    first, *rest = glob.split("*")
    if not rest:
        return text == glob
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        if (at := text.find(part, at)) < 0:
            return False
        at += len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])


def _list(words: tuple[str, ...] | list[str]) -> str:
    """As Go prints a list of quoted strings."""
    return f"[{' '.join(json.dumps(word) for word in words)}]"


def write_token_role(op: ops.WriteTokenRole, targets: tuple[HeldTenant], _act: Act) -> Outcome[TokenRole]:
    (tenant,) = targets
    role = op.role
    if not 0 < len(role.name) <= MAX_NAME:
        raise InvalidArgument("role name cannot be empty", "name")
    if role.path_suffix and _SUFFIX.fullmatch(role.path_suffix) is None:
        raise InvalidArgument(
            "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w", "path_suffix"
        )
    for network in role.bound_cidrs:
        try:
            ip_network(network, strict=False)
        except ValueError:
            words = f'error parsing address "{network}": Unable to convert "{network}" to an IPv4 or IPv6 address'
            raise InvalidArgument(f"error parsing role fields: {words}, or a UNIX Socket", "bound_cidrs") from None
    if role.n_uses < 0:
        raise InvalidArgument("error parsing role fields: 'token_num_uses' cannot be negative", "token_num_uses")
    _check_kind(role)
    before = tenant.token_role(role.name)
    kept = replace(
        role,
        id=tenant.token_role_id(role.name),
        tenant=tenant.id,
        revision=before.revision if before is not None else 0,
    )
    return Outcome(answer=kept, put=(kept,))


def _check_kind(role: TokenRole) -> None:
    """What a role of batch tokens cannot say. OpenBao, vault/token_store.go."""
    if role.made_as != "batch":
        return
    for holds, words in (
        (not role.orphan, "non-orphan tokens"),
        (role.period, "periodic tokens"),
        (role.renewable, "renewable tokens"),
        (role.explicit_max_ttl, "tokens with an explicit max TTL"),
    ):
        if holds:
            raise InvalidArgument(f"'token_type' cannot be 'batch' when role is set to generate {words}", "token_type")


def read_token_role(op: ops.ReadTokenRole, targets: tuple[HeldTenant], _act: Act) -> Outcome[TokenRole]:
    if (found := targets[0].token_role(op.name)) is None:
        raise NotFound("no such role", "name")
    return Outcome(answer=found)


def list_token_roles(_op: ops.ListTokenRoles, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[str, ...]]:
    return Outcome(answer=tuple(sorted(one.name for one in targets[0].token_roles())))


def delete_token_role(op: ops.DeleteTokenRole, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    found = targets[0].token_role(op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else (found,))


HANDLERS: dict[type, Handler] = {
    ops.WriteTokenRole: write_token_role,
    ops.ReadTokenRole: read_token_role,
    ops.ListTokenRoles: list_token_roles,
    ops.DeleteTokenRole: delete_token_role,
}
