"""The real disk: core.ports.Disk over the calls of the operating system.

A durable write is one `pwritev2(RWF_DSYNC)` where kernel and file system know it (Linux 4.7), of whole pages past the
page cache (stores.direct), else a write and `fdatasync`; on macOS `F_FULLFSYNC`, because its fsync does not reach the
medium.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from keystead.stores.direct import DIRECT, NOT_HERE, DirectWriter

if sys.platform != "win32":
    import fcntl

DSYNC: int = getattr(os, "RWF_DSYNC", 0)
FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
NOT_KNOWN = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
ZEROS = bytes(64 * 1024)


class OpenFile:
    """core.ports.File over a descriptor."""

    __slots__ = ("_direct", "_dsync", "_fd", "_is_direct")

    def __init__(self, fd: int) -> None:
        self._fd, self._dsync = fd, DSYNC
        self._is_direct = bool(DIRECT and DSYNC)
        self._direct: DirectWriter | None = None

    def read(self, offset: int, n: int) -> bytes:
        parts = []
        while n > 0 and (part := os.pread(self._fd, n, offset)):
            parts.append(part)
            offset, n = offset + len(part), n - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset: int, data: Sequence[bytes]) -> None:
        self._write(offset, data, 0)

    def write_durably(self, offset: int, data: Sequence[bytes]) -> None:
        size = sum(map(len, data))
        if (
            self._is_direct
            and DirectWriter.takes(offset, size)
            and self._written_directly(offset, data, size, self._dsync)
        ):
            return None
        if self._dsync:
            try:
                return self._write(offset, data, self._dsync)
            except OSError as error:
                if error.errno not in NOT_KNOWN:
                    raise
                self._dsync = 0
        self._write(offset, data, 0)
        return self._sync_data()

    def _written_directly(self, offset: int, data: Sequence[bytes], size: int, flags: int) -> bool:
        """False where it cannot be, or has not been done whole."""
        try:
            direct = self._direct = self._direct or DirectWriter(self._fd)
            return direct.write(offset, data, size, flags)
        except OSError as error:
            if self._direct is not None and error.errno not in NOT_HERE:
                raise
            self._is_direct = False
            return False

    def fill(self, n: int) -> None:
        os.ftruncate(self._fd, 0)
        if hasattr(os, "posix_fallocate"):  # takes the space first, so that a full disk is found out cheaply
            try:
                os.posix_fallocate(self._fd, 0, n)
            except OSError as error:
                if error.errno not in NOT_KNOWN:
                    raise
        for offset in range(0, n, len(ZEROS)):  # a little at a time: somebody may be waiting for another write
            data = (ZEROS[: n - offset],)
            is_direct = self._is_direct and DirectWriter.takes(offset, len(data[0]))
            if not (is_direct and self._written_directly(offset, data, len(data[0]), 0)):
                self._write(offset, data, 0)
        self.sync()

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def sync(self) -> None:
        if FULL_SYNC is None:
            os.fsync(self._fd)
        else:
            fcntl.fcntl(self._fd, FULL_SYNC)

    def lock(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        if self._direct is not None:
            self._direct.close()
        os.close(self._fd)

    def _sync_data(self) -> None:
        if FULL_SYNC is None:
            os.fdatasync(self._fd)
        else:
            fcntl.fcntl(self._fd, FULL_SYNC)

    def _write(self, offset: int, data: Sequence[bytes], flags: int) -> None:
        done = os.pwritev(self._fd, data, offset, flags)
        whole = sum(map(len, data))
        while done < whole:  # a short write is no error: a signal, or a disk about to be full
            rest = b"".join(data)[done:]
            done += os.pwritev(self._fd, (rest,), offset + done, flags)


class LocalDisk:
    """core.ports.Disk over the operating system."""

    def make_directory(self, path: Path) -> None:
        if path.is_dir():
            return
        self.make_directory(path.parent)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        self.sync(path.parent)

    def names(self, directory: Path) -> list[str]:
        return sorted(os.listdir(directory))

    def open(self, path: Path, *, create: bool = False, write: bool = True) -> OpenFile:
        flags = (os.O_RDWR if write else os.O_RDONLY) | (os.O_CREAT if create else 0) | os.O_CLOEXEC
        return OpenFile(os.open(path, flags | os.O_NOFOLLOW, 0o600))

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def sync(self, directory: Path) -> None:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
