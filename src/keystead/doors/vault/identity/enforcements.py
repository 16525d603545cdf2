"""identity/mfa/login-enforcement: of which logins a second factor is asked. Vault HTTP API, "Login enforcement"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import MfaEnforcement
from keystead.core.naming import WORD
from keystead.doors.vault.endpoint import Said, endpoint, namespace_id, namespace_path
from keystead.doors.vault.identity.shapes import listed
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.envelope import UNSUPPORTED_PATH
from keystead.wire.vault.kinds import Strings
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

MOST_NAME = 512  # characters


class NamedRequest(Parameters, frozen=True, kw_only=True):
    name: str = CAPTURED


class EnforcementRequest(NamedRequest, frozen=True, kw_only=True):
    mfa_method_ids: Strings | None = None
    auth_method_accessors: Strings | None = None
    auth_method_types: Strings | None = None
    identity_group_ids: Strings | None = None
    identity_entity_ids: Strings | None = None


def _name(req: NamedRequest) -> str:
    """Raises Said for what is no name here. OpenBao, framework.GenericNameRegex"""
    if len(req.name) > MOST_NAME or WORD.fullmatch(req.name) is None:
        raise Said(404, UNSUPPORTED_PATH)
    return req.name


def _told(one: MfaEnforcement, call: Call) -> dict[str, Any]:
    return {
        "auth_method_accessors": one.accessors,
        "auth_method_types": one.engines,
        "id": one.id,
        "identity_entity_ids": one.entities,
        "identity_group_ids": one.groups,
        "mfa_method_ids": one.methods,
        "name": one.name,
        "namespace_id": namespace_id(call),
        "namespace_path": namespace_path(call, call.caller.principal.tenant),
    }


@endpoint("identity", Verb.READ, "mfa/login-enforcement/{name}")
def read_enforcement(req: NamedRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadMfaEnforcement(tenant=here(call), name=_name(req))), call)


@endpoint("identity", Verb.LIST, "mfa/login-enforcement/?")
def list_enforcements(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListMfaEnforcements(tenant=here(call)))
    return listed(found, lambda one: one.name, lambda one: _told(one, call))


@endpoint("identity", Verb.WRITE, "mfa/login-enforcement/{name}")
def write_enforcement(req: EnforcementRequest, call: Call) -> None:
    call(
        ops.WriteMfaEnforcement(
            tenant=here(call),
            name=_name(req),
            methods=req.mfa_method_ids,
            accessors=req.auth_method_accessors,
            engines=req.auth_method_types,
            groups=req.identity_group_ids,
            entities=req.identity_entity_ids,
        )
    )


@endpoint("identity", Verb.DELETE, "mfa/login-enforcement/{name}")
def delete_enforcement(req: NamedRequest, call: Call) -> None:
    call(ops.DeleteMfaEnforcement(tenant=here(call), name=_name(req)))


OPERATIONS = (read_enforcement, list_enforcements, write_enforcement, delete_enforcement)
