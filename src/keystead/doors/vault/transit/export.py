"""export: keying material in the clear, of keys that allow it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Key
from keystead.core.operations import Breach, Part
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.names import key_ref, type_of
from keystead.doors.vault.transit.shapes import pem, public_text
from keystead.doors.vault.transit.words import Named, asked_first, said
from keystead.kit import Call
from keystead.wire.vault.envelope import multierror
from keystead.wire.vault.reader import CAPTURED
from keystead.wire.vault.request import Verb

TYPES = {
    "encryption-key": Part.CIPHER,
    "signing-key": Part.SIGNATURE,
    "hmac-key": Part.MAC,
    "public-key": Part.PUBLIC,
}
UNABLE = {Part.CIPHER: "encryption not supported for the key", Part.SIGNATURE: "signing not supported for the key"}
LABELS = {Family.RSA: "RSA PRIVATE KEY", Family.EC: "EC PRIVATE KEY"}
LATEST = "latest"
REFUSED: dict[object, str] = {
    Breach.NOT_EXPORTABLE: "private key material is not exportable",
    Breach.TOO_OLD: "version for export is below minimum decryption version",
}


class ExportRequest(Named, frozen=True, kw_only=True):
    type: str = CAPTURED


class ExportVersionRequest(ExportRequest, frozen=True, kw_only=True):
    version: str = CAPTURED


def _number(text: str) -> int:
    if text == LATEST:
        return 0
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise Said(400, "invalid key version")
    return int(text) or -1


def _text(part: Part, value: Sensitive, key: Key) -> str:
    raw = value.reveal()
    if part is Part.PUBLIC:
        return public_text(raw, key).rstrip()
    label = LABELS.get(key.spec.family) if part is not Part.MAC else None
    return pem(label, raw).rstrip() if label else b64encode(raw).decode()


@asked_first
def _export(req: ExportRequest, call: Call) -> dict[str, Any]:
    if req.type not in TYPES:
        raise Said(400, f"invalid export type: {req.type}")
    part = TYPES[req.type]
    version = _number(req.version) if isinstance(req, ExportVersionRequest) else None
    try:
        found = call(ops.ExportKey(key=key_ref(req.name, call), part=part, version=version))
    except e.NotFound as error:
        if error.detail != "version":
            raise
        raise said(400, "version does not exist or cannot be found", error) from error
    except e.WrongState as error:
        if error.detail not in REFUSED:
            raise
        raise said(400, REFUSED[error.detail], error) from error
    except e.WrongUsage as error:
        if part in UNABLE:
            raise said(400, UNABLE[part], error) from error
        kind = type_of(error.about.key)
        raise said(500, multierror(f"unknown key type {kind} for export type {req.type}"), error) from error
    texts = {str(number): _text(part, value, found.key) for number, value in found.parts.items()}
    return {"keys": texts, "name": req.name, "type": type_of(found.key)}


@endpoint("transit", Verb.READ, "export/{type}/{name}")
def export(req: ExportRequest, call: Call) -> dict[str, Any]:
    return _export(req, call)


@endpoint("transit", Verb.READ, "export/{type}/{name}/{version}")
def export_version(req: ExportVersionRequest, call: Call) -> dict[str, Any]:
    return _export(req, call)


OPERATIONS = (export, export_version)
