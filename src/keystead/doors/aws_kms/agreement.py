"""TrentService.DeriveSharedSecret, Encapsulate, Decapsulate.

Spec: KMS API Reference 2014-11-01, "DeriveSharedSecret", "Encapsulate", "Decapsulate";
botocore data/kms/2014-11-01/service-2.json.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.errors import OF_A_KEY
from keystead.doors.aws_kms.names import key_arn, key_ref
from keystead.doors.aws_kms.shapes import (
    ORIGINS,
    WORDS,
    Ciphertext,
    EncapsulationAlgorithm,
    GrantTokens,
    KeyAgreementAlgorithm,
    KeyId,
    PublicKey,
    Recipient,
    no_recipient,
)
from keystead.kit import Call, Message, operation


class DeriveSharedSecretRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    key_agreement_algorithm: KeyAgreementAlgorithm
    public_key: PublicKey
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None
    recipient: Recipient | None = None


class DeriveSharedSecretResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str
    shared_secret: Sensitive
    ciphertext_for_recipient: bytes | None = None
    key_agreement_algorithm: str
    key_origin: str


@operation("TrentService.DeriveSharedSecret", errors=OF_A_KEY)
def derive_shared_secret(req: DeriveSharedSecretRequest, call: Call) -> DeriveSharedSecretResponse:
    no_recipient(req.recipient)
    derived = call(
        ops.DeriveSharedSecret(
            key=key_ref(req.key_id, call.namespace),
            peer_public_key=req.public_key,
            algorithm=WORDS[req.key_agreement_algorithm],
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return DeriveSharedSecretResponse(
        key_id=key_arn(derived.key, call.namespace),
        shared_secret=derived.secret,
        key_agreement_algorithm=req.key_agreement_algorithm,
        key_origin=ORIGINS[derived.key.origin],
    )


class EncapsulateRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    encapsulation_algorithm: EncapsulationAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None


class EncapsulateResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    shared_secret: Sensitive
    shared_secret_ciphertext_blob: bytes
    encapsulation_algorithm: str


@operation("TrentService.Encapsulate", errors=OF_A_KEY)
def encapsulate(req: EncapsulateRequest, call: Call) -> EncapsulateResponse:
    made = call(
        ops.Encapsulate(
            key=key_ref(req.key_id, call.namespace),
            algorithm=WORDS[req.encapsulation_algorithm],
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return EncapsulateResponse(
        key_id=key_arn(made.key, call.namespace),
        shared_secret=made.secret,
        shared_secret_ciphertext_blob=made.ciphertext,
        encapsulation_algorithm=req.encapsulation_algorithm,
    )


class DecapsulateRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    shared_secret_ciphertext_blob: Ciphertext
    encapsulation_algorithm: EncapsulationAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None


class DecapsulateResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    shared_secret: Sensitive
    encapsulation_algorithm: str


@operation("TrentService.Decapsulate", errors=OF_A_KEY | {"InvalidCiphertextException"})
def decapsulate(req: DecapsulateRequest, call: Call) -> DecapsulateResponse:
    opened = call(
        ops.Decapsulate(
            key=key_ref(req.key_id, call.namespace),
            ciphertext=req.shared_secret_ciphertext_blob,
            algorithm=WORDS[req.encapsulation_algorithm],
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return DecapsulateResponse(
        key_id=key_arn(opened.key, call.namespace),
        shared_secret=opened.secret,
        encapsulation_algorithm=req.encapsulation_algorithm,
    )


OPERATIONS = (derive_shared_secret, encapsulate, decapsulate)
