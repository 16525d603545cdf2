"""The real clock (core.ports.Clock)."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# One that goes on while the machine sleeps (clock_gettime(2)), or an appointment after a night would look like a leap.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_MONOTONIC)
