"""iam:Tag, Untag and List…Tags of User, Role and Policy.

Spec: IAM API Reference 2010-05-08, under these names.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.operations import TAGGING
from keystead.doors.aws_kms.iam.kinds import ROLE, USER, Answer, Named, for_each
from keystead.doors.aws_kms.iam.shapes import (
    PAGE,
    Arn,
    Marker,
    MaxItems,
    Tag,
    Tags,
    pairs,
    policy,
)
from keystead.doors.aws_kms.pages import next_marker, place
from keystead.doors.aws_kms.query import query_operation
from keystead.doors.aws_kms.shapes import TagKey
from keystead.kit import Call, Message

ABSENT = frozenset({"NoSuchEntity"})
PUT = ABSENT | {"InvalidInput", "LimitExceeded", "ConcurrentModification"}
TagKeys = Annotated[list[TagKey], Meta(max_length=50)]


class TagRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    tags: Tags


@query_operation("iam", "TagPrincipal", errors=PUT)
def tag(req: TagRequest, call: Call) -> None:
    call(TAGGING[req.kind].tag(principal=req.whom(call), tags=pairs(req.tags)))


class UntagRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    tag_keys: TagKeys


@query_operation("iam", "UntagPrincipal", errors=ABSENT | {"ConcurrentModification"})
def untag(req: UntagRequest, call: Call) -> None:
    call(TAGGING[req.kind].untag(principal=req.whom(call), names=tuple(req.tag_keys)))


class ListTagsRequest(Named, frozen=True, kw_only=True, rename="pascal"):
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListTagsResponse(Answer, frozen=True, kw_only=True, rename="pascal"):
    tags: list[Tag]
    is_truncated: bool
    marker: str | None = None


@query_operation("iam", "ListPrincipalTags", errors=ABSENT)
def list_tags(req: ListTagsRequest, call: Call) -> ListTagsResponse:
    listing, of, after = TAGGING[req.kind].list, req.whom(call), place(call, req.marker)
    page = call(listing(principal=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, page.after)
    listed = [Tag(key=name, value=value) for name, value in page.items]
    return ListTagsResponse(tags=listed, is_truncated=bool(marker), marker=marker)


class TagPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn
    tags: Tags


@query_operation("iam", "TagPolicy", errors=PUT)
def tag_policy(req: TagPolicyRequest, call: Call) -> None:
    call(ops.TagPolicy(policy=policy(req.policy_arn), tags=pairs(req.tags)))


class UntagPolicyRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn
    tag_keys: TagKeys


@query_operation("iam", "UntagPolicy", errors=ABSENT | {"InvalidInput", "ConcurrentModification"})
def untag_policy(req: UntagPolicyRequest, call: Call) -> None:
    call(ops.UntagPolicy(policy=policy(req.policy_arn), names=tuple(req.tag_keys)))


class ListPolicyTagsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    policy_arn: Arn
    marker: Marker | None = None
    max_items: MaxItems | None = None


@query_operation("iam", "ListPolicyTags", errors=ABSENT | {"InvalidInput"})
def list_policy_tags(req: ListPolicyTagsRequest, call: Call) -> ListTagsResponse:
    of, after = policy(req.policy_arn), place(call, req.marker)
    page = call(ops.ListPolicyTags(policy=of, after=after, limit=req.max_items or PAGE))
    marker = next_marker(call, page.after)
    listed = [Tag(key=name, value=value) for name, value in page.items]
    return ListTagsResponse(tags=listed, is_truncated=bool(marker), marker=marker)


OPERATIONS = (
    *for_each(tag, (USER, ROLE)),
    *for_each(untag, (USER, ROLE)),
    *for_each(list_tags, (USER, ROLE)),
    tag_policy,
    untag_policy,
    list_policy_tags,
)
