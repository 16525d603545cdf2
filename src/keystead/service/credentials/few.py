"""How many threads may wait for other machines at once: in all, for one tenant, for one mount. The next is refused."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from keystead.core.errors import Unavailable
from keystead.core.policy.arn import tenant_of


class Places:
    """Whoever has it sees to it that one thread at a time asks. `whose`: a mount's address, or a tenant alone.

    Each bound is below the one above it: what one mount's issuer that hangs holds leaves some to the tenant's other
    mounts, and what all of a tenant's hold leaves some to the other tenants.
    """

    def __init__(self, in_all: int, of_tenant: int, of_one: int) -> None:
        self.in_all, self.of_tenant, self.of_one = max(1, in_all), max(1, of_tenant), max(1, of_one)
        self._taken = 0
        self._of_tenant: Counter[str] = Counter()
        self._of_one: Counter[str] = Counter()

    def take(self, whose: str) -> bool:
        """False where there is none."""
        tenant = tenant_of(whose)
        is_full = self._taken >= self.in_all or self._of_one[whose] >= self.of_one
        if is_full or (tenant and self._of_tenant[tenant] >= self.of_tenant):
            return False
        self._taken += 1
        self._of_one[whose] += 1
        self._of_tenant[tenant] += 1
        return True

    def give(self, whose: str) -> None:
        self._taken -= 1
        self._of_one -= Counter((whose,))  # one that has none left is forgotten
        self._of_tenant -= Counter((tenant_of(whose),))


class Few:
    """Safe to use from any thread. `threads`: how many there are that may wait for other machines, all in all."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._places = Places(threads * 3 // 4, threads * 5 // 8, threads // 2)

    @contextmanager
    def one_of(self, mount: str) -> Iterator[None]:
        """`mount`: its address. Raises Unavailable (detail "busy")."""
        with self._lock:
            admitted = self._places.take(mount)
        if not admitted:
            raise Unavailable("too many tokens are being looked at. Try again later.", "busy")
        try:
            yield
        finally:
            with self._lock:
                self._places.give(mount)
