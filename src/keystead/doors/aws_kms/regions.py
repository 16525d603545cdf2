"""TrentService.ReplicateKey, UpdatePrimaryRegion: multi-Region keys.

Spec: KMS API Reference 2014-11-01, under these names; KMS Developer Guide, "Multi-Region keys in AWS KMS".

Deviations (SPEC.md)
  ReplicateKey          the copy is Enabled (or PendingImport) at once, in every Region: never Creating.
  UpdatePrimaryRegion   done when it is answered: never Updating.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.entities import PolicyText
from keystead.core.operations import KeyRef
from keystead.doors.aws_kms.keys import OF_A_MANAGED_KEY, Description, Policy
from keystead.doors.aws_kms.metadata import KeyMetadata, metadata
from keystead.doors.aws_kms.names import key_by_id
from keystead.doors.aws_kms.shapes import KeyId, matching
from keystead.doors.aws_kms.tags import Tag, listed, pairs
from keystead.kit import Call, Message, operation

Region = Annotated[str, Meta(min_length=1, max_length=32, pattern=matching(r"^([a-z]+-){2,3}\d+$"))]


def _at(ref: KeyRef, region: str) -> str:
    """The address of the account of `ref` in another region."""
    return f"{ref.namespace.rpartition(':')[0]}:{region}"


class ReplicateKeyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    replica_region: Region
    policy: Policy | None = None
    bypass_policy_lockout_safety_check: bool | None = None
    description: Description | None = None
    tags: list[Tag] | None = None


class ReplicateKeyResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    replica_key_metadata: KeyMetadata
    replica_policy: str
    replica_tags: list[Tag]


@operation(
    "TrentService.ReplicateKey",
    errors=OF_A_MANAGED_KEY
    | {
        "AlreadyExistsException",
        "DisabledException",
        "LimitExceededException",
        "MalformedPolicyDocumentException",
        "TagException",
    },
)
def replicate_key(req: ReplicateKeyRequest, call: Call) -> ReplicateKeyResponse:
    ref = key_by_id(req.key_id, call.namespace)
    there = _at(ref, req.replica_region)
    made = call(
        ops.ReplicateKey(
            key=ref,
            namespace=there,
            description=req.description or "",
            tags=pairs(req.tags or []),
            policy=PolicyText("default", "aws", req.policy) if req.policy is not None else None,
            bypass_lockout_check=bool(req.bypass_policy_lockout_safety_check),
        )
    )
    return ReplicateKeyResponse(
        replica_key_metadata=metadata(made.described, call, there),
        replica_policy=made.policy.text,
        replica_tags=listed(made.described.key.tags.items()),
    )


class UpdatePrimaryRegionRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    primary_region: Region


@operation("TrentService.UpdatePrimaryRegion", errors=OF_A_MANAGED_KEY | {"DisabledException"})
def update_primary_region(req: UpdatePrimaryRegionRequest, call: Call) -> None:
    ref = key_by_id(req.key_id, call.namespace)
    call(ops.ChangePrimary(key=ref, namespace=_at(ref, req.primary_region)))


OPERATIONS = (replicate_key, update_primary_region)
