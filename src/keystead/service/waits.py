"""Whether an appointed destruction has waited as long as was said, in time that has really passed.

research/security.md §4, row 107. A date is as right as the clock it was reckoned with. Made while the clock was
behind, it comes too early by just as much once the clock is right. So every date is held together with the *zero* it
was reckoned by (service.trusted_time), and while ours is a later one, the date has to be put off by the difference.

Rule 1: later, never earlier. What was made while the clock was ahead waits for the date that was answered.
Rule 2: what we saw being made was reckoned with the clock of that moment; we look every second. What we found at the
        start was reckoned rightly, but for what is owed; in doubt, the longer wait.

Not known, and so not covered: that the clock was put right by less than LEAP while nobody looked (no server ran).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from keystead.service.trusted_time import Sight

TOLERANCE = timedelta(minutes=1)
LONGEST = timedelta(days=30)  # that a destruction is appointed ahead (KMS API Reference, ScheduleKeyDeletion)


class Waits:
    """The destructions that are appointed: key id -> (date, zero)."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[datetime, datetime]] = {}
        self._open: set[str] = set()  # to be looked at
        self._looked: datetime | None = None  # the zero by which all were

    def made(self, key_id: str, date: datetime, sight: Sight) -> None:
        """Since the last look."""
        self._hold(key_id, date, sight.clock_zero)

    def found(self, key_id: str, date: datetime, sight: Sight) -> None:
        """At the start."""
        zero = sight.zero - sight.owed
        if not sight.believed and sight.now < date <= sight.now + LONGEST:  # it may be this clock's
            zero = min(zero, sight.clock_zero)
        self._hold(key_id, date, zero)

    def put_off(self, key_id: str, date: datetime, sight: Sight) -> None:
        """By us."""
        self._held[key_id] = date, sight.zero
        self._open.discard(key_id)

    def over(self, key_id: str) -> None:
        self._held.pop(key_id, None)
        self._open.discard(key_id)

    def _hold(self, key_id: str, date: datetime, zero: datetime) -> None:
        if self._held.get(key_id, (None,))[0] != date:
            self._held[key_id] = date, zero
            self._open.add(key_id)

    def right_date(self, key_id: str, sight: Sight) -> datetime | None:
        """The date that it takes to have waited, where that is a later one."""
        date, zero = self._held[key_id]
        short = sight.zero - zero
        return date + short if short > TOLERANCE else None

    def too_early(self, sight: Sight) -> list[tuple[str, datetime]]:
        """(key id, the date it takes) of all that have to be put off. Cheap while the clock does as it should."""
        if self._looked is None or abs(sight.zero - self._looked) > TOLERANCE:
            self._open.update(self._held)
            self._looked = sight.zero
        wrong = [(key_id, date) for key_id in self._open if (date := self.right_date(key_id, sight)) is not None]
        self._open = {key_id for key_id, _ in wrong}
        return wrong

    @property
    def settled(self) -> bool:
        """Nothing has to be put off, as of the last look."""
        return not self._open
