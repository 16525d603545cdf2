"""Rows that wait for somebody to come back, of whom there may be many: which of them go when another comes.

Two that come at one moment should not want the same row gone, or one of them begins again: so which it is, is drawn by
the id of the one that comes, a digest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol, TypeVar


class Waiting(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def expires_at(self) -> datetime: ...

    def is_over(self, now: datetime) -> bool: ...


W = TypeVar("W", bound=Waiting)
OF_ONE = 64
"""Bits of an IPv6 address that whoever has it was given: those behind them are for them to choose (RFC 4291 §2.5.4)."""


def neighbourhood(source: str) -> str:
    """Where a request comes from: an address, or the network that whoever has one has all of."""
    try:
        address = ip_address(source)
    except ValueError:  # the other end of a unix socket
        return source
    if not isinstance(address, IPv6Address):
        return source
    own = address.ipv4_mapped
    return str(own or ip_network((address.packed, OF_ONE), strict=False))


def gone(every: Sequence[W], new: W, most: int, whose: Callable[[W], str], now: datetime) -> tuple[W, ...]:
    """Those that are over; where too many wait one more, of the older half of whoever has most."""
    over = tuple(one for one in every if one.is_over(now))
    waiting = [one for one in every if not one.is_over(now)]
    if len(waiting) < most:
        return over
    ((busiest, _),) = Counter(map(whose, waiting)).most_common(1)
    own = sorted((one for one in waiting if whose(one) == busiest), key=lambda one: one.expires_at)
    older = own[: max(1, len(own) // 2)]
    return (*over, older[int(new.id[-8:], 16) % len(older)])
