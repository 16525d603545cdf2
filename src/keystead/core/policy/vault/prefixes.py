"""The longest of many texts that another text begins with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefixes(Generic[T]):
    """One bisection and, as a rule, one comparison.

    In sorted order a text's longest prefix is the text before it, or a prefix of that one, so each knows its own.
    """

    __slots__ = ("_shorter", "_texts", "_values")

    def __init__(self, values: Mapping[str, T]) -> None:
        self._texts = sorted(values)
        self._values = [values[text] for text in self._texts]
        self._shorter: list[int] = []
        above: list[int] = []  # prefixes of the text at hand, each of the next
        for n, text in enumerate(self._texts):
            while above and not text.startswith(self._texts[above[-1]]):
                above.pop()
            self._shorter.append(above[-1] if above else -1)
            above.append(n)

    def longest(self, text: str) -> T | None:
        n = bisect_right(self._texts, text) - 1
        while n >= 0:
            if text.startswith(self._texts[n]):
                return self._values[n]
            n = self._shorter[n]
        return None

    def beginning(self, text: str) -> list[T]:
        """Of all that begin with `text`."""
        n, found = bisect_right(self._texts, text), []
        if n and self._texts[n - 1] == text:
            n -= 1
        while n < len(self._texts) and self._texts[n].startswith(text):
            found.append(self._values[n])
            n += 1
        return found
