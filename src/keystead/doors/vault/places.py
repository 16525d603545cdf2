"""Where a path leads: the mount it is below, and the operation that stands there."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.entities import Mount
from keystead.doors.vault.endpoint import Endpoint, Said
from keystead.doors.vault.kv import spoken
from keystead.doors.vault.spaces import NOT_FOUND, Place, check_offered
from keystead.kit import Door, routes
from keystead.kit.door import Mounts
from keystead.wire.vault import request as wire
from keystead.wire.vault.envelope import UNSUPPORTED_OPERATION, UNSUPPORTED_PATH, no_route


class Found(Struct, frozen=True):
    """Where a request leads."""

    mount: Mount
    endpoint: Endpoint
    captures: Mapping[str, str]


class Places:
    """Of one door."""

    def __init__(self, door: Door, mounts: Mounts) -> None:
        self._mounts = mounts
        declared = [one for one in door.operations if isinstance(one, Endpoint)]
        engines = {one.engine for one in declared}
        self._engines = {name: routes(one for one in declared if one.engine == name) for name in engines}

    def find(self, place: Place) -> Found:
        """Raises Said: 404 where nothing is mounted or offered, 405 for another verb, 400 for what namespaces lack."""
        asked = place.asked
        if place.missing:
            raise Said(404, NOT_FOUND)
        led = self._mounts.mounts(place.tenant).find(asked.path)
        if led is None:
            raise Said(404, no_route(asked.path))
        mount, rest = led
        table = self._engines.get(spoken(mount))
        offered = table.find(rest.split("/")) if table is not None else None
        if offered is None:
            raise Said(404, UNSUPPORTED_PATH)
        check_offered(place, mount.engine)
        taken = offered.take(asked.verb.value)
        if taken is None:
            raise Said(405, UNSUPPORTED_OPERATION)
        endpoint, captures = taken
        return Found(mount, endpoint, captures)  # type: ignore[arg-type]  # only Endpoints were put into the table

    def login(self, place: Place) -> Found | None:
        """Where somebody without a token is heard; None for every other path."""
        asked = place.asked
        if asked.verb is not wire.Verb.WRITE or not asked.path.startswith("auth/") or place.missing:
            return None
        led = self._mounts.mounts(place.tenant).find(asked.path)
        if led is None or led[0].engine not in self._engines:
            return None
        offered = self._engines[led[0].engine].find(led[1].split("/"))
        taken = offered.take(asked.verb.value) if offered is not None else None
        if taken is None or not taken[0].unsigned:  # type: ignore[attr-defined]  # only Endpoints are in the table
            return None
        return Found(led[0], taken[0], taken[1])  # type: ignore[arg-type]  # the same
