"""How many threads may wait for other machines at once, in all and for one mount: the next is refused."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from keystead.core.errors import Unavailable


class Few:
    """Safe to use from any thread. `threads`: how many there are that may wait for other machines, all in all."""

    def __init__(self, threads: int) -> None:
        self.most, self.most_for_one = max(1, threads * 3 // 4), max(1, threads // 2)
        self._lock = threading.Lock()
        self._at_it: Counter[str] = Counter()

    @contextmanager
    def one_of(self, mount: str) -> Iterator[None]:
        """Raises Unavailable (detail "busy")."""
        with self._lock:
            if self._at_it.total() >= self.most or self._at_it[mount] >= self.most_for_one:
                raise Unavailable("too many tokens are being looked at. Try again later.", "busy")
            self._at_it[mount] += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_it -= Counter((mount,))
