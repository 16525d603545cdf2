"""A disk that can lose power and fail on demand, under the real SQLite: an apsw VFS over the default one.

Every file keeps beside it what a sync has made durable, and the operations since. Power loss: each 512-byte
sector of an unsynced write is on its own kept, lost, or garbage; an unsynced truncation, and a name made or
deleted since the directory was synced, may or may not be there. What a sync was acknowledged for is there.
SQLite's own method (sqlite.org/testing.html §3.3).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import apsw

SECTOR = 512
LOGS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
CHANGING = frozenset({"open", "write", "truncate", "sync", "delete"})  # what of a disk's operations changes it
KEPT, LOST = 0.4, 0.9  # below the first: kept; below the second: lost; else garbage


class PowerLoss(Exception):
    """The machine is off: nothing works any more."""


class _Medium:
    """One file: what is durable, what was asked for since."""

    def __init__(self, durable: bytes, *, named: bool) -> None:
        self.durable = bytearray(durable)
        self.named = named  # its name in the directory is durable
        self.deleted = False  # but that is not
        self.before: bytes | None = None  # what has the name durably, until `named`
        self.unsynced: list[tuple[int, bytes | None]] = []  # (offset, data), or (size, None): truncated

    def sync(self) -> None:
        for offset, data in self.unsynced:
            _apply(self.durable, offset, data)
        self.unsynced.clear()

    def after_loss(self, rng: random.Random) -> bytes | None:
        """What is found when the power is back; None: no such file."""
        if not self.named and rng.random() < 0.5:
            return self.before
        if self.deleted and rng.random() < 0.5:
            return None
        found = bytearray(self.durable)
        for offset, data in self.unsynced:
            if data is None:
                if rng.random() < 0.5:
                    _apply(found, offset, None)
                continue
            for start in range(0, len(data), SECTOR):
                sector, fate = data[start : start + SECTOR], rng.random()
                if fate < KEPT:
                    _apply(found, offset + start, sector)
                elif fate >= LOST:
                    _apply(found, offset + start, rng.randbytes(len(sector)))
        return bytes(found)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """The state of the one fake disk. `n_operations` counts what may fail; `reset` begins a new life."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.media: dict[str, _Medium] = {}
        self.n_operations = 0
        self.heal()

    def heal(self) -> None:
        self._at: int | None = None
        self._error: Callable[[], Exception] | None = None
        self._for_good = False
        self._of: frozenset[str] | None = None

    def fail(
        self, after: int, error: Callable[[], Exception], *, for_good: bool, of: frozenset[str] | None = None
    ) -> None:
        """Let the operation after the next `after` fail with `error()`; `of`: count only operations of these names."""
        self.n_operations, self._at, self._error, self._for_good, self._of = 0, after, error, for_good, of

    def step(self, operation: str) -> None:
        if self._of is not None and operation not in self._of:
            return
        self.n_operations += 1
        if self._at is None or self._error is None:
            return
        if self.n_operations == self._at + 1 or (self._for_good and self.n_operations > self._at):
            raise self._error()

    def opened(self, name: str) -> None:
        """A file that was there before is durable as it is."""
        held = self.media.get(name)
        if held is None:
            there = os.path.exists(name)
            self.media[name] = _Medium(Path(name).read_bytes() if there else b"", named=there)
        elif held.deleted:
            self.media[name] = _Medium(b"", named=False)
            self.media[name].before = bytes(held.durable) if held.named else held.before

    def sync_directory(self) -> None:
        for name, medium in list(self.media.items()):
            if medium.deleted:
                del self.media[name]
            medium.named = True

    def lose_power(self, rng: random.Random, directory: Path, into: Path) -> None:
        """Write what is left of `directory` into the new directory `into`."""
        into.mkdir(mode=0o700)
        for path in directory.iterdir():
            if not path.name.endswith("-shm"):  # shared memory
                self.opened(str(path))
        for name, medium in sorted(self.media.items()):
            path = Path(name)
            found = medium.after_loss(rng)
            if path.parent == directory and found is not None:
                (into / path.name).touch(mode=0o600)
                (into / path.name).write_bytes(found)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: object, flags: list[int]) -> None:
        filename = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._disk, self._name = disk, filename
        # os_unix.c: the first sync of a log or journal that was opened to be made syncs its directory
        self._directory_too = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & LOGS)
        disk.step("open")
        if filename:
            disk.opened(filename)
        super().__init__("", name, flags)

    def _note(self, offset: int, data: bytes | None) -> None:
        if self._name:
            self._disk.media[self._name].unsynced.append((offset, data))

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - apsw names it
        self._disk.step("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw names it
        self._disk.step("write")
        super().xWrite(data, offset)
        self._note(offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802 - apsw names it
        self._disk.step("truncate")
        super().xTruncate(size)
        self._note(size, None)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw names it
        self._disk.step("sync")
        super().xSync(flags)
        if self._name:
            self._disk.media[self._name].sync()
            if self._directory_too:
                self._disk.sync_directory()
                self._directory_too = False


class CrashVFS(apsw.VFS):
    """Registered once a process, under `NAME`; `disk` is its disk."""

    NAME: ClassVar = "keystead-crash"

    def __init__(self) -> None:
        self.disk = Disk()
        super().__init__(self.NAME, "")

    def xOpen(self, name: object, flags: list[int]) -> _File:  # noqa: N802 - apsw names it
        return _File(self.disk, name, flags)

    def xDelete(self, name: str, sync_directory: bool) -> None:  # noqa: N802 - apsw names it
        self.disk.step("delete")
        super().xDelete(name, sync_directory)
        if name in self.disk.media:
            self.disk.media[name].deleted = True
            if sync_directory:
                self.disk.sync_directory()


_registered: list[CrashVFS] = []


def crash_vfs() -> CrashVFS:
    """The one of this process, with a fresh disk."""
    if not _registered:
        _registered.append(CrashVFS())
    _registered[0].disk.reset()
    return _registered[0]
