"""U in a file beside the database, FOR DEVELOPMENT: whoever copies the directory has everything but the slot."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from keystead.core.errors import InvalidArgument, Unauthenticated, Unavailable
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.seals.base import UNSEAL_BYTES, Created

WARNING = "development seal: the unseal key lies in a file, and any process that can read it opens this server"


class FileConfiguration(Struct, frozen=True, tag_field="kind", tag="file", forbid_unknown_fields=True):
    path: str  # relative to the directory of seal.json
    warning: str = WARNING

    def seal(self, directory: Path) -> FileSeal:
        return FileSeal(self, directory)


class FileSeal:
    kind = "file"

    def __init__(self, configuration: FileConfiguration, directory: Path) -> None:
        self._path = directory / configuration.path

    @classmethod
    def create(cls, directory: Path, entropy: Entropy, name: str = "unseal.key") -> Created[FileConfiguration]:
        """Writes the file, mode 0600, durably. Raises InvalidArgument if there is one."""
        key = entropy(UNSEAL_BYTES)
        try:
            fd = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise InvalidArgument(f"{name} exists already", "seal") from error
        with os.fdopen(fd, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(fd)
        above = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(above)
        finally:
            os.close(above)
        return Created(FileConfiguration(name), Sensitive(key))

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Needs nothing offered. Raises InvalidArgument for something offered or a file open to others, Unavailable."""
        if offered:
            raise InvalidArgument("this seal opens with its file alone", "seal")
        try:
            with self._path.open("rb") as file:
                mode, key = os.fstat(file.fileno()).st_mode, file.read(UNSEAL_BYTES + 1)
        except OSError as error:
            raise Unavailable(f"the unseal key cannot be read: {error.strerror}") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidArgument(f"{self._path.name} is open to others: chmod 600", "seal")
        if len(key) != UNSEAL_BYTES:
            raise Unauthenticated("the unseal key has the wrong length")
        return Sensitive(key)
