"""Material that its owner makes, and lends."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import KeySpec
from keystead.core.entities import Key
from keystead.core.operations.base import KeyOperation
from keystead.core.operations.keys import Described
from keystead.core.wrapping import Wrapping


class ImportParameters(Struct, frozen=True):
    key: Key
    ticket: bytes  # says what may be imported, and how it is unwrapped; sealed
    wrapping_key: bytes  # DER SubjectPublicKeyInfo
    expires_at: datetime


class PrepareImport(KeyOperation[ImportParameters], frozen=True, kw_only=True):
    """A fresh key to wrap material with. Raises Unsupported (detail: Origin, or "wrapping")."""

    action = Action.PREPARE_IMPORT
    changes = True  # it writes nothing; making an RSA pair takes up to a second
    wrapping: Wrapping
    wrapping_spec: KeySpec


BAD_TICKET, OLD_TICKET = "not a ticket of this key", "ticket expired"
"""details of the InvalidArgument for a ticket that PrepareImport did not give for this key, or too long ago."""

OTHER_MATERIAL = "other material"
"""detail of the InvalidArgument for material that is not the one asked for."""

NOTHING_WAITS = "no material waits"
"""detail of the WrongState for the rotation of a key that no new material was imported into."""


class Waiting(Struct, frozen=True):
    """detail of the WrongState for new material while other new material waits for its rotation."""

    given: str  # their identifiers
    pending: str


class ImportMaterial(KeyOperation[Described], frozen=True, kw_only=True):
    """Raises Unsupported, InvalidArgument (details above, "key_material", "expires_at"), WrongState, DecryptionFailed.

    Ever after, a version takes only the material that was its first.
    """

    action = Action.IMPORT_MATERIAL
    changes = True
    ticket: bytes
    wrapped: bytes
    expires_at: datetime | None = None
    new: bool | None = None  # material that the key has never had; None: if it has never had any
    description: str | None = None  # None: as it was
    identifier: str | None = None  # which material of the key's it must be


class DeleteMaterial(KeyOperation[Described], frozen=True, kw_only=True):
    """Erase imported material; the key waits for it. Nothing happens where it is gone already."""

    action = Action.DELETE_MATERIAL
    changes = True
    identifier: str | None = None  # None: the current one
