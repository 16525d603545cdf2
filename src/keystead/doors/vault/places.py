"""Where a path leads: the mount it is below, and the operation that stands there."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.entities import Mount
from keystead.core.errors import RateLimited
from keystead.core.mounts import MountTable, path_of
from keystead.core.ports import WouldBlock
from keystead.doors.vault.endpoint import Endpoint, Said
from keystead.doors.vault.kv import spoken
from keystead.doors.vault.spaces import NOT_FOUND, Place, Spaces, check_everywhere
from keystead.kit import Door, routes
from keystead.kit.door import Mounts
from keystead.service.ratelimits import PathRates
from keystead.wire.http import HttpRequest
from keystead.wire.vault import request as wire
from keystead.wire.vault.envelope import UNSUPPORTED_OPERATION, UNSUPPORTED_PATH, no_route

ALSO = {"oidc": "jwt"}
"""Engines that answer as another one does."""
_NOWHERE: tuple[str, ...] = ()
PUBLISHED = "identity/oidc/.well-known/"
ISSUERS = "identity/oidc/provider/"
VALIDATE = "sys/mfa/validate"
HEARD = {wire.Verb.WRITE: ("auth/", VALIDATE, ISSUERS), wire.Verb.READ: ("auth/", PUBLISHED, ISSUERS)}
"""Below which paths there is anything for somebody without a token, by verb."""


class Found(Struct, frozen=True):
    """Where a request leads."""

    mount: Mount
    endpoint: Endpoint
    captures: Mapping[str, str]


class Way(Struct, frozen=True):
    """A request line that has been understood, and where it led while the tenant's mounts were these."""

    names: tuple[str, ...]
    asked: wire.Asked
    place: Place
    table: MountTable
    found: Found


N_WAYS, MOST_OF_A_WAY = 1_024, 256  # how many are kept; bytes of a request line
_NEVER_KEPT = ("sys/", "auth/")  # their paths may hold a token


def _line(request: HttpRequest) -> tuple[bytes, bytes, bytes]:
    return request.method, request.target, request.headers.get(b"x-vault-namespace", b"")


class Places:
    """Of one door. Ways that many requests go are kept: they are the same few, and reading one takes a while."""

    def __init__(self, door: Door, mounts: Mounts) -> None:
        self._mounts, self._rates = mounts, PathRates(mounts.on_loop)
        self._ways: dict[tuple[bytes, bytes, bytes], Way] = {}
        declared = [one for one in door.operations if isinstance(one, Endpoint)]
        engines = {one.engine for one in declared}
        (self._help,) = (one for one in declared if one.verb is wire.Verb.HELP)
        self._engines = {name: routes(one for one in declared if one.engine == name) for name in engines}

    def way(self, request: HttpRequest) -> Way | None:
        """Where a request of the same line and namespace led, when it was last looked up."""
        return self._ways.get(_line(request))

    def still(self, way: Way) -> bool:
        """Whether it leads there now. A namespace that is made or goes changes the mounts of its tenant, too."""
        return self._mounts.mounts(way.place.tenant) is way.table

    def may_be_kept(self, request: HttpRequest) -> bool:
        """Whether where its line leads is kept, and requests of paths are not counted."""
        return _line(request) in self._ways and self._mounts.rate_limits().is_empty

    def find(self, place: Place, request: HttpRequest, names: tuple[str, ...], whole: wire.Asked) -> Found:
        """Raises Said: 404 where nothing is mounted or offered, 405 for another verb, 400 for what namespaces lack.

        `names`, `whole`: the header's, and the request as it was asked, where its path has led to the place.
        """
        if place.missing:
            raise Said(404, NOT_FOUND)
        asked, mounts = place.asked, self._mounts.mounts(place.tenant)
        found = self._find(place, mounts)
        line = _line(request)
        is_for_tokens = not found.endpoint.unsigned and not asked.path.startswith(_NEVER_KEPT)
        if sum(map(len, line)) <= MOST_OF_A_WAY and not asked.query and is_for_tokens:
            if len(self._ways) >= N_WAYS:
                self._ways.clear()
            self._ways[line] = Way(names, whole, place, mounts, found)
        return found

    def _find(self, place: Place, mounts: MountTable) -> Found:
        asked = place.asked
        if asked.verb is wire.Verb.HELP:
            return Found(mounts.mounts[0], self._help, {"path": asked.path})
        led = mounts.find(asked.path)
        if led is None:
            raise Said(404, no_route(asked.path))
        mount, rest = led
        table = self._engines.get(_spoken(mount))
        offered = table.find(rest.split("/")) if table is not None else None
        if offered is None:
            raise Said(404, UNSUPPORTED_PATH)
        if mount.engine == "system" and place.tenant != self._mounts.home():
            check_everywhere(asked.path)
        taken = offered.take(asked.verb.value)
        if taken is None:
            raise Said(405, UNSUPPORTED_OPERATION)
        endpoint, captures = taken
        return Found(mount, endpoint, captures)  # type: ignore[arg-type]  # only Endpoints were put into the table

    def spellings(self, place: Place) -> set[str]:
        """In which others of what it leads to a path is looked at, by any operation that there is."""
        led = None if place.missing else self._mounts.mounts(place.tenant).find(place.asked.path)
        table = self._engines.get(_spoken(led[0])) if led is not None else None
        offered = table.find(led[1].split("/")) if table is not None and led is not None else None
        every = [offered.take(method) for method in offered.methods] if offered is not None else []
        return {
            found
            for endpoint, captures in filter(None, every)
            if isinstance(endpoint, Endpoint) and endpoint.spelling is not None
            if (found := endpoint.spelling.meant(place.asked.path, captures))
        }

    def openly(self, asked: wire.Asked) -> tuple[Endpoint, Mapping[str, str]] | None:
        """What anybody may ask of the server itself, sealed or not, below sys/; None for everything else there."""
        if asked.path == VALIDATE:  # of a tenant
            return None
        place = self._engines["system"].find(asked.path.split("/")[1:])
        taken = place.take(asked.verb.value) if place is not None else None
        return taken if taken is not None and taken[0].unsigned else None  # type: ignore[attr-defined,return-value]  # only Endpoints are in the table

    def require_room(self, names: tuple[str, ...], asked: wire.Asked, request: HttpRequest) -> None:
        """Raises Said where an address has had the requests that a rate limit for the path grants it.

        The limits are the first tenant's; the paths of namespaces begin with theirs.
        """
        try:
            table = self._mounts.rate_limits()
        except WouldBlock:
            self._rates.postpone(id(request))
            raise
        if table.is_empty:
            self._rates.settle(id(request))
            return
        path = "/".join((*names, asked.path)) if names else asked.path
        led = self._mounts.mounts(self._mounts.home()).find(path)
        mount = f"{path_of(led[0])}/" if led is not None else ""
        try:
            self._rates.admit(table, path, mount, request.peer, request.second, id(request))
        except RateLimited as error:
            raise Said(429, f'request path "{path}": rate limit quota exceeded') from error

    def login(self, place: Place) -> Found | None:
        """Where somebody without a token is heard; None for every other path.

        A namespace that publishes nothing is none of a stranger's business: it is not told from one that is not there.
        """
        asked = place.asked
        if place.missing or not asked.path.startswith(HEARD.get(asked.verb, _NOWHERE)):
            return None
        if place.chain and asked.path.startswith((PUBLISHED, ISSUERS)) and not self._mounts.publishes(place.tenant):
            return None
        led = self._mounts.mounts(place.tenant).find(asked.path)
        if led is None or (table := self._engines.get(_spoken(led[0]))) is None:
            return None
        offered = table.find(led[1].split("/"))
        taken = offered.take(asked.verb.value) if offered is not None else None
        if taken is None or not taken[0].unsigned:  # type: ignore[attr-defined]  # only Endpoints are in the table
            return None
        return Found(led[0], taken[0], taken[1])  # type: ignore[arg-type]  # the same


def spellings(spaces: Spaces, places: Places, tenant: str, path: str) -> tuple[str, ...]:
    """A path from that tenant in other spellings of what it leads to, in its namespace, whatever is asked there."""
    path = path.lstrip("/")
    place = spaces.find(tenant, (), wire.Asked(wire.Verb.READ, path, {}))
    before = path.removesuffix(place.asked.path)
    return tuple(before + one for one in places.spellings(place))


def _spoken(mount: Mount) -> str:
    return ALSO.get(mount.engine) or spoken(mount)
