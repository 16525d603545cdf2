"""What every request says of the call to AWS KMS behind it: "requestMetadata", Appendix B.

Members that are not declared here are passed over: "over time, AWS KMS may choose to include additional fields".
What is said here is the caller's word: kmsRequestId goes on record, and nothing is decided by any of it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.kit import Message

Said = Annotated[str, Meta(min_length=1)]
"""A member that is REQUIRED. Which operations of AWS KMS there are is not for us to say."""


class HealthMetadata(Message, frozen=True, kw_only=True, rename="camel"):
    kms_request_id: Said
    kms_operation: Said


class KeyMetadata(HealthMetadata, frozen=True, kw_only=True, rename="camel"):
    aws_principal_arn: Said
    aws_source_vpc: str | None = None
    aws_source_vpce: str | None = None


class UseMetadata(KeyMetadata, frozen=True, kw_only=True, rename="camel"):
    kms_key_arn: Said
    kms_via_service: str | None = None


class KeyRequest(Message, frozen=True, kw_only=True, rename="camel"):
    """`external_key_id` is in the URI; whatever a body says in its place is written over."""

    external_key_id: str = ""
