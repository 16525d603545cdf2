"""What was compiled, kept within bounds of number and of size: policies are what tenants write, as long as they like.

What is found costs one look into a dict: the oldest goes first, however often it was asked for, and comes again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
MOST_TEXT = 8 << 20
"""Characters of policies in one table of one process; compiled they take some ten times as much."""


class Kept(Generic[P, R]):
    """A function of values that can be hashed, whose results are kept. Safe to use from any thread.

    `weigh`: how much of the bound a call takes. A result that is heavier than the bound is not kept; no error is.
    """

    def __init__(
        self, made: Callable[P, R], weigh: Callable[..., int], *, most: int = 4096, most_weight: int = MOST_TEXT
    ) -> None:
        self._made, self._weigh, self._most, self._most_weight = made, weigh, most, most_weight
        self._kept: dict[Hashable, R] = {}
        self._weights: dict[Hashable, int] = {}
        self._lock = threading.Lock()
        self.weight = 0

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        """By position alone. Raises what the function raises."""
        try:
            return self._kept[args]
        except KeyError:
            return self._keep(args, self._made(*args, **named), self._weigh(*args, **named))

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._weights.clear()
            self.weight = 0

    def _keep(self, args: Hashable, made: R, weight: int) -> R:
        with self._lock:
            if args in self._kept or weight > self._most_weight:
                return made
            while len(self._kept) >= self._most or self.weight + weight > self._most_weight:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                self.weight -= self._weights.pop(oldest)
            self._kept[args], self._weights[args] = made, weight
            self.weight += weight
        return made


def within(weigh: Callable[..., int], *, most: int = 4096) -> Callable[[Callable[P, R]], Kept[P, R]]:
    return lambda made: Kept(made, weigh, most=most)
