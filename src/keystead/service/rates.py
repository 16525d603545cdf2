"""Rates: how many requests a principal may make in a time, how many refused ones a source, how many a path. Per worker.

A request is counted once, on the event loop: when it has to wait for a thread it comes by a second time. A second is
a second of the wall clock, so up to twice the rate may pass within any one second; what is kept is dropped each second.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from keystead.core.errors import RateLimited

Counts = dict[str, int]
MAX_NAMES = 65_536
"""In one window; beyond them the one that came first begins anew."""


class Rates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a second; 0: no limit."""

    principal: int = 0
    source: int = 0  # refused authentications of an address; beyond them all of it waits for the next second


class PerWindow:
    """At most `limit` in `seconds` for each name."""

    __slots__ = ("_counts", "_limit", "_seconds", "_window")

    def __init__(self, limit: int, seconds: int = 1) -> None:
        self._limit, self._seconds, self._window = limit, seconds, 0
        self._counts: Counts = {}

    def count(self, name: str, second: int) -> None:
        if self._limit:
            counts = self._of(second)
            if len(counts) >= MAX_NAMES and name not in counts:
                del counts[next(iter(counts))]
            counts[name] = counts.get(name, 0) + 1

    def require(self, name: str, second: int, *, more: int = 0) -> None:
        """Raises RateLimited where `name` has had its share, of which `more` is about to be taken."""
        if self._limit and self._of(second).get(name, 0) + more > self._limit:
            raise RateLimited("Rate exceeded")

    def _of(self, second: int) -> Counts:
        if (window := second // self._seconds) != self._window:
            self._window, self._counts = window, {}
        return self._counts


class Throttle:
    """What service.authenticate asks. `counts`: whether a request that is here now is to be counted."""

    def __init__(self, rates: Rates, counts: Callable[[], bool]) -> None:
        self._principals, self._sources = PerWindow(rates.principal), PerWindow(rates.source)
        self._counts = counts

    def admit(self, source: str, second: int) -> None:
        """Before anything is verified. Raises RateLimited."""
        self._sources.require(source, second, more=1)

    def refused(self, source: str, second: int) -> None:
        if self._counts():
            self._sources.count(source, second)

    def known(self, principal_id: str, second: int) -> None:
        """Raises RateLimited."""
        if self._counts():
            self._principals.count(principal_id, second)
        self._principals.require(principal_id, second)
