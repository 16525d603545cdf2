"""keys/:name/csr and set-certificate. OpenBao, transit/path_certificates.go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.operations import Breach, Chain, KeyRef
from keystead.core.states import KeyState
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.names import key_ref, type_of
from keystead.doors.vault.transit.shapes import pem
from keystead.doors.vault.transit.words import SOFT_DELETED, Named, asked_first, said
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.pem import blocks
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.request import Verb

CSR, CERTIFICATES = "CERTIFICATE REQUEST", frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
MOST = 16  # certificates
NO_VERSION = "no such key version"
NOT_DECODED = "could not decode a PEM block in the certificate chain"
BEFORE = "failed to persist certificate chain: "
_CHAIN: dict[object, str] = {
    Chain.NO_VERSION: f"{BEFORE}{NO_VERSION}",
    Chain.UNREADABLE: "could not parse a certificate in the certificate chain: x509: malformed certificate",
    Chain.NO_LEAF: f"{BEFORE}certificate in the first element is not a valid leaf certificate",
    Chain.NO_AUTHORITY: f"{BEFORE}certificate in the last element is not a valid CA certificate",
    Chain.MORE_LEAVES: f"{BEFORE}could not validate if there is only one leaf certificate in the provided chain",
    Chain.OTHER_KIND: (
        f"{BEFORE}could not validate key match between leaf certificate key and key entry in transit: "
        "provided leaf certificate public key algorithm does not match the transit key type '{kind}'"
    ),
}
_OTHER_KEY = f"{BEFORE}leaf certificate public key does not match the selected key version"


@contextmanager
def _worded(name: str) -> Iterator[None]:
    """What both refuse."""
    try:
        yield
    except e.NotFound as error:
        raise said(400, f"key with provided name '{name}' not found", error) from error
    except e.WrongUsage as error:
        if error.detail is not Purpose.SIGNATURE:
            raise
        raise said(400, f"key type '{type_of(error.about.key)}' does not support signing", error) from error
    except e.InvalidArgument as error:
        if error.detail is not Breach.NO_CONTEXT:
            raise
        raise said(400, "operation not supported for keys with derivation enabled", error) from error
    except e.WrongState as error:
        if error.detail is not KeyState.SUSPENDED:
            raise
        raise said(400, SOFT_DELETED, error) from error


def _kind_that_signs(ref: KeyRef, call: Call) -> str:
    """The type of that key. Raises Said where it does not sign."""
    key = call(ops.DescribeKey(key=ref)).key
    if Purpose.SIGNATURE not in key.spec.purposes:
        raise Said(400, f"key type '{type_of(key)}' does not support signing")
    return type_of(key)


class CsrRequest(Named, frozen=True, kw_only=True):
    version: Int | None = None
    csr: str = ""


_CSR: dict[object, str] = {
    Breach.TOO_NEW: NO_VERSION,
    Breach.NO_PRIVATE_HALF: "private key not imported for key version selected",
}


@endpoint("transit", Verb.WRITE, "keys/{name}/csr")
@asked_first
def request(req: CsrRequest, call: Call) -> dict[str, Any]:
    """What is in the template, of this key."""
    ref = key_ref(req.name, call)
    with _worded(req.name):
        kind = _kind_that_signs(ref, call)
        template = _template(req.csr)
        if req.version is not None and req.version < 1:
            raise Said(400, f"could not create the csr: {NO_VERSION}")
        try:
            done = call(ops.RequestCertificate(key=ref, template=template, version=req.version))
        except (e.InvalidArgument, e.WrongState) as error:
            if error.detail == ops.BAD_REQUEST:
                raise said(400, f"could not create the csr: {error}", error) from error
            if error.detail not in _CSR:
                raise
            raise said(400, f"could not create the csr: {_CSR[error.detail]}", error) from error
    return {"csr": pem(CSR, done.request), "name": req.name, "type": kind}


def _template(text: str) -> bytes:
    """DER. Raises Said."""
    if not text:
        return b""
    try:
        return blocks(text)[0].content
    except (Malformed, IndexError):
        raise Said(400, "could not decode PEM CSR") from None


class ChainRequest(Named, frozen=True, kw_only=True):
    version: Int | None = None
    certificate_chain: str = ""


@endpoint("transit", Verb.WRITE, "keys/{name}/set-certificate")
@asked_first
def put_chain(req: ChainRequest, call: Call) -> dict[str, Any]:
    ref = key_ref(req.name, call)
    with _worded(req.name):
        kind = _kind_that_signs(ref, call)
        chain = _chain(req.certificate_chain)
        try:
            call(ops.PutCertificates(key=ref, certificates=chain, version=req.version))
        except e.InvalidArgument as error:
            if error.detail is Chain.OTHER_KEY:
                raise said(500, multierror(_OTHER_KEY), error) from error
            if error.detail not in _CHAIN:
                raise
            raise said(400, _CHAIN[error.detail].format(kind=kind), error) from error
    return {"certificate_chain": req.certificate_chain, "name": req.name, "type": kind}


def _chain(text: str) -> tuple[bytes, ...]:
    """Raises Said."""
    try:
        found = blocks(text)
    except Malformed:
        raise Said(400, NOT_DECODED) from None
    if text.strip() and not found:
        raise Said(400, NOT_DECODED)
    chain = tuple(one.content for one in found if one.label in CERTIFICATES)
    if not chain:
        raise Said(400, "provided certificate chain did not contain any valid PEM encoded certificate")
    if len(chain) > MOST:
        raise Said(400, f"a certificate chain has at most {MOST} certificates here")
    return chain


OPERATIONS = (request, put_chain)
