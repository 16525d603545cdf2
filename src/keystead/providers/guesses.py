"""How often a password of an HSM's user was wrong: known to every process of a server, and after a restart.

Rule 1: of MOST_WRONG wrong ones within LOCKED_FOR the next is compared with nothing, the right one neither.
Rule 2: it is counted before it is answered, by one process at a time. Where it cannot be counted nothing is compared.
Rule 3: time is what has passed; across a boot the time of day has to do, which whoever guesses does not set.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from struct import Struct as Form
from typing import Protocol
from zlib import crc32

from keystead.core.ports import Clock, Disk

MOST_WRONG, LOCKED_FOR = 10, 3600.0  # passwords, seconds
TURN_IN, LOOK_EVERY = 2.0, 0.005  # seconds that another process is waited for: it compares, and asks no HSM
LOG = logging.getLogger("keystead")
_ENTRY = Form(">16sdd")  # boot, seconds passed in it, time of day; and a checksum of that
_WHOLE = 0x2144DF1C  # the CRC-32 of whatever its own CRC-32 stands behind, little-endian


class Guesses(Protocol):
    """Safe to use from any thread."""

    def compared(self, hsm: str, is_right: Callable[[], bool]) -> bool | None:
        """Whether the password is right; None: too many were wrong, and it was not compared."""
        ...


class MemoryGuesses:
    """Of one process. `passed`: seconds that never go back."""

    def __init__(self, passed: Callable[[], float] = time.monotonic) -> None:
        self._passed = passed
        self._wrong: dict[str, deque[float]] = {}

    def compared(self, hsm: str, is_right: Callable[[], bool]) -> bool | None:
        wrong = self._wrong.setdefault(hsm, deque(maxlen=MOST_WRONG))
        if len(wrong) == MOST_WRONG and _is_locked([self._passed() - at for at in wrong]):
            return None
        if is_right():
            return True
        wrong.append(self._passed())
        return False


class GuessFiles:
    """A directory for each HSM, and in it a file for each of the last MOST_WRONG wrong ones: power that is lost while
    one is written takes no other along, and nobody was answered that one.

    `boot`: 16 bytes that are others after each boot of the machine.
    """

    def __init__(self, disk: Disk, directory: Path, clock: Clock, boot: bytes) -> None:
        self._disk, self._directory, self._clock, self._boot = disk, directory, clock, boot

    def compared(self, hsm: str, is_right: Callable[[], bool]) -> bool | None:
        at = self._directory / hsm
        try:
            with self._alone(at) as held:
                ages = [self._age(at / str(n)) for n in range(MOST_WRONG)] if held else [0.0]
                if _is_locked(ages):
                    return None
                if is_right():
                    return True
                self._note(at, ages.index(max(ages)))
                return False
        except OSError as error:
            LOG.warning("wrong passwords of the HSM %s cannot be counted: %s", hsm, error.strerror)
            return None

    @contextmanager
    def _alone(self, at: Path) -> Iterator[bool]:
        """False where another process does not let go of it."""
        self._disk.make_directory(at)
        lock = self._disk.open(at / "lock", create=True)
        try:
            until = self._clock.monotonic() + TURN_IN
            while not (held := lock.lock()) and self._clock.monotonic() < until:
                time.sleep(LOOK_EVERY)
            yield held
        finally:
            lock.close()

    def _age(self, path: Path) -> float:
        """Seconds; without end where none is noted there, or half of one."""
        try:
            file = self._disk.open(path, write=False)
        except FileNotFoundError:
            return inf
        try:
            raw = file.read(0, _ENTRY.size + 4)
        finally:
            file.close()
        if len(raw) != _ENTRY.size + 4 or crc32(raw) != _WHOLE:
            return inf
        boot, passed, today = _ENTRY.unpack_from(raw)
        if boot == self._boot:
            return self._clock.monotonic() - float(passed)
        return max(0.0, self._clock.now().timestamp() - float(today))

    def _note(self, at: Path, n: int) -> None:
        entry = _ENTRY.pack(self._boot, self._clock.monotonic(), self._clock.now().timestamp())
        file = self._disk.open(at / str(n), create=True)
        try:
            file.write(0, [entry, crc32(entry).to_bytes(4, "little")])
            file.sync()
        finally:
            file.close()
        self._disk.sync(at)


def _is_locked(ages: Sequence[float]) -> bool:
    """`ages`: of the last MOST_WRONG, in seconds, in any order."""
    return bool(ages) and max(ages) < LOCKED_FOR
