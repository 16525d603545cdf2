"""Operations whose body is itself the value: any JSON object, whatever its members are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import field

from keystead.wire.vault.kinds import Map
from keystead.wire.vault.reader import CAPTURED, Arguments, Parameters, Read
from keystead.wire.vault.tree import tree


class BodyRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED
    body: Map = field(default_factory=dict)


def whole(message: type[BodyRequest]) -> Read[BodyRequest]:
    """A reader for endpoint(reads=…)."""

    def take(captures: Mapping[str, str], arguments: Arguments) -> tuple[BodyRequest, tuple[str, ...]]:
        body: dict[str, Any] = tree(arguments) if isinstance(arguments, bytes) else dict(arguments)
        return message(path=captures.get("path", ""), body=body), ()

    return take
