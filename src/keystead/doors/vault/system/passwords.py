"""sys/policies/password: what passwords are drawn by. HTTP API, "/sys/policies/password"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import PasswordPolicy, Topic
from keystead.core.errors import InvalidArgument, NotFound
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.system.policies import text_of
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.handlers.settings import value_of
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

ABSENT = multierror("policy does not exist")


class NameRequest(Parameters, frozen=True, kw_only=True):
    name: str = CAPTURED


class WriteRequest(NameRequest, frozen=True, kw_only=True):
    policy: str = ""


@endpoint("system", Verb.LIST, "policies/password/?")
def list_policies(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListSettings(tenant=here(call), topic=Topic.PASSWORD_POLICY))
    if not found:
        raise Said(404, "")
    return {"keys": [one.name for one in found]}


@endpoint("system", Verb.READ, "policies/password/{name:path}")
def read_policy(req: NameRequest, call: Call) -> dict[str, Any]:
    try:
        found = call(ops.ReadSetting(tenant=here(call), topic=Topic.PASSWORD_POLICY, name=req.name))
    except NotFound as error:
        raise Said(404, ABSENT) from error
    return {"policy": value_of(found, PasswordPolicy).text}


@endpoint("system", Verb.WRITE, "policies/password/{name:path}")
def write_policy(req: WriteRequest, call: Call) -> None:
    if not req.policy:
        raise Said(400, multierror("missing policy"))
    given = {"text": text_of(req.policy)}
    try:
        call(ops.WriteSetting(tenant=here(call), topic=Topic.PASSWORD_POLICY, name=req.name, given=given))
    except InvalidArgument as error:
        raise Said(400, multierror(str(error))) from error


@endpoint("system", Verb.DELETE, "policies/password/{name:path}")
def delete_policy(req: NameRequest, call: Call) -> None:
    call(ops.DeleteSetting(tenant=here(call), topic=Topic.PASSWORD_POLICY, name=req.name))


@endpoint("system", Verb.READ, "policies/password/{name:path}/generate")
def generate(req: NameRequest, call: Call) -> dict[str, Any]:
    try:
        return {"password": call(ops.DrawPassword(tenant=here(call), name=req.name))}
    except NotFound as error:
        raise Said(404, ABSENT) from error


OPERATIONS = (list_policies, read_policy, write_policy, delete_policy, generate)
