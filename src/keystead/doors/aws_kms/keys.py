"""TrentService.CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription, GetKeyLastUsage.

Spec: KMS API Reference 2014-11-01, under these names, and "KeyMetadata"; botocore data/kms/2014-11-01/service-2.json.

Deviations (SPEC.md)
  CreateKey         Origin AWS_CLOUDHSM: in an HSM that the operator has configured (docs/adr/0034).
  GetKeyLastUsage   CloudTrailEventId is that of `keystead audit export`. TrackingStartDate is the key's creation.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.algorithms import KeySpec, Purpose, key_spec
from keystead.core.entities import LastUse, PolicyText
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.core.operations import KeyringRef, KeyStoreRef
from keystead.doors.aws_kms.errors import COMMON, PREFIX
from keystead.doors.aws_kms.metadata import KeyMetadata, metadata
from keystead.doors.aws_kms.names import arn_at, event_id, key_arn, key_by_id, key_ref
from keystead.doors.aws_kms.pages import Limit, Marker, date, next_marker, place, size
from keystead.doors.aws_kms.shapes import KEY_USAGES, ORIGINS, GrantTokens, KeyId, KeyStoreId, matching, missing
from keystead.doors.aws_kms.tags import Tag, pairs
from keystead.kit import Call, Message, operation

Policy = Annotated[str, Meta(min_length=1, max_length=131072, pattern=matching(r"[\u0009\u000A\u000D\u0020-\u00FF]+"))]
Description = Annotated[str, Meta(max_length=8192)]
OldKeySpecName = Literal[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
]
KeySpecName = Literal[
    OldKeySpecName,
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
    "ECC_NIST_EDWARDS25519",
]
KeyUsage = Literal["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"]
OriginName = Literal["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]
PURPOSES = {word: purpose for purpose, word in KEY_USAGES.items()}
NAMED_ORIGINS = {word: origin for origin, word in ORIGINS.items()}
IN_A_STORE = ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")
OF_A_MANAGED_KEY = COMMON | {"NotFoundException", "InvalidArnException", "KMSInvalidStateException"}


class CreateKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy: Policy | None = None
    description: Description | None = None
    key_usage: KeyUsage | None = None
    customer_master_key_spec: OldKeySpecName | None = None
    key_spec: KeySpecName | None = None
    origin: OriginName | None = None
    custom_key_store_id: KeyStoreId | None = None
    bypass_policy_lockout_safety_check: bool | None = None
    tags: list[Tag] | None = None
    multi_region: bool | None = None
    xks_key_id: Annotated[str, Meta(min_length=1, max_length=128, pattern=matching(r"^[a-zA-Z0-9-_.]+$"))] | None = None


class CreateKeyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_metadata: KeyMetadata


@operation(
    "TrentService.CreateKey",
    errors=COMMON
    | {"MalformedPolicyDocumentException", "InvalidArnException", "LimitExceededException", "TagException"}
    | {"CustomKeyStoreNotFoundException", "CustomKeyStoreInvalidStateException", "KMSInvalidStateException"}
    | {"CloudHsmClusterInvalidConfigurationException"}
    | {"XksKeyAlreadyInUseException", "XksKeyInvalidConfigurationException", "XksKeyNotFoundException"},
)
def create_key(req: CreateKeyRequest, call: Call) -> CreateKeyResponse:
    spec = _spec(req)
    purpose = _purpose(req, spec)
    tags = pairs(req.tags or [])
    _offered(req)
    made = call(
        ops.CreateKey(
            keyring=KeyringRef(call.namespace),
            spec=spec,
            purpose=purpose,
            origin=NAMED_ORIGINS[req.origin or "AWS_KMS"],
            elsewhere=_elsewhere(req, call.namespace),
            description=req.description or "",
            tags=tags,
            policy=PolicyText("default", "aws", req.policy) if req.policy is not None else None,
            bypass_lockout_check=bool(req.bypass_policy_lockout_safety_check),
            multi_region=bool(req.multi_region),
        )
    )
    return CreateKeyResponse(key_metadata=metadata(made, call))


def _spec(req: CreateKeyRequest) -> KeySpec:
    """Raises InvalidArgument."""
    if req.key_spec is not None and req.customer_master_key_spec is not None:
        raise InvalidArgument(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated.",
            "KeySpec",
        )
    return key_spec("aws", req.key_spec or req.customer_master_key_spec or "SYMMETRIC_DEFAULT")


def _purpose(req: CreateKeyRequest, spec: KeySpec) -> Purpose:
    """Raises InvalidArgument."""
    if req.key_usage is None and spec.aws != "SYMMETRIC_DEFAULT":
        raise InvalidArgument(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.", "KeyUsage"
        )
    purpose = PURPOSES[req.key_usage or "ENCRYPT_DECRYPT"]
    if purpose not in spec.purposes:
        raise InvalidArgument(f"KeyUsage {req.key_usage} is not compatible with KeySpec {spec.aws}", "KeyUsage")
    return purpose


def _offered(req: CreateKeyRequest) -> None:
    """Raises Unsupported."""
    if req.multi_region and req.origin in IN_A_STORE:  # KMS Developer Guide, "Multi-Region keys", considerations
        raise Unsupported("Multi-Region keys are not supported in custom key stores.", "MultiRegion")


def _elsewhere(req: CreateKeyRequest, namespace: str) -> ops.Placed | None:
    """Which members go with which origin (KMS API Reference, CreateKey: XksKeyId). Raises InvalidArgument."""
    store_id, xks_key_id = req.custom_key_store_id, req.xks_key_id
    external = req.origin == "EXTERNAL_KEY_STORE"
    if req.origin not in IN_A_STORE and store_id is not None:
        raise InvalidArgument(f"Origin {req.origin or 'AWS_KMS'} is not valid with CustomKeyStoreId.", "Origin")
    if not external and xks_key_id is not None:
        raise InvalidArgument("XksKeyId is valid only with Origin EXTERNAL_KEY_STORE.", "XksKeyId")
    if req.origin not in IN_A_STORE:
        return None
    if store_id is None:
        raise missing("customKeyStoreId")
    if external and xks_key_id is None:
        raise missing("xksKeyId")
    return ops.Placed(KeyStoreRef(namespace, store_id), xks_key_id or "")


class DescribeKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    grant_tokens: GrantTokens | None = None


class DescribeKeyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_metadata: KeyMetadata


@operation(
    "TrentService.DescribeKey",
    errors=COMMON | {"NotFoundException", "InvalidArnException", "InvalidGrantTokenException"},
)
def describe_key(req: DescribeKeyRequest, call: Call) -> DescribeKeyResponse:
    found = call(ops.DescribeKey(key=key_ref(req.key_id, call.namespace), grant_tokens=tuple(req.grant_tokens or ())))
    return DescribeKeyResponse(key_metadata=metadata(found, call))


class KeyListEntry(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    key_arn: str


class ListKeysRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    limit: Limit | None = None
    marker: Marker | None = None
    resource_owners: (
        Annotated[list[Literal["SELF", "OTHER_ACCOUNTS_VIA_RAM"]], Meta(min_length=1, max_length=2)] | None
    ) = None


class ListKeysResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    keys: list[KeyListEntry]
    next_marker: str | None = None
    truncated: bool


@operation("TrentService.ListKeys", errors=COMMON | {"InvalidMarkerException"})
def list_keys(req: ListKeysRequest, call: Call) -> ListKeysResponse:
    page = call(
        ops.ListKeys(
            keyring=KeyringRef(call.namespace),
            after=place(call, req.marker),
            limit=size(req.limit, default=100, most=1000),
        )
    )
    if "SELF" not in (req.resource_owners or ["SELF"]):  # no key is shared through AWS RAM
        return ListKeysResponse(keys=[], truncated=False)
    return ListKeysResponse(
        keys=[KeyListEntry(key_id=key_id, key_arn=arn_at(call.namespace, f"key/{key_id}")) for key_id in page.items],
        next_marker=next_marker(call, page.after),
        truncated=page.after is not None,
    )


class EnableKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId


@operation("TrentService.EnableKey", errors=OF_A_MANAGED_KEY | {"LimitExceededException"})
def enable_key(req: EnableKeyRequest, call: Call) -> None:
    call(ops.EnableKey(key=key_by_id(req.key_id, call.namespace)))


class DisableKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId


@operation("TrentService.DisableKey", errors=OF_A_MANAGED_KEY)
def disable_key(req: DisableKeyRequest, call: Call) -> None:
    call(ops.DisableKey(key=key_by_id(req.key_id, call.namespace)))


class UpdateKeyDescriptionRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    description: Description


@operation("TrentService.UpdateKeyDescription", errors=OF_A_MANAGED_KEY)
def update_key_description(req: UpdateKeyDescriptionRequest, call: Call) -> None:
    call(ops.UpdateKey(key=key_by_id(req.key_id, call.namespace), description=req.description))


class KeyLastUsage(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    operation: str | None = None
    timestamp: float | None = None
    cloud_trail_event_id: str | None = None
    kms_request_id: str | None = None


class GetKeyLastUsageRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId


class GetKeyLastUsageResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    key_last_usage: KeyLastUsage
    tracking_start_date: float
    key_creation_date: float


@operation("TrentService.GetKeyLastUsage", errors=COMMON | {"NotFoundException", "InvalidArnException"})
def get_key_last_usage(req: GetKeyLastUsageRequest, call: Call) -> GetKeyLastUsageResponse:
    found = call(ops.ReadLastUse(key=key_by_id(req.key_id, call.namespace)))
    created = date(found.key.created_at)
    return GetKeyLastUsageResponse(
        key_id=key_arn(found.key, call.namespace),
        key_last_usage=KeyLastUsage() if found.use is None else _usage(found.use),
        tracking_start_date=created,
        key_creation_date=created,
    )


def _usage(use: LastUse) -> KeyLastUsage:
    """Uses at other doors are no events of CloudTrail's."""
    is_event = use.leaf != b"" and use.operation.startswith(PREFIX)
    return KeyLastUsage(
        operation=use.operation.removeprefix(PREFIX),
        timestamp=date(use.at),
        cloud_trail_event_id=event_id(use.leaf) if is_event else None,
        kms_request_id=use.request_id,
    )


OPERATIONS = (create_key, describe_key, list_keys, enable_key, disable_key, update_key_description, get_key_last_usage)
