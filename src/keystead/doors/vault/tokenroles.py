"""auth/token/roles: what tokens are made like."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import TokenRole
from keystead.core.errors import NotFound
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.terms import doubled_names
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import CommaStrings, Duration, Int
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class RoleRequest(Parameters, frozen=True, kw_only=True):
    """The names without "token_" are the older ones, and mean the same. None: as it was."""

    role_name: str = CAPTURED
    allowed_policies: CommaStrings | None = None
    allowed_policies_glob: CommaStrings | None = None
    disallowed_policies: CommaStrings | None = None
    disallowed_policies_glob: CommaStrings | None = None
    allowed_entity_aliases: CommaStrings | None = None
    orphan: bool | None = None
    renewable: bool | None = None
    path_suffix: str | None = None
    period: Duration | None = None
    token_period: Duration | None = None
    explicit_max_ttl: Duration | None = None
    token_explicit_max_ttl: Duration | None = None
    bound_cidrs: CommaStrings | None = None
    token_bound_cidrs: CommaStrings | None = None
    token_no_default_policy: bool | None = None
    token_num_uses: Int | None = None
    token_type: str | None = None


KINDS = frozenset({"default-service", "default-batch", "service", "batch"})


class NameRequest(Parameters, frozen=True, kw_only=True):
    role_name: str = CAPTURED


FIELDS: dict[str, tuple[str, ...]] = {
    "allowed_policies": ("allowed_policies",),
    "allowed_policies_glob": ("allowed_policies_glob",),
    "disallowed_policies": ("disallowed_policies",),
    "disallowed_policies_glob": ("disallowed_policies_glob",),
    "allowed_entity_aliases": ("allowed_entity_aliases",),
    "orphan": ("orphan",),
    "renewable": ("renewable",),
    "path_suffix": ("path_suffix",),
    "period": ("token_period", "period"),
    "explicit_max_ttl": ("token_explicit_max_ttl", "explicit_max_ttl"),
    "bound_cidrs": ("token_bound_cidrs", "bound_cidrs"),
    "n_uses": ("token_num_uses",),
    "made_as": ("token_type",),
}
"""Of the role -> the names of its parameters, the one that counts first."""
LOWERED = {field for field in FIELDS if "policies" in field or "aliases" in field}


@endpoint("token", Verb.WRITE, "roles/{role_name}", creates=True)
def write_role(req: RoleRequest, call: Call) -> Answer | None:
    if req.token_type not in {*KINDS, None}:
        raise Said(400, f"invalid 'token_type' value \"{req.token_type}\"")
    name = req.role_name
    try:
        before = call(ops.ReadTokenRole(tenant=here(call), name=name))
    except NotFound:
        before = TokenRole(id="", tenant="", name=name)
    given: dict[str, Any] = {field: getattr(before, field) for field in (*FIELDS, "with_default")}
    for field, names in FIELDS.items():
        values = [value for value in (getattr(req, one) for one in names) if value is not None]
        if values:
            given[field] = tuple(v.lower() for v in values[0]) if field in LOWERED else values[0]
    if req.token_no_default_policy is not None:
        given["with_default"] = not req.token_no_default_policy
    call(ops.WriteTokenRole(tenant=here(call), role=TokenRole(id="", tenant="", name=name, **given)))
    return doubled_names(req, FIELDS)


@endpoint("token", Verb.READ, "roles/{role_name}")
def read_role(req: NameRequest, call: Call) -> dict[str, Any]:
    role = call(ops.ReadTokenRole(tenant=here(call), name=req.role_name))
    told: dict[str, Any] = {
        "allowed_entity_aliases": role.allowed_entity_aliases or None,
        "allowed_policies": role.allowed_policies,
        "allowed_policies_glob": role.allowed_policies_glob,
        "disallowed_policies": role.disallowed_policies,
        "disallowed_policies_glob": role.disallowed_policies_glob,
        "explicit_max_ttl": role.explicit_max_ttl,
        "name": role.name,
        "orphan": role.orphan,
        "path_suffix": role.path_suffix,
        "period": role.period,
        "renewable": role.renewable,
        "token_explicit_max_ttl": role.explicit_max_ttl,
        "token_no_default_policy": not role.with_default,
        "token_period": role.period,
        "token_type": role.made_as,
    }
    if role.bound_cidrs:
        told["token_bound_cidrs"] = role.bound_cidrs
    if role.n_uses:
        told["token_num_uses"] = role.n_uses
    return told


@endpoint("token", Verb.LIST, "roles/?")
def list_roles(_req: Nothing, call: Call) -> dict[str, Any]:
    names = call(ops.ListTokenRoles(tenant=here(call)))
    if not names:
        raise Said(404, "")
    return {"keys": names}


@endpoint("token", Verb.DELETE, "roles/{role_name}")
def delete_role(req: NameRequest, call: Call) -> None:
    call(ops.DeleteTokenRole(tenant=here(call), name=req.role_name))


OPERATIONS = (write_role, read_role, list_roles, delete_role)
