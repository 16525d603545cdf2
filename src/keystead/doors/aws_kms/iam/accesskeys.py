"""iam:CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed.

Spec: IAM API Reference 2010-05-08, under these names. Without a user name they are about whoever asks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from keystead.core import operations as ops
from keystead.core.entities import Credential, LastUse
from keystead.core.errors import NotFound
from keystead.core.operations import AccessKeyRef, Nothing, Operation, PrincipalRef
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    AccessKeyId,
    ExistingUserName,
    Marker,
    MaxItems,
    date,
    user_or_caller,
)
from keystead.doors.aws_kms.pages import next_marker, place
from keystead.doors.aws_kms.query import not_offered, query_operation
from keystead.kit import Call, Message

OF_A_KEY = frozenset({"NoSuchEntity"})
NEVER = "N/A"  # service and Region of an access key that was not used
ACTIVE, INACTIVE = "Active", "Inactive"


class AccessKey(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: str
    access_key_id: str
    status: str
    secret_access_key: Sensitive
    create_date: datetime


class CreateAccessKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName | None = None


class CreateAccessKeyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    access_key: AccessKey


@query_operation("iam", "CreateAccessKey", errors=OF_A_KEY | {"LimitExceeded"})
def create_access_key(req: CreateAccessKeyRequest, call: Call) -> CreateAccessKeyResponse:
    of = user_or_caller(req.user_name, call)
    made = call(ops.CreateUserAccessKey(principal=of))
    return CreateAccessKeyResponse(
        access_key=AccessKey(
            user_name=of.name,
            access_key_id=made.credential.id,
            status=ACTIVE,
            secret_access_key=made.secret,
            create_date=date(made.credential.created_at),
        )
    )


class AccessKeyMetadata(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: str
    access_key_id: str
    status: str
    create_date: datetime

    @classmethod
    def of(cls, one: Credential, owner: PrincipalRef) -> AccessKeyMetadata:
        status = ACTIVE if one.enabled else INACTIVE
        at = date(one.created_at)
        return cls(user_name=owner.name, access_key_id=one.id, status=status, create_date=at)


class ListAccessKeysRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListAccessKeysResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    access_key_metadata: list[AccessKeyMetadata]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListAccessKeys", errors=OF_A_KEY)
def list_access_keys(req: ListAccessKeysRequest, call: Call) -> ListAccessKeysResponse:
    of = user_or_caller(req.user_name, call)
    asked = ops.ListUserAccessKeys(principal=of, after=place(call, req.marker), limit=req.max_items or PAGE)
    page = call(asked)
    marker = next_marker(call, page.after)
    listed = [AccessKeyMetadata.of(one, of) for one in page.items]
    return ListAccessKeysResponse(access_key_metadata=listed, is_truncated=bool(marker), marker=marker)


def _on_a_key(call: Call, op: Operation[Nothing], credential_id: str) -> None:
    try:
        call(op)
    except NotFound as absent:
        if not isinstance(absent.detail, PrincipalRef):
            absent.args = (f"The Access Key with id {credential_id} cannot be found.", *absent.args[1:])
        raise


class UpdateAccessKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName | None = None
    access_key_id: AccessKeyId
    status: Literal["Active", "Inactive", "Expired"]


@query_operation("iam", "UpdateAccessKey", errors=OF_A_KEY | {"InvalidInput"})
def update_access_key(req: UpdateAccessKeyRequest, call: Call) -> None:
    not_offered(status=req.status if req.status == "Expired" else None)
    of, enabled = user_or_caller(req.user_name, call), req.status == ACTIVE
    change = ops.UpdateUserAccessKey(principal=of, credential_id=req.access_key_id, enabled=enabled)
    _on_a_key(call, change, req.access_key_id)


class DeleteAccessKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: ExistingUserName | None = None
    access_key_id: AccessKeyId


@query_operation("iam", "DeleteAccessKey", errors=OF_A_KEY)
def delete_access_key(req: DeleteAccessKeyRequest, call: Call) -> None:
    of = user_or_caller(req.user_name, call)
    _on_a_key(call, ops.DeleteUserAccessKey(principal=of, credential_id=req.access_key_id), req.access_key_id)


class GetAccessKeyLastUsedRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    access_key_id: AccessKeyId


class AccessKeyLastUsed(Message, frozen=True, kw_only=True, rename="pascal"):
    last_used_date: datetime | None = None
    service_name: str = NEVER
    region: str = NEVER

    @classmethod
    def of(cls, use: LastUse) -> AccessKeyLastUsed:
        service, _, _ = use.operation.rpartition(":")
        region = use.namespace.rpartition(":")[2]
        return cls(last_used_date=date(use.at), service_name=service or "kms", region=region or NEVER)


class GetAccessKeyLastUsedResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    user_name: str
    access_key_last_used: AccessKeyLastUsed


@query_operation("iam", "GetAccessKeyLastUsed", errors=frozenset())
def get_access_key_last_used(req: GetAccessKeyLastUsedRequest, call: Call) -> GetAccessKeyLastUsedResponse:
    key = AccessKeyRef(call.caller.principal.tenant, req.access_key_id)
    found = call(ops.ReadAccessKeyLastUse(access_key=key))
    used = AccessKeyLastUsed() if found.use is None else AccessKeyLastUsed.of(found.use)
    return GetAccessKeyLastUsedResponse(user_name=found.principal.name, access_key_last_used=used)


OPERATIONS = (create_access_key, list_access_keys, update_access_key, delete_access_key, get_access_key_last_used)
