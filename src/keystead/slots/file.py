"""core.ports.Slot in files: one for each generation, twice, in two directories (best on two disks).

Rule 1: a secret is written into one inode per directory, and erased there: overwritten in place, synced, unlinked.
        No rename, no temporary file: a copy torn by a crash does not have the digest its name says, and does not count.
Rule 2: `stage` and `retire` return when both directories are durable. Either directory alone is enough to read.
Rule 3: writing also mends what one directory lacks. Reading never does: it may run beside another process's `retire`.
Rule 4: `stage` and `retire` are for one process at a time; the barrier calls them under the store's write lock.

Erasing is a best effort where the medium copies on write (SSD, btrfs, snapshots): hence the splitting (crypto.afsplit),
and hence slots in a TPM or an HSM. The files are marked nodump; leave both directories out of backups.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from keystead.core.errors import Internal, InvalidArgument, Unavailable
from keystead.core.keytree import KEY_BYTES, generation
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.afsplit import STRIPES, merge, split

PREFIX = "generation-"
FILE_BYTES = STRIPES * KEY_BYTES
OTHERS = stat.S_IRWXG | stat.S_IRWXO
GET_FLAGS, SET_FLAGS, NODUMP = 0x80086601, 0x40086602, 0x40  # <linux/fs.h>


def require_apart(first: Path, second: Path) -> None:
    """That what happens to a file of one does not happen to the other's. Raises InvalidArgument.

    One directory by two names: a link, a bind mount, a file system that tells no case.
    """
    one = first.resolve() == second.resolve()
    if one or (first.is_dir() and second.is_dir() and first.samefile(second)):
        raise InvalidArgument("the two copies of a slot need two directories, and these are one", "slots")


class FileSlot:
    """core.ports.Slot. Two existing directories of mode 0700. Raises InvalidArgument where a file is open to others."""

    name, wears, may_hang = "file", False, False

    def __init__(self, first: Path, second: Path, entropy: Entropy) -> None:
        if first.resolve() == second.resolve():
            raise InvalidArgument("the two copies of a slot need two directories", "second")
        self._directories, self._entropy, self._lock = (first, second), entropy, threading.Lock()

    @classmethod
    def create(cls, first: Path, second: Path, entropy: Entropy) -> Self:
        """Makes the directories as well, with mode 0700."""
        for directory in (first, second):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
            _sync_directory(directory.parent)
        require_apart(first, second)
        return cls(first, second, entropy)

    def read(self) -> dict[str, Sensitive]:
        """What either directory holds; {} where there is nothing. Raises Unavailable when no copy can be read."""
        found: dict[str, Sensitive] = {}
        n_files, failed = 0, 0
        for directory in self._directories:
            try:
                names = _names(directory)
                n_files += len(names)
                found |= {name: secret for name in names if (secret := _load(directory, name))}
            except OSError:
                failed += 1
        if not found and (n_files or failed == len(self._directories)):
            raise Unavailable("no copy of the slot can be read")
        return found

    def staged_at(self, name: str) -> float:
        """When a generation came, in seconds since 1970. Raises Unavailable where no copy can be looked at."""
        for directory in self._directories:
            with suppress(OSError):
                return os.stat(directory / f"{PREFIX}{name}", follow_symlinks=False).st_mtime
        raise Unavailable("no copy of the slot can be read")

    def generations(self) -> frozenset[str]:
        return frozenset(self.read())

    def is_short(self) -> bool:
        """A disk that is full says so when it is written to."""
        return False

    def give(self, generation: str, challenge: Sensitive) -> Sensitive | None:  # noqa: ARG002 - it gives the secret itself
        return self.read().get(generation)

    def stage(self, challenge: Sensitive) -> str:  # noqa: ARG002 - its secret rests on nothing else
        return self.hold(Sensitive(self._entropy(KEY_BYTES)))

    def hold(self, secret: Sensitive) -> str:
        """That secret, beside what is there; its generation. Raises Unavailable where not both directories take it."""
        name = generation(secret.reveal())
        with self._lock:
            self._hold({**self.read(), name: secret})
        return name

    def retire(self, keep: str | None, shown: frozenset[str] | None = None) -> None:
        """Raises Internal where `keep` cannot be read, Unavailable where not both directories could be erased.

        A copy that is torn, and so shows nothing, goes where `shown` is None.
        """
        with self._lock:
            if keep is not None:
                if (kept := self.read().get(keep)) is None:
                    raise Internal("the generation to keep is not in the slot")
                self._hold({keep: kept})
            try:
                for directory in self._directories:
                    for name in _names(directory):
                        if name != keep and (shown is None or name in shown):
                            self._erase(directory / f"{PREFIX}{name}")
                    _sync_directory(directory)
            except OSError as error:
                raise Unavailable(f"a copy of the slot could not be erased: {error.strerror}") from error

    def copies(self) -> dict[Path, bool]:
        """Each directory, and whether it holds everything that can be read of the slot; if nothing can, none does."""
        try:
            wanted = self.read()
        except Unavailable:
            wanted = {}
        return {directory: bool(wanted) and _holds(directory, set(wanted)) for directory in self._directories}

    def _hold(self, wanted: dict[str, Sensitive]) -> None:
        """Make both directories hold `wanted`, durably."""
        try:
            for directory in self._directories:
                missing = [name for name in wanted if not _load(directory, name)]
                for name in missing:
                    self._write(directory / f"{PREFIX}{name}", split(wanted[name].reveal(), self._entropy))
                if missing:
                    _sync_directory(directory)
        except OSError as error:
            raise Unavailable(f"the copy in {directory} cannot be written: {error.strerror}") from error

    def _write(self, path: Path, content: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _mark_nodump(fd)
            _write_all(fd, content)
            os.ftruncate(fd, len(content))
            os.fsync(fd)
        finally:
            os.close(fd)

    def _erase(self, path: Path) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _write_all(fd, self._entropy(max(FILE_BYTES, os.fstat(fd).st_size)))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.unlink(path)


def _names(directory: Path) -> list[str]:
    return sorted(name.removeprefix(PREFIX) for name in os.listdir(directory) if name.startswith(PREFIX))


def _load(directory: Path, name: str) -> Sensitive | None:
    """The secret of a generation, or None where this copy is missing, torn or damaged."""
    try:
        fd = os.open(directory / f"{PREFIX}{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if os.fstat(fd).st_mode & OTHERS:
            raise InvalidArgument(f"a slot file in {directory} is open to others: chmod 600", "slot")
        content = os.read(fd, FILE_BYTES + 1)
    finally:
        os.close(fd)
    if len(content) != FILE_BYTES or generation(secret := merge(content)) != name:
        return None
    return Sensitive(secret)


def _holds(directory: Path, wanted: set[str]) -> bool:
    try:
        return all(_load(directory, name) for name in wanted)
    except OSError:
        return False


def _write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _mark_nodump(fd: int) -> None:
    """Ask dump(8) and its like to pass the file by. Not every file system keeps such a mark."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - only there is one

        with suppress(OSError):
            flags = int.from_bytes(fcntl.ioctl(fd, GET_FLAGS, bytes(8)), sys.byteorder)
            fcntl.ioctl(fd, SET_FLAGS, (flags | NODUMP).to_bytes(8, sys.byteorder))
