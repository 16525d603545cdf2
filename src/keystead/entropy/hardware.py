"""One hardware source: read ahead in blocks by a thread of its own, tested, and given out a chunk at a time.

Rule 1: nobody waits for the hardware but that thread. It may be slow, stuck for ever or gone.
Rule 2: nothing is given out that the health tests have not passed; what the start-up tests look at is thrown away.
Rule 3: a source that failed a test gives nothing more in this process. One that could not be read is tried again,
        later each time, and starts anew.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from keystead.core.errors import KeysteadError
from keystead.core.ports import Entropy
from keystead.entropy.health import START_UP, Health, Repeats, Unhealthy

LOG = logging.getLogger("keystead")
CHUNK_BYTES = 64  # what one key takes
BLOCK_BYTES = 1024  # what is read at once
N_CHUNKS = 64  # held ready
LATE_FOR = 15.0  # seconds without an answer: a slow TPM that five processes ask takes eight for a block
TURN_FOR = 0.5  # seconds between two looks whether it still makes sense to wait
LOOK_EVERY = 15.0  # seconds between two readings of what nobody drains
RETRIES = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds before the n-th reading after one that failed


class Hardware:
    """Safe to use from any thread. `read`: so many bytes of it, or whatever it raises. `on_change`: on any thread."""

    def __init__(
        self,
        name: str,
        read: Entropy,
        *,
        entropy: Entropy,
        monotonic: Callable[[], float] = time.monotonic,
        on_change: Callable[[Hardware], None] = lambda _: None,
    ) -> None:
        self.name, self.read, self._monotonic, self._on_change = name, read, monotonic, on_change
        self._pool: deque[bytes] = deque(maxlen=N_CHUNKS)  # append and pop are atomic
        self._given = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._health, self._repeats = Health(), Repeats(entropy(32))
        self._trouble, self._told, self._reading_since = "", "", 0.0
        self._failed = ""
        self._n_misses = 0

    @property
    def trouble(self) -> str:
        """Why it gives nothing, for people; empty while all is well."""
        if self._trouble:
            return self._trouble
        since = self._reading_since
        if since and not self._pool and (late := self._monotonic() - since) > LATE_FOR:
            return f"it has not answered for {late:.0f} seconds"
        return ""

    @property
    def verdict(self) -> str:
        """The same in a word or two: the test that it failed, or why there was none."""
        return self._failed or ("unreadable" if self._trouble else "late" if self.trouble else "")

    @property
    def is_ready(self) -> bool:
        """Whether it has something to give at once."""
        return bool(self._pool)

    def take(self, wait_for: float = 0.0) -> bytes:
        """CHUNK_BYTES that nobody else gets; b"" where there are none, after at most `wait_for` seconds.

        Without waiting nothing is begun and nothing written: it is safe on an event loop.
        """
        if wait_for:
            self.start()
        until = self._monotonic() + wait_for
        while True:
            try:
                chunk = self._pool.popleft()
            except IndexError:
                if not self._may_come(until - self._monotonic()):
                    if wait_for:
                        self.tell()
                    return b""
                continue
            if wait_for:
                with self._given:
                    self._given.notify_all()  # there is room
            return chunk

    def _may_come(self, left: float) -> bool:
        """Wait for a chunk; False where that makes no sense any more."""
        if left <= 0 or self.trouble:
            return False
        with self._given:
            if not self._pool:
                self._given.wait(min(left, TURN_FOR))
        return True

    def tell(self) -> None:
        """Say how it is, where that has changed."""
        now = self.trouble
        if bool(now) != bool(self._told):
            LOG.log(logging.WARNING if now else logging.INFO, "entropy source %s: %s", self.name, now or "well")
            self._told = now
            try:
                self._on_change(self)
            except Exception:  # whatever it was, the reading goes on
                LOG.exception("what entropy source %s does could not be told", self.name)

    # --- the thread

    def start(self) -> None:
        """Begin to read ahead, where that has not begun."""
        if self._thread is None:
            self._begin()

    def _begin(self) -> None:
        with self._given:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name=f"entropy {self.name}", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set() and not self._failed:
            self.fill()
            if self._n_misses:
                self._ended.wait(RETRIES[min(self._n_misses, len(RETRIES)) - 1])
            elif not self._failed:
                with self._given:
                    self._given.wait_for(self._is_wanted, LOOK_EVERY)

    def _is_wanted(self) -> bool:
        return len(self._pool) < N_CHUNKS // 2 or self._ended.is_set()

    def fill(self) -> None:
        """One reading."""
        self._reading_since = self._monotonic()
        try:
            block = self.read(BLOCK_BYTES)
            if len(block) != BLOCK_BYTES:
                raise OSError(f"{len(block)} bytes instead of {BLOCK_BYTES}")  # noqa: TRY301 - as any other miss
        except Exception as error:  # noqa: BLE001 - whatever it is, there is nothing to be had
            self._miss(str(error) if isinstance(error, KeysteadError | OSError) else type(error).__name__)
        else:
            self._keep(block)
        finally:
            self._reading_since = 0.0
        self.tell()
        with self._given:
            self._given.notify_all()

    def _miss(self, words: str) -> None:
        self._trouble = f"it cannot be read: {words}"
        self._n_misses += 1
        self._health = Health()  # it starts anew

    def _keep(self, block: bytes) -> None:
        is_started = self._health.is_started
        try:
            self._health.feed(block)
            self._repeats.feed(block)
        except Unhealthy as error:
            self._pool.clear()
            self._failed, self._trouble = error.test, str(error)
            return
        self._trouble, self._n_misses = "", 0
        if is_started:
            self._pool.extend(block[at : at + CHUNK_BYTES] for at in range(0, len(block), CHUNK_BYTES))

    def forget(self) -> None:
        """In a forked child: what the parent holds is the parent's, and its thread is not here."""
        self._ended.set()
        self._given = threading.Condition()  # the parent's may be held by a thread that is not here
        self._pool.clear()
        self._trouble = "it is read by the process that forked this one"

    def close(self) -> None:
        """It gives no more. A reading under way is not waited for."""
        self._ended.set()
        self._pool.clear()
        self._trouble = self._trouble or "it is closed"
        with self._given:
            self._given.notify_all()


assert BLOCK_BYTES >= START_UP  # noqa: S101 - so that one block starts it up
