"""auth/approle/role/…/secret-id: made, shown, destroyed. Vault HTTP API, "AppRole auth method"."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import SecretId
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.operations import MadeSecretId
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.approle.roles import RoleRequest
from keystead.doors.vault.endpoint import TIDIED, Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.handlers.logins import ROLE
from keystead.wire.vault.kinds import Caseless, CommaStrings, Duration, Int
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import time_text

ZERO = "0001-01-01T00:00:00Z"


class MakeRequest(Parameters, frozen=True, kw_only=True):
    role_name: Caseless = CAPTURED
    metadata: str = ""
    cidr_list: CommaStrings = ()
    token_bound_cidrs: CommaStrings = ()
    num_uses: Int | None = None
    ttl: Duration | None = None


class MakeCustomRequest(MakeRequest, frozen=True, kw_only=True):
    secret_id: str = ""


def _metadata(text: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(text, type=dict[str, str]) if text else {}
    except msgspec.DecodeError:
        words = "failed to parse metadata: failed to parse the input: invalid <key,value> format"
        raise Said(400, words) from None


def _make(req: MakeRequest, call: Call, text: Sensitive | None) -> dict[str, Any]:
    try:
        made: MadeSecretId = call(
            ops.MakeSecretId(
                tenant=here(call),
                mount=call.namespace,
                name=req.role_name.lower(),
                text=text,
                meta=_metadata(req.metadata),
                cidrs=req.cidr_list,
                token_cidrs=req.token_bound_cidrs,
                n_uses=req.num_uses,
                ttl=req.ttl,
            )
        )
    except NotFound as error:
        raise Said(404, f'role "{req.role_name}" does not exist') from error
    except AlreadyExists as error:
        raise Said(500, multierror(f"failed to store secret_id: {error}")) from error
    return {
        "secret_id": made.text,
        "secret_id_accessor": made.secret_id.accessor,
        "secret_id_num_uses": made.secret_id.n_uses,
        "secret_id_ttl": made.secret_id.ttl,
    }


@endpoint("approle", Verb.WRITE, "role/{role_name}/secret-id")
def make_secret_id(req: MakeRequest, call: Call) -> dict[str, Any]:
    return _make(req, call, None)


@endpoint("approle", Verb.WRITE, "role/{role_name}/custom-secret-id")
def make_custom_secret_id(req: MakeCustomRequest, call: Call) -> dict[str, Any]:
    if not req.secret_id:
        raise Said(400, "missing secret_id")
    return _make(req, call, Sensitive(req.secret_id.encode()))


@endpoint("approle", Verb.LIST, "role/{role_name}/secret-id/?")
def list_secret_ids(req: RoleRequest, call: Call) -> dict[str, Any]:
    try:
        found = call(ops.ListSecretIds(tenant=here(call), mount=call.namespace, name=req.role_name.lower()))
    except NotFound as error:
        raise Said(400, f'role "{req.role_name}" does not exist') from error
    if not found:
        raise Said(404, "")
    return {"keys": [one.accessor for one in found]}


class SecretIdRequest(Parameters, frozen=True, kw_only=True):
    role_name: Caseless = CAPTURED
    secret_id: str = ""


class AccessorRequest(Parameters, frozen=True, kw_only=True):
    role_name: Caseless = CAPTURED
    secret_id_accessor: str = ""


def _secret_id(one: SecretId) -> dict[str, Any]:
    return {
        "cidr_list": one.cidrs,
        "creation_time": time_text(one.created_at),
        "expiration_time": ZERO if one.expires_at is None else time_text(one.expires_at),
        "last_updated_time": time_text(one.updated_at),
        "metadata": one.meta,
        "secret_id_accessor": one.accessor,
        "secret_id_num_uses": one.n_uses,
        "secret_id_ttl": one.ttl,
        "token_bound_cidrs": one.token_cidrs,
    }


def _by_text(req: SecretIdRequest) -> Sensitive:
    if not req.secret_id:
        raise Said(400, "missing secret_id")
    return Sensitive(req.secret_id.encode())


@endpoint("approle", Verb.WRITE, "role/{role_name}/secret-id/lookup")
def look_up_secret_id(req: SecretIdRequest, call: Call) -> dict[str, Any] | None:
    try:
        op = ops.ReadSecretId(tenant=here(call), mount=call.namespace, name=req.role_name.lower(), text=_by_text(req))
        return _secret_id(call(op))
    except NotFound as error:
        _require_role(error, req.role_name)
        return None


@endpoint("approle", Verb.WRITE, "role/{role_name}/secret-id/destroy")
def destroy_secret_id(req: SecretIdRequest, call: Call) -> None:
    try:
        op = ops.DestroySecretId(
            tenant=here(call), mount=call.namespace, name=req.role_name.lower(), text=_by_text(req)
        )
        call(op)
    except NotFound as error:
        _require_role(error, req.role_name)


def _require_role(error: NotFound, name: str) -> None:
    """Raises Said where it is the role that is not there."""
    if error.detail == ROLE:
        raise Said(500, multierror(f'role "{name}" does not exist')) from error


def _absent(req: AccessorRequest) -> str:
    return f'failed to find accessor entry for secret_id_accessor: "{req.secret_id_accessor}"'


@endpoint("approle", Verb.WRITE, "role/{role_name}/secret-id-accessor/lookup")
def look_up_by_accessor(req: AccessorRequest, call: Call) -> dict[str, Any]:
    if not req.secret_id_accessor:
        raise Said(400, "missing secret_id_accessor")
    try:
        op = ops.ReadSecretId(
            tenant=here(call), mount=call.namespace, name=req.role_name.lower(), accessor=req.secret_id_accessor
        )
        return _secret_id(call(op))
    except NotFound as error:
        _require_role(error, req.role_name)
        raise Said(404, _absent(req)) from error


@endpoint("approle", Verb.WRITE, "role/{role_name}/secret-id-accessor/destroy")
def destroy_by_accessor(req: AccessorRequest, call: Call) -> None:
    if not req.secret_id_accessor:
        raise Said(400, "missing secret_id_accessor")
    try:
        op = ops.DestroySecretId(
            tenant=here(call), mount=call.namespace, name=req.role_name.lower(), accessor=req.secret_id_accessor
        )
        call(op)
    except NotFound as error:
        _require_role(error, req.role_name)
        raise Said(500, multierror(_absent(req))) from error


@endpoint("approle", Verb.WRITE, "tidy/secret-id")
def tidy(_req: Nothing, call: Call) -> Answer:
    """Done when it is answered."""
    while call(ops.SweepSecretIds(tenant=here(call), mount=call.namespace)):
        pass
    return TIDIED


OPERATIONS = (
    make_secret_id,
    make_custom_secret_id,
    list_secret_ids,
    look_up_secret_id,
    destroy_secret_id,
    look_up_by_accessor,
    destroy_by_accessor,
    tidy,
)
