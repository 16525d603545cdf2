"""Files that people name in a command: read up to a limit, written, and what is wrong with them said in one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from keystead.core.errors import AlreadyExists, InvalidArgument, NotFound, Unavailable

MOST = 16 << 20  # bytes of a file that is read


def read(path: Path, field: str) -> bytes:
    """`field`: what it was given as. Raises NotFound where it cannot be read, InvalidArgument where it is too long."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", field) from error
    if len(data) > MOST:
        raise InvalidArgument(f"{path} is longer than {MOST} bytes", field)
    return data


def read_text(path: Path, field: str) -> str:
    """The same of UTF-8. Raises NotFound, InvalidArgument."""
    return _text(read(path, field), str(path), field)


def _text(data: bytes, where: str, field: str) -> str:
    if len(data) > MOST:
        raise InvalidArgument(f"{where} is longer than {MOST} bytes", field)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidArgument(f"{where} is no text", field) from None


def write(path: Path, data: bytes) -> None:
    """In place of what is there; where that fails, nothing stays of a new one. Raises Unavailable."""
    is_new = not path.exists()
    try:
        path.write_bytes(data)
    except OSError as error:
        if is_new:
            path.unlink(missing_ok=True)
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error


def create(path: Path, data: bytes) -> None:
    """A new file of mode 0600, and no other that was put in its place meanwhile. Raises AlreadyExists, Unavailable."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise AlreadyExists(f"{path} is there already", "output") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error


class Text(click.ParamType[str]):
    """What is in a text file, or `-` for standard input."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            if value == "-":
                return _text(sys.stdin.buffer.read(MOST + 1), "standard input", self.name)
            return read_text(Path(value), self.name)
        except (NotFound, InvalidArgument) as error:
            self.fail(str(error), param, ctx)
