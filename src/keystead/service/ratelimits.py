"""Rate limits of paths: which one counts for a request, and how many there have been of its address. Per worker.

Vault documentation, "Resource quotas": the most specific counts alone. What is counted, and when: service.rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from keystead.core.entities import RateLimit, RateLimits, Setting
from keystead.core.errors import RateLimited
from keystead.service.rates import PerWindow

MAX_POSTPONED = 4096
MAX_BLOCKED = 65_536
"""Addresses that one limit keeps blocked; beyond them the one that was blocked first is let go."""


class RateLimitTable:
    """Of one tenant, as it is kept."""

    __slots__ = ("_beginnings", "_by_path", "_exempt", "_exempt_beginnings", "is_empty")

    def __init__(self, limits: Iterable[Setting], config: Setting | None) -> None:
        kept = [(one, msgspec.json.decode(one.value, type=RateLimit)) for one in limits]
        self._by_path = {limit.path: (one, limit) for one, limit in kept if not limit.path.endswith("*")}
        beginnings = [(limit.path[:-1], (one, limit)) for one, limit in kept if limit.path.endswith("*")]
        self._beginnings = sorted(beginnings, key=lambda one: len(one[0]), reverse=True)
        self.is_empty = not kept
        exempt = () if config is None else msgspec.json.decode(config.value, type=RateLimits).exempt
        self._exempt = frozenset(exempt)
        self._exempt_beginnings = tuple(path[:-1] for path in exempt if path.endswith("*"))

    def find(self, path: str, mount: str) -> tuple[Setting, RateLimit] | None:
        """The limit for a request at `path`, which leads into `mount` ("kv/"; "" where nothing is mounted)."""
        if path in self._exempt or path.startswith(self._exempt_beginnings):
            return None
        if (found := self._by_path.get(path)) is not None and path != mount:
            return found
        for beginning, limit in self._beginnings:
            if path.startswith(beginning):
                return limit
        return (self._by_path.get(mount) if mount else None) or self._by_path.get("")


class _Counted:
    """One limit at work."""

    __slots__ = ("blocked", "limit", "revision", "windows")

    def __init__(self, setting: Setting, limit: RateLimit) -> None:
        self.revision, self.limit = setting.revision, limit
        self.windows = PerWindow(max(1, int(limit.rate + 0.5)), limit.interval)
        self.blocked: dict[str, int] = {}  # address -> the second until which it is

    def take(self, source: str, second: int) -> None:
        """Raises RateLimited."""
        if (until := self.blocked.get(source)) is not None:
            if second < until:
                raise RateLimited("rate limit quota exceeded")
            del self.blocked[source]
        try:
            self.windows.require(source, second, more=1)
        except RateLimited:
            if self.limit.block_for:
                if len(self.blocked) >= MAX_BLOCKED:
                    del self.blocked[next(iter(self.blocked))]
                self.blocked[source] = second + self.limit.block_for
            raise
        self.windows.count(source, second)


class PathRates:
    """Counts by the limits of a table. `counts`: whether a request that is here now is to be counted.

    One that had to wait for the table itself is counted when it comes back (`postpone`, by any name of its own).
    """

    def __init__(self, counts: Callable[[], bool]) -> None:
        self._counts = counts
        self._at_work: dict[str, _Counted] = {}
        self._postponed: set[int] = set()

    def postpone(self, request: int) -> None:
        if len(self._postponed) >= MAX_POSTPONED:
            self._postponed.clear()
        self._postponed.add(request)

    def settle(self, request: int) -> None:
        """There is nothing to count it by."""
        if self._postponed:
            self._postponed.discard(request)

    def admit(self, table: RateLimitTable, path: str, mount: str, source: str, second: int, request: int) -> None:
        """Raises RateLimited."""
        is_late = request in self._postponed
        self._postponed.discard(request)
        if not (is_late or self._counts()) or (found := table.find(path, mount)) is None:
            return
        setting, limit = found
        at_work = self._at_work.get(setting.id)
        if at_work is None or at_work.revision != setting.revision:
            at_work = self._at_work[setting.id] = _Counted(setting, limit)
        at_work.take(source, second)
