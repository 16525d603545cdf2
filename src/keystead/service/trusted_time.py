"""Whether the time of day can be believed: nothing is destroyed because somebody set the clock wrong.

research/security.md §4, row 107. What a wrong clock does to a *use* is undone when it is right again (core.states,
Rule 3: a date takes effect by being looked at); what the scheduler does on a date is not. So it acts only while the
time of day has moved by as much as has passed, give or take LEAP: measured against the monotonic clock while we run,
and against the time that was kept when we stopped. Beyond that nothing is due until the clock is put right, or somebody
starts the server with the word that it is (--trust-clock). A server that was down for longer than LEAP cannot know
either, and asks for the same word.

The word says that the clock is right now, and not that the time since was really waited: what nobody has vouched for is
`owed`, and the scheduler puts appointed destructions off by it (service.waits).
"""

from __future__ import annotations

import contextlib
import logging
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from keystead.core.audit.record import timestamp
from keystead.core.ports import Clock, Disk
from keystead.core.words import count_of
from keystead.service.added import read_whole, replace_whole

LOG = logging.getLogger("keystead")
LEAP = timedelta(days=1)
KEEP_EVERY = timedelta(minutes=10)
NONE = timedelta(0)


class Sight(Struct, frozen=True, kw_only=True):
    """What can be known of the time. A zero is what a reckoning makes of the moment our monotonic clock began."""

    now: datetime  # the time of day, as the clock has it
    believed: bool
    clock_zero: datetime
    zero: (
        datetime  # by the reckoning that is believed: the clock's, or else what it said last and what has passed since
    )
    owed: timedelta = NONE  # of the time before we ran


def sight(clock: Clock) -> Sight:
    """With a clock that is simply believed."""
    now = clock.now()
    zero = now - timedelta(seconds=clock.monotonic())
    return Sight(now=now, believed=True, clock_zero=zero, zero=zero)


class TrustedTime:
    """The last time that was believed, and how much has passed since. Not for several threads at once.

    `path`: where it is kept from one run to the next. `believe`: whatever the clock says now is right.
    """

    def __init__(self, clock: Clock, disk: Disk, path: Path, *, believe: bool = False) -> None:
        self._clock, self._disk, self._path = clock, disk, path
        self._kept = self._read()
        self._believed, self._at = self._kept or clock.now(), clock.monotonic()
        self._owed = NONE
        self.trouble = ""
        """Why nothing is due, for the health check; empty while all is well."""
        if believe:
            self.believe()

    def believe(self) -> None:
        """The clock is right, somebody says."""
        seen = self._look()
        if (leap := seen.clock_zero - seen.zero) > LEAP:
            self._owed += leap
        self._believed, self._at = seen.now, self._clock.monotonic()
        if not self._owed:
            self._kept = None

    def look(self) -> Sight:
        """From now on the time that is believed is the clock's, if it can be."""
        seen = self._look()
        if not seen.believed:
            leap = seen.clock_zero - seen.zero
            self._tell(f"the clock is {count_of(leap.days, 'day')} ahead of what has passed: no appointment is kept")
            return seen
        self._tell("")
        self._believed, self._at = seen.now, self._clock.monotonic()
        return Sight(now=seen.now, believed=True, clock_zero=seen.clock_zero, zero=seen.clock_zero, owed=self._owed)

    def paid(self) -> None:
        """Everything that waits has been put off by what was owed."""
        if self._owed:
            self._owed, self._kept = NONE, None

    def keep(self) -> None:
        """Write down what is believed, now and then; not while anything is owed. Raises OSError."""
        if self.trouble or self._owed:
            return
        if self._kept is None or abs(self._believed - self._kept) >= KEEP_EVERY:
            replace_whole(self._disk, self._path, timestamp(self._believed).encode())
            self._kept = self._believed

    def is_believed(self) -> bool:
        """Whether to act on the time of day now. Raises OSError where the time cannot be kept."""
        believed = self.look().believed
        self.keep()
        return believed

    def _look(self) -> Sight:
        now, passed = self._clock.now(), timedelta(seconds=self._clock.monotonic())
        clock_zero, zero = now - passed, self._believed - timedelta(seconds=self._at)
        return Sight(
            now=now,
            believed=abs(clock_zero - zero) <= LEAP,
            clock_zero=clock_zero,
            zero=zero,
            owed=self._owed,
        )

    def _tell(self, trouble: str) -> None:
        if bool(trouble) != bool(self.trouble):
            LOG.warning("%s", trouble or "the clock is believed again: appointments are kept")
        self.trouble = trouble

    def _read(self) -> datetime | None:
        with contextlib.suppress(ValueError):
            kept = read_whole(self._disk, self._path)
            return datetime.fromisoformat(kept.decode()) if kept else None
        return None
