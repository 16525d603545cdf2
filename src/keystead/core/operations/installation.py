"""The installation itself: its keyrings, its seal, its backups."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Keyring
from keystead.core.operations.base import Nothing, Page, SystemOperation


class CreateKeyring(SystemOperation[Keyring], frozen=True, kw_only=True):
    action = Action.MANAGE_KEYRINGS
    changes = True
    tenant: str
    name: str
    namespaces: tuple[str, ...] = ()


class BindKeyring(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Bind a door's address to a keyring that exists."""

    action = Action.MANAGE_KEYRINGS
    changes = True
    keyring: str
    namespace: str


class BoundKeyring(Struct, frozen=True):
    keyring: Keyring
    namespaces: tuple[str, ...]  # the addresses bound to it


class ListKeyrings(SystemOperation[Page[BoundKeyring]], frozen=True, kw_only=True):
    action = Action.MANAGE_KEYRINGS
    after: str = ""
    limit: int = 1000


class Located(Struct, frozen=True):
    """The addresses a key answers at."""

    namespaces: tuple[str, ...]


class LocateKey(SystemOperation[Located], frozen=True, kw_only=True):
    """Where a key is, or where related keys are, for who has but the id. Raises NotFound."""

    action = Action.MANAGE_KEYRINGS
    key_id: str


class SealUp(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to forget the unseal key. The server does it once this is on record."""

    action = Action.MANAGE_SEAL


class AddSeal(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to have a seal of that kind beside the one there is. `plan`: what is said of it, as JSON.

    `known_to`: who has then seen what opens it, for whoever approves.
    """

    action = Action.MANAGE_SEAL
    seal: str
    plan: str = ""
    known_to: str = ""


class RemoveSeal(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to have the seal of that kind open nothing any more."""

    action = Action.MANAGE_SEAL
    seal: str


class MigrateSeal(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to put a seal of one kind in the place of one of another, or the same. `plan`, `known_to`: as AddSeal."""

    action = Action.MANAGE_SEAL
    seal: str
    replaced: str
    plan: str = ""
    known_to: str = ""


class RecordShareProof(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to put on record that a share of the seal was there."""

    action = Action.MANAGE_SEAL


class RotateSlot(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to give the slot a new generation, so that no backup made before opens by itself any more."""

    action = Action.MANAGE_SLOTS


class AddSlot(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to keep the root of the key tree in one slot more."""

    action = Action.MANAGE_SLOTS
    slot: str = ""  # its name


class RemoveSlot(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to keep it in one slot less, and to have that slot erase what it holds."""

    action = Action.MANAGE_SLOTS
    slot: str = ""  # its name
    lost: bool = False


class SetSlotMode(SystemOperation[Nothing], frozen=True, kw_only=True):
    """What a destruction does from now on beside deleting (core.entities.Mode); a rotation of the slots has to follow.

    `recovery_keys`: public halves, in mode "window" and in no other; they take the place of those of today.
    Raises InvalidArgument.
    """

    action = Action.MANAGE_SLOTS
    changes = True
    mode: str
    recovery_keys: tuple[bytes, ...] = ()


class ReportErased(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Somebody's word that what they kept is erased: "recovery:ID", "lost:SLOT:GENERATION", or a slot that was removed.

    It holds for roots that had been replaced by then. Raises NotFound where nothing of that name is waited for,
    Conflict where it is in use.
    """

    action = Action.MANAGE_SLOTS
    changes = True
    name: str


class NoteCeremony(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Put on record that a ceremony is held here: the key that signs its transcript, and the hash of its last line.

    Raises InvalidArgument (detail "key", "head").
    """

    action = Action.NOTE_CEREMONY
    key: str  # verifier key (core.audit.transcript)
    head: str  # SHA-256, hex


class BackUp(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to copy the database."""

    action = Action.BACK_UP
    path: str = ""


class RestoreBackup(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to put back from an old backup what the database lacks; `as_it_was`: though it was narrowed since."""

    action = Action.RESTORE
    path: str = ""
    as_it_was: bool = False


class ProveDestroyed(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to try every key of an old backup with everything there is today."""

    action = Action.PROVE


class Status(Struct, frozen=True):
    at: datetime
    epoch: int  # destructions so far
    n_keys: int
    n_commits: int  # changes so far; grows by one with each


class ReadStatus(SystemOperation[Status], frozen=True, kw_only=True):
    action = Action.READ_STATUS


class EraseObject(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Erase in its HSM an object that no key needs: of a version that was destroyed, or that never came to be.

    Raises NotFound where no erasure and no note is of that name; Unavailable while the HSM cannot be asked.
    """

    action = Action.ERASE_OBJECT
    changes = True
    name: str


class TraceKeys(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Keep beside these keys and secrets where what their versions hold is (docs/adr/0048); ids, MOST_TRACED at most.

    Of installations from before that was kept. Versions that are damaged stay without. Raises LimitExceeded.
    """

    action = Action.TRACE_KEYS
    changes = True
    keys: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class GaveUp(Struct, frozen=True):
    """`n_erased`: there after all, and erased now. `more`: are left, for another call."""

    n_given_up: int
    n_erased: int
    more: bool


class GiveUpObjects(SystemOperation[GaveUp], frozen=True, kw_only=True):
    """Try no more to erase what is to be erased in that HSM, whose token will not come back.

    Each object is tried once more; what is in the token that is there is erased. The others are not, which is kept:
    what they were of is not irrecoverable, unless they are taken up again (TakeUpObjects). At most MOST_GIVEN_UP in one
    call. An HSM that hangs is first taken out of the configuration. Raises NotFound where nothing is to be erased.
    """

    action = Action.GIVE_UP_OBJECTS
    changes = True
    hsm: str


class TookUp(Struct, frozen=True):
    """`more`: are left, for another call."""

    n_taken_up: int
    more: bool


class TakeUpObjects(SystemOperation[TookUp], frozen=True, kw_only=True):
    """What was given up in that HSM is to be erased again: its token has come back.

    It is done as if it had never been given up: the next minutes erase it, or it is outstanding. At most MOST_GIVEN_UP
    in one call. Raises NotFound where nothing was given up there.
    """

    action = Action.TAKE_UP_OBJECTS
    changes = True
    hsm: str
