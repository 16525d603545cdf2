"""TrentService.GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial.

Spec: KMS API Reference 2014-11-01, under these names; KMS Developer Guide, "Importing key material for AWS KMS keys".

Deviations (SPEC.md)
  ImportKeyMaterial   a disabled key stays disabled; KeyMaterialId is answered for symmetric encryption keys alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.algorithms import key_spec
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.core.wrapping import WRAPPINGS
from keystead.doors.aws_kms.errors import COMMON
from keystead.doors.aws_kms.keys import OF_A_MANAGED_KEY
from keystead.doors.aws_kms.names import key_arn, key_by_id, material_id
from keystead.doors.aws_kms.pages import date
from keystead.doors.aws_kms.shapes import Ciphertext, KeyId, matching
from keystead.kit import Call, Message, operation

WrappingAlgorithm = Literal[
    "RSAES_PKCS1_V1_5",
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256",
    "SM2PKE",
]
WrappingKeySpec = Literal["RSA_2048", "RSA_3072", "RSA_4096", "SM2"]
MaterialId = Annotated[str, Meta(min_length=64, max_length=64, pattern=matching(r"^[a-f0-9]+$"))]
Description = Annotated[str, Meta(min_length=0, max_length=256, pattern=matching(r"^[a-zA-Z0-9:/_\s.-]+$"))]
_BY_WORD = {wrapping.aws: wrapping for wrapping in WRAPPINGS.values() if wrapping.aws}
_LATEST = 253402300799  # 9999-12-31T23:59:59Z


class GetParametersForImportRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    wrapping_algorithm: WrappingAlgorithm
    wrapping_key_spec: WrappingKeySpec


class GetParametersForImportResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    import_token: bytes
    public_key: Sensitive
    parameters_valid_to: float


@operation("TrentService.GetParametersForImport", errors=OF_A_MANAGED_KEY)
def get_parameters_for_import(req: GetParametersForImportRequest, call: Call) -> GetParametersForImportResponse:
    made = call(
        ops.PrepareImport(
            key=key_by_id(req.key_id, call.namespace),
            wrapping=_BY_WORD[req.wrapping_algorithm],
            wrapping_spec=key_spec("aws", req.wrapping_key_spec),
        )
    )
    return GetParametersForImportResponse(
        key_id=key_arn(made.key, call.namespace),
        import_token=made.ticket,
        public_key=Sensitive(made.wrapping_key),  # the model calls its shape sensitive
        parameters_valid_to=date(made.expires_at),
    )


class ImportKeyMaterialRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    import_token: Ciphertext
    encrypted_key_material: Ciphertext
    valid_to: float | None = None
    expiration_model: Literal["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"] | None = None
    import_type: Literal["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"] | None = None
    key_material_description: Description | None = None
    key_material_id: MaterialId | None = None


class ImportKeyMaterialResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str
    key_material_id: str | None = None


@operation(
    "TrentService.ImportKeyMaterial",
    errors=OF_A_MANAGED_KEY
    | {
        "InvalidCiphertextException",
        "IncorrectKeyMaterialException",
        "ExpiredImportTokenException",
        "InvalidImportTokenException",
    },
)
def import_key_material(req: ImportKeyMaterialRequest, call: Call) -> ImportKeyMaterialResponse:
    done = call(
        ops.ImportMaterial(
            key=key_by_id(req.key_id, call.namespace),
            ticket=req.import_token,
            wrapped=req.encrypted_key_material,
            expires_at=_expiry(req),
            new=None if req.import_type is None else req.import_type == "NEW_KEY_MATERIAL",
            description=req.key_material_description,
            identifier=req.key_material_id,
        )
    )
    return ImportKeyMaterialResponse(key_id=key_arn(done.key, call.namespace), key_material_id=_id(done))


def _expiry(req: ImportKeyMaterialRequest) -> datetime | None:
    """Raises InvalidArgument."""
    expires = req.expiration_model != "KEY_MATERIAL_DOES_NOT_EXPIRE"
    if expires and req.valid_to is None:
        raise InvalidArgument("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES", "ValidTo")
    if not expires and req.valid_to is not None:
        raise InvalidArgument(
            "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE", "ValidTo"
        )
    if req.valid_to is None:
        return None
    if not 0 <= req.valid_to <= _LATEST:
        raise InvalidArgument("The validTo date must be in the future, and within 365 days", "ValidTo")
    return datetime.fromtimestamp(req.valid_to, UTC)


def _id(done: ops.Described) -> str | None:
    return None if done.version is None else material_id(done.key, done.version.number)


class DeleteImportedKeyMaterialRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    key_material_id: MaterialId | None = None


class DeleteImportedKeyMaterialResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str
    key_material_id: str | None = None


@operation("TrentService.DeleteImportedKeyMaterial", errors=COMMON | OF_A_MANAGED_KEY)
def delete_imported_key_material(
    req: DeleteImportedKeyMaterialRequest, call: Call
) -> DeleteImportedKeyMaterialResponse:
    done = call(ops.DeleteMaterial(key=key_by_id(req.key_id, call.namespace), identifier=req.key_material_id))
    return DeleteImportedKeyMaterialResponse(key_id=key_arn(done.key, call.namespace), key_material_id=_id(done))


OPERATIONS = (get_parameters_for_import, import_key_material, delete_imported_key_material)
