"""What was compiled, kept within bounds of number and of size: policies are what tenants write, as long as they like.

What is found costs one look into a dict: the oldest goes first, however often it was asked for, and comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
MOST_TEXT = 8 << 20
"""Characters of policies in one table of one process; compiled they take some ten times as much."""


class Kept(Generic[P, R]):
    """A function of values that can be hashed, whose results are kept. From any thread: each step is one of a dict's.

    `weigh`: how much of the bound a call takes. A result that is heavier than the bound is not kept; no error is.
    """

    def __init__(
        self, made: Callable[P, R], weigh: Callable[..., int], *, most: int = 4096, most_weight: int = MOST_TEXT
    ) -> None:
        self._made, self._weigh, self._most, self._most_weight = made, weigh, most, most_weight
        self._kept: dict[Hashable, tuple[R, int]] = {}

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        """By position alone. Raises what the function raises."""
        try:
            return self._kept[args][0]
        except KeyError:
            return self._keep(args, self._made(*args, **named), self._weigh(*args, **named))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def weight(self) -> int:
        return sum(weight for _, weight in list(self._kept.values()))

    def clear(self) -> None:
        self._kept.clear()

    def _keep(self, args: Hashable, made: R, weight: int) -> R:
        over = self.weight + weight - self._most_weight
        if weight > self._most_weight:
            return made
        for oldest in list(self._kept):
            if over <= 0 and len(self._kept) < self._most:
                break
            over -= self._kept.pop(oldest, (None, 0))[1]
        self._kept[args] = made, weight
        return made


def within(weigh: Callable[..., int], *, most: int = 4096) -> Callable[[Callable[P, R]], Kept[P, R]]:
    return lambda made: Kept(made, weigh, most=most)
