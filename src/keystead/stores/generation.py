"""The shared page: one number that tells every worker that something has changed, and one slot per worker.

    word 0                      generation: grows with every acknowledged change
    word 8·(i+1)                worker i's slot: 0 idle, else 1 + the generation its open batch began under
    word 8·(i+1) + 1            worker i's process id, 0 when none
    word 8·(i+1) + 2            when that process began: whoever gets its id after it is somebody else

A change is acknowledged only after every worker's slot was seen idle or at the new generation, so no reply that
was decided before the change leaves after its acknowledgement. A worker that does not get there within
`drain_for` seconds is killed first: killing is the fence (HOUSE §6, docs/adr/0007).

The slot is stored before the generation is loaded, and the generation before the slots are; between a store and
a later load another processor may see them swapped, so the announcing side, which is the rare one, asks the
kernel for a barrier on all processors (membarrier(2)).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import platform
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

_PAGE = 4096
_STRIDE = 8  # words per slot: one cache line each
MAX_SLOTS = _PAGE // 8 // _STRIDE - 1  # the first line is the generation's
_MEMBARRIER = {"x86_64": 324, "aarch64": 283}.get(platform.machine())
_GLOBAL_EXPEDITED, _REGISTER = 2, 4  # linux/membarrier.h
_LIBC = ctypes.CDLL(None, use_errno=True)


class SharedGeneration:
    """The page as one process sees it. `worker` is its slot; None for a process that never answers requests."""

    def __init__(self, path: Path, worker: int | None = None, *, drain_for: float = 5.0) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._fd).st_size < _PAGE:
            os.ftruncate(self._fd, _PAGE)
        self._map = mmap.mmap(self._fd, _PAGE)
        self._words = memoryview(self._map).cast("Q")
        self.current: Callable[[], int] = partial(self._words.__getitem__, 0)
        """The generation: read twice in a request, so without a frame of Python's."""
        self._slot = None if worker is None else self._place(worker)
        self._drain_for = drain_for
        self._membarrier(_REGISTER)
        if self._slot is not None:
            self._words[self._slot] = 0
            self._words[self._slot + 1], self._words[self._slot + 2] = os.getpid(), _began(os.getpid())

    @staticmethod
    def _place(worker: int) -> int:
        """The first word of a slot. Raises ValueError for one that nobody would wait for."""
        if not 0 <= worker < MAX_SLOTS:
            raise ValueError(f"the page has no slot {worker}")
        return _STRIDE * (worker + 1)

    def enter(self) -> None:
        """A batch begins under the current generation."""
        if self._slot is not None:
            self._words[self._slot] = self._words[0] + 1

    def leave(self) -> None:
        """Every reply of the batch has been handed to the kernel."""
        if self._slot is not None:
            self._words[self._slot] = 0

    def announce(self) -> None:
        """Make every worker see a change that is committed; return when none can still answer from before it."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            new = self._words[0] + 1
            self._words[0] = new
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        if not self._membarrier(_GLOBAL_EXPEDITED):
            time.sleep(0.001)
        self._drain(new)

    def _drain(self, generation: int) -> None:
        states = self._words[_STRIDE::_STRIDE].tolist()
        behind = [i for i, state in enumerate(states) if 0 < state <= generation]
        deadline = time.monotonic() + self._drain_for
        while behind and time.monotonic() < deadline:
            time.sleep(0.0001)
            behind = [i for i in behind if self._is_behind(i, generation)]
        for i in behind:
            self._fence(i)

    def _is_behind(self, worker: int, generation: int) -> bool:
        state = self._words[self._place(worker)]
        return 0 < state <= generation

    def _fence(self, worker: int) -> None:
        """Kill a worker that may still send something decided before the change, and see it dead."""
        slot = self._place(worker)
        pid, began = self._words[slot + 1], self._words[slot + 2]
        if pid and _began(pid) == began:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while _began(pid) == began:
                time.sleep(0.001)
        self.clear(worker)

    def clear(self, worker: int) -> None:
        """Forget a worker that its supervisor has reaped."""
        slot = self._place(worker)
        self._words[slot] = self._words[slot + 1] = self._words[slot + 2] = 0

    def _membarrier(self, command: int) -> bool:
        if _MEMBARRIER is None:
            return False
        return bool(_LIBC.syscall(_MEMBARRIER, command, 0, 0) == 0)

    def close(self) -> None:
        self._words.release()
        self._map.close()
        os.close(self._fd)


def _began(pid: int) -> int:
    """When a process began, in ticks since boot (proc(5)); 0 once it is gone, or a zombie, which sends nothing."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state in {"Z", "X"} else int(rest[18])
