"""identity/mfa/method: how second factors are proven, and who is enrolled. Vault HTTP API, "TOTP MFA secret"."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import MfaMethod
from keystead.core.operations import MfaEnrolment, MfaMethodFacts
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint, namespace_id, namespace_path
from keystead.doors.vault.identity.shapes import listed, speaking
from keystead.doors.vault.tokens import Nothing, here
from keystead.doors.vault.totp.keys import DIGESTS, WORDS
from keystead.doors.vault.totp.picture import png
from keystead.doors.vault.totp.uri import Told, text_of, written
from keystead.kit import Call
from keystead.wire.vault.envelope import UNSUPPORTED_PATH
from keystead.wire.vault.kinds import Duration, Int
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TRIES = 5  # where nobody says how many


class MethodRequest(Parameters, frozen=True, kw_only=True):
    method_id: str = CAPTURED


class TotpRequest(Parameters, frozen=True, kw_only=True):
    method_name: str = ""
    max_validation_attempts: Int = 0
    issuer: str = ""
    period: Duration = 30
    key_size: Int = 20
    qr_size: Int = 200
    algorithm: str = "SHA1"
    digits: Int = 6
    skew: Int = 1


class TotpByIdRequest(TotpRequest, frozen=True, kw_only=True):
    method_id: str = CAPTURED


class OwnRequest(Parameters, frozen=True, kw_only=True):
    method_id: str = ""


class EnrolRequest(OwnRequest, frozen=True, kw_only=True):
    entity_id: str = ""


def _id(req: MethodRequest | TotpByIdRequest) -> str:
    """Raises Said for what is no id of a method."""
    if UUID.fullmatch(req.method_id) is None:
        raise Said(404, UNSUPPORTED_PATH)
    return req.method_id


def _told(one: MfaMethod, call: Call) -> dict[str, Any]:
    return {
        "algorithm": WORDS[one.digest],
        "digits": one.digits,
        "id": one.id,
        "issuer": one.issuer,
        "key_size": one.n_bytes,
        "max_validation_attempts": one.max_attempts,
        "name": one.name,
        "namespace_id": namespace_id(call, one.tenant),
        "namespace_path": namespace_path(call, one.tenant),
        "period": one.period,
        "qr_size": one.n_pixels,
        "skew": one.skew,
        "type": "totp",
    }


# --- methods


@endpoint("identity", Verb.READ, "mfa/method/{method_id}")
def read_method(req: MethodRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadMfaMethod(tenant=here(call), id=_id(req))), call)


@endpoint("identity", Verb.READ, "mfa/method/totp/{method_id}")
def read_totp(req: MethodRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadMfaMethod(tenant=here(call), id=_id(req))), call)


def _list(call: Call) -> dict[str, Any]:
    found = call(ops.ListMfaMethods(tenant=here(call)))
    return listed(found, lambda one: one.id, lambda one: _told(one, call))


@endpoint("identity", Verb.LIST, "mfa/method/?")
def list_methods(_req: Nothing, call: Call) -> dict[str, Any]:
    return _list(call)


@endpoint("identity", Verb.LIST, "mfa/method/totp/?")
def list_totp(_req: Nothing, call: Call) -> dict[str, Any]:
    return _list(call)


def _write(req: TotpRequest, call: Call, id_: str) -> MfaMethod:
    if req.algorithm not in DIGESTS:
        raise Said(400, "unrecognized algorithm")
    facts = MfaMethodFacts(
        name=req.method_name or None,
        issuer=req.issuer,
        digest=DIGESTS[req.algorithm],
        digits=req.digits,
        period=req.period,
        skew=req.skew,
        n_bytes=req.key_size,
        n_pixels=req.qr_size,
        max_attempts=req.max_validation_attempts or TRIES,
    )
    with speaking():
        return call(ops.WriteMfaMethod(tenant=here(call), id=id_, facts=facts))


@endpoint("identity", Verb.WRITE, "mfa/method/totp")
def write_totp(req: TotpRequest, call: Call) -> dict[str, str]:
    return {"method_id": _write(req, call, "").id}


@endpoint("identity", Verb.WRITE, "mfa/method/totp/{method_id}")
def write_totp_by_id(req: TotpByIdRequest, call: Call) -> None:
    _write(req, call, _id(req))


@endpoint("identity", Verb.DELETE, "mfa/method/totp/{method_id}")
def delete_totp(req: MethodRequest, call: Call) -> None:
    with speaking():
        call(ops.DeleteMfaMethod(tenant=here(call), id=_id(req)))


# --- who is enrolled


def _enrolled(done: MfaEnrolment) -> Answer:
    method = done.method
    if done.secret is None:
        return Answer(warnings=(f'Entity already has a secret for MFA method "{method.name}"',))
    told = Told(
        key=text_of(done.secret),
        issuer=method.issuer,
        account=done.account,
        period=method.period,
        digits=method.digits,
        algorithm=WORDS[method.digest],
    )
    url = written(told)
    barcode = b64encode(png(url.reveal().decode(), method.n_pixels)) if method.n_pixels else b""
    return Answer(data={"barcode": Sensitive(barcode), "url": url})


@endpoint("identity", Verb.WRITE, "mfa/method/totp/generate")
def generate(req: OwnRequest, call: Call) -> Answer:
    return _enrolled(call(ops.GenerateMfaSecret(tenant=here(call), method=req.method_id)))


@endpoint("identity", Verb.WRITE, "mfa/method/totp/admin-generate")
def admin_generate(req: EnrolRequest, call: Call) -> Answer:
    return _enrolled(call(ops.EnrolEntity(tenant=here(call), method=req.method_id, entity=req.entity_id)))


@endpoint("identity", Verb.WRITE, "mfa/method/totp/admin-destroy")
def admin_destroy(req: EnrolRequest, call: Call) -> None:
    call(ops.DestroyMfaSecret(tenant=here(call), method=req.method_id, entity=req.entity_id))


OPERATIONS = (
    read_method,
    list_methods,
    read_totp,
    list_totp,
    write_totp,
    write_totp_by_id,
    delete_totp,
    generate,
    admin_generate,
    admin_destroy,
)
