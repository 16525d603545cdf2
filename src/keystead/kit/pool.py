"""A pool of threads that tenants take turns for: nobody's slow acts, or dead proxies, keep others waiting."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Executor, Future
from functools import partial

from keystead.kit.lane import Job, Turns


class Pool:
    """`n`: of those threads. Every method is called on the loop's thread. Several listeners may share one."""

    def __init__(self, threads: Executor, n: int, loop: asyncio.AbstractEventLoop) -> None:
        self._threads, self._n_free, self._loop = threads, n, loop
        self._turns = Turns()

    def put(self, job: Job) -> None:
        """Run it in its turn, and bring it back to the loop."""
        self._turns.put(job)
        self._fill()

    def _fill(self) -> None:
        while self._n_free and self._turns:
            job = self._turns.take()
            try:
                running = self._threads.submit(job.run)
            except RuntimeError:  # the system gives no thread; an executor has the job by then, and may come to it
                self._loop.call_soon(job.lost)
                continue
            self._n_free -= 1
            running.add_done_callback(partial(self._ran, job))

    def _ran(self, job: Job, _done: Future[None]) -> None:
        """On the thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
            self._loop.call_soon_threadsafe(self._back, job)

    def _back(self, job: Job) -> None:
        self._n_free += 1
        self._fill()
        job.back()
