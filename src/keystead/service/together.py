"""What many threads want done, done for all of them at once by whichever comes first.

While one thread acts for a few, the next few gather. So all that came while the disk was being flushed cost one flush
more, and one announcement serves all that were committed before it began.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 64  # at once; a thread acts for others no longer than that


class _Waiting(Generic[T]):
    __slots__ = ("error", "item", "leads", "woken")

    def __init__(self, item: T) -> None:
        self.item, self.leads = item, False
        self.error: Exception | None = None
        self.woken = threading.Lock()  # held until it is done, or is to lead
        self.woken.acquire()


class Together(Generic[T]):
    """Callable from any thread. `act` takes items in the order they came, and says of each what went wrong with it.

    None: nothing did, with any of them. What `act` raises has happened to every one.
    """

    def __init__(self, act: Callable[[Sequence[T]], Sequence[Exception | None] | None]) -> None:
        self._act = act
        self._queue: deque[_Waiting[T]] = deque()
        self._is_led = False
        self._guard = threading.Lock()  # of both; never held while anything is done

    def __call__(self, item: T) -> None:
        """Returns once `act` has been there for it. Raises what it said, or raised."""
        mine = _Waiting(item)
        with self._guard:
            self._queue.append(mine)
            mine.leads, self._is_led = not self._is_led, True
        if not mine.leads:
            self._wait(mine)
        if mine.leads:
            try:
                self._step(mine)
            finally:
                self._pass_on()
        if mine.error is not None:
            raise mine.error

    def _wait(self, mine: _Waiting[T]) -> None:
        try:
            mine.woken.acquire()
        except BaseException:  # stopped: nobody may wait for this one to lead
            with self._guard:
                if mine in self._queue:
                    self._queue.remove(mine)
            if mine.leads:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Whoever has waited longest acts for all that have gathered meanwhile."""
        with self._guard:
            self._is_led = bool(self._queue)
            if self._is_led:
                self._queue[0].leads = True
                self._queue[0].woken.release()

    def _step(self, mine: _Waiting[T]) -> None:
        with self._guard:
            taken = [self._queue.popleft() for _ in range(min(len(self._queue), MOST))]
        errors: Sequence[Exception | None] = [InterruptedError("whoever acted for this one was stopped")] * len(taken)
        try:
            errors = self._act([one.item for one in taken]) or [None] * len(taken)
        except Exception as error:  # noqa: BLE001 - everybody is told, each with an error of his own
            errors = [copy(error).with_traceback(error.__traceback__) for _ in taken]
        finally:
            for one, told in zip(taken, errors, strict=True):
                one.error = told
                if one is not mine:
                    one.woken.release()
