"""TrentService.ScheduleKeyDeletion, CancelKeyDeletion.

Spec: KMS API Reference 2014-11-01, under these names; KMS Developer Guide, "Delete AWS KMS keys". The model lets a
waiting period be 1 to 365 days; the documentation and the service, 7 to 30.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.doors.aws_kms.keys import OF_A_MANAGED_KEY
from keystead.doors.aws_kms.metadata import key_state
from keystead.doors.aws_kms.names import key_arn, key_by_id
from keystead.doors.aws_kms.pages import date, too_great, too_small
from keystead.doors.aws_kms.shapes import KeyId
from keystead.kit import Call, Message, operation

Days = Annotated[int, Meta(ge=1, le=365)]
LEAST, MOST = 7, 30


class ScheduleKeyDeletionRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    pending_window_in_days: Days | None = None


class ScheduleKeyDeletionResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str
    deletion_date: float | None = None
    key_state: str
    pending_window_in_days: int


@operation("TrentService.ScheduleKeyDeletion", errors=OF_A_MANAGED_KEY)
def schedule_key_deletion(req: ScheduleKeyDeletionRequest, call: Call) -> ScheduleKeyDeletionResponse:
    days = req.pending_window_in_days if req.pending_window_in_days is not None else MOST
    if days < LEAST:
        raise too_small("pendingWindowInDays", days, LEAST)
    if days > MOST:
        raise too_great("pendingWindowInDays", days, MOST)
    appointed = call(ops.ScheduleDestruction(key=key_by_id(req.key_id, call.namespace), after_days=days))
    at = appointed.key.lifecycle.destroy_at
    return ScheduleKeyDeletionResponse(
        key_id=key_arn(appointed.key, call.namespace),
        deletion_date=date(at) if at is not None else None,
        key_state=key_state(appointed.key, call),
        pending_window_in_days=days,
    )


class CancelKeyDeletionRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId


class CancelKeyDeletionResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str


@operation("TrentService.CancelKeyDeletion", errors=OF_A_MANAGED_KEY)
def cancel_key_deletion(req: CancelKeyDeletionRequest, call: Call) -> CancelKeyDeletionResponse:
    """The key is disabled afterwards, whatever it was before."""
    kept = call(ops.CancelDestruction(key=key_by_id(req.key_id, call.namespace)))
    return CancelKeyDeletionResponse(key_id=key_arn(kept.key, call.namespace))


OPERATIONS = (schedule_key_deletion, cancel_key_deletion)
