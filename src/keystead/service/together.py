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
    __slots__ = ("error", "is_done", "item")

    def __init__(self, item: T) -> None:
        self.item, self.is_done = item, False
        self.error: Exception | None = None


class Together(Generic[T]):
    """Callable from any thread. `act` takes items in the order they came, and says of each what went wrong with it.

    None: nothing did, with any of them. What `act` raises has happened to every one.
    """

    def __init__(self, act: Callable[[Sequence[T]], Sequence[Exception | None] | None]) -> None:
        self._act = act
        self._queue: deque[_Waiting[T]] = deque()
        self._turn = threading.Lock()

    def __call__(self, item: T) -> None:
        """Returns once `act` has been there for it. Raises what it said, or raised."""
        mine = _Waiting(item)
        self._queue.append(mine)
        while not mine.is_done:
            with self._turn:
                if not mine.is_done:
                    self._step()
        if mine.error is not None:
            raise mine.error

    def _step(self) -> None:
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), MOST))]
        errors: Sequence[Exception | None] = [InterruptedError("whoever acted for this one was stopped")] * len(taken)
        try:
            errors = self._act([one.item for one in taken]) or [None] * len(taken)
        except Exception as error:  # noqa: BLE001 - everybody is told, each with an error of his own
            errors = [copy(error).with_traceback(error.__traceback__) for _ in taken]
        finally:
            for one, told in zip(taken, errors, strict=True):
                one.error, one.is_done = told, True
