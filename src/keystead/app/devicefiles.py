"""The file of an audit device: only where the operator allows one, never through a link, and never somebody else's."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path


class DeviceFile:
    """Opened anew each time, so one that was moved away is made anew. `mode`: its bits; None: as they are."""

    def __init__(self, path: str, mode: int | None, directories: tuple[str, ...]) -> None:
        self._path, self._mode, self._directories = path, mode, directories

    def send(self, lines: Sequence[bytes]) -> None:
        """Durable on return. Raises OSError."""
        above, _, name = self._path.rpartition("/")
        if above not in self._directories:
            raise PermissionError("the operator allows no audit device there")
        if above == self._directories[0]:
            Path(above).mkdir(mode=0o700, exist_ok=True)
        directory = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._append(name, directory, b"".join(lines))
            os.fsync(directory)
        finally:
            os.close(directory)

    def _append(self, name: str, directory: int, text: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            _have(fd, self._mode)
            rest = memoryview(text)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """It is closed whenever nothing is written."""


def _have(fd: int, mode: int | None) -> None:
    """A plain file of our own, of that mode. Raises OSError."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
        raise PermissionError("not a plain file of this server's own")
    if mode is not None and stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(fd, mode)
