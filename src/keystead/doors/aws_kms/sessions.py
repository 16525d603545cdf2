"""sts:AssumeRole, GetSessionToken, GetAccessKeyInfo.

Spec: STS API Reference 2011-06-15, under these names. There is no multi-factor authentication here: what tells of it is
refused, since whoever asks for it means to be more than he is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.entities import PolicyText, PrincipalKind
from keystead.core.errors import InvalidArgument
from keystead.core.operations import PolicyRef, PrincipalRef, TenantRef
from keystead.core.policy.arn import PrincipalName, policy_ref, principal_name, session_arn
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.query import not_offered, query_operation
from keystead.doors.aws_kms.shapes import TagKey, TagValue, matching
from keystead.kit import Call, Message

SESSION = "session"  # a session policy has no name of its own
Arn = Annotated[
    str,
    Meta(
        min_length=20,
        max_length=2048,
        pattern=matching(r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"),
    ),
]
SessionName = Annotated[str, Meta(min_length=2, max_length=64, pattern=matching(r"[\w+=,.@-]*"))]
SourceIdentity = Annotated[str, Meta(min_length=2, max_length=256, pattern=matching(r"[\w+=,.@-]*"))]
SessionPolicy = Annotated[str, Meta(min_length=1, pattern=matching(r"[\u0009\u000A\u000D\u0020-\u00FF]+"))]
ExternalId = Annotated[str, Meta(min_length=2, max_length=1224, pattern=matching(r"[\w+=,.@:\/-]*"))]
SerialNumber = Annotated[str, Meta(min_length=9, max_length=256, pattern=matching(r"[\w+=/:,.@-]*"))]
TokenCode = Annotated[str, Meta(min_length=6, max_length=6, pattern=matching(r"[\d]*"))]
TokenSize = Annotated[int, Meta(ge=0, le=4096)]
AccessKeyId = Annotated[str, Meta(min_length=16, max_length=128, pattern=matching(r"[\w]*"))]


class PolicyDescriptor(Message, frozen=True, kw_only=True):
    arn: Arn | None = None


class SessionTag(Message, frozen=True, kw_only=True, rename="pascal"):
    key: TagKey
    value: TagValue


class ProvidedContext(Message, frozen=True, kw_only=True, rename="pascal"):
    provider_arn: Arn | None = None
    context_assertion: Annotated[str, Meta(min_length=4, max_length=3072)] | None = None


class AssumeRoleRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_arn: Arn
    role_session_name: SessionName
    policy_arns: list[PolicyDescriptor] | None = None
    policy: SessionPolicy | None = None
    duration_seconds: Annotated[int, Meta(ge=900, le=43200)] | None = None
    tags: Annotated[list[SessionTag], Meta(max_length=50)] | None = None
    transitive_tag_keys: Annotated[list[TagKey], Meta(max_length=50)] | None = None
    external_id: ExternalId | None = None
    serial_number: SerialNumber | None = None
    token_code: TokenCode | None = None
    source_identity: SourceIdentity | None = None
    provided_contexts: Annotated[list[ProvidedContext], Meta(min_length=1, max_length=5)] | None = None
    minimum_session_token_size: TokenSize | None = None


class Credentials(Message, frozen=True, kw_only=True, rename="pascal"):
    access_key_id: str
    secret_access_key: Sensitive
    session_token: Sensitive
    expiration: datetime

    @classmethod
    def of(cls, key: ops.AccessKey) -> Credentials:
        token, until = key.session_token, key.credential.expires_at
        assert token is not None  # noqa: S101 - a session has both
        assert until is not None  # noqa: S101 - as above
        return cls(access_key_id=key.credential.id, secret_access_key=key.secret, session_token=token, expiration=until)


class AssumedRoleUser(Message, frozen=True, kw_only=True, rename="pascal"):
    assumed_role_id: str
    arn: str

    @classmethod
    def of(cls, made: ops.AccessKey, role: PrincipalName, session: str) -> AssumedRoleUser:
        return cls(
            assumed_role_id=f"{made.credential.principal_id}:{session}",
            arn=session_arn(role.tenant, role.name, session),
        )


class Opened(Message, frozen=True, kw_only=True, rename="pascal"):
    """A session, as every action answers it that opens one."""

    credentials: Credentials
    session_token_size: int  # bytes
    session_token_utilization: int  # percent of the most


def token_size(made: ops.AccessKey) -> int:
    """Bytes."""
    token = made.session_token
    assert token is not None  # noqa: S101 - a session has one
    return len(token.reveal())


def utilization(size: int) -> int:
    """How much of its most a session token has, in percent."""
    return size * 100 // ops.MAX_TOKEN


class AssumeRoleResponse(Opened, frozen=True, kw_only=True, rename="pascal"):
    assumed_role_user: AssumedRoleUser
    packed_policy_size: int | None = None  # percent


def role_named(arn: str) -> PrincipalName:
    """Raises InvalidArgument."""
    name = principal_name(arn)
    if name is None or name.kind is not PrincipalKind.ROLE or name.session:
        raise InvalidArgument(f"{arn} is invalid", "RoleArn")
    return name


def session_policy(text: str | None) -> PolicyText | None:
    return None if text is None else PolicyText(SESSION, "aws", text)


def policies_named(named: list[PolicyDescriptor]) -> tuple[PolicyRef, ...]:
    """Raises InvalidArgument."""
    found = [(one.arn, policy_ref(one.arn or "")) for one in named]
    for arn, ref in found:
        if ref is None:
            raise InvalidArgument(f"{arn} is invalid", "PolicyArns")
    return tuple(ref for _, ref in found if ref is not None)


def _tags(tags: list[SessionTag]) -> dict[str, str]:
    """Raises InvalidArgument."""
    found = {tag.key: tag.value for tag in tags}
    if len(found) < len(tags):
        raise InvalidArgument("Duplicate tag keys found. Please note that Tag keys are case insensitive.", "tags")
    return found


OF_A_POLICY = frozenset({"MalformedPolicyDocument", "PackedPolicyTooLarge"})


@query_operation("sts", "AssumeRole", errors=OF_A_POLICY)
def assume_role(req: AssumeRoleRequest, call: Call) -> AssumeRoleResponse:
    not_offered(
        transitive_tag_keys=req.transitive_tag_keys or None,
        serial_number=req.serial_number,
        token_code=req.token_code,
        source_identity=req.source_identity,
        provided_contexts=req.provided_contexts,
        minimum_session_token_size=req.minimum_session_token_size or None,  # 0 asks for nothing
    )
    role, name = role_named(req.role_arn), req.role_session_name
    made = call(
        ops.AssumeRole(
            principal=PrincipalRef(role.tenant, role.kind, role.name, role.path),
            session_name=name,
            seconds=req.duration_seconds,
            external_id=req.external_id,
            policy=session_policy(req.policy),
            policies=policies_named(req.policy_arns or []),
            tags=_tags(req.tags or []),
        )
    )
    packs, size = req.policy is not None or req.policy_arns or req.tags, token_size(made)
    return AssumeRoleResponse(
        credentials=Credentials.of(made),
        assumed_role_user=AssumedRoleUser.of(made, role, name),
        packed_policy_size=utilization(size) if packs else None,
        session_token_size=size,
        session_token_utilization=utilization(size),
    )


class GetSessionTokenRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    duration_seconds: Annotated[int, Meta(ge=900, le=129600)] | None = None
    serial_number: SerialNumber | None = None
    token_code: TokenCode | None = None
    minimum_session_token_size: TokenSize | None = None


class GetSessionTokenResponse(Opened, frozen=True, kw_only=True, rename="pascal"):
    """It has no other members."""


@query_operation("sts", "GetSessionToken", errors=frozenset())
def get_session_token(req: GetSessionTokenRequest, call: Call) -> GetSessionTokenResponse:
    not_offered(
        serial_number=req.serial_number,
        token_code=req.token_code,
        minimum_session_token_size=req.minimum_session_token_size or None,  # 0 asks for nothing
    )
    at = TenantRef(call.caller.principal.tenant)
    made = call(ops.OpenSession(tenant=at, seconds=req.duration_seconds))
    size = token_size(made)
    return GetSessionTokenResponse(
        credentials=Credentials.of(made), session_token_size=size, session_token_utilization=utilization(size)
    )


class GetAccessKeyInfoRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    access_key_id: AccessKeyId


class GetAccessKeyInfoResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    account: str


@query_operation("sts", "GetAccessKeyInfo", errors=frozenset())
def get_access_key_info(req: GetAccessKeyInfoRequest, call: Call) -> GetAccessKeyInfoResponse:
    """Of this account's access keys: whose another one is, is not told."""
    at = TenantRef(call.caller.principal.tenant)
    call(ops.LocateAccessKey(tenant=at, credential_id=req.access_key_id))
    return GetAccessKeyInfoResponse(account=at.tenant)


OPERATIONS = (assume_role, get_session_token, get_access_key_info)
