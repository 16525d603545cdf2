"""A disk that loses its power: core.ports.Disk in memory, driven by a seed.

What has not been synced is, sector by sector, kept (40 %), lost (50 %) or torn into noise (10 %), the bytes of a
sector that were durable before included; sizes and names that have not been synced are kept or lost, each for itself.
Any operation can also be made to fail, or the disk to be full.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from random import Random

SECTOR = 512


class PowerLoss(BaseException):
    """Nothing in the program may catch it."""


class Inode:
    def __init__(self) -> None:
        self.data = bytearray()
        self.before: dict[int, bytes] = {}  # sector -> what is durable there, where that is not what `data` says
        self.durable_size = 0
        self.holder: object | None = None

    def put(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        self._remember(min(offset, len(self.data)), end)
        if len(self.data) < end:
            self.data.extend(bytes(end - len(self.data)))
        self.data[offset:end] = data

    def cut(self, size: int) -> None:
        if size > len(self.data):
            self.put(len(self.data), bytes(size - len(self.data)))
        else:
            self._remember(size, len(self.data))
            del self.data[size:]

    def settle(self, start: int = 0, end: int | None = None) -> None:
        if end is None:
            self.before.clear()
            self.durable_size = len(self.data)
        else:
            for sector in range(start // SECTOR, -(-end // SECTOR)):
                self.before.pop(sector, None)

    def lose(self, rng: Random) -> None:
        size = len(self.data) if len(self.data) == self.durable_size or rng.random() < 0.5 else self.durable_size
        for sector, before in sorted(self.before.items()):
            chance = rng.random()
            if chance < 0.4:
                continue
            at = sector * SECTOR
            if len(self.data) < at + SECTOR:
                self.data.extend(bytes(at + SECTOR - len(self.data)))
            self.data[at : at + SECTOR] = before if chance < 0.9 else rng.randbytes(SECTOR)
        if len(self.data) < size:
            self.data.extend(bytes(size - len(self.data)))
        del self.data[size:]
        self.before.clear()
        self.durable_size, self.holder = size, None

    def _remember(self, start: int, end: int) -> None:
        for sector in range(start // SECTOR, -(-end // SECTOR)):
            if sector not in self.before:
                at = sector * SECTOR
                self.before[sector] = bytes(self.data[at : at + SECTOR]).ljust(SECTOR, b"\0")


class SimFile:
    def __init__(self, disk: SimDisk, inode: Inode) -> None:
        self._disk, self._inode = disk, inode

    def read(self, offset: int, n: int) -> bytes:
        self._disk.alive()
        return bytes(self._inode.data[offset : offset + n])

    def write(self, offset: int, data: Sequence[bytes]) -> None:
        whole = b"".join(data)
        self._disk.take(offset + len(whole) - len(self._inode.data))
        self._disk.act(lambda: self._inode.put(offset, whole))

    def write_durably(self, offset: int, data: Sequence[bytes]) -> None:
        whole = b"".join(data)
        assert offset + len(whole) <= self._inode.durable_size, "write_durably is for bytes that exist"
        self._disk.act(lambda: self._inode.put(offset, whole))
        self._inode.settle(offset, offset + len(whole))

    def fill(self, n: int) -> None:
        self._disk.take(n - len(self._inode.data))

        def do() -> None:
            self._inode.cut(0)
            self._inode.put(0, bytes(n))

        self._disk.act(do)
        self._inode.settle()

    def truncate(self, size: int) -> None:
        self._disk.act(lambda: self._inode.cut(size))

    def size(self) -> int:
        return len(self._inode.data)

    def sync(self) -> None:
        self._disk.act(lambda: None)
        self._inode.settle()

    def lock(self) -> bool:
        self._disk.alive()
        if self._inode.holder not in {None, self}:
            return False
        self._inode.holder = self
        return True

    def close(self) -> None:
        if self._inode.holder is self:
            self._inode.holder = None


class SimDisk:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.names_now: dict[Path, Inode] = {}
        self._durable: dict[Path, Inode] = {}
        self._pending: list[tuple[Path, Inode | None]] = []
        self.n_operations = 0
        self.dies_at: int | None = None
        self.fails_at: int | None = None
        self.error = errno.EIO
        self.capacity: int | None = None
        self._dead = False

    # --- faults

    def alive(self) -> None:
        if self._dead:
            raise PowerLoss

    def act(self, do) -> None:
        """Do it unless this operation is the one that fails; the one at which power goes has begun."""
        self.alive()
        self.n_operations += 1
        if self.n_operations == self.fails_at:
            if self._rng.random() < 0.5:
                do()
            raise OSError(self.error, "simulated")
        do()
        if self.n_operations == self.dies_at:
            self._dead = True
            raise PowerLoss

    def take(self, n: int) -> None:
        if self.capacity is not None and n > 0:
            used = sum(len(inode.data) for inode in self.names_now.values())
            if used + n > self.capacity:
                raise OSError(errno.ENOSPC, "No space left on device")

    def reboot(self) -> None:
        """Power goes, if it had not, and comes back."""
        names = self._durable
        for path, inode in self._pending:
            if self._rng.random() < 0.5:
                _set(names, path, inode)
        for inode in {id(inode): inode for inode in [*self.names_now.values(), *names.values()]}.values():
            inode.lose(self._rng)
        self.names_now, self._durable, self._pending = dict(names), names, []
        self.dies_at = self.fails_at = None
        self._dead = False

    def restart(self) -> None:
        """The process ends and the machine does not: nothing is lost but locks."""
        for inode in self.names_now.values():
            inode.holder = None
        self.dies_at = self.fails_at = None
        self._dead = False

    # --- core.ports.Disk

    def make_directory(self, path: Path) -> None:
        self.alive()

    def names(self, directory: Path) -> list[str]:
        self.alive()
        return sorted(path.name for path in self.names_now if path.parent == directory)

    def open(self, path: Path, *, create: bool = False, write: bool = True) -> SimFile:
        self.alive()
        if path not in self.names_now:
            if not create:
                raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
            self.act(lambda: self._name(path, Inode()))
        return SimFile(self, self.names_now[path])

    def rename(self, old: Path, new: Path) -> None:
        def do() -> None:
            inode = self.names_now[old]
            self._name(new, inode)
            self._name(old, None)

        self.act(do)

    def remove(self, path: Path) -> None:
        if path not in self.names_now:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        self.act(lambda: self._name(path, None))

    def sync(self, directory: Path) -> None:
        self.act(lambda: None)
        rest = []
        for path, inode in self._pending:
            if path.parent == directory:
                _set(self._durable, path, inode)
            else:
                rest.append((path, inode))
        self._pending = rest

    def _name(self, path: Path, inode: Inode | None) -> None:
        _set(self.names_now, path, inode)
        self._pending.append((path, inode))


def _set(names: dict[Path, Inode], path: Path, inode: Inode | None) -> None:
    if inode is None:
        names.pop(path, None)
    else:
        names[path] = inode
