"""The doors. To add one, add its folder and a line here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from keystead.kit import Door

MODULES = {"aws": "aws_kms", "xks": "aws_xks", "vault": "vault"}


class Doors(Mapping[str, Door]):
    """Each is imported when it is asked for: a worker holds the code of no door that it does not serve."""

    def __getitem__(self, name: str) -> Door:
        return cast("Door", import_module(f"keystead.doors.{MODULES[name]}").DOOR)

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)

    def __contains__(self, name: object) -> bool:
        return name in MODULES


DOORS = Doors()
"""The name in `--listen NAME=HOST:PORT` and `keystead env NAME` -> the door."""
