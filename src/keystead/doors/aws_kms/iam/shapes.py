"""The shapes that IAM's actions share: names, pages, dates, and what is read and then refused.

botocore data/iam/2010-05-08/service-2.json, "shapes"; tests/doors/aws_kms/test_iam_model.py holds every use to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta

from keystead.core.entities import ManagedPolicy, PrincipalKind
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import PolicyRef, PrincipalRef, TenantRef
from keystead.core.policy.arn import policy_arn, policy_ref
from keystead.doors.aws_kms.shapes import TagKey, TagValue, matching
from keystead.kit import Call, Message

_NAME = matching(r"[\w+=,.@-]+")
UserName = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NAME)]
ExistingUserName = Annotated[str, Meta(min_length=1, max_length=128, pattern=_NAME)]
GroupName = Annotated[str, Meta(min_length=1, max_length=128, pattern=_NAME)]
RoleName = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NAME)]
PolicyName = Annotated[str, Meta(min_length=1, max_length=128, pattern=_NAME)]
PolicyDocument = Annotated[
    str, Meta(min_length=1, max_length=131072, pattern=matching(r"[\u0009\u000A\u000D\u0020-\u00FF]+"))
]
AccessKeyId = Annotated[str, Meta(min_length=16, max_length=128, pattern=matching(r"[\w]+"))]
Marker = Annotated[str, Meta(min_length=1, max_length=320, pattern=matching(r"[\u0020-\u00FF]+"))]
MaxItems = Annotated[int, Meta(ge=1, le=1000)]
Path = Annotated[str, Meta(min_length=1, max_length=512, pattern=matching(r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"))]
PolicyPath = Annotated[str, Meta(min_length=1, max_length=512, pattern=matching(r"((/[A-Za-z0-9\.,\+@=_-]+)*)/"))]
PathPrefix = Annotated[str, Meta(min_length=1, max_length=512, pattern=matching(r"\u002F[\u0021-\u007F]*"))]
Arn = Annotated[str, Meta(min_length=20, max_length=2048)]
PolicyDescription = Annotated[str, Meta(max_length=1000)]
VersionId = Annotated[str, Meta(pattern=matching(r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"))]


class Tag(Message, frozen=True, kw_only=True, rename="pascal"):
    key: TagKey
    value: TagValue


class AttachedPermissionsBoundary(Message, frozen=True, kw_only=True, rename="pascal"):
    permissions_boundary_type: str = "Policy"
    permissions_boundary_arn: str

    @classmethod
    def of(cls, one: ManagedPolicy | None) -> AttachedPermissionsBoundary | None:
        return None if one is None else cls(permissions_boundary_arn=policy_arn(one))


Tags = Annotated[list[Tag], Meta(max_length=50)]
MAKING = frozenset({"EntityAlreadyExists", "InvalidInput", "LimitExceeded", "ConcurrentModification"})
ROOT_PATH = "/"
PAGE = 100  # "If you do not include this parameter, it defaults to 100."


def pairs(tags: list[Tag] | None) -> dict[str, str]:
    """Raises InvalidArgument (detail "tags")."""
    found = {tag.key: tag.value for tag in tags or ()}
    if len(found) < len(tags or ()):
        raise InvalidArgument("Duplicate tag keys found. Please note that Tag keys are case insensitive.", "tags")
    return found


def shown(tags: Mapping[str, str]) -> list[Tag] | None:
    """None of them are no member."""
    return [Tag(key=name, value=value) for name, value in tags.items()] or None


def account(call: Call) -> TenantRef:
    return TenantRef(call.caller.principal.tenant)


def user(name: str, call: Call) -> PrincipalRef:
    return PrincipalRef(call.caller.principal.tenant, PrincipalKind.USER, name)


def role(name: str, call: Call) -> PrincipalRef:
    return PrincipalRef(call.caller.principal.tenant, PrincipalKind.ROLE, name)


def group(name: str, call: Call) -> PrincipalRef:
    return PrincipalRef(call.caller.principal.tenant, PrincipalKind.GROUP, name)


def policy(arn: str) -> PolicyRef:
    """Raises InvalidArgument (detail POLICY_ARN)."""
    if (found := policy_ref(arn)) is None:
        raise InvalidArgument(f"ARN {arn} is not valid.", POLICY_ARN)
    return found


def not_attachable(absent: NotFound) -> NotFound:
    """The error in AWS's words, where it is the policy that is not there."""
    if isinstance(absent.detail, PolicyRef):
        absent.args = (f"Policy {policy_arn(absent.detail)} does not exist or is not attachable.", "policy")
    return absent


POLICY_ARN = "PolicyArn"
"""detail of the InvalidArgument for a text that is no managed policy's ARN."""


def user_or_caller(name: str | None, call: Call) -> PrincipalRef:
    """The user named, or else the one who asks: "determines the user name implicitly". Raises InvalidArgument."""
    if name is not None:
        return user(name, call)
    who = call.caller.principal
    if who.principal_kind not in (PrincipalKind.USER, PrincipalKind.ROOT):
        raise InvalidArgument("Must specify userName when calling with non-User credentials", "UserName")
    return PrincipalRef(who.tenant, who.principal_kind, who.name)


def date(at: datetime) -> datetime:
    """To the second, as XML has it (wire.aws.query)."""
    return at.replace(microsecond=0)


def written(document: str) -> str:
    """IAM API Reference: "Policies returned by this operation are URL-encoded compliant with RFC 3986"."""
    return quote(document, safe="")
