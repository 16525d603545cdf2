"""TrentService.Encrypt, Decrypt, ReEncrypt: up to 4096 bytes under a KMS key.

Spec: KMS API Reference 2014-11-01, "Encrypt", "Decrypt", "ReEncrypt"; botocore data/kms/2014-11-01/service-2.json.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.operations import KeyRef
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.errors import OF_A_KEY
from keystead.doors.aws_kms.names import ciphertext_ref, key_arn, key_ref, material_id, source_ref
from keystead.doors.aws_kms.shapes import (
    WORDS,
    Ciphertext,
    DryRunModifier,
    EncryptionAlgorithm,
    GrantTokens,
    KeyId,
    Plaintext,
    Recipient,
    missing,
    no_recipient,
)
from keystead.kit import Call, Message, operation

OF_A_CIPHERTEXT = OF_A_KEY | {"InvalidCiphertextException", "IncorrectKeyException"}


class EncryptRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    plaintext: Plaintext
    encryption_context: dict[str, str] | None = None
    grant_tokens: GrantTokens | None = None
    encryption_algorithm: EncryptionAlgorithm | None = None
    dry_run: bool | None = None


class EncryptResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    ciphertext_blob: bytes
    key_id: str  # the key ARN, whatever the caller wrote
    encryption_algorithm: str


@operation("TrentService.Encrypt", errors=OF_A_KEY)
def encrypt(req: EncryptRequest, call: Call) -> EncryptResponse:
    word, namespace = WORDS[req.encryption_algorithm], call.caller.namespace
    sealed = call(
        ops.Encrypt(
            key=key_ref(req.key_id, namespace),
            plaintext=Sensitive(req.plaintext),
            aad=req.encryption_context or None,
            algorithm=word,
            dry_run=req.dry_run or False,
            grant_tokens=tuple(req.grant_tokens) if req.grant_tokens else (),
        )
    )
    return EncryptResponse(
        ciphertext_blob=sealed.ciphertext,
        key_id=key_arn(sealed.key, namespace),
        encryption_algorithm=word.text,
    )


class DecryptRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    ciphertext_blob: Ciphertext | None = None
    encryption_context: dict[str, str] | None = None
    grant_tokens: GrantTokens | None = None
    key_id: KeyId | None = None
    encryption_algorithm: EncryptionAlgorithm | None = None
    recipient: Recipient | None = None
    dry_run: bool | None = None
    dry_run_modifiers: list[DryRunModifier] | None = None


class DecryptResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str
    plaintext: Sensitive
    encryption_algorithm: str
    ciphertext_for_recipient: bytes | None = None
    key_material_id: str | None = None


@operation("TrentService.Decrypt", errors=OF_A_CIPHERTEXT)
def decrypt(req: DecryptRequest, call: Call) -> DecryptResponse:
    no_recipient(req.recipient)
    word = WORDS[req.encryption_algorithm]
    blob = _ciphertext(req)
    opened = call(
        ops.Decrypt(
            key=_source(req.key_id, "keyId", blob, word.text, call.namespace),
            ciphertext=blob,
            aad=req.encryption_context or None,
            algorithm=word,
            dry_run=req.dry_run or False,
            grant_tokens=tuple(req.grant_tokens) if req.grant_tokens else (),
        )
    )
    return DecryptResponse(
        key_id=key_arn(opened.key, call.namespace),
        plaintext=opened.plaintext,
        encryption_algorithm=word.text,
        key_material_id=material_id(opened.key, opened.version),
    )


class ReEncryptRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    ciphertext_blob: Ciphertext | None = None
    source_encryption_context: dict[str, str] | None = None
    source_key_id: KeyId | None = None
    destination_key_id: KeyId
    destination_encryption_context: dict[str, str] | None = None
    source_encryption_algorithm: EncryptionAlgorithm | None = None
    destination_encryption_algorithm: EncryptionAlgorithm | None = None
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None
    dry_run_modifiers: list[DryRunModifier] | None = None


class ReEncryptResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    ciphertext_blob: bytes
    source_key_id: str
    key_id: str
    source_encryption_algorithm: str
    destination_encryption_algorithm: str
    source_key_material_id: str | None = None
    destination_key_material_id: str | None = None


@operation("TrentService.ReEncrypt", errors=OF_A_CIPHERTEXT)
def re_encrypt(req: ReEncryptRequest, call: Call) -> ReEncryptResponse:
    old, new = WORDS[req.source_encryption_algorithm], WORDS[req.destination_encryption_algorithm]
    blob = _ciphertext(req)
    answer = call(
        ops.ReEncrypt(
            source=_source(req.source_key_id, "sourceKeyId", blob, old.text, call.namespace),
            destination=key_ref(req.destination_key_id, call.namespace),
            ciphertext=blob,
            source_aad=req.source_encryption_context or None,
            destination_aad=req.destination_encryption_context or None,
            source_algorithm=old,
            destination_algorithm=new,
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return ReEncryptResponse(
        ciphertext_blob=answer.destination.ciphertext,
        source_key_id=key_arn(answer.source.key, call.namespace),
        key_id=key_arn(answer.destination.key, call.namespace),
        source_encryption_algorithm=old.text,
        destination_encryption_algorithm=new.text,
        source_key_material_id=material_id(answer.source.key, answer.source.version),
        destination_key_material_id=material_id(answer.destination.key, answer.destination.version),
    )


def _ciphertext(req: DecryptRequest | ReEncryptRequest) -> bytes:
    """The ciphertext; nothing in a dry run that is to ignore it. Raises InvalidArgument."""
    if req.dry_run and "IGNORE_CIPHERTEXT" in (req.dry_run_modifiers or ()):
        return b""
    if req.ciphertext_blob is None:
        raise missing("ciphertextBlob")
    return req.ciphertext_blob


def _source(key_id: str | None, member: str, blob: bytes, algorithm: str, namespace: str) -> KeyRef:
    """The key of a ciphertext: as the caller says, or as a symmetric ciphertext says itself. Raises InvalidArgument."""
    is_symmetric = algorithm == "SYMMETRIC_DEFAULT"
    if key_id is not None:
        return source_ref(key_id, namespace, blob) if is_symmetric else key_ref(key_id, namespace)
    if not is_symmetric or not blob:
        raise missing(member)
    return ciphertext_ref(blob, namespace)


OPERATIONS = (encrypt, decrypt, re_encrypt)
