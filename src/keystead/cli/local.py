"""A session without a server: the installation, open in this process (app.library)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from msgspec.structs import asdict

from keystead.app import hygiene
from keystead.app.library import Keystead
from keystead.cli import secrets
from keystead.config import Config
from keystead.core.operations import AccessKey, IssueToken, Operation
from keystead.doors.control.codec import ShownOnce, ShownToken, shown_once, shown_token
from keystead.doors.control.lifecycle import SlotStatus

R = TypeVar("R")


class Local:
    """session.Session in this process. Nobody else can have the installation meanwhile."""

    def __init__(self, directory: Path, settings: Config, unseal: Sequence[str]) -> None:
        hygiene.harden()
        self.settings = settings
        self.keystead = Keystead(directory, secrets.required(directory, unseal))

    def perform(self, op: Operation[R]) -> R:
        return self.keystead.perform(op)

    def show(self, op: Operation[AccessKey]) -> ShownOnce:
        return shown_once(self.keystead.perform(op))

    def issue(self, op: IssueToken) -> ShownToken:
        return shown_token(self.keystead.perform(op))

    def back_up(self, path: str) -> str:
        return self.keystead.back_up(Path(path))

    def rotate_slot(self) -> None:
        self.keystead.rotate_slot()

    def slots(self) -> list[SlotStatus]:
        return [SlotStatus(**asdict(look)) for look in self.keystead.slots()]

    def add_slot(self, name: str) -> None:
        self.keystead.add_slot(name)

    def remove_slot(self, name: str, *, lost: bool) -> None:
        self.keystead.remove_slot(name, lost=lost)

    def close(self) -> None:
        self.keystead.close()
