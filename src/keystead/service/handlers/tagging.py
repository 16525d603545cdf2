"""What tags an identity may have.

IAM User Guide, "Tags for IAM resources", "Rules for tagging": 50 at most; the case of a name's letters makes no other
tag, and the newest spelling stays. Letters are ASCII's here, as they are where policies ask for tags: else one that
a policy does not know for a tag's name would take the tag away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keystead.core.errors import InvalidArgument, LimitExceeded
from keystead.core.policy.fold import lower

MAX_TAGS = 50
RESERVED = "aws:"


def tagged(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Raises InvalidArgument (detail "tags"), LimitExceeded (detail "tags")."""
    if len({lower(name) for name in new}) < len(new):
        raise InvalidArgument("Duplicate tag keys found. Please note that Tag keys are case insensitive.", "tags")
    if any(lower(name).startswith(RESERVED) for name in new):
        raise InvalidArgument("Tag keys that begin with aws: are reserved.", "tags")
    result = {**untagged(old, new), **new}
    if len(result) > MAX_TAGS:
        raise LimitExceeded(f"Cannot exceed quota for TagsPerResource: {MAX_TAGS}", "tags")
    return result


def untagged(old: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    gone = {lower(name) for name in names}
    return {name: value for name, value in old.items() if lower(name) not in gone}
