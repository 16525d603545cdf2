"""PINs that an HSM has refused, known to every process of a server: one that was refused is offered by no other.

Each of a server's processes logs in for itself, and anew when an HSM comes back. Where its PIN was changed meanwhile,
five of them would offer the old one five times, and many a token locks a user out at the third. So they offer it one
after another, and the first that is refused leaves a file (DIR/run/pins). Of the PIN the file says nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from keystead.core.errors import KeysteadError, Unauthenticated
from keystead.cryptoki.errors import REFUSED_PIN, Failed

TURN_IN: Final = 2.0  # seconds that are waited for another process to have logged in: it may hang
LOOK_EVERY: Final = 0.01  # seconds


class Refusals:
    """Safe to use from any thread and process. Files that cannot be written keep nobody out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def offering(self, name: str) -> Iterator[None]:
        """Around the login to an HSM. Raises Unauthenticated where another process was refused."""
        with self._turn(name):
            self.require_none(name)
            try:
                yield
            except Failed as failed:
                if failed.rv in REFUSED_PIN:
                    self._mark(self._directory / name)
                raise

    def require_none(self, name: str) -> None:
        """Raises Unauthenticated where another process was refused."""
        if (self._directory / name).exists():
            raise Unauthenticated(f"the HSM {name} has refused its PIN to another process", "pin")

    @contextmanager
    def another(self, name: str) -> Iterator[None]:
        """Around the offer of another PIN: that the one before was refused counts again where this one is not taken."""
        marker = self._directory / name
        was_refused = marker.exists()
        marker.unlink(missing_ok=True)
        try:
            yield
        except KeysteadError:
            if was_refused:
                self._mark(marker)
            raise

    def clear(self) -> None:
        """What a server that is gone has left: this one was given its PINs anew."""
        for path in self._directory.glob("*"):
            path.unlink(missing_ok=True)

    def _mark(self, marker: Path) -> None:
        with suppress(OSError):
            self._directory.mkdir(mode=0o700, exist_ok=True)
            marker.touch(mode=0o600)

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Alone among the processes, or after TURN_IN all the same."""
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self._directory / f".{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            yield
            return
        try:
            until = time.monotonic() + TURN_IN
            while not _locked(lock) and time.monotonic() < until:
                time.sleep(LOOK_EVERY)
            yield
        finally:
            os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
