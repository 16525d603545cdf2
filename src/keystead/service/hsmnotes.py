"""Notes of objects that may be in an HSM, durable before it is asked for one (service.hsms, rule 1)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from keystead.core.entities import InHsm
from keystead.core.errors import Unavailable
from keystead.core.ports import Disk


class Note(Struct, frozen=True):
    """An object that may be in an HSM, and the version that it is for."""

    in_hsm: InHsm
    version: str  # id
    since: datetime


_NOTE = msgspec.msgpack.Decoder(Note)  # here, and on no two threads at once (service.rows)


class Notes(Protocol):
    """Safe to use from any thread and process."""

    def write(self, note: Note) -> None:
        """Durable on return. Raises Unavailable."""
        ...

    def drop(self, name: str) -> None: ...
    def every(self) -> list[Note]: ...


class MemoryNotes:
    """Notes of an installation that has no files."""

    def __init__(self) -> None:
        self._held: dict[str, Note] = {}

    def write(self, note: Note) -> None:
        self._held[note.in_hsm.name] = note

    def drop(self, name: str) -> None:
        self._held.pop(name, None)

    def every(self) -> list[Note]:
        return list(self._held.values())


class NoteFiles:
    """A file for each note in a directory that is in no backup."""

    def __init__(self, disk: Disk, directory: Path) -> None:
        self._disk, self._directory = disk, directory

    def write(self, note: Note) -> None:
        try:
            self._disk.make_directory(self._directory)
            file = self._disk.open(self._directory / note.in_hsm.name, create=True)
            try:
                file.write(0, [msgspec.msgpack.encode(note)])
                file.sync()
            finally:
                file.close()
            self._disk.sync(self._directory)
        except OSError as error:
            raise Unavailable(f"no note could be made of a new object: {error.strerror}") from None

    def drop(self, name: str) -> None:
        with suppress(OSError):  # it comes again, and is dropped again
            self._disk.remove(self._directory / name)

    def every(self) -> list[Note]:
        """Without those that were never whole: their objects were not asked for yet."""
        found: list[Note] = []
        with suppress(FileNotFoundError):
            for name in self._disk.names(self._directory):
                with suppress(FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
                    file = self._disk.open(self._directory / name, write=False)
                    try:
                        found.append(_NOTE.decode(file.read(0, file.size())))
                    finally:
                        file.close()
        return found
