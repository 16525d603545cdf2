"""Whether the time of day can be believed: nothing is destroyed because somebody set the clock wrong.

research/security.md §4, row 107. What a wrong clock does to a *use* is undone when it is right again (core.states,
Rule 3: a date takes effect by being looked at); what the scheduler does on a date is not. So it acts only while the
time of day has moved by as much as has passed, give or take LEAP: measured against the monotonic clock while we run,
and against the time that was kept when we stopped. Beyond that nothing is due until the clock is put right, or somebody
starts the server with the word that it is (--trust-clock). A server that was down for longer than LEAP cannot know
either, and asks for the same word.

Not covered: an appointment that was made while the clock was behind is due as soon as the clock is right.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import datetime, timedelta
from pathlib import Path

from keystead.core.audit.record import timestamp
from keystead.core.ports import Clock, Disk
from keystead.service.added import read_whole, replace_whole

LOG = logging.getLogger("keystead")
LEAP = timedelta(days=1)
KEEP_EVERY = timedelta(minutes=10)


class TrustedTime:
    """The last time that was believed, and how much has passed since. Not for several threads at once.

    `path`: where it is kept from one run to the next. `believe`: whatever the clock says now is right.
    """

    def __init__(self, clock: Clock, disk: Disk, path: Path, *, believe: bool = False) -> None:
        self._clock, self._disk, self._path = clock, disk, path
        now = clock.now()
        self._kept = None if believe else self._read()
        self._believed, self._at = self._kept or now, clock.monotonic()
        self.trouble = ""
        """Why nothing is due, for the health check; empty while all is well."""

    def is_believed(self) -> bool:
        """Whether to act on the time of day now. Raises OSError where the time cannot be kept."""
        now, at = self._clock.now(), self._clock.monotonic()
        leap = now - self._believed - timedelta(seconds=at - self._at)
        if abs(leap) > LEAP:
            self._tell(f"the clock is {leap.days:+,} days from what has passed: no appointment is kept")
            return False
        self._tell("")
        self._believed, self._at = now, at
        if self._kept is None or abs(now - self._kept) >= KEEP_EVERY:
            replace_whole(self._disk, self._path, timestamp(now).encode())
            self._kept = now
        return True

    def _tell(self, trouble: str) -> None:
        if bool(trouble) != bool(self.trouble):
            LOG.warning("%s", trouble or "the clock is believed again: appointments are kept")
        self.trouble = trouble

    def _read(self) -> datetime | None:
        with contextlib.suppress(ValueError):
            kept = read_whole(self._disk, self._path)
            return datetime.fromisoformat(kept.decode()) if kept else None
        return None
