"""sys/policies/acl, and sys/policy as it was called before."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import AclPolicy
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.refusals import refuse
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault.kinds import Caseless, Duration, Int, Time
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded


class NameRequest(Parameters, frozen=True, kw_only=True):
    name: Caseless = CAPTURED


class WriteRequest(Parameters, frozen=True, kw_only=True):
    name: Caseless = CAPTURED
    policy: str = ""
    allow_slashes_in_identity_templates: bool | None = None
    allow_wildcards_in_identity_templates: bool | None = None
    cas: Int | None = None
    cas_required: bool | None = None
    expiration: Time | None = None
    ttl: Duration | None = None


class OldWriteRequest(WriteRequest, frozen=True, kw_only=True):
    rules: str = ""


OPENBAOS = (
    "allow_slashes_in_identity_templates",
    "allow_wildcards_in_identity_templates",
    "cas",
    "cas_required",
    "expiration",
    "ttl",
)


def text_of(given: str) -> str:
    """A policy may come in base64: nothing that is base64 is a policy."""
    try:
        return base64_decoded(given).decode()
    except (Malformed, UnicodeDecodeError):
        return given


def _write(req: WriteRequest, given: str, call: Call) -> None:
    if not given:
        raise Said(400, "'policy' parameter not supplied or empty")
    refuse(req, OPENBAOS)
    call(ops.WriteAclPolicy(tenant=here(call), name=req.name.lower(), text=text_of(given)))


def _told(policy: AclPolicy, member: str) -> dict[str, Any]:
    return {"name": policy.name, member: policy.text}


@endpoint("system", Verb.LIST, "policies/acl/?")
def list_policies(_req: Nothing, call: Call) -> dict[str, Any]:
    return {"keys": call(ops.ListAclPolicies(tenant=here(call)))}


@endpoint("system", Verb.READ, "policies/acl/{name:path}")
def read_policy(req: NameRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadAclPolicy(tenant=here(call), name=req.name.lower())), "policy")


@endpoint("system", Verb.WRITE, "policies/acl/{name:path}")
def write_policy(req: WriteRequest, call: Call) -> None:
    _write(req, req.policy, call)


@endpoint("system", Verb.DELETE, "policies/acl/{name:path}")
def delete_policy(req: NameRequest, call: Call) -> None:
    call(ops.DeleteAclPolicy(tenant=here(call), name=req.name.lower()))


def _list_old(call: Call) -> Answer:
    names = call(ops.ListAclPolicies(tenant=here(call)))
    return Answer(data={"keys": names, "policies": names}, doubled=True)


@endpoint("system", Verb.READ, "policy")
def get_old_policies(_req: Nothing, call: Call) -> Answer:
    return _list_old(call)


@endpoint("system", Verb.LIST, "policy/?")
def list_old_policies(_req: Nothing, call: Call) -> Answer:
    return _list_old(call)


@endpoint("system", Verb.READ, "policy/{name:path}")
def read_old_policy(req: NameRequest, call: Call) -> Answer:
    policy = call(ops.ReadAclPolicy(tenant=here(call), name=req.name.lower()))
    return Answer(data=_told(policy, "rules"), doubled=True)


@endpoint("system", Verb.WRITE, "policy/{name:path}")
def write_old_policy(req: OldWriteRequest, call: Call) -> Answer | None:
    _write(req, req.policy or req.rules, call)
    return None if req.policy else Answer(warnings=("'rules' is deprecated, please use 'policy' instead",))


@endpoint("system", Verb.DELETE, "policy/{name:path}")
def delete_old_policy(req: NameRequest, call: Call) -> None:
    call(ops.DeleteAclPolicy(tenant=here(call), name=req.name.lower()))


OPERATIONS = (
    list_policies,
    read_policy,
    write_policy,
    delete_policy,
    get_old_policies,
    list_old_policies,
    read_old_policy,
    write_old_policy,
    delete_old_policy,
)
