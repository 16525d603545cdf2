"""TrentService.GenerateDataKey, GenerateDataKeyPair, and both without plaintext.

Spec: KMS API Reference 2014-11-01, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
"GenerateDataKeyPairWithoutPlaintext"; botocore data/kms/2014-11-01/service-2.json.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Word, data_key_spec
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.errors import OF_A_KEY
from keystead.doors.aws_kms.names import key_arn, key_ref, material_id
from keystead.doors.aws_kms.shapes import (
    DataKeyPairSpec,
    DataKeySpec,
    GrantTokens,
    KeyId,
    NumberOfBytes,
    Recipient,
    no_recipient,
)
from keystead.kit import Call, Message, operation


class GenerateDataKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    encryption_context: dict[str, str] | None = None
    number_of_bytes: NumberOfBytes | None = None
    key_spec: DataKeySpec | None = None
    grant_tokens: GrantTokens | None = None
    recipient: Recipient | None = None
    dry_run: bool | None = None


class GenerateDataKeyResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    ciphertext_blob: bytes
    plaintext: Sensitive
    key_id: str
    ciphertext_for_recipient: bytes | None = None
    key_material_id: str | None = None


@operation("TrentService.GenerateDataKey", errors=OF_A_KEY)
def generate_data_key(req: GenerateDataKeyRequest, call: Call) -> GenerateDataKeyResponse:
    no_recipient(req.recipient)
    made = call(
        ops.GenerateDataKey(
            key=key_ref(req.key_id, call.namespace),
            n_bytes=_n_bytes(req),
            aad=req.encryption_context or None,
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return GenerateDataKeyResponse(
        ciphertext_blob=made.ciphertext,
        plaintext=made.plaintext,
        key_id=key_arn(made.key, call.namespace),
        key_material_id=material_id(made.key, made.version),
    )


class GenerateDataKeyWithoutPlaintextRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    encryption_context: dict[str, str] | None = None
    key_spec: DataKeySpec | None = None
    number_of_bytes: NumberOfBytes | None = None
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None


class GenerateDataKeyWithoutPlaintextResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    ciphertext_blob: bytes
    key_id: str
    key_material_id: str | None = None


@operation("TrentService.GenerateDataKeyWithoutPlaintext", errors=OF_A_KEY)
def generate_data_key_without_plaintext(
    req: GenerateDataKeyWithoutPlaintextRequest, call: Call
) -> GenerateDataKeyWithoutPlaintextResponse:
    made = call(
        ops.GenerateDataKeyBlind(
            key=key_ref(req.key_id, call.namespace),
            n_bytes=_n_bytes(req),
            aad=req.encryption_context or None,
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return GenerateDataKeyWithoutPlaintextResponse(
        ciphertext_blob=made.ciphertext,
        key_id=key_arn(made.key, call.namespace),
        key_material_id=material_id(made.key, made.version),
    )


class GenerateDataKeyPairRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    encryption_context: dict[str, str] | None = None
    key_id: KeyId
    key_pair_spec: DataKeyPairSpec
    grant_tokens: GrantTokens | None = None
    recipient: Recipient | None = None
    dry_run: bool | None = None


class GenerateDataKeyPairResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    private_key_ciphertext_blob: bytes
    private_key_plaintext: Sensitive
    public_key: bytes
    key_id: str
    key_pair_spec: str
    ciphertext_for_recipient: bytes | None = None
    key_material_id: str | None = None


@operation("TrentService.GenerateDataKeyPair", errors=OF_A_KEY)
def generate_data_key_pair(req: GenerateDataKeyPairRequest, call: Call) -> GenerateDataKeyPairResponse:
    no_recipient(req.recipient)
    made = call(
        ops.GenerateDataKeyPair(
            key=key_ref(req.key_id, call.namespace),
            pair_spec=Word("aws", req.key_pair_spec),
            aad=req.encryption_context or None,
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return GenerateDataKeyPairResponse(
        private_key_ciphertext_blob=made.private_key_ciphertext,
        private_key_plaintext=made.private_key,
        public_key=made.public_key,
        key_id=key_arn(made.key, call.namespace),
        key_pair_spec=req.key_pair_spec,
        key_material_id=material_id(made.key, made.version),
    )


class GenerateDataKeyPairWithoutPlaintextRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    encryption_context: dict[str, str] | None = None
    key_id: KeyId
    key_pair_spec: DataKeyPairSpec
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None


class GenerateDataKeyPairWithoutPlaintextResponse(
    Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True
):
    private_key_ciphertext_blob: bytes
    public_key: bytes
    key_id: str
    key_pair_spec: str
    key_material_id: str | None = None


@operation("TrentService.GenerateDataKeyPairWithoutPlaintext", errors=OF_A_KEY)
def generate_data_key_pair_without_plaintext(
    req: GenerateDataKeyPairWithoutPlaintextRequest, call: Call
) -> GenerateDataKeyPairWithoutPlaintextResponse:
    made = call(
        ops.GenerateDataKeyPairBlind(
            key=key_ref(req.key_id, call.namespace),
            pair_spec=Word("aws", req.key_pair_spec),
            aad=req.encryption_context or None,
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return GenerateDataKeyPairWithoutPlaintextResponse(
        private_key_ciphertext_blob=made.private_key_ciphertext,
        public_key=made.public_key,
        key_id=key_arn(made.key, call.namespace),
        key_pair_spec=req.key_pair_spec,
        key_material_id=material_id(made.key, made.version),
    )


def _n_bytes(req: GenerateDataKeyRequest | GenerateDataKeyWithoutPlaintextRequest) -> int:
    """Raises InvalidArgument unless exactly one of KeySpec and NumberOfBytes is there."""
    if (req.key_spec is None) is (req.number_of_bytes is None):
        raise InvalidArgument("Please specify either number of bytes or key spec.", "KeySpec")
    return data_key_spec("aws", req.key_spec).n_bytes if req.key_spec else req.number_of_bytes or 0


OPERATIONS = (
    generate_data_key,
    generate_data_key_without_plaintext,
    generate_data_key_pair,
    generate_data_key_pair_without_plaintext,
)
