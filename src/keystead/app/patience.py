"""Asking a device that may never answer: on a thread of its own, which nobody waits for longer than is said.

A PKCS#11 module behind a network may keep a call for a minute, or for ever, and nothing ends it. So what the server
must not stop for asks through here. At most one thread waits for each device; what it is told too late is dropped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from keystead.core.errors import Unavailable
from keystead.core.ports import NOT_ASKED

R = TypeVar("R")


class Patience:
    """Safe to use from any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._asked: dict[str, tuple[Future[Any], float]] = {}

    def __call__(self, name: str, ask: Callable[[], R], at_most: float) -> R:
        """What `ask` answers or raises. `name`: of what is asked. `at_most`: seconds.

        Raises Unavailable where it is not answered by then, or what was asked before is not answered yet.
        """
        until = self._monotonic() + at_most
        answer: Future[R] = Future()
        while not self._put(name, answer):
            self._wait(name, self._asked.get(name), until)
        threading.Thread(target=self._ask, args=(name, ask, answer), name=f"ask {name}", daemon=True).start()
        self._wait(name, (answer, self._monotonic()), until)
        return answer.result()

    def _put(self, name: str, answer: Future[Any]) -> bool:
        """False where somebody is being asked already."""
        with self._lock:
            if name in self._asked:
                return False
            self._asked[name] = (answer, self._monotonic())
            return True

    def _wait(self, name: str, asked: tuple[Future[Any], float] | None, until: float) -> None:
        if asked is None:
            return
        answer, since = asked
        try:
            answer.exception(max(0.0, until - self._monotonic()))
        except TimeoutError:
            late = self._monotonic() - since
            raise Unavailable(f"{name} has not answered for {late:.0f} seconds", "late") from None

    def _ask(self, name: str, ask: Callable[[], R], answer: Future[R]) -> None:
        try:
            came = ask()
        except BaseException as error:  # noqa: BLE001 - told to whoever asks
            self._end(name)
            answer.set_exception(error)
        else:
            self._end(name)
            answer.set_result(came)

    def _end(self, name: str) -> None:
        with self._lock:
            del self._asked[name]


class Within:
    """Asking several devices, or one several things, in so many seconds from now on altogether. For one thread.

    Raises Unavailable where there is no time left, and then asks nothing.
    """

    def __init__(
        self, ask: Patience, kind: str, seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`kind`: what stands before the name of each."""
        self._ask, self._kind, self._monotonic = ask, kind, monotonic
        self._until = monotonic() + seconds

    def __call__(self, name: str, ask: Callable[[], R]) -> R:
        left = self._until - self._monotonic()
        if left <= 0:
            raise Unavailable(f"{self._kind}{name} is not asked any more: it took too long", NOT_ASKED)
        return self._ask(f"{self._kind}{name}", ask, left)
