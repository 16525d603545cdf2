"""Tokens that are over: taken away with all that were made with them, as the scheduler's other appointments are kept.

A token that is over authenticates nobody from that moment on; this is about its row, and about its children, which
may last longer than it and end with it. The dates are held in memory, soonest first, and kept current from the store's
changes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from keystead.core.entities import Kind, Token
from keystead.core.errors import Internal, KeysteadError, NotFound
from keystead.core.operations import RevokeToken, TenantRef
from keystead.core.ports import Clock, Reader
from keystead.service.barrier import Barrier

SLACK = 1000


class Expiry:
    """One per installation. `perform` does an operation as the system principal."""

    def __init__(self, barrier: Barrier, store: Reader, clock: Clock, perform: Callable[[RevokeToken], object]) -> None:
        self._barrier, self._store, self._clock, self._perform = barrier, store, clock, perform
        self._heap: list[tuple[datetime, str]] = []
        self._due: dict[str, datetime] = {}
        self._seen_change = -1

    def step(self) -> int:
        """Revoke what is over; how many there were, without those that went with them."""
        self._catch_up()
        now, n_done = self._clock.now(), 0
        while self._heap and self._heap[0][0] <= now:
            when, id_ = heapq.heappop(self._heap)
            if self._due.get(id_) == when:
                n_done += self._end(id_)
        return n_done

    def _end(self, id_: str) -> bool:
        self._due.pop(id_, None)
        token = self._found(id_)
        if token is None:
            return False
        if not token.is_over(self._clock.now()):  # renewed a moment ago
            self._hold(token)
            return False
        try:
            self._perform(RevokeToken(tenant=TenantRef(token.tenant), id=id_))
        except NotFound:
            return False
        except KeysteadError:  # the next look at every token finds it again
            self._seen_change = -1
            return False
        return True

    def _catch_up(self) -> None:
        newest, changed = self._store.changes(max(self._seen_change, 0))
        if self._seen_change < 0 or changed is None:
            self._heap.clear()
            self._due.clear()
            for token in self._barrier.all_sound(Token):
                self._hold(token)
        else:
            for kind, id_ in changed:
                if kind is Kind.TOKEN:
                    self._read(id_)
        self._seen_change = newest

    def _read(self, id_: str) -> None:
        if (token := self._found(id_)) is None:
            self._due.pop(id_, None)
        else:
            self._hold(token)

    def _found(self, id_: str) -> Token | None:
        """None also where its row is damaged: nobody logs in by that."""
        with suppress(Internal):
            return self._barrier.get(Token, id_)
        return None

    def _hold(self, token: Token) -> None:
        if token.expires_at is None:
            self._due.pop(token.id, None)
        elif self._due.get(token.id) != token.expires_at:
            self._due[token.id] = token.expires_at
            heapq.heappush(self._heap, (token.expires_at, token.id))
        if len(self._heap) > SLACK + 2 * len(self._due):  # whoever renews again and again must not fill the memory
            self._heap = [(when, id_) for id_, when in self._due.items()]
            heapq.heapify(self._heap)
