"""The page of uses: how often each limited key has been used, in memory that all workers share.

    128 bytes a place, found by a hash of the id and what follows it; a place is never given to another id
      words 0-3    used: uses and bytes to protect, to process (core.limits.Counts)
      words 4-7    reserved: how far the store knows that they may have been used
      bytes 64-127 the id, UTF-8, filled with zeros; none: the place is free

Rule 1: what is used never exceeds what is reserved, and the store has heard of that first. So whoever starts after a
        crash, with what the store says, counts at least what was really used.
Rule 2: everything is done under a lock of the kernel's (flock(2)), which goes with the process that dies holding it.
        What such a process has half counted, it has not yet done: counting comes before the act.
Rule 3: a tenant has, with all that stand below it, at most as many places as are left for all others: one takes half of
        them, the next half of what is left. Those that stand below it share its half in the same way, so by
        making namespaces nobody takes more. How many each has, and all, stands in places of their own; those of
        namespaces count as taken by the tenant that they stand below. Who is left without a place is counted
        elsewhere (service.meter, Rule 3): nobody is refused a use since others are many.
Rule 4: who reserves holds another lock as well, over its transaction. It is never taken on the event loop.

The page is volatile: whoever holds the data directory's lock begins a new one.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from keystead.core.errors import LimitExceeded
from keystead.core.limits import Counts, require_room

_PLACE, _WORDS, _ID = 128, 16, 64
N_PLACES = 2**17
_MOST = N_PLACES * 3 // 4
Four = range(4)
SHARE, OF_ALL = "share/", "share//"


class SharedUsage:
    """The page as one process sees it. `anew`: nobody else has it open, and what is there counts no more."""

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        if anew:
            path.unlink(missing_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._turn_fd = os.open(path.with_suffix(".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._fd).st_size < N_PLACES * _PLACE:
            os.ftruncate(self._fd, N_PLACES * _PLACE)  # sparse: it takes what is used of it
        self._map = mmap.mmap(self._fd, N_PLACES * _PLACE)
        self._words = memoryview(self._map).cast("Q")
        self._lock, self._turn_lock = threading.Lock(), threading.Lock()
        self._known: dict[str, int] = {}  # id -> its first word

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Reserve, or settle, while nobody else does. Never on the event loop."""
        with self._turn_lock:
            fcntl.flock(self._turn_fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._turn_fd, fcntl.LOCK_UN)

    def take(self, id: str, more: Counts, most: Counts) -> bool:
        """Count `more` where that is reserved; False where it is not, or the id has no place yet. Raises WrongState."""
        with self._lock:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                return (at := self._find(id)) is not None and self._taken(at, more, most)
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _taken(self, at: int, more: Counts, most: Counts) -> bool:
        words, is_reserved = self._words, True
        for i in Four:
            if n := more[i]:
                sum_ = words[at + i] + n
                if sum_ > most[i]:
                    require_room(self._four(at), more, most)
                is_reserved = is_reserved and sum_ <= words[at + 4 + i]
        if is_reserved:
            for i in Four:
                words[at + i] += more[i]
        return is_reserved

    def give_back(self, id: str, counts: Counts) -> None:
        """What was taken and not done."""
        with self._locked():
            if (at := self._find(id)) is not None:
                for i in Four:
                    self._words[at + i] -= counts[i]

    def used(self, id: str) -> Counts | None:
        """As it is just now. None: the id has no place."""
        if (at := self._known.get(id)) is not None:
            return self._four(at)
        with self._locked():
            return None if (at := self._find(id)) is None else self._four(at)

    # --- in one's turn

    def begin(self, id: str, used: Counts, tenant: str, root: str = "") -> None:
        """A place for the id, with that many used and reserved. `root`: the tenant that its own stands below, if any.

        Raises LimitExceeded where the page is full, or the tenant has its share of it: then it stays so.
        """
        with self._locked():
            if self._find(id) is not None:
                return
            top, all_ = self._found(f"{SHARE}{root or tenant}"), self._found(OF_ALL)
            counted = [top, all_]
            is_full = self._words[top] >= _MOST - self._words[all_]
            if root and not is_full:
                counted.append(mine := self._share_of(tenant, top, all_))
                is_full = self._words[mine] >= _MOST // 2 - self._words[top]
            if is_full:
                raise LimitExceeded("too many keys of one tenant with limits are in use at once", "limits")
            at = self._occupied(id)
            for one in counted:
                self._words[one] += 1
            self._put(at, used)
            self._put(at + 4, used)

    def _share_of(self, tenant: str, top: int, all_: int) -> int:
        """Of one that stands below another: a place too, and of that one's own."""
        if (at := self._find(f"{SHARE}{tenant}")) is None:
            at = self._occupied(f"{SHARE}{tenant}")
            for one in (top, all_):
                self._words[one] += 1
        return at

    def _found(self, id: str) -> int:
        return at if (at := self._find(id)) is not None else self._occupied(id)

    def _occupied(self, id: str) -> int:
        """A new place for it, with nothing used."""
        at = self._free(id)
        self._map[at * 8 + _ID : at * 8 + _PLACE] = id.encode().ljust(_ID, b"\0")
        self._known[id] = at
        return at

    def reserve(self, id: str, upto: Counts) -> None:
        """That many may be used. The store knows."""
        with self._locked():
            if (at := self._find(id)) is not None:
                self._put(at + 4, _greater(self._four(at + 4), upto))

    def withdraw(self, id: str) -> Counts | None:
        """Reserve no more than is used; how many that is. None: the id has no place."""
        with self._locked():
            if (at := self._find(id)) is None:
                return None
            used = self._four(at)
            self._put(at + 4, used)
            return used

    def ids(self) -> list[str]:
        """All that have a place."""
        with self._locked():
            found = (self._map[at + _ID : at + _PLACE] for at in range(0, N_PLACES * _PLACE, _PLACE))
            ids = [one.rstrip(b"\0").decode() for one in found if one[0]]
        return [id for id in ids if not id.startswith(SHARE)]

    def close(self) -> None:
        self._words.release()
        self._map.close()
        os.close(self._fd)
        os.close(self._turn_fd)

    # --- inside

    def _find(self, id: str) -> int | None:
        if (at := self._known.get(id)) is not None:
            return at
        wanted = id.encode().ljust(_ID, b"\0")
        for at in self._places(id):
            found = self._map[at * 8 + _ID : at * 8 + _PLACE]
            if found == wanted:
                self._known[id] = at
                return at
            if not found[0]:
                break
        return None

    def _free(self, id: str) -> int:
        for n, at in enumerate(self._places(id)):
            if n >= _MOST:
                break
            if not self._map[at * 8 + _ID]:
                return at
        raise LimitExceeded("too many keys with limits are in use at once", "limits")

    @staticmethod
    def _places(id: str) -> Iterator[int]:
        """The first words of the places where an id may be, in the order of looking."""
        if len(id.encode()) > _ID:
            raise LimitExceeded("an id of that length is not counted", "id")
        first = int.from_bytes(blake2b(id.encode(), digest_size=8).digest()) % N_PLACES
        return ((first + n) % N_PLACES * _WORDS for n in range(N_PLACES))

    def _four(self, at: int) -> Counts:
        a, b, c, d = self._words[at : at + 4].tolist()
        return a, b, c, d

    def _put(self, at: int, counts: Counts) -> None:
        for i in Four:
            self._words[at + i] = counts[i]


def _greater(one: Counts, other: Counts) -> Counts:
    return max(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
