"""Waiting for what is to come about, however busy the machine is: it costs nothing when all is well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 60.0  # seconds


def until(look: Callable[[], T], what: object = "it has not come about", *, every: float = 0.02) -> T:
    """What `look` finds, once that is true. Raises AssertionError after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(every)
    return found


def ended(*threads: threading.Thread) -> None:
    """They have ended. Raises AssertionError after PATIENCE."""
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "a thread has not ended"
