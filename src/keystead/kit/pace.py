"""How many threads a lane has: one more only where who waits is served sooner for it, since each is dear to the others.

| those who work have …             | and who waits is served      | threads                            |
| waited (for the token)            | less than once in STEP       | one more                           |
| waited, and the process has time  | ever so often                | one more                           |
| computed (in the token, on a CPU) | less than once in STEP       | one more, up to the CPUs there are |
| queued for a CPU half of the time |                              | one less                           |
| done whatever else                | as often with one less, too  | one less                           |

The process has time while all its threads together compute for less than BUSY of it: those who wait do so for the
token then, and not for the interpreter.
A token that answers at once has one thread, one in software that takes long as many as there are CPUs, and one behind a
network as many as it has sessions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

STEP: Final = 0.0002  # seconds
ENOUGH: Final = STEP * 0.9  # with one thread less
SAMPLE: Final = 0.004  # seconds, at least
BUSY: Final = 0.85  # of one CPU
_SCHEDSTAT: Final = Path("/proc/thread-self/schedstat")


class Spent(NamedTuple):
    """What became of a thread's time, in seconds: on a CPU, in a queue for one, and all of it.

    `together`: what every thread of the process has computed in that time.
    """

    computing: float
    queueing: float
    in_all: float
    together: float

    def since(self, before: Spent) -> Spent:
        return Spent(*(now - then for now, then in zip(self, before, strict=True)))


def spent() -> Spent:
    """Of this thread since it began (Linux: sched-stats.rst); where nobody tells, it never queues."""
    now, together = time.monotonic(), time.process_time()
    try:
        on_cpu, queued = map(int, _SCHEDSTAT.read_bytes().split()[:2])
    except (OSError, ValueError):
        return Spent(time.thread_time(), 0.0, now, together)
    return Spent(on_cpu / 1e9, queued / 1e9, now, together)


def n_cpus() -> int:
    return len(os.sched_getaffinity(0))


class Pace:
    """`n` threads are to be at work, `most` at most. For one thread at a time."""

    def __init__(self, most: int, cpus: Callable[[], int] = n_cpus) -> None:
        self.n, self._most, self._cpus = 1, most, cpus
        self._between = self._last = 0.0

    def served(self, now: float, *, others: bool) -> None:
        """Somebody was. `others`: somebody waits still. `now`: seconds of any clock."""
        if self._last:
            self._between += (now - self._last - self._between) / 8
        self._last = now if others else 0.0

    def consider(self, used: Spent) -> None:
        """What one of the threads has spent while others waited."""
        waits = used.in_all - used.computing - used.queueing > used.in_all / 2
        queues = used.queueing > used.in_all / 4
        has_time = waits and not queues and used.together < used.in_all * BUSY
        if has_time or (self._between > STEP and not queues and (waits or self.n < self._cpus())):
            self.add()
        elif self.n > 1 and (used.queueing > used.in_all / 2 or self._between * self.n < ENOUGH * (self.n - 1)):
            self.n -= 1

    def add(self) -> None:
        if self.n < self._most:
            self._between *= self.n / (self.n + 1)  # what is to be expected
            self.n += 1
