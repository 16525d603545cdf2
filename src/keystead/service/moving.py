"""Whether a request that came to ask somebody outside may still go on elsewhere (kit.blocked, kit.lane).

A near thread is for what takes long here. Where a request on one comes to an HSM, or to anybody else outside, it goes
on among those who wait for them: there its tenant has its turn, and nobody waits longer than is said.

Rule 1: what it has been about is done again there, so only a step that has changed nothing yet goes on elsewhere.
Rule 2: whoever is about to change something says so (`stay`), before it does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Here(threading.local):
    may_move = False
    has_changed = False


HERE = _Here()
"""Of this thread. `may_move`: in this step; `has_changed`: in this request."""


@contextmanager
def moving() -> Iterator[None]:
    """Of one act: whoever does it comes to hear WouldWait instead of waiting for an HSM."""
    HERE.may_move = True
    try:
        yield
    finally:
        HERE.may_move = False


def stay() -> None:
    """Something is about to be changed."""
    HERE.may_move = False
    HERE.has_changed = True
