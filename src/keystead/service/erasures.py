"""What is still to be erased in HSMs: done by ordinary operations of the system principal, until it is done.

An HSM that does not answer is asked again, later each time, and never given up. So is one object that it does not
erase, or that was made in another token: that keeps no other waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta

from keystead.core.entities import Erasure, Kind
from keystead.core.errors import KeysteadError
from keystead.core.operations import EraseObject
from keystead.core.ports import Clock, Reader
from keystead.core.providers import is_of_one_object
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
        self._waits: dict[str, tuple[float, int]] = {}  # HSM, or object -> until when, after how many failures
        self._after: dict[str, str] = {}  # of which HSM, "" for all -> up to which object it was looked

    @property
    def n_outstanding(self) -> int:
        """Objects that are still in an HSM although what they were of is destroyed."""
        return self._store.count(Kind.ERASURE)

    def step(self, hsm: str = "", *, but: Collection[str] = ()) -> int:
        """Erase what can be in that HSM, or in all `but` some; how many objects. For one thread at a time of each HSM.

        It looks at AT_ONCE of those that are outstanding, and the next time from there on: what waits for one HSM, and
        however much that is, keeps nothing waiting for another.
        """
        n_done = 0
        for at, name in self._due(hsm, but):
            if self._must_wait(at) or self._must_wait(name):
                continue
            try:
                self._perform(EraseObject(name=name))
            except KeysteadError as error:
                LOG.warning("an object in the HSM %s is not erased yet: %s", at, error)
                self._failed(name if is_of_one_object(error) else at)
            else:
                n_done += 1
                self._waits.pop(at, None)
                self._waits.pop(name, None)
        return n_done

    def _must_wait(self, whose: str) -> bool:
        until, _ = self._waits.get(whose, (0.0, 0))
        return self._clock.monotonic() < until

    def _failed(self, whose: str) -> None:
        _, n_failures = self._waits.get(whose, (0.0, 0))
        later = min(RETRY_MOST, RETRY_FIRST * 2 ** min(n_failures, 16))
        self._waits[whose] = (self._clock.monotonic() + later.total_seconds(), n_failures + 1)

    def _due(self, hsm: str, but: Collection[str]) -> Iterator[tuple[str, str]]:
        """(HSM, object)"""
        seen: list[tuple[str, str]] = []
        if self.n_outstanding:
            found, self._after[hsm] = self._barrier.sound(Erasure, after=self._after.get(hsm, ""), limit=AT_ONCE)
            seen = [(erasure.hsm, erasure.id) for erasure in found]
        notes = [note.in_hsm for note in self._hsms.unsettled(self._barrier)]
        seen += [(in_hsm.hsm, in_hsm.name) for in_hsm in notes if hsm in {"", in_hsm.hsm}][:AT_ONCE]
        return ((at, name) for at, name in seen if hsm in {"", at} and at not in but)
