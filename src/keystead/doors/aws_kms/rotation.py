"""TrentService.EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand, ListKeyRotations.

Spec: KMS API Reference 2014-11-01, under these names; KMS Developer Guide, "Rotate AWS KMS keys".

Deviations (SPEC.md)
  OnDemandRotationStartDate   never there: a rotation is done when RotateKeyOnDemand answers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Key, KeyVersion, Origin, RotatedBy
from keystead.core.family import known_as
from keystead.doors.aws_kms.errors import COMMON
from keystead.doors.aws_kms.keys import OF_A_MANAGED_KEY
from keystead.doors.aws_kms.metadata import expiration_model
from keystead.doors.aws_kms.names import key_arn, key_by_id, material_id
from keystead.doors.aws_kms.pages import Limit, Marker, date, next_marker, place, size
from keystead.doors.aws_kms.shapes import KeyId
from keystead.kit import Call, Message, operation
from keystead.service.handlers.material import present
from keystead.service.handlers.rotation import DEFAULT_DAYS

ROTATION_TYPES = {RotatedBy.SCHEDULE: "AUTOMATIC", RotatedBy.DEMAND: "ON_DEMAND"}


class EnableKeyRotationRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    rotation_period_in_days: Annotated[int, Meta(ge=90, le=2560)] | None = None


@operation("TrentService.EnableKeyRotation", errors=OF_A_MANAGED_KEY | {"DisabledException"})
def enable_key_rotation(req: EnableKeyRotationRequest, call: Call) -> None:
    days = req.rotation_period_in_days or DEFAULT_DAYS
    call(ops.EnableRotation(key=key_by_id(req.key_id, call.namespace), period_days=days))


class DisableKeyRotationRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId


@operation("TrentService.DisableKeyRotation", errors=OF_A_MANAGED_KEY | {"DisabledException"})
def disable_key_rotation(req: DisableKeyRotationRequest, call: Call) -> None:
    call(ops.DisableRotation(key=key_by_id(req.key_id, call.namespace)))


class GetKeyRotationStatusRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId


class GetKeyRotationStatusResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_rotation_enabled: bool
    key_id: str
    rotation_period_in_days: int | None = None
    next_rotation_date: float | None = None
    on_demand_rotation_start_date: float | None = None


@operation("TrentService.GetKeyRotationStatus", errors=OF_A_MANAGED_KEY)
def get_key_rotation_status(req: GetKeyRotationStatusRequest, call: Call) -> GetKeyRotationStatusResponse:
    status = call(ops.ReadRotation(key=key_by_id(req.key_id, call.namespace)))
    rotation = status.rotation
    return GetKeyRotationStatusResponse(
        key_rotation_enabled=rotation is not None,
        key_id=key_arn(status.key, call.namespace),
        rotation_period_in_days=rotation.period_days if rotation else None,
        next_rotation_date=date(rotation.next_at) if rotation else None,
    )


class RotateKeyOnDemandRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId


class RotateKeyOnDemandResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str


@operation(
    "TrentService.RotateKeyOnDemand",
    errors=OF_A_MANAGED_KEY | {"DisabledException", "LimitExceededException", "ConflictException"},
)
def rotate_key_on_demand(req: RotateKeyOnDemandRequest, call: Call) -> RotateKeyOnDemandResponse:
    rotated = call(ops.RotateKey(key=key_by_id(req.key_id, call.namespace)))
    return RotateKeyOnDemandResponse(key_id=key_arn(rotated.key, call.namespace))


class RotationsListEntry(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str
    key_material_id: str
    key_material_description: str | None = None
    import_state: str | None = None
    key_material_state: str | None = None
    expiration_model: str | None = None
    valid_to: float | None = None
    rotation_date: float | None = None
    rotation_type: str | None = None


class ListKeyRotationsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    include_key_material: Literal["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"] | None = None
    limit: Limit | None = None
    marker: Marker | None = None


class ListKeyRotationsResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    rotations: list[RotationsListEntry]
    next_marker: str | None = None
    truncated: bool


@operation(
    "TrentService.ListKeyRotations",
    errors=COMMON | {"NotFoundException", "InvalidArnException", "InvalidMarkerException", "KMSInvalidStateException"},
)
def list_key_rotations(req: ListKeyRotationsRequest, call: Call) -> ListKeyRotationsResponse:
    key = key_by_id(req.key_id, call.namespace)
    found = call(
        ops.ListRotations(
            key=key,
            everything=req.include_key_material == "ALL_KEY_MATERIAL",
            after=place(call, req.marker),
            limit=size(req.limit, default=100, most=1000),
        )
    )
    page = found.page
    return ListKeyRotationsResponse(
        rotations=[_entry(found, version, call) for version in page.items],
        next_marker=next_marker(call, page.after),
        truncated=page.after is not None,
    )


def _entry(found: ops.Rotations, version: KeyVersion, call: Call) -> RotationsListEntry:
    """The first material came by no rotation, nor has what waits for one: they have neither date nor type."""
    key = found.key
    entry = RotationsListEntry(
        key_id=known_as(version.key_id),
        key_material_id=material_id(key, version.number) or "",
        key_material_state=_state(key, version.number, scattered=found.scattered),
        rotation_date=date(version.rotated_at or version.created_at) if version.rotated_by in ROTATION_TYPES else None,
        rotation_type=ROTATION_TYPES.get(version.rotated_by),
    )
    if key.origin is not Origin.EXTERNAL:
        return entry
    return replace(
        entry,
        key_material_description=version.description or None,
        import_state="IMPORTED" if present(version, call.caller.now) else "PENDING_IMPORT",
        expiration_model=expiration_model(version.expires_at),
        valid_to=date(version.expires_at) if version.expires_at is not None else None,
    )


def _state(key: Key, number: int, *, scattered: bool) -> str:
    if number == key.current:
        return "CURRENT"
    if number < key.current:
        return "NON_CURRENT"
    return "PENDING_MULTI_REGION_IMPORT_AND_ROTATION" if scattered else "PENDING_ROTATION"


OPERATIONS = (
    enable_key_rotation,
    disable_key_rotation,
    get_key_rotation_status,
    rotate_key_on_demand,
    list_key_rotations,
)
