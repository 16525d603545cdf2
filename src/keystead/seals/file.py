"""What opens U in a file beside the database, FOR DEVELOPMENT: whoever copies the directory has all but the slot.

The file holds a key, and seal.json U under it. In installations made before, the file holds U itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.errors import DecryptionFailed, InvalidArgument, Unauthenticated, Unavailable
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.seals.base import UNSEAL_BYTES, Created, Surroundings, cannot_follow

WARNING = "development seal: the unseal key lies in a file, and any process that can read it opens this server"
KEY_FILE = "unseal.key"
AAD = b"keystead/file-seal/v1"


class FilePlan(Struct, frozen=True, tag_field="kind", tag="file", forbid_unknown_fields=True):
    """A file seal that is to be made."""

    def make(self, unseal_key: Sensitive, at: Surroundings) -> FileConfiguration:
        """In a file of its own, which no other seal has."""
        name = f"unseal-{at.entropy(4).hex()}.key"
        return FileSeal.create(at.directory, at.entropy, name, unseal_key).configuration


class FileConfiguration(Struct, frozen=True, tag_field="kind", tag="file", forbid_unknown_fields=True):
    path: str  # relative to the directory of seal.json
    warning: str = WARNING
    wrapped: bytes = b""  # U under what is in the file; empty: that is U

    @property
    def rests_on(self) -> tuple[str, str]:
        """What there is of it elsewhere, which `discard` takes away."""
        return ("file", self.path)

    @property
    def is_older(self) -> bool:
        """Whether it is around one U for ever."""
        return not self.wrapped

    def seal(self, at: Surroundings) -> FileSeal:
        return FileSeal(self, at.directory, at.entropy)


class FileSeal:
    kind = "file"
    opens_itself = True

    def __init__(self, configuration: FileConfiguration, directory: Path, entropy: Entropy) -> None:
        self._configuration, self._entropy = configuration, entropy
        self._path = directory / configuration.path

    @classmethod
    def create(
        cls, directory: Path, entropy: Entropy, name: str = KEY_FILE, unseal_key: Sensitive | None = None
    ) -> Created[FileConfiguration]:
        """Writes the file, mode 0600, durably. Raises InvalidArgument if there is one."""
        key, unseal_key = entropy(UNSEAL_BYTES), unseal_key or Sensitive(entropy(UNSEAL_BYTES))
        _write(directory / name, key)
        wrapped = GcmSiv(key).seal(entropy(NONCE_BYTES), unseal_key.reveal(), AAD)
        return Created(FileConfiguration(name, wrapped=wrapped), unseal_key)

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Needs nothing offered. Raises InvalidArgument for something offered or a file open to others, Unavailable,
        Unauthenticated for another key than that of this seal.
        """
        if offered:
            raise InvalidArgument("this seal opens with its file alone", "seal")
        key = self._key()
        if not self._configuration.wrapped:
            return Sensitive(key)
        try:
            return Sensitive(GcmSiv(key).open(self._configuration.wrapped, AAD))
        except DecryptionFailed as error:
            raise Unauthenticated(f"{self._path.name} is not the key of this seal") from error

    def around(self, unseal_key: Sensitive) -> FileConfiguration:
        """The same file around another U. Raises Conflict for a seal of the older form, and what `open` raises."""
        if not self._configuration.wrapped:
            raise cannot_follow(self.kind)
        wrapped = GcmSiv(self._key()).seal(self._entropy(NONCE_BYTES), unseal_key.reveal(), AAD)
        return replace(self._configuration, wrapped=wrapped)

    def told(self) -> str:
        return f"the key in {self._path.name}, for development"

    def discard(self) -> None:
        """Take the file away: it opens nothing any more."""
        self._path.unlink(missing_ok=True)

    def _key(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                mode, key = os.fstat(file.fileno()).st_mode, file.read(UNSEAL_BYTES + 1)
        except OSError as error:
            raise Unavailable(f"the unseal key cannot be read: {error.strerror}") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidArgument(f"{self._path.name} is open to others: chmod 600", "seal")
        if len(key) != UNSEAL_BYTES:
            raise Unauthenticated("the unseal key has the wrong length")
        return key


def _write(path: Path, key: bytes) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise InvalidArgument(f"{path.name} exists already", "seal") from error
    with os.fdopen(fd, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(fd)
    above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
