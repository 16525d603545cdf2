"""wrapping_key, import, import_version, byok-export: keys that come, and go, wrapped. OpenBao, transit/path_import.go.

What is wrapped is what PKCS #11 calls CKM_RSA_AES_KEY_WRAP: RSAES-OAEP of an AES key, and behind it AES-KWP of raw
bytes or PKCS#8 (Vault documentation, "Bring your own key (BYOK)").
"""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import KeySpec
from keystead.core.entities import Key
from keystead.core.operations import Breach, KeyRef, Parcel, Unfit
from keystead.core.wrapping import HYBRID, Wrapping
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.export import number
from keystead.doors.vault.transit.keys import PERIOD, terms_of
from keystead.doors.vault.transit.names import HMAC, HMACS, TYPES, key_ref, keyring_ref, type_of
from keystead.doors.vault.transit.shapes import pem
from keystead.doors.vault.transit.words import Named, asked_first, said
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.pem import blocks
from keystead.wire.vault.kinds import Duration, Int
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded

WRAPPED_AES = 512  # bytes; what RSA-4096 makes of an AES key
UNOPENED = "crypto/rsa: decryption error"  # the same, whatever did not fit
TAKEN = "the import path cannot be used with an existing key; use import-version to rotate an existing imported key"
NO_ROTATION = "allow_rotation must be set to true if auto-rotation is enabled"
CONVERGENT = "import cannot be used on keys with convergent encryption enabled"
SYMMETRIC = "provided type does not support public_key import"
UNFIT: dict[object, str] = {
    Unfit.NOT_IMPORTED: "the import_version endpoint can only be used with an imported key",
    Unfit.NO_VERSION: "no such key version",
    Unfit.NO_PAIR: "provided type does not support importing key versions",
    Unfit.WHOLE: "private key imported, key version cannot be updated",
    Unfit.PUBLIC_AGAIN: "cannot add a public key to a key version that already has a public key set",
    Unfit.OTHER_PAIR: "cannot import key, key pair does not match",
}


def _wrong(text: str, error: e.KeysteadError | None = None) -> Said:
    """What Vault takes for an error of its own."""
    return Said(500, multierror(text)) if error is None else said(500, multierror(text), error)


# --- the wrapping key


class Nothing(Parameters, frozen=True, kw_only=True):
    pass


@endpoint("transit", Verb.READ, "wrapping_key")
def read_wrapping_key(_req: Nothing, call: Call) -> dict[str, Any]:
    """Made when it is first asked for."""
    read = ops.ReadPublicKey(key=ops.wrapping_key(call.namespace))
    try:
        found = call(read)
    except e.NotFound:
        with suppress(e.AlreadyExists):
            call(ops.MakeWrappingKey(keyring=keyring_ref(call)))
        found = call(read)
    return {"public_key": pem("PUBLIC KEY", found.public_key)}


# --- import


class ImportVersionRequest(Named, frozen=True, kw_only=True):
    hash_function: str = "SHA256"
    ciphertext: str | None = None
    public_key: str = ""
    version: Int | None = None


class ImportRequest(Named, frozen=True, kw_only=True):
    type: str = "aes256-gcm96"
    hash_function: str = "SHA256"
    ciphertext: str | None = None
    public_key: str = ""
    allow_rotation: bool = False
    derived: bool = False
    exportable: bool = False
    allow_plaintext_backup: bool = False
    auto_rotate_period: Duration = 0
    context: str = ""


def _hash(name: str) -> Wrapping:
    """Raises Said."""
    if (found := HYBRID.get(name.lower())) is None:
        raise Said(400, f"unknown hash function: {name}")
    return found


def _parcel(req: ImportRequest | ImportVersionRequest, spec: KeySpec) -> Parcel:
    """Raises Said."""
    if req.ciphertext is None:
        if not spec.aws_pair:  # a key pair's
            raise _wrong(SYMMETRIC)
        return Parcel(_public(req.public_key))
    wrapping = _hash(req.hash_function)
    try:
        content = base64_decoded(req.ciphertext)
    except Malformed as error:
        raise _wrong(str(error)) from None
    if len(content) <= WRAPPED_AES:
        raise _wrong("provided ciphertext is too short")
    return Parcel(content, wrapping)


def _public(text: str) -> bytes:
    try:
        found = blocks(text)
    except Malformed as error:
        raise _wrong(f"error importing key: error parsing public key: {error}") from None
    if not found:
        raise _wrong("error importing key: error parsing public key: not in PEM format")
    return found[0].content


def _unfit(error: e.KeysteadError, kind: str, before: str) -> Said | None:
    """What was wrong with the parcel, in words; None: it was something else."""
    detail, text = error.detail, ""
    if detail in UNFIT:
        text = UNFIT[detail]
    elif isinstance(error, e.DecryptionFailed) or _has_no_wrapping_key(error):
        text = UNOPENED
    elif detail is Breach.NOT_DERIVABLE:
        text = f"key derivation and convergent encryption not supported for keys of type {kind}"
    elif isinstance(detail, ops.Length):
        text = f"{before}invalid key size {detail.n_bytes} bytes for key type {kind}"
    elif detail in {"key_material", "public_key"}:
        text = f"{before}{error} (key type {kind})"
    elif detail is Breach.PERIOD:
        return said(400, PERIOD, error)
    return _wrong(text, error) if text else None


def _has_no_wrapping_key(error: e.KeysteadError) -> bool:
    """Nothing can have been wrapped with a key that is not there."""
    detail = error.detail
    return isinstance(error, e.NotFound) and isinstance(detail, KeyRef) and detail.name == ops.WRAPPING_KEY


@endpoint("transit", Verb.WRITE, "keys/{name}/import")
@asked_first
def import_key(req: ImportRequest, call: Call) -> None:
    ref, kind = key_ref(req.name, call), req.type.lower()
    asked = call.caller.asked
    if asked is not None and "convergent_encryption" in asked.parameters:  # which import does not know, but for this
        raise _wrong(CONVERGENT)
    if req.auto_rotate_period > 0 and not req.allow_rotation:
        raise _wrong(NO_ROTATION)
    specs = tuple(HMACS.values()) if kind == HMAC else (TYPES.get(kind),)
    if specs == (None,):
        raise Said(400, f"unknown key type: {kind}")
    terms = terms_of(derived=req.derived, exportable=req.exportable, copyable=req.allow_plaintext_backup)
    known = tuple(spec for spec in specs if spec is not None)
    with suppress(e.NotFound):
        call(ops.DescribeKey(key=ref))
        raise _wrong(TAKEN)
    try:
        call(
            ops.ImportKey(
                keyring=keyring_ref(call),
                name=ref.name,
                specs=known,
                parcel=_parcel(req, known[0]),
                terms=replace(terms, imports_only=not req.allow_rotation),
                rotate_every=req.auto_rotate_period,
            )
        )
    except e.AlreadyExists as error:
        raise _wrong(TAKEN, error) from error
    except e.KeysteadError as error:
        if isinstance(error, Said) or (found := _unfit(error, kind, "error importing key: ")) is None:
            raise
        raise found from error


@endpoint("transit", Verb.WRITE, "keys/{name}/import_version")
@asked_first
def import_version(req: ImportVersionRequest, call: Call) -> None:
    ref = key_ref(req.name, call)
    try:
        key = call(ops.DescribeKey(key=ref)).key
    except e.NotFound as error:
        words = f"no key found with name {ref.name}; to import a new key, use the import/ endpoint"
        raise _wrong(words, error) from error
    if not _was_imported(key):
        raise _wrong(UNFIT[Unfit.NOT_IMPORTED])
    try:
        call(ops.ImportVersion(key=ref, parcel=_parcel(req, key.spec), number=req.version))
    except e.KeysteadError as error:
        if isinstance(error, Said) or (found := _unfit(error, type_of(key), "")) is None:
            raise
        raise found from error


def _was_imported(key: Key) -> bool:
    return key.origin.value == "external" and key.terms.every_version


# --- byok-export


class ByokRequest(Parameters, frozen=True, kw_only=True):
    destination: str = CAPTURED
    source: str = CAPTURED
    hash: str = "SHA256"


class ByokVersionRequest(ByokRequest, frozen=True, kw_only=True):
    version: str = CAPTURED


_REFUSED: dict[object, str] = {
    Breach.NOT_EXPORTABLE: "key is not exportable",
    Breach.TOO_OLD: "version for export is below minimum decryption version",
    "version": "version does not exist or cannot be found",
}


def _byok(req: ByokRequest, version: int | None, call: Call) -> dict[str, Any]:
    source, under = key_ref(req.source, call), key_ref(req.destination, call)
    try:
        kind = type_of(call(ops.DescribeKey(key=under)).key)
    except e.NotFound as error:
        raise _wrong("no such destination key to export to", error) from error
    try:
        wrapping = HYBRID.get(req.hash.lower())
        if wrapping is None:
            call(ops.DescribeKey(key=source))
            raise _wrong(f"unknown hash function: {req.hash}")
        done = call(ops.ExportWrapped(key=source, under=under, wrapping=wrapping, version=version))
    except e.NotFound as error:
        if error.detail != "version":
            raise _wrong("no such source key for export", error) from error
        raise said(400, _REFUSED["version"], error) from error
    except (e.WrongUsage, e.InvalidArgument) as error:
        if isinstance(error, e.InvalidArgument) and error.detail != ops.NOT_RSA:
            raise
        unsigning = f"key wrapping (requring message signing) is not supported for key type {kind}"
        words = unsigning if error.detail == ops.NOT_RSA else "unsupported key type in use; must be a rsa key"
        raise _wrong(words, error) from error
    except e.WrongState as error:
        if error.detail is Breach.NO_PRIVATE_HALF:
            raise _wrong("failed to wrap target key for import: private key not imported", error) from error
        if error.detail not in _REFUSED:
            raise
        raise said(400, _REFUSED[error.detail], error) from error
    texts = {str(number): b64encode(parcel).decode() for number, parcel in done.parcels.items()}
    return {"keys": texts, "name": req.source, "type": type_of(done.key)}


@endpoint("transit", Verb.READ, "byok-export/{destination}/{source}")
def export_wrapped(req: ByokRequest, call: Call) -> dict[str, Any]:
    return _byok(req, None, call)


@endpoint("transit", Verb.READ, "byok-export/{destination}/{source}/{version}")
def export_version_wrapped(req: ByokVersionRequest, call: Call) -> dict[str, Any]:
    return _byok(req, number(req.version), call)


OPERATIONS = (read_wrapping_key, import_key, import_version, export_wrapped, export_version_wrapped)
