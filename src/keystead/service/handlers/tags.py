"""Tags of a key: names and values of the tenant's own, which a policy may look at."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.errors import LimitExceeded
from keystead.core.operations import Nothing, Page
from keystead.service.handlers.standing import existing, staying
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def merged(old: Mapping[str, str], new: Mapping[str, str], act: Act) -> dict[str, str]:
    """Raises LimitExceeded (detail "tags")."""
    result = {**old, **new}
    if len(result) > act.quotas.tags:
        raise LimitExceeded(f"a key has at most {act.quotas.tags} tags", "tags")
    return result


def tag_key(op: ops.TagKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    key = targets[0].key
    staying(key, act.now)
    return Outcome(answer=Nothing(), put=(replace(key, tags=merged(key.tags, op.tags, act)),))


def untag_key(op: ops.UntagKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """A tag that the key does not have is no error."""
    key = targets[0].key
    staying(key, act.now)
    left = {name: value for name, value in key.tags.items() if name not in op.names}
    return Outcome(answer=Nothing(), put=(replace(key, tags=left),))


def list_tags(op: ops.ListTags, targets: tuple[HeldKey], act: Act) -> Outcome[Page[tuple[str, str]]]:
    """By name."""
    key = targets[0].key
    existing(key, act.now)
    rest = sorted(pair for pair in key.tags.items() if pair[0] > op.after)
    page = tuple(rest[: op.limit])
    return Outcome(answer=Page(page, page[-1][0] if len(rest) > op.limit else None))


HANDLERS: dict[type, Handler] = {
    ops.TagKey: tag_key,
    ops.UntagKey: untag_key,
    ops.ListTags: list_tags,
}
