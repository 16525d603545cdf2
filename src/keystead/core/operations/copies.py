"""A key with its history, out and in again: backups that whoever holds them can read."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import KeySpec, Purpose
from keystead.core.entities import Terms
from keystead.core.operations.base import Demand, KeyOperation, KeyRef, KeyringOperation
from keystead.core.operations.keys import Described
from keystead.core.sensitive import Sensitive


class CopiedVersion(Struct, frozen=True):
    number: int
    created_at: datetime
    material: Sensitive
    is_public: bool = False  # KeyVersion has it


class KeyCopy(Struct, frozen=True, kw_only=True):
    """`sealed_as`: the key id that its ciphertexts name."""

    spec: KeySpec
    purpose: Purpose
    terms: Terms
    current: int
    sealed_as: str
    versions: tuple[CopiedVersion, ...]
    imported: bool = False  # by its owner, and not made here


class CopyKey(KeyOperation[KeyCopy], frozen=True, kw_only=True):
    """Raises WrongState (Breach.NOT_EXPORTABLE, NOT_COPYABLE)."""

    action = Action.EXPORT_KEY


class RestoreKey(KeyringOperation[Described], frozen=True, kw_only=True):
    """A new key that opens what the copied one has sealed. Raises AlreadyExists, InvalidArgument (detail "copy").

    `over`: the key that has the name, which is appointed to be destroyed and gives the name away.
    """

    action = Action.CREATE_KEY
    changes = True
    name: str
    copy: KeyCopy
    over: KeyRef | None = None

    def demands(self) -> tuple[Demand, ...]:
        made = Demand(self.action, self.keyring)
        return (made,) if self.over is None else (made, Demand(Action.SCHEDULE_DESTRUCTION, self.over))
