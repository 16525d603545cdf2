"""The real clock (core.ports.Clock)."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

# One that goes on while the machine sleeps (clock_gettime(2)), or an appointment after a night would look like a leap.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_MONOTONIC)


def boot() -> bytes:
    """16 bytes that are the same until the machine is booted again, as long as numbers of `monotonic` are compared."""
    try:
        return UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()).bytes
    except (OSError, ValueError):  # another system: each process counts by the time of day
        return os.urandom(16)
