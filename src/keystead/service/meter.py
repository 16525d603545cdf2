"""How often limited keys have been used: exact among all workers, and never too few after a crash (docs/adr/0038).

    take: count, in shared memory         before the act, on the event loop too
    reserve: tell the store first         once in a hundredth of a limit; never on the event loop
    taken.undo                            with the request: what did not come about was no use
    settle: the exact number              at a clean stop, and when the installation is sealed

Rule 1: the store's number is at least what was used; whoever begins anew counts from it. A crash costs what was
        reserved and not used: a hundredth of the limit at most, and never more than BLOCK.
Rule 2: what a key has done is not given back. A ciphertext that does not open was a use.
Rule 3: whoever finds no place in memory is counted in the store, use by use: exact too, and slower. There what comes to
        nothing counts as a use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from operator import add
from typing import Protocol

from msgspec.structs import replace

from keystead.core.entities import Key, Namespace, Usage
from keystead.core.errors import Internal, LimitExceeded
from keystead.core.limits import ENDLESS, NONE, Counts, require_room
from keystead.service.barrier import Barrier, Commit

BLOCK: Counts = (4096, 2**26, 4096, 2**26)
"""The most that is reserved at once."""
SHARE = 100
BATCH = 200


class Page(Protocol):
    """stores.usage."""

    def turn(self) -> AbstractContextManager[None]: ...
    def take(self, id: str, more: Counts, most: Counts) -> bool: ...
    def give_back(self, id: str, counts: Counts) -> None: ...
    def used(self, id: str) -> Counts | None: ...
    def begin(self, id: str, used: Counts, tenant: str, root: str) -> None:
        """Raises LimitExceeded where there is no place for it: from then on there never is."""
        ...

    def reserve(self, id: str, upto: Counts) -> None: ...
    def withdraw(self, id: str) -> Counts | None: ...
    def ids(self) -> list[str]: ...


class Taken(threading.local):
    """What the request has counted so far that this thread is at."""

    def __init__(self, give_back: Callable[[str, Counts], None] = lambda _id, _counts: None) -> None:
        self.entries: list[tuple[str, Counts]] = []
        self._give_back = give_back

    def undo(self) -> None:
        """The request came to nothing, or will be made again."""
        while self.entries:
            self._give_back(*self.entries.pop())

    def undo_last(self) -> None:
        self._give_back(*self.entries.pop())

    def keep_last(self) -> None:
        """Whatever becomes of the request."""
        self.entries.pop()


class Meter:
    """One per process. Safe to use from any thread."""

    def __init__(self, barrier: Barrier, page: Page) -> None:
        self._barrier, self._page = barrier, page
        self.taken = Taken(page.give_back)

    def take(self, id: str, more: Counts, most: Counts, may_block: Callable[[], None]) -> None:
        """Count one use, until `taken` says otherwise. Raises WrongState (core.limits.Limit), WouldBlock."""
        while not self._page.take(id, more, most):
            may_block()
            if not self._reserve(id, more, most):
                break
        self.taken.entries.append((id, more))

    def spend(self, id: str, n: int, most: int) -> None:
        """core.providers.Budget: counted at once and for good, from zero on."""
        more, limits = (n, 0, 0, 0), (most, ENDLESS, ENDLESS, ENDLESS)
        while not self._page.take(id, more, limits):
            if not self._reserve(id, more, limits, begins=True):
                break

    def used(self, id: str, may_block: Callable[[], None]) -> Counts:
        """Raises WouldBlock."""
        found = self._page.used(id)
        if found is None:
            may_block()
            found = self._kept(id).upto
        return found

    def settle(self) -> None:
        """Put into the store what was really used; nothing more is reserved then. Raises Stale, Unavailable."""
        with self._page.turn():
            exact = [(id, used) for id in self._page.ids() if (used := self._page.withdraw(id)) is not None]
            todo = [
                replace(kept, upto=used)
                for id, used in exact
                if (kept := self._barrier.get(Usage, id)) is not None and kept.upto != used
            ]
            for at in range(0, len(todo), BATCH):
                self._barrier.commit(Commit(put=tuple(todo[at : at + BATCH])))

    def _reserve(self, id: str, more: Counts, most: Counts, *, begins: bool = False) -> bool:
        """False: there is no place for it, and `more` is counted. Raises WrongState, Stale, Internal, Unavailable."""
        with self._page.turn():
            kept, used = self._kept(id, begins=begins), self._page.used(id)
            if used is None:
                try:
                    self._page.begin(id, kept.upto, *self._whose(id))
                except LimitExceeded:
                    require_room(kept.upto, more, most)
                    self._barrier.commit(Commit(put=(replace(kept, upto=_four(map(add, kept.upto, more))),)))
                    return False
                return True
            upto = _four(_enough(*each) for each in zip(used, more, most, kept.upto, BLOCK, strict=True))
            if upto != kept.upto:
                self._barrier.commit(Commit(put=(replace(kept, upto=upto),)))
            self._page.reserve(id, upto)
            return True

    def _whose(self, id: str) -> tuple[str, str]:
        """(tenant, the one at the root of the tree that it stands in; "" where it stands alone)"""
        key = self._barrier.get(Key, id.partition("/")[0])
        tenant = root = "" if key is None else key.tenant
        while (space := self._barrier.get(Namespace, root)) is not None:
            root = space.above
        return tenant, root if root != tenant else ""

    def _kept(self, id: str, *, begins: bool = False) -> Usage:
        if (kept := self._barrier.get(Usage, id)) is not None:
            return kept
        if begins:
            return Usage(id=id, upto=NONE)
        raise Internal("what a limited key has been used is missing")


def _enough(used: int, more: int, most: int, upto: int, block: int) -> int:
    """How far to reserve: as far as it is, where that is enough."""
    need = used + more
    return upto if need <= upto else max(upto, min(most, need + min(block, most // SHARE)))


def _four(numbers: Iterable[int]) -> Counts:
    a, b, c, d = numbers
    return a, b, c, d
