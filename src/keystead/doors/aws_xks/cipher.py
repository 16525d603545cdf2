"""Encrypt, Decrypt: AES-GCM over what AWS KMS hands over, the parts of the ciphertext apart.

Lengths that the specification fixes are checked here, and are a ValidationException; what is longer than it says a
proxy has to take is an UnsupportedOperationException; what does not open is an InvalidCiphertextException.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Annotated, Literal, TypeVar

from msgspec import Meta

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.detached import Detached
from keystead.core.operations import KeyOperation
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_xks.errors import FOR_A_KEY
from keystead.doors.aws_xks.names import key_ref
from keystead.doors.aws_xks.shapes import KeyRequest, UseMetadata
from keystead.kit import Call, Message, operation

R = TypeVar("R")
MAX_TEXT, MAX_AAD, MAX_METADATA = 4300, 8192, 20  # bytes; "Encrypt", "Decrypt"
NONCES = (12, 16)

Tag = Annotated[bytes, Meta(min_length=16, max_length=16)]
HeaderBytes = Annotated[bytes, Meta(max_length=MAX_METADATA)]


class EncryptRequest(KeyRequest, frozen=True, kw_only=True, rename="camel"):
    request_metadata: UseMetadata
    plaintext: bytes
    encryption_algorithm: Literal["AES_GCM"]
    additional_authenticated_data: bytes = b""
    ciphertext_data_integrity_value_algorithm: Literal["SHA_256"] | None = None


class EncryptResponse(Message, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ciphertext: bytes
    ciphertext_metadata: bytes
    initialization_vector: bytes
    authentication_tag: bytes
    ciphertext_data_integrity_value: bytes | None = None


class DecryptRequest(KeyRequest, frozen=True, kw_only=True, rename="camel"):
    request_metadata: UseMetadata
    ciphertext: bytes
    encryption_algorithm: Literal["AES_GCM"]
    initialization_vector: bytes
    authentication_tag: Tag
    additional_authenticated_data: bytes = b""
    ciphertext_metadata: HeaderBytes = b""


class DecryptResponse(Message, frozen=True, kw_only=True, rename="camel"):
    plaintext: Sensitive


@operation("Encrypt", errors=FOR_A_KEY | {"InvalidKeyUsageException"})
def encrypt(req: EncryptRequest, call: Call) -> EncryptResponse:
    _within(req.plaintext, MAX_TEXT, "plaintext")
    _within(req.additional_authenticated_data, MAX_AAD, "additionalAuthenticatedData")
    ref, aad = key_ref(req.external_key_id, call.namespace), req.additional_authenticated_data
    plaintext = Sensitive(req.plaintext)
    parts = _use(ops.EncryptDetached(key=ref, plaintext=plaintext, aad=aad), call).parts
    integrity = None
    if req.ciphertext_data_integrity_value_algorithm is not None:
        # Appendix C: first the value, then the proof, so that whatever is corrupted between them is found out.
        integrity = integrity_value(aad, parts)
        _prove(ops.DecryptDetached(key=ref, parts=parts, aad=aad), plaintext, call)
    return EncryptResponse(
        ciphertext=parts.ciphertext,
        ciphertext_metadata=parts.header,
        initialization_vector=parts.nonce,
        authentication_tag=parts.tag,
        ciphertext_data_integrity_value=integrity,
    )


@operation("Decrypt", errors=FOR_A_KEY | {"InvalidKeyUsageException", "InvalidCiphertextException"})
def decrypt(req: DecryptRequest, call: Call) -> DecryptResponse:
    _within(req.ciphertext, MAX_TEXT, "ciphertext")
    _within(req.additional_authenticated_data, MAX_AAD, "additionalAuthenticatedData")
    if len(req.initialization_vector) not in NONCES:
        raise e.InvalidArgument("initializationVector has 12 or 16 bytes", "initializationVector")
    parts = Detached(req.ciphertext, req.initialization_vector, req.authentication_tag, req.ciphertext_metadata)
    ref = key_ref(req.external_key_id, call.namespace)
    op = ops.DecryptDetached(key=ref, parts=parts, aad=req.additional_authenticated_data)
    return DecryptResponse(plaintext=_use(op, call).plaintext)


def integrity_value(aad: bytes, parts: Detached) -> bytes:
    """ciphertextDataIntegrityValue: SHA-256 without lengths, against bit flips and not against anybody. Appendix C"""
    return sha256(aad + parts.header + parts.nonce + parts.ciphertext + parts.tag).digest()


def _prove(op: ops.DecryptDetached, plaintext: Sensitive, call: Call) -> None:
    """Raises Internal for a ciphertext of this moment that does not open to what it was made of."""
    try:
        opened = _use(op, call).plaintext
    except e.DecryptionFailed as error:
        raise e.Internal("a ciphertext does not open", call.caller.request_id) from error
    if not hmac.compare_digest(opened.reveal(), plaintext.reveal()):
        raise e.Internal("a ciphertext opens to something else", call.caller.request_id)


def _use(op: KeyOperation[R], call: Call) -> R:
    """A key that the caller may see and may not use so "does not support the requested operation"."""
    try:
        return call(op)
    except e.Denied as denied:
        call(ops.DescribeKey(key=op.key))  # raises Denied, NotFound: it may not even see it
        refused = e.WrongUsage("the caller may not use the key so", op.action)
        refused.recorded = denied.recorded
        raise refused from denied


def _within(value: bytes, most: int, member: str) -> None:
    if len(value) > most:
        raise e.Unsupported(f"{member} has at most {most} bytes", member)


OPERATIONS = (encrypt, decrypt)
