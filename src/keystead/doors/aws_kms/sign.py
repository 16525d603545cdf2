"""TrentService.Sign, Verify, GetPublicKey.

Spec: KMS API Reference 2014-11-01, "Sign", "Verify", "GetPublicKey"; botocore data/kms/2014-11-01/service-2.json.
A signature that does not verify is an answer to the core, and KMSInvalidSignatureException to AWS's clients.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import MessageForm, Purpose
from keystead.doors.aws_kms.errors import OF_A_KEY, WireFault
from keystead.doors.aws_kms.names import key_arn, key_ref
from keystead.doors.aws_kms.shapes import (
    KEY_USAGES,
    WORDS,
    Ciphertext,
    GrantTokens,
    KeyId,
    MessageType,
    Plaintext,
    SigningAlgorithm,
    algorithms,
    old_key_spec,
)
from keystead.kit import Call, Message, operation

FORMS: dict[str | None, MessageForm] = {
    None: MessageForm.RAW,
    "RAW": MessageForm.RAW,
    "DIGEST": MessageForm.DIGEST,
    "EXTERNAL_MU": MessageForm.EXTERNAL_MU,
}


class SignRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    message: Plaintext
    message_type: MessageType | None = None
    grant_tokens: GrantTokens | None = None
    signing_algorithm: SigningAlgorithm
    dry_run: bool | None = None


class SignResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    signature: bytes
    signing_algorithm: str


@operation("TrentService.Sign", errors=OF_A_KEY)
def sign(req: SignRequest, call: Call) -> SignResponse:
    signed = call(
        ops.Sign(
            key=key_ref(req.key_id, call.namespace),
            message=req.message,
            form=FORMS[req.message_type],
            algorithm=WORDS[req.signing_algorithm],
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return SignResponse(
        key_id=key_arn(signed.key, call.namespace),
        signature=signed.signature,
        signing_algorithm=req.signing_algorithm,
    )


class VerifyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    message: Plaintext
    message_type: MessageType | None = None
    signature: Ciphertext
    signing_algorithm: SigningAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None


class VerifyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    signature_valid: bool
    signing_algorithm: str


@operation("TrentService.Verify", errors=OF_A_KEY | {"KMSInvalidSignatureException"})
def verify(req: VerifyRequest, call: Call) -> VerifyResponse:
    checked = call(
        ops.Verify(
            key=key_ref(req.key_id, call.namespace),
            message=req.message,
            signature=req.signature,
            form=FORMS[req.message_type],
            algorithm=WORDS[req.signing_algorithm],
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    if not checked.valid:
        raise WireFault("KMSInvalidSignatureException")
    return VerifyResponse(
        key_id=key_arn(checked.key, call.namespace),
        signature_valid=True,
        signing_algorithm=req.signing_algorithm,
    )


class GetPublicKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    grant_tokens: GrantTokens | None = None


class GetPublicKeyResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str
    public_key: bytes
    customer_master_key_spec: str | None = None
    key_spec: str
    key_usage: str
    encryption_algorithms: list[str] | None = None
    signing_algorithms: list[str] | None = None
    key_agreement_algorithms: list[str] | None = None
    encapsulation_algorithms: list[str] | None = None


@operation("TrentService.GetPublicKey", errors=OF_A_KEY - {"DryRunOperationException"} | {"InvalidArnException"})
def get_public_key(req: GetPublicKeyRequest, call: Call) -> GetPublicKeyResponse:
    read = call(
        ops.ReadPublicKey(
            key=key_ref(req.key_id, call.namespace),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    key = read.key
    return GetPublicKeyResponse(
        key_id=key_arn(key, call.namespace),
        public_key=read.public_key,
        customer_master_key_spec=old_key_spec(key.spec),
        key_spec=key.spec.aws or "",
        key_usage=KEY_USAGES[key.purpose],
        encryption_algorithms=algorithms(key, Purpose.CIPHER),
        signing_algorithms=algorithms(key, Purpose.SIGNATURE),
        key_agreement_algorithms=algorithms(key, Purpose.AGREEMENT),
        encapsulation_algorithms=algorithms(key, Purpose.ENCAPSULATION),
    )


OPERATIONS = (sign, verify, get_public_key)
