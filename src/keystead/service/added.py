"""Files that are only added to, whole after any crash; and small files replaced whole."""

from __future__ import annotations

import contextlib
from pathlib import Path

from msgspec import Struct

from keystead.core.audit.frame import PAGE
from keystead.core.errors import Conflict
from keystead.core.ports import Disk


class Mark(Struct, frozen=True):
    """How far a file is durable, and the bytes since its last page boundary.

    A page that is written again, to be added to, may be torn; `tail` gives back what stood there.
    """

    size: int = 0
    tail: bytes = b""


class Added:
    """One file. What is added is on the medium after `commit`, and counts once its mark has been kept elsewhere."""

    def __init__(self, disk: Disk, path: Path, mark: Mark) -> None:
        """Put the file back to `mark`. Raises Conflict if it has lost bytes before that, OSError."""
        self._file = disk.open(path, create=True)
        self._new: list[bytes] = []
        self.mark = mark
        start = mark.size - len(mark.tail)
        size = self._file.size()
        if size < start:
            raise Conflict(f"{path.name} of the audit log is shorter than it was: {size} of {mark.size} bytes")
        if size > mark.size or self._file.read(start, len(mark.tail)) != mark.tail:
            self._file.write(start, (mark.tail,))
            self._file.truncate(mark.size)
            self._file.sync()

    def add(self, data: bytes) -> None:
        self._new.append(data)

    def commit(self) -> Mark:
        """Make durable what was added; the new mark."""
        if self._new:
            data = b"".join(self._new)
            self._file.write(self.mark.size, (data,))
            self._file.sync()
            size = self.mark.size + len(data)
            kept = size % PAGE
            # Sliced from the end, so that a large addition is not copied.
            tail = data[len(data) - kept :] if kept <= len(data) else self.mark.tail + data
            self.mark = Mark(size, tail)
            self._new = []
        return self.mark

    def close(self) -> None:
        self._file.close()


def read_whole(disk: Disk, path: Path) -> bytes | None:
    """The bytes of a small file; None if there is none."""
    with contextlib.suppress(FileNotFoundError):
        file = disk.open(path, write=False)
        try:
            return file.read(0, file.size())
        finally:
            file.close()
    return None


def replace_whole(disk: Disk, path: Path, data: bytes) -> None:
    """The file is `data`, or after a crash what it was before; durable on return."""
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        disk.remove(fresh)  # never written over: a crash may have left it as a second name of the file itself
    file = disk.open(fresh, create=True)
    try:
        file.write(0, (data,))
        file.sync()
    finally:
        file.close()
    disk.rename(fresh, path)
    disk.sync(path.parent)
