"""export: keying material in the clear, of keys that allow it. OpenBao, transit/path_export.go."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Key
from keystead.core.operations import Breach, Part
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.names import key_ref, type_of
from keystead.doors.vault.transit.shapes import pem, public_text, supports
from keystead.doors.vault.transit.words import SOFT_DELETED, Named, asked_first, said
from keystead.kit import Call
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED
from keystead.wire.vault.request import Verb

TYPES = {
    "encryption-key": Part.CIPHER,
    "signing-key": Part.SIGNATURE,
    "hmac-key": Part.MAC,
    "public-key": Part.PUBLIC,
}
CHAIN = "certificate-chain"
USUAL, RAW, DER, PEM = "", "raw", "der", "pem"
FORMATS = frozenset({USUAL, RAW, DER, PEM})
UNABLE = {
    Part.CIPHER: "encryption not supported for the key",
    Part.SIGNATURE: "signing not supported for the key",
}
ABLE = {Part.CIPHER: "supports_encryption", Part.SIGNATURE: "supports_signing"}
LABELS = {Family.RSA: "RSA PRIVATE KEY", Family.EC: "EC PRIVATE KEY"}
LATEST = "latest"
REFUSED: dict[object, str] = {
    Breach.NOT_EXPORTABLE: "private key material is not exportable",
    Breach.TOO_OLD: "version for export is below minimum decryption version",
}
NO_SIGNER = "certificate chain not supported for keys that do not support signing"
ABSENT = "version does not exist or cannot be found"
NO_CHAIN = "selected key version does not have a certificate chain imported"
NOT_RAW = "unknown key format for {} key; supported values are ``, `der`, or `pem`"
ONLY_RAW = "unknown format for HMAC key; supported values are `` or `raw`"
SHORT = {Family.RSA: "rsa", Family.EC: "ec"}


class ExportRequest(Named, frozen=True, kw_only=True):
    type: str = CAPTURED
    format: str = USUAL


class ExportVersionRequest(ExportRequest, frozen=True, kw_only=True):
    version: str = CAPTURED


def number(text: str) -> int:
    """A version in a path; 0 for the newest one. Raises Said."""
    if text == LATEST:
        return 0
    text = text.removeprefix("v")
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise Said(400, "invalid key version")
    return int(text) or -1


def _form_fits(part: Part, form: str, key: Key) -> None:
    """Raises Said. What may not leave the key is left to the operation to refuse."""
    if (part is not Part.PUBLIC and not key.terms.exportable) or not supports(key).get(ABLE.get(part, ""), True):
        return
    family = key.spec.family
    if part is Part.MAC or family is Family.AES:
        if form in {DER, PEM} and part is not Part.PUBLIC:
            raise Said(500, multierror(ONLY_RAW))
    elif form == RAW and family in SHORT:
        raise Said(500, multierror(NOT_RAW.format(SHORT[family])))


def _text(part: Part, value: Sensitive, key: Key, form: str) -> str:
    raw, family = value.reveal(), key.spec.family
    if form == DER:
        return b64encode(raw).decode()
    if form == PEM:
        text = pem("PUBLIC KEY" if part is Part.PUBLIC else "PRIVATE KEY", raw)
    elif part is Part.PUBLIC:
        text = public_text(raw, key)
    elif part is not Part.MAC and (label := LABELS.get(family)):
        text = pem(label, raw)
    else:
        return b64encode(raw).decode()
    return text if family is Family.RSA else text.rstrip()  # of RSA alone with its last line feed


def _chains(req: ExportRequest, number: int | None, call: Call) -> dict[str, Any]:
    """They are shown with the key, too, and of any key."""
    found = call(ops.ReadVersions(key=key_ref(req.name, call)))
    key = found.key
    if key.lifecycle.state is KeyState.SUSPENDED:
        raise Said(500, multierror(SOFT_DELETED))
    if not supports(key)["supports_signing"]:
        raise Said(400, NO_SIGNER)
    if number is not None and (number or key.current) < key.terms.min_process:
        raise Said(400, REFUSED[Breach.TOO_OLD])
    told = [one for one in found.versions if number is None or one.number == (number or key.current)]
    if not told:
        raise Said(400, ABSENT)
    kept = [one for one in told if one.number >= key.terms.min_process]
    if not all(one.certificates for one in kept):
        raise Said(500, multierror(NO_CHAIN))
    texts = {str(one.number): "\n".join(pem("CERTIFICATE", der).rstrip() for der in one.certificates) for one in kept}
    return {"keys": texts, "name": req.name, "type": type_of(key)}


@asked_first
def _export(req: ExportRequest, call: Call) -> dict[str, Any]:
    ref = key_ref(req.name, call)
    if req.type not in TYPES and req.type != CHAIN:
        raise Said(400, f"invalid export type: {req.type}")
    if req.format not in FORMATS:
        raise Said(400, f"invalid format: {req.format}")
    version = number(req.version) if isinstance(req, ExportVersionRequest) else None
    if req.type == CHAIN:
        return _chains(req, version, call)
    part = TYPES[req.type]
    if req.format != USUAL:
        _form_fits(part, req.format, call(ops.DescribeKey(key=ref)).key)
    try:
        found = call(ops.ExportKey(key=ref, part=part, version=version, pkcs8=req.format in {DER, PEM}))
    except e.NotFound as error:
        if error.detail != "version":
            raise
        raise said(400, ABSENT, error) from error
    except e.WrongState as error:
        if error.detail not in REFUSED:
            raise
        raise said(400, REFUSED[error.detail], error) from error
    except e.WrongUsage as error:
        if part in UNABLE:
            raise said(400, UNABLE[part], error) from error
        kind = type_of(error.about.key)
        raise said(500, multierror(f"unknown key type {kind} for export type {req.type}"), error) from error
    texts = {str(number): _text(part, value, found.key, req.format) for number, value in found.parts.items()}
    return {"keys": texts, "name": req.name, "type": type_of(found.key)}


@endpoint("transit", Verb.READ, "export/{type}/{name}")
def export(req: ExportRequest, call: Call) -> dict[str, Any]:
    return _export(req, call)


@endpoint("transit", Verb.READ, "export/{type}/{name}/{version}")
def export_version(req: ExportVersionRequest, call: Call) -> dict[str, Any]:
    return _export(req, call)


OPERATIONS = (export, export_version)
