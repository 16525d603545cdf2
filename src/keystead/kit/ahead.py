"""Whom a request will come to wait for, known before it is tried: it was so when the same was last asked.

A request for a key in an HSM is tried on the event loop as far as the HSM's name, and then done whole on a thread of
that HSM's lane. What one has shown spares the next ones the trying. It decides nothing: on the thread all is looked at.

Rule 1: it counts for the same rights, operation, address and word for the key, and for as long as nothing that is held
        has been dropped (`moment`): whose rights have changed, or whose key, is tried again.
Rule 2: only what waits for an HSM is learnt, and by the event loop alone: whoever is refused at once is refused there,
        and a change that comes to an HSM on its way (service.moving) begins where changes begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keystead.core.caller import Caller
from keystead.core.ports import HSM, WouldBlock, WouldWait
from keystead.core.rights import Rights

MOST: Final = 4096  # ways to ask


class Ahead:
    """Of one door in one process. Safe to use from any thread."""

    def __init__(self, moment: Callable[[], int], on_loop: Callable[[], bool]) -> None:
        """`moment`: another number once anything held has been dropped; raises Sealed."""
        self._moment, self._on_loop, self._at = moment, on_loop, -1
        self.known: dict[tuple[Rights, str, str, str], tuple[str, str]] = {}  # -> (hsm, tenant)

    def find(self, caller: Caller, operation: str, key: str) -> WouldBlock | None:
        """What the request is to yield. `key`: as the caller names it. Raises Sealed."""
        found = self.known.get((caller.rights, operation, caller.namespace, key))
        if found is None or not self._on_loop() or self._moment() != self._at:
            return None
        return WouldWait(*found)

    def learn(self, caller: Caller, operation: str, key: str, would: WouldBlock) -> None:
        """What it came to when it was tried. Nothing of a request that names no key. Raises Sealed."""
        if not key or not would.where.startswith(HSM) or not self._on_loop():
            return
        now = self._moment()
        if now != self._at or len(self.known) >= MOST:
            self.known.clear()
            self._at = now
        self.known[caller.rights, operation, caller.namespace, key] = would.where.removeprefix(HSM), would.tenant
