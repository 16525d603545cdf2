"""What is still to be erased in HSMs: done by ordinary operations of the system principal, until it is done.

An HSM that does not answer is asked again, later each time, and never given up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

from keystead.core.entities import Erasure, Kind
from keystead.core.errors import KeysteadError
from keystead.core.operations import EraseObject
from keystead.core.ports import Clock, Reader
from keystead.service.barrier import Barrier
from keystead.service.hsms import Hsms

RETRY_FIRST, RETRY_MOST = timedelta(seconds=5), timedelta(hours=1)
AT_ONCE = 200  # in one turn
LOG = logging.getLogger("keystead")


class Erasures:
    """One per installation. `perform` does an operation as the system principal."""

    def __init__(
        self,
        barrier: Barrier,
        store: Reader,
        hsms: Hsms,
        clock: Clock,
        perform: Callable[[EraseObject], object],
    ) -> None:
        self._barrier, self._store, self._hsms, self._clock = barrier, store, hsms, clock
        self._perform = perform
        self._waits: dict[str, tuple[float, int]] = {}  # HSM -> until when, after how many failures

    @property
    def n_outstanding(self) -> int:
        """Objects that are still in an HSM although what they were of is destroyed."""
        return self._store.count(Kind.ERASURE)

    def step(self) -> int:
        """Erase what can be; how many objects."""
        n_done = 0
        for hsm, name in self._due():
            until, n_failures = self._waits.get(hsm, (0.0, 0))
            if self._clock.monotonic() < until:
                continue
            try:
                self._perform(EraseObject(name=name))
            except KeysteadError as error:
                LOG.warning("an object in the HSM %s is not erased yet: %s", hsm, error)
                later = min(RETRY_MOST, RETRY_FIRST * 2 ** min(n_failures, 16))
                self._waits[hsm] = (self._clock.monotonic() + later.total_seconds(), n_failures + 1)
            else:
                n_done += 1
                self._waits.pop(hsm, None)
        return n_done

    def _due(self) -> Iterator[tuple[str, str]]:
        """(HSM, object)"""
        if self.n_outstanding:
            for erasure in self._barrier.every(Erasure, limit=AT_ONCE):
                yield erasure.hsm, erasure.id
        for note in self._hsms.unsettled(self._barrier)[:AT_ONCE]:
            yield note.in_hsm.hsm, note.in_hsm.name
