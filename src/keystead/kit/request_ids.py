"""Request ids: unique, cheap, shaped like a version 4 UUID. They identify; they are no secret and authorize nothing."""

from __future__ import annotations

from itertools import count

from keystead.core.ports import Entropy

_SPACE = 2**48


class RequestIds:
    """A counter in a space of its own. Make one per process, after the fork: two that share entropy would collide.

    74 random bits tell the spaces of two processes apart; the counter starts at a random point and takes 2^48 steps.
    """

    __slots__ = ("_next", "_prefix")

    def __init__(self, entropy: Entropy) -> None:
        text = entropy(10).hex()
        variant = "89ab"[int(text[12], 16) & 3]
        self._prefix = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[16:19]}-"
        self._next = count(int.from_bytes(entropy(6), "big")).__next__

    def __call__(self) -> str:
        """The next id, 36 characters. Safe from any thread."""
        return f"{self._prefix}{self._next() % _SPACE:012x}"
