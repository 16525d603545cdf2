"""TrentService.TagResource, UntagResource, ListResourceTags.

Spec: KMS API Reference 2014-11-01, under these names; Tagging AWS Resources, "Tag naming limits and requirements".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument
from keystead.doors.aws_kms.errors import BAD_TAG, COMMON
from keystead.doors.aws_kms.names import key_by_id
from keystead.doors.aws_kms.pages import Limit, Marker, next_marker, place, size
from keystead.doors.aws_kms.shapes import TAG_TEXT, KeyId
from keystead.kit import Call, Message, operation

TagKey = Annotated[str, Meta(min_length=1, max_length=128)]
RESERVED, MOST = "aws:", 50


class Tag(Message, frozen=True, kw_only=True, rename="pascal"):
    tag_key: TagKey
    tag_value: Annotated[str, Meta(max_length=256)]


def pairs(tags: Sequence[Tag]) -> dict[str, str]:
    """Raises InvalidArgument (BAD_TAG): TagException."""
    names(tag.tag_key for tag in tags)
    if len(tags) > MOST:
        raise InvalidArgument("Too many tags", BAD_TAG)
    if not all(TAG_TEXT.fullmatch(text) for tag in tags for text in (tag.tag_key, tag.tag_value)):
        raise InvalidArgument("Invalid tag", BAD_TAG)
    found = {tag.tag_key: tag.tag_value for tag in tags}
    if len(found) < len(tags):
        raise InvalidArgument("Duplicate tag keys", BAD_TAG)
    return found


def listed(tags: Iterable[tuple[str, str]]) -> list[Tag]:
    return [Tag(tag_key=key, tag_value=value) for key, value in tags]


def names(keys: Iterable[str]) -> tuple[str, ...]:
    """Raises InvalidArgument (BAD_TAG)."""
    found = tuple(keys)
    if any(key.lower().startswith(RESERVED) for key in found):
        raise InvalidArgument("Tags beginning with aws: are reserved", BAD_TAG)
    return found


class TagResourceRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    tags: list[Tag]


OF_TAGS = COMMON | {"NotFoundException", "InvalidArnException"}


@operation(
    "TrentService.TagResource",
    errors=OF_TAGS | {"KMSInvalidStateException", "LimitExceededException", "TagException"},
)
def tag_resource(req: TagResourceRequest, call: Call) -> None:
    key = key_by_id(req.key_id, call.namespace)
    call(ops.TagKey(key=key, tags=pairs(req.tags)))


class UntagResourceRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    tag_keys: list[TagKey]


@operation("TrentService.UntagResource", errors=OF_TAGS | {"KMSInvalidStateException", "TagException"})
def untag_resource(req: UntagResourceRequest, call: Call) -> None:
    key = key_by_id(req.key_id, call.namespace)
    call(ops.UntagKey(key=key, names=names(req.tag_keys)))


class ListResourceTagsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    limit: Limit | None = None
    marker: Marker | None = None


class ListResourceTagsResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    tags: list[Tag]
    next_marker: str | None = None
    truncated: bool


@operation("TrentService.ListResourceTags", errors=OF_TAGS | {"InvalidMarkerException"})
def list_resource_tags(req: ListResourceTagsRequest, call: Call) -> ListResourceTagsResponse:
    page = call(
        ops.ListTags(
            key=key_by_id(req.key_id, call.namespace),
            after=place(call, req.marker),
            limit=size(req.limit, default=50, most=50),
        )
    )
    return ListResourceTagsResponse(
        tags=listed(page.items),
        next_marker=next_marker(call, page.after),
        truncated=page.after is not None,
    )


OPERATIONS = (tag_resource, untag_resource, list_resource_tags)
