"""Material that its owner makes: lent, for as long as the owner likes, or imported to stay."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import KeySpec
from keystead.core.entities import Key, Terms
from keystead.core.operations.base import Demand, KeyOperation, KeyRef, KeyringOperation
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


# --- imported to stay

WRAPPING_KEY = "import/wrapping-key"
"""The name, at each address, of the key that parcels are wrapped with. It has a slash, so no path leads to it."""


def wrapping_key(namespace: str) -> KeyRef:
    return KeyRef(namespace, name=WRAPPING_KEY)


class Parcel(Struct, frozen=True):
    """Material on its way in: wrapped with the address's key, or (no `wrapping`) a DER SubjectPublicKeyInfo."""

    content: bytes
    wrapping: Wrapping | None = None

    def demands(self, namespace: str) -> tuple[Demand, ...]:
        return (Demand(Action.IMPORT_MATERIAL, wrapping_key(namespace)),) if self.wrapping else ()


class Unfit(Enum):
    """detail of the error for a parcel that has no place in the key."""

    NOT_IMPORTED = "the key was not imported"
    NO_VERSION = "no such version"
    NO_PAIR = "no key pair"
    WHOLE = "the private half is here"
    PUBLIC_AGAIN = "the public half is here"
    OTHER_PAIR = "halves of two pairs"


class Length(Struct, frozen=True):
    """detail of the InvalidArgument for raw material of a length that no key of that kind has."""

    n_bytes: int


class MakeWrappingKey(KeyringOperation[Described], frozen=True, kw_only=True):
    """The key that is called WRAPPING_KEY there: RSA-4096, and nothing can be done with it but to open parcels.

    ReadPublicKey tells its public half. Raises AlreadyExists.
    """

    action = Action.CREATE_KEY
    changes = True


class ImportKey(KeyringOperation[Described], frozen=True, kw_only=True):
    """A new key whose first version is in the parcel. `specs`: of raw material, the one of its length.

    Raises AlreadyExists, DecryptionFailed, Unsupported; InvalidArgument (detail Length, "key_material", "public_key",
    Breach).
    """

    action = Action.CREATE_KEY
    changes = True
    name: str
    specs: tuple[KeySpec, ...]
    parcel: Parcel
    terms: Terms
    rotate_every: int = 0  # seconds

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.keyring), *self.parcel.demands(self.keyring.namespace))


class AgreeOnKey(KeyringOperation[Described], frozen=True, kw_only=True):
    """A new key from the secret that `base` and a peer agree on: HKDF-SHA-256 of it, without salt or info.

    It counts as imported. Raises AlreadyExists, WrongUsage, WrongState, InvalidArgument ("public_key", Breach).
    """

    action = Action.CREATE_KEY
    changes = True
    name: str
    spec: KeySpec  # of raw material
    base: KeyRef
    version: int = 0  # of base; 0: the current one
    peer_public_key: bytes  # DER SubjectPublicKeyInfo
    terms: Terms

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.keyring), Demand(Action.DERIVE_SHARED_SECRET, self.base))


class ImportVersion(KeyOperation[Described], frozen=True, kw_only=True):
    """A new current version of a key that was imported, or the private half of `number`.

    Without a number a private half goes where it belongs, if the current version waits for it. Raises as ImportKey;
    Unsupported, InvalidArgument (detail Unfit), WrongState.
    """

    action = Action.IMPORT_MATERIAL
    changes = True
    parcel: Parcel
    number: int | None = None

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.key), *self.parcel.demands(self.key.namespace))
