"""auth/approle/role: roles, and each of their options at a path of its own. Vault HTTP API, "AppRole auth method"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Account
from keystead.doors.vault.accounts import find_account, list_accounts
from keystead.doors.vault.endpoint import Answer, Endpoint, Said, endpoint
from keystead.doors.vault.terms import TermsRequest, terms, told
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import Caseless, CommaStrings, Duration, Int
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class RoleRequest(Parameters, frozen=True, kw_only=True):
    role_name: Caseless = CAPTURED


class WriteRoleRequest(TermsRequest, frozen=True, kw_only=True):
    role_name: Caseless = CAPTURED
    role_id: str | None = None
    bind_secret_id: bool | None = None
    secret_id_bound_cidrs: CommaStrings | None = None
    secret_id_num_uses: Int | None = None
    secret_id_ttl: Duration | None = None
    local_secret_ids: bool | None = None
    bound_cidr_list: CommaStrings | None = None  # the oldest name of secret_id_bound_cidrs


OWN: dict[str, str] = {
    "bind_secret_id": "needs_secret_id",
    "secret_id_bound_cidrs": "secret_id_cidrs",
    "secret_id_num_uses": "secret_id_n_uses",
    "secret_id_ttl": "secret_id_ttl",
}
"""Parameter -> where it is kept of a role."""


def _role(call: Call, name: str) -> Account:
    if (found := find_account(call, name.lower())) is None:
        raise Said(404, "")
    return found


def _put(call: Call, req: WriteRoleRequest, before: Account) -> None:
    if req.role_id == "":
        raise Said(400, "invalid role_id supplied, or failed to generate a role_id")
    own = {kept: getattr(req, name) for name, kept in OWN.items() if getattr(req, name) is not None}
    if req.bound_cidr_list is not None and req.secret_id_bound_cidrs is None:
        own["secret_id_cidrs"] = req.bound_cidr_list
    if req.local_secret_ids is not None:
        if before.id:
            raise Said(400, "local_secret_ids can only be modified during role creation")
        own["local_secret_ids"] = req.local_secret_ids
    role = replace(before, terms=terms(req, before.terms), role_id=req.role_id or before.role_id, **own)
    if not role.needs_secret_id and not role.terms.bound_cidrs and not role.secret_id_cidrs:
        raise Said(500, multierror("at least one constraint should be enabled on the role"))
    call(ops.WriteAccount(tenant=here(call), mount=call.namespace, account=role))


@endpoint("approle", Verb.WRITE, "role/{role_name}", creates=True)
def write_role(req: WriteRoleRequest, call: Call) -> Answer | None:
    name = req.role_name.lower()
    warnings: tuple[str, ...] = ()
    if (kind := (req.token_type or "").removeprefix("default-")) != (req.token_type or ""):
        warnings = (f"{req.token_type} has no useful meaning; adjusting to {kind}",)
        req = replace(req, token_type=kind)
    _put(call, req, find_account(call, name) or Account(id="", mount=call.namespace, name=name))
    return Answer(warnings=warnings) if warnings else None


def _told(role: Account) -> dict[str, Any]:
    return {
        **told(role.terms),
        "bind_secret_id": role.needs_secret_id,
        "local_secret_ids": role.local_secret_ids,
        "secret_id_bound_cidrs": role.secret_id_cidrs or None,
        "secret_id_num_uses": role.secret_id_n_uses,
        "secret_id_ttl": role.secret_id_ttl,
    }


@endpoint("approle", Verb.READ, "role/{role_name}")
def read_role(req: RoleRequest, call: Call) -> dict[str, Any]:
    return _told(_role(call, req.role_name))


@endpoint("approle", Verb.DELETE, "role/{role_name}")
def delete_role(req: RoleRequest, call: Call) -> None:
    call(ops.DeleteAccount(tenant=here(call), mount=call.namespace, name=req.role_name.lower()))


@endpoint("approle", Verb.LIST, "role/?")
def list_roles(_req: Nothing, call: Call) -> dict[str, Any]:
    return list_accounts(call)


# --- one option of a role at a path of its own


class Option(Struct, frozen=True):
    """`name`: how the answer calls it. `names`: what a request may call it, each of the kind `kind`.

    `clear`: what a DELETE makes of it.
    """

    path: str
    name: str
    kind: Any
    clear: Any
    older: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.older)


OPTIONS = (
    Option("policies", "token_policies", CommaStrings, (), ("policies",)),
    Option("bind-secret-id", "bind_secret_id", bool, True),  # noqa: FBT003 - a value
    Option("secret-id-num-uses", "secret_id_num_uses", Int, 0),
    Option("secret-id-ttl", "secret_id_ttl", Duration, 0),
    Option("secret-id-bound-cidrs", "secret_id_bound_cidrs", CommaStrings, ()),
    Option("token-bound-cidrs", "token_bound_cidrs", CommaStrings, ()),
    Option("token-num-uses", "token_num_uses", Int, 0),
    Option("token-ttl", "token_ttl", Duration, 0),
    Option("token-max-ttl", "token_max_ttl", Duration, 0),
    Option("period", "token_period", Duration, 0, ("period",)),
)


NEEDS_A_VALUE = frozenset(option.path for option in OPTIONS) - {
    "bind-secret-id",
    "secret-id-bound-cidrs",
    "token-bound-cidrs",
}


def _option(option: Option) -> Iterator[Endpoint]:
    path = f"role/{{role_name}}/{option.path}"
    message = msgspec.defstruct(
        f"{option.path.title().replace('-', '')}Request",
        [("role_name", Caseless, CAPTURED), *((name, option.kind | None, None) for name in option.names)],
        bases=(Parameters,),
        frozen=True,
        kw_only=True,
    )

    @endpoint("approle", Verb.READ, path)
    def read(req: RoleRequest, call: Call) -> dict[str, Any]:
        value = _told(_role(call, req.role_name))[option.name]
        return {option.name: None if option.name.endswith("cidrs") and not value else value}

    def write(req: Any, call: Call) -> None:
        given = {name: getattr(req, name) for name in option.names}
        if option.path in NEEDS_A_VALUE and all(value is None for value in given.values()):
            raise Said(400, f"missing {option.names[-1] if option.path == 'period' else option.name}")
        _put(call, WriteRoleRequest(role_name=req.role_name, **given), _role(call, req.role_name))

    write.__annotations__["req"] = message

    @endpoint("approle", Verb.DELETE, path)
    def clear(req: RoleRequest, call: Call) -> None:
        cleared = WriteRoleRequest(role_name=req.role_name, **{option.name: option.clear})
        if (role := find_account(call, req.role_name.lower())) is not None:
            _put(call, cleared, role)

    yield from (read, endpoint("approle", Verb.WRITE, path)(write), clear)


@endpoint("approle", Verb.READ, "role/{role_name}/local-secret-ids")
def read_local_secret_ids(req: RoleRequest, call: Call) -> dict[str, Any]:
    return {"local_secret_ids": _role(call, req.role_name).local_secret_ids}


class RoleIdRequest(Parameters, frozen=True, kw_only=True):
    role_name: Caseless = CAPTURED
    role_id: str = ""


@endpoint("approle", Verb.READ, "role/{role_name}/role-id")
def read_role_id(req: RoleRequest, call: Call) -> dict[str, Any]:
    return {"role_id": _role(call, req.role_name).role_id}


@endpoint("approle", Verb.WRITE, "role/{role_name}/role-id")
def write_role_id(req: RoleIdRequest, call: Call) -> None:
    role = _role(call, req.role_name)
    if not req.role_id:
        raise Said(400, "missing role_id")
    call(ops.WriteAccount(tenant=here(call), mount=call.namespace, account=replace(role, role_id=req.role_id)))


OPERATIONS = (
    write_role,
    read_role,
    delete_role,
    list_roles,
    *(one for option in OPTIONS for one in _option(option)),
    read_local_secret_ids,
    read_role_id,
    write_role_id,
)
