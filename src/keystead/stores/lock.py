"""One server for one data directory: an exclusive lock on a file in it (flock(2)).

The lock belongs to the open file, so a worker that inherits the descriptor keeps the directory locked
for as long as it lives, even when the supervisor has died.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from keystead.core.errors import Unavailable

NAME, IN_USE = "lock", "in use"


class DirectoryLock:
    """Held from construction to close(). Raises Unavailable, naming the process that has it.

    Give `fileno()` to the workers (subprocess: pass_fds); it is not inherited by accident.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self._descriptor = os.open(directory / NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{directory} cannot be locked: {error.strerror}") from error
        try:
            self._take(directory)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self, directory: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Unavailable(
                f"{directory} is in use by process {holder}, or by a worker that it left", IN_USE
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        """Let go of it here; whoever inherited it holds it still."""
        os.close(self._descriptor)
