"""The threads that wait for one HSM: as few as keep it busy, for with every one more the interpreter changes hands.

    put (loop)  …  a thread serves one request after another  …  back on the loop, once for all that were served since

Rule 1: a thread goes on while somebody waits. To the loop comes one of them once in HOLD_FOR, for all that were served
        by any, and whoever finds that nobody waits. So records share a flush, and loop and threads seldom want the
        interpreter at the same time. Several threads, which wait for a token far off, come once in HOLD_AMONG: else the
        loop has the interpreter for long, and whoever the token has answered meanwhile waits for it, and the session.
Rule 2: a request waits for a thread only while there are as many as the token has use for (kit.pace).
Rule 3: a token that stands still is noticed within LOOK, and another thread added. Nobody waits longer than `wait_for`
        to be served: then `late` is called, and nothing was done.
Rule 4: tenants take turns. However much one of them asks for, the next request of another waits for one of its.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, Protocol

from keystead.kit.pace import SAMPLE, Pace, Spent, spent

HOLD_FOR: Final = 0.006  # seconds
HOLD_AMONG: Final = 0.002
LOOK: Final = 0.005  # seconds
CLOSES_IN: Final = 2.0  # seconds


class Job(Protocol):
    """One request that waits."""

    tenant: str
    since: float  # when it was put, by the loop's clock

    def run(self) -> None:
        """Serve it, on a thread. It raises nothing, and keeps what came of it."""
        ...

    def back(self) -> None:
        """On the loop, after `run`."""
        ...

    def late(self) -> None:
        """On the loop, instead of `run` and `back`."""
        ...

    def lost(self) -> None:
        """The same where no thread was to be had: whether it is ever run is not known."""
        ...


class Turns(dict[str, deque[Job]]):
    """Who waits: the requests of each tenant in their order, and the tenants in turn."""

    def put(self, job: Job) -> None:
        if (queue := self.get(job.tenant)) is None:
            queue = self[job.tenant] = deque()
        queue.append(job)

    def take(self) -> Job:
        tenant = next(iter(self))
        queue = self.pop(tenant)
        job = queue.popleft()
        if queue:
            self[tenant] = queue
        return job

    def overdue(self, since: float) -> list[Job]:
        """Those that were put before then; they wait no longer."""
        found: list[Job] = []
        for tenant, queue in list(self.items()):
            while queue and queue[0].since < since:
                found.append(queue.popleft())
            if not queue:
                del self[tenant]
        return found


class Lane:
    """`most` threads at most. `put` and `close` are called on the loop's thread."""

    def __init__(self, name: str, most: int, wait_for: float, loop: asyncio.AbstractEventLoop) -> None:
        self._name, self._wait_for, self._loop = name, wait_for, loop
        self._turn, self._waiting, self._pace = threading.Lock(), Turns(), Pace(most)
        self._n_busy = self._n_served = self._n_seen = 0
        self._is_looking, self._looked_at, self._came_at = False, 0.0, 0.0
        self._served: deque[Job] = deque()  # and not back yet
        self._wakes: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def put(self, job: Job) -> None:
        job.since = self._loop.time()
        with self._turn:
            self._waiting.put(job)
            if self._n_busy < self._pace.n:
                self._wake()
        if not self._is_looking:
            self._is_looking, self._looked_at = True, job.since
            self._loop.call_later(LOOK, self._look)

    def close(self) -> None:
        """Nobody waits any more. A thread that the token keeps ends with the process."""
        for _thread in self._threads:
            self._wakes.put(None)
        until = time.monotonic() + CLOSES_IN
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    # --- on the loop

    def _look(self) -> None:
        """While anybody is at work: who waits too long, and whether a thread is to be added.

        A look that comes late itself says that the process stands still, and nothing of the token.
        """
        now = self._loop.time()
        with self._turn:
            late = self._waiting.overdue(now - self._wait_for)
            is_still = self._n_served == self._n_seen
            if is_still and now - self._looked_at < LOOK * 2 and self._waiting and self._n_busy >= self._pace.n:
                self._pace.add()
            if self._waiting and self._n_busy < self._pace.n:
                self._wake()
            self._n_seen = self._n_served
            self._is_looking, self._looked_at = self._n_busy > 0 or bool(self._waiting), now
        if self._is_looking:
            self._loop.call_later(LOOK, self._look)
        for job in late:
            self._loop.call_soon(job.late)  # whatever becomes of one, the others are told
        if is_still:
            self._come_back()

    def _come_back(self) -> None:
        try:
            while self._served:
                self._served.popleft().back()
        finally:
            if self._served:  # whatever became of one, the others are answered
                self._loop.call_soon(self._come_back)

    # --- on a thread

    def _wake(self) -> None:
        """One thread more is at work, if there is one to be had. With the turn held."""
        if self._n_busy == len(self._threads):
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more: those there are go on, and the next look tries again
                return
            self._threads.append(thread)
        self._n_busy += 1
        self._wakes.put(self._serve)

    def _work(self) -> None:
        while (serve := self._wakes.get()) is not None:
            serve()

    def _serve(self) -> None:
        """Whoever waits, until nobody does."""
        now = sampled_at = self._came_at = time.monotonic()
        before: Spent | None = None
        job = self._first()
        while job is not None:
            job.run()
            self._served.append(job)
            now, used = time.monotonic(), None
            n = self._pace.n
            if now - sampled_at >= SAMPLE * n:  # of all threads together so often: it asks the kernel
                after, sampled_at = spent(), now
                used, before = after.since(before) if before else None, after
            job = self._next(now, used)
            if job is None or now - self._came_at >= (HOLD_FOR if n == 1 else HOLD_AMONG):
                self._came_at = now
                with contextlib.suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
                    self._loop.call_soon_threadsafe(self._come_back)

    def _first(self) -> Job | None:
        with self._turn:
            return self._taken()

    def _next(self, now: float, used: Spent | None) -> Job | None:
        """One was served."""
        with self._turn:
            self._n_served += 1
            others = bool(self._waiting)
            self._pace.served(now, others=others)
            if used is not None and others:
                self._pace.consider(used)
                if self._n_busy < self._pace.n:
                    self._wake()
            return self._taken()

    def _taken(self) -> Job | None:
        """With the turn held. None: this thread is at work no more."""
        if self._waiting and self._n_busy <= self._pace.n:
            return self._waiting.take()
        self._n_busy -= 1
        return None
