"""Pages of a listing, and dates, as every listing of AWS KMS writes them.

KMS API Reference, "ListKeys" and its kin: Truncated is always there, NextMarker only when it is true. How many
items a page may have differs from operation to operation, below the one limit of the model.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from keystead.core.errors import InvalidArgument
from keystead.doors.aws_kms.shapes import matching
from keystead.kit import Call

Limit = Annotated[int, Meta(ge=1, le=1000)]
Marker = Annotated[str, Meta(min_length=1, max_length=1024, pattern=matching(r"[\u0020-\u00FF]*"))]


def place(call: Call, marker: str | None) -> str:
    """Where the page begins. Raises InvalidArgument for a marker that this caller was not given for this operation."""
    return call.markers.open(marker, call.caller, call.caller.wire_operation) if marker is not None else ""


def next_marker(call: Call, after: str | None) -> str | None:
    return None if after is None else call.markers.make(after, call.caller, call.caller.wire_operation)


def size(asked: int | None, *, default: int, most: int) -> int:
    """Raises InvalidArgument."""
    if asked is None:
        return default
    if asked > most:
        raise too_great("limit", asked, most)
    return asked


def too_great(member: str, value: int, most: int) -> InvalidArgument:
    return out_of_range(member, value, f"Member must have value less than or equal to {most}")


def too_small(member: str, value: int, least: int) -> InvalidArgument:
    return out_of_range(member, value, f"Member must have value greater than or equal to {least}")


def out_of_range(member: str, value: object, rule: str) -> InvalidArgument:
    """As constraints.complaint says it, for what the model does not know."""
    text = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    return InvalidArgument(text, member)


def date(at: datetime) -> float:
    """Seconds since 1970, to the millisecond (Smithy, "epoch-seconds")."""
    return round(at.timestamp(), 3)
