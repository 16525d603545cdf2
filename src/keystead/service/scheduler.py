"""The scheduler: keeps the appointments that need an act — rotation, destruction, expiry of material.

States follow their dates by themselves (core.states, Rule 3); only what makes or erases material has to be
done by somebody. It is done as ordinary operations of the system principal, through `perform`, on record.
A destruction that has not been waited for is put off first (service.waits).

The appointments of all keys are held in memory, soonest first: read once at start, then kept current from the
store's changes. An operation that fails is tried again, later each time, and never given up.

What waits for an HSM (WouldWait) is done by whoever calls `apart` for that one: it may hang, and keeps no other
appointment waiting.
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from keystead.core.entities import Binding, Key, KeyVersion, Kind, Origin
from keystead.core.errors import Internal, KeysteadError
from keystead.core.operations import DestroyKey, ExpireMaterial, KeyOperation, KeyRef, PutOffDestruction, RotateKey
from keystead.core.ports import HSM, Clock, Reader, WouldWait
from keystead.core.states import KeyState
from keystead.service.barrier import Barrier
from keystead.service.damaged import whole
from keystead.service.moving import moving
from keystead.service.trusted_time import Sight, sight
from keystead.service.waits import Waits

RETRY_FIRST, RETRY_MOST = timedelta(seconds=5), timedelta(hours=1)
SLACK, KINDS = 1000, 2  # appointments in the heap that are none any more; kinds that a key may have at once
NAMESPACE = "system::"
LOG = logging.getLogger("keystead")
Note = Callable[[str, datetime, Sight], None]  # how Waits hears of a date
Act = tuple[type[KeyOperation[Any]], str]  # on the key of that id


def appointments(key: Key, versions: tuple[KeyVersion, ...]) -> list[tuple[datetime, type[KeyOperation[Any]]]]:
    """What is due for a key, and when."""
    life = key.lifecycle
    if life.state is KeyState.DESTROYED:
        return []
    due: list[tuple[datetime, type[KeyOperation[Any]]]] = []
    if life.destroy_at:
        due.append((life.destroy_at, DestroyKey))
    elif key.rotation and life.state is KeyState.ACTIVE and key.leads:
        due.append((key.rotation.next_at, RotateKey))
    expiries = [v.expires_at for v in versions if v.expires_at and v.wrapped]
    if key.lapses_at and len(versions) < key.n_versions:  # one is damaged, and its date may be this one
        expiries.append(key.lapses_at)
    if expiries:
        due.append((min(expiries), ExpireMaterial))  # one of a kind: the next is read when this one is done
    return due


class Scheduler:
    """One per installation, in the supervisor. `perform` does an operation as the system principal."""

    def __init__(
        self, barrier: Barrier, store: Reader, clock: Clock, perform: Callable[[KeyOperation[Any]], object]
    ) -> None:
        self._barrier, self._store, self._clock, self._perform = barrier, store, clock, perform
        self._heap: list[tuple[datetime, str, str]] = []  # (when, key id, operation)
        self._due: dict[str, list[tuple[datetime, type[KeyOperation[Any]]]]] = {}
        self._failures: dict[str, int] = {}
        self._waits = Waits()
        self._seen_change = -1
        self._apart: dict[str, deque[Act]] = {}  # core.ports.WouldWait.where -> what waits there
        self._came: deque[tuple[Act, bool]] = deque()  # what became of it

    def step(self, seen: Sight | None = None) -> int:
        """Do what has come due; how many operations were done. `seen`: what is known of the time, if not all."""
        seen = seen or sight(self._clock)
        self.look(seen)
        while self._came:
            act, done = self._came.popleft()
            self._settle(act, seen, done=done)
        now, n_done = seen.now, 0
        while seen.believed and self._heap and self._heap[0][0] <= now:
            _, key_id, name = heapq.heappop(self._heap)
            kinds = {kind.__name__: (when, kind) for when, kind in self._due.get(key_id, ())}
            if name in kinds and kinds[name][0] <= now:
                n_done += self._do(kinds[name][1], key_id, seen)
        return n_done

    def apart(self, where: str) -> int:
        """Do what waits there; how many operations were done. For one thread at a time of each place, beside `step`."""
        n_done, waiting = 0, self._apart.get(where, ())
        while waiting:
            kind, key_id = act = waiting.popleft()
            done = self._performed(kind, key_id)
            self._came.append((act, done))
            n_done += done
        return n_done

    def look(self, seen: Sight) -> None:
        """See what has been appointed, and put off the destructions that would come too early."""
        self._catch_up(seen)
        for key_id, until in self._waits.too_early(seen):
            try:
                self._perform(PutOffDestruction(key=KeyRef(self._namespace(key_id), id=key_id), until=until))
            except KeysteadError as error:  # called off meanwhile, or the store does not answer: see the next time
                LOG.warning("the destruction of %s could not be put off: %s", key_id, error)
            else:
                LOG.warning("the destruction of %s is put off to %s: it has not waited so long", key_id, until)
                self._waits.put_off(key_id, until, seen)
                self._read(key_id, self._waits.made, seen)

    @property
    def settled(self) -> bool:
        """Every appointed destruction is as far off as was said."""
        return self._seen_change >= 0 and self._waits.settled

    def next_at(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    def _do(self, kind: type[KeyOperation[Any]], key_id: str, seen: Sight) -> bool:
        if kind is DestroyKey and self._waits.right_date(key_id, seen) is not None:
            done = False  # it is to be put off first, which has failed
        else:
            try:
                with moving():
                    done = self._performed(kind, key_id)
            except WouldWait as would:
                if would.where.startswith(HSM):
                    self._apart.setdefault(would.where, deque()).append((kind, key_id))
                    return False
                done = self._performed(kind, key_id)  # a key store outside, which is not waited for long
        self._settle((kind, key_id), seen, done=done)
        return done

    def _performed(self, kind: type[KeyOperation[Any]], key_id: str) -> bool:
        try:
            ref = KeyRef(self._namespace(key_id), id=key_id)
            self._perform(RotateKey(key=ref, scheduled=True) if kind is RotateKey else kind(key=ref))
        except KeysteadError:
            return False
        return True

    def _settle(self, act: Act, seen: Sight, *, done: bool) -> None:
        kind, key_id = act
        if not done:
            n = self._failures[key_id] = self._failures.get(key_id, 0) + 1
            later = seen.now + min(RETRY_MOST, RETRY_FIRST * 2 ** min(n, 16))
            heapq.heappush(self._heap, (later, key_id, kind.__name__))
            return
        self._failures.pop(key_id, None)
        self._read(key_id, self._waits.made, seen)

    def _namespace(self, key_id: str) -> str:
        """The system principal reaches a key at any address of its keyring."""
        key = self._barrier.get(Key, key_id)
        bound = self._barrier.children(Binding, key.keyring, limit=1) if key else []
        return bound[0].id if bound else NAMESPACE

    def _catch_up(self, seen: Sight) -> None:
        if self._seen_change < 0:
            self._read_everything(self._waits.found, seen)
            return
        newest, changed = self._store.changes(self._seen_change)
        if changed is None:
            self._read_everything(self._waits.made, seen)
            return
        for kind, id_ in changed:
            if kind is Kind.KEY:
                self._read(id_, self._waits.made, seen)
        self._seen_change = newest

    def _read_everything(self, note: Note, seen: Sight) -> None:
        self._seen_change, _ = self._store.changes(0)
        self._heap.clear()
        self._due.clear()
        for key in self._barrier.all_sound(Key):
            self._hold(key, note, seen)

    def _read(self, key_id: str, note: Note, seen: Sight) -> None:
        """Of a key that is damaged nothing can be done until it is put back, which is a change of it."""
        key = None
        with suppress(Internal):
            key = self._barrier.get(Key, key_id)
        if key is None:
            self._due.pop(key_id, None)
            self._waits.over(key_id)
        else:
            self._hold(key, note, seen)

    def _hold(self, key: Key, note: Note, seen: Sight) -> None:
        if key.lifecycle.destroy_at is None or key.lifecycle.state is KeyState.DESTROYED:
            self._waits.over(key.id)
        else:
            note(key.id, key.lifecycle.destroy_at, seen)
        versions: tuple[KeyVersion, ...] = ()
        if key.origin is Origin.EXTERNAL:
            versions = tuple(whole(key, self._barrier))
        if due := appointments(key, versions):
            before = self._due.get(key.id, ())
            self._due[key.id] = due
            for when, kind in due:
                if (when, kind) not in before:
                    heapq.heappush(self._heap, (when, key.id, kind.__name__))
        else:
            self._due.pop(key.id, None)
            self._failures.pop(key.id, None)
        if len(self._heap) > SLACK + KINDS * len(self._due):
            self._sweep()

    def _sweep(self) -> None:
        """Forget what was appointed and called off: whoever changes a key again and again must not fill the memory."""
        self._heap = [(when, key_id, kind.__name__) for key_id, due in self._due.items() for when, kind in due]
        heapq.heapify(self._heap)
