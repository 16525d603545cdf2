"""How often, how much and when a key may be used, to protect and to process apart (docs/adr/0038).

KMIP 2.1 §4.61, "Usage Limits", has a total, a unit and what is left of one kind of use; here there are both kinds, and
both units. What has been used is counted in service.meter, exactly and among all workers.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from msgspec import Struct

from keystead.core.errors import InvalidArgument, WrongState
from keystead.core.states import Use

Counts = tuple[int, int, int, int]
"""Uses and bytes to protect, then to process."""

NONE: Counts = (0, 0, 0, 0)
ENDLESS = 2**62
"""More than can be counted: where there is no limit."""


class Limit(Enum):
    """detail of the error for a use that a key's limits do not allow, or for limits that cannot be."""

    USES = "all its uses are used up"
    BYTES = "its bytes are used up"
    TOO_EARLY = "its time has not come"
    TOO_LATE = "its time is over"
    LEAVES = "it would be used elsewhere, and not counted"
    LOOSER = "they allow more than those that it has"
    UNFIT = "no limits that a key can have"


class Allowance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one kind of use. None: as much as one likes. Bytes are those that the key is given, of text or digest."""

    uses: int | None = None
    n_bytes: int | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None  # at this moment it may still be used

    def require(self, now: datetime) -> None:
        """Raises WrongState (Limit)."""
        if self.not_before is not None and now < self.not_before:
            raise spent(Limit.TOO_EARLY)
        if self.not_after is not None and now > self.not_after:
            raise spent(Limit.TOO_LATE)

    def allows_more_than(self, other: Allowance) -> bool:
        """In whatever respect."""
        early, late = (self.not_before, other.not_before), (self.not_after, other.not_after)
        return (
            _more(self.uses, other.uses)
            or _more(self.n_bytes, other.n_bytes)
            or (early[1] is not None and (early[0] is None or early[0] < early[1]))
            or (late[1] is not None and (late[0] is None or late[0] > late[1]))
        )

    def check(self) -> None:
        """Raises InvalidArgument (Limit.UNFIT)."""
        for most in (self.uses, self.n_bytes):
            if most is not None and not 0 <= most < ENDLESS:
                raise InvalidArgument("a limit is a number from 0 to 2^62", Limit.UNFIT)
        if self.not_before is not None and self.not_after is not None and self.not_after < self.not_before:
            raise InvalidArgument("the key would have no time to be used in", Limit.UNFIT)
        if any(date is not None and date.tzinfo is None for date in (self.not_before, self.not_after)):
            raise InvalidArgument("a date without a time zone is no moment", Limit.UNFIT)


class Limits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a key."""

    protect: Allowance = Allowance()
    process: Allowance = Allowance()

    def of(self, use: Use) -> Allowance:
        return self.protect if use is Use.PROTECT else self.process

    @property
    def most(self) -> Counts:
        """ENDLESS where there is no limit."""
        return (
            _or_endless(self.protect.uses),
            _or_endless(self.protect.n_bytes),
            _or_endless(self.process.uses),
            _or_endless(self.process.n_bytes),
        )

    def allow_more_than(self, other: Limits) -> bool:
        return self.protect.allows_more_than(other.protect) or self.process.allows_more_than(other.process)

    def check(self) -> None:
        """Raises InvalidArgument (Limit.UNFIT)."""
        self.protect.check()
        self.process.check()


def counted(use: Use, n_bytes: int) -> Counts:
    """One use of the key."""
    return (1, n_bytes, 0, 0) if use is Use.PROTECT else (0, 0, 1, n_bytes)


def require_room(used: Counts, more: Counts, most: Counts) -> None:
    """Raises WrongState (Limit.USES, Limit.BYTES) where `more` do not fit. What is not asked for needs no room."""
    for at in range(len(used)):
        if more[at] and used[at] + more[at] > most[at]:
            raise spent(Limit.BYTES if at % 2 else Limit.USES)


def spent(limit: Limit) -> WrongState:
    return WrongState(f"the key's limits do not allow it: {limit.value}", limit)


def _or_endless(most: int | None) -> int:
    return ENDLESS if most is None else most


def _more(mine: int | None, other: int | None) -> bool:
    return other is not None and (mine is None or mine > other)
