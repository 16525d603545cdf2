"""Requests for approval that are over: taken away, each with its record, after nobody could use them any more."""

from __future__ import annotations

import logging
from collections.abc import Callable

from keystead.core.entities import INSTALLATION, ApprovalRequest
from keystead.core.errors import KeysteadError, NotFound, WrongState
from keystead.core.operations import EndApproval
from keystead.core.ports import Clock
from keystead.service.barrier import Barrier

EVERY = 60.0  # seconds between two looks
LOG = logging.getLogger("keystead")


class Lapses:
    """One per installation. `perform` does an operation as the system principal."""

    def __init__(self, barrier: Barrier, clock: Clock, perform: Callable[[EndApproval], object]) -> None:
        self._barrier, self._clock, self._perform = barrier, clock, perform
        self._look_at = 0.0

    def step(self) -> int:
        """End what is over, if it is time to look; how many there were."""
        if self._clock.monotonic() < self._look_at:
            return 0
        self._look_at = self._clock.monotonic() + EVERY
        now = self._clock.now()
        return sum(self._end(one) for one in self._barrier.all_sound(ApprovalRequest) if one.is_over(now))

    def _end(self, request: ApprovalRequest) -> bool:
        try:
            self._perform(EndApproval(scope="" if request.scope == INSTALLATION else request.scope, id=request.id))
        except (NotFound, WrongState):  # used, asked for anew or approved meanwhile
            return False
        except KeysteadError as error:  # seen again the next time
            LOG.warning("a request for approval that is over is not taken away yet: %s", error)
            return False
        return True
