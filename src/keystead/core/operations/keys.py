"""A key's life: made, named, tagged, governed, rotated, destroyed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import KeySpec, Purpose
from keystead.core.entities import Key, KeyVersion, LastUse, Name, Origin, PolicyText, Rotation, Terms
from keystead.core.keystores import Connection
from keystead.core.limits import Limits
from keystead.core.operations.base import (
    Demand,
    KeyOperation,
    KeyRef,
    KeyringOperation,
    KeyStoreRef,
    Nothing,
    Operation,
    Page,
)

NOT_HELD, NEVER_LEAVES = "HSM", "held in an HSM"
"""details of the Unsupported for a key that an HSM cannot hold, and for what would take one out of it."""


class Copy(Struct, frozen=True):
    """One of related keys, and the addresses it answers at."""

    key: Key
    namespaces: tuple[str, ...]


class Described(Struct, frozen=True):
    """A key with its current version; `version` is None before material is imported and after destruction.

    `copies`: the related keys, itself among them, where it was asked for what there is to know.
    """

    key: Key
    version: KeyVersion | None
    copies: tuple[Copy, ...] = ()
    connection: Connection | None = None  # of the key store that it is in, or its other half
    cluster: str = ""  # id of that store's, where it is an HSM
    fate: str = ""  # of a destroyed key: the least that is true of its versions (core.entities.Fate)
    n_outstanding: int = 0  # objects of a destroyed key that are still to be erased in an HSM: until 0, it is not gone


class Placed(Struct, frozen=True):
    """Where a key's other half is: in which store, and under which name there."""

    store: KeyStoreRef
    name: str


class CreateKey(KeyringOperation[Described], frozen=True, kw_only=True):
    action = Action.CREATE_KEY
    changes = True
    spec: KeySpec
    purpose: Purpose
    origin: Origin = Origin.GENERATED
    description: str = ""
    tags: Mapping[str, str] = {}
    policy: PolicyText | None = None  # None: the tenant's root may do everything
    bypass_lockout_check: bool = False
    multi_region: bool = False
    elsewhere: Placed | None = None
    hsm: str | None = None  # the HSM to hold it in; "": none; None: as the operator has settled it (docs/adr/0034)
    name: str = ""  # in the keyring's namespace; raises AlreadyExists
    terms: Terms = Terms()
    rotate_every: int = 0  # seconds; 0: on demand only
    limits: Limits = Limits()
    unasked: bool = False  # it is to be used, and is not there; raises NotFound where the keyring makes none so

    def demands(self) -> tuple[Demand, ...]:
        """Tags can open a key to others, so to set them takes a right of its own (KMS API Reference, CreateKey)."""
        create = Demand(self.action, self.keyring)
        tag = (Demand(Action.TAG_KEY, self.keyring),) if self.tags else ()
        return (create, *tag) if self.elsewhere is None else (create, *tag, Demand(self.action, self.elsewhere.store))


class CreateManagedKey(KeyringOperation[Described], frozen=True, kw_only=True):
    """A key that is a managed key of the tenant's. `managed`: its name, or its UUID."""

    action = Action.CREATE_KEY
    changes = True
    name: str
    managed: str


class DescribeKey(KeyOperation[Described], frozen=True, kw_only=True):
    action = Action.DESCRIBE_KEY


class Attested(Struct, frozen=True):
    """`note`: a key attestation, signed (core.attestation)."""

    note: str


class AttestKey(KeyOperation[Attested], frozen=True, kw_only=True):
    """What can be proved of a version now, by whoever holds it. Raises WrongState, NotFound, Unavailable."""

    action = Action.ATTEST_KEY
    version: int | None = None  # None: the current one


class Certified(Struct, frozen=True):
    """`note`: a destruction certificate, signed (core.certificate)."""

    note: str


class CertifyDestruction(KeyOperation[Certified], frozen=True, kw_only=True):
    """What became of the versions that were destroyed. Raises WrongState where none was."""

    action = Action.CERTIFY_DESTRUCTION
    version: int | None = None  # None: all of them


class ListKeys(KeyringOperation[Page[str]], frozen=True, kw_only=True):
    """What keys are known as (core.family)."""

    action = Action.LIST_KEYS
    after: str = ""
    limit: int


class UpdateKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.UPDATE_KEY
    changes = True
    description: str


class EnableKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.ENABLE_KEY
    changes = True


class DisableKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DISABLE_KEY
    changes = True


class ScheduleDestruction(KeyOperation[Described], frozen=True, kw_only=True):
    action = Action.SCHEDULE_DESTRUCTION
    changes = True
    after_days: int


class CancelDestruction(KeyOperation[Described], frozen=True, kw_only=True):
    action = Action.CANCEL_DESTRUCTION
    changes = True


class DestroyKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Destroy every version of a key whose appointment has come; the scheduler's."""

    action = Action.DESTROY_KEY
    changes = True


class PutOffDestruction(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Move an appointed destruction to a later date, since it has not waited as long as was said; the scheduler's."""

    action = Action.DESTROY_KEY
    changes = True
    until: datetime


class ExpireMaterial(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Destroy the imported material whose time has run out; the key waits for it to be imported again."""

    action = Action.DESTROY_KEY
    changes = True


class LastUsed(Struct, frozen=True):
    """`use` is None for a key that was never used."""

    key: Key
    use: LastUse | None


class ReadLastUse(KeyOperation[LastUsed], frozen=True, kw_only=True):
    action = Action.READ_LAST_USE


class ReadPolicy(KeyOperation[PolicyText], frozen=True, kw_only=True):
    action = Action.READ_POLICY
    name: str = "default"


class PutPolicy(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.PUT_POLICY
    changes = True
    policy: PolicyText
    bypass_lockout_check: bool = False


class ListPolicies(KeyOperation[Page[str]], frozen=True, kw_only=True):
    action = Action.LIST_POLICIES


class CreateName(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Give the key the name `name` in its namespace. Raises AlreadyExists."""

    action = Action.CREATE_NAME
    changes = True
    name: str


class UpdateName(Operation[Nothing], frozen=True, kw_only=True):
    """Point a name at another key; needs the right on the old key and on the new one."""

    action = Action.UPDATE_NAME
    changes = True
    name: KeyRef
    key: KeyRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.name), Demand(self.action, self.key))


class DeleteName(Operation[Nothing], frozen=True, kw_only=True):
    action = Action.DELETE_NAME
    changes = True
    name: KeyRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.name),)


class ListNames(KeyringOperation[Page[Name]], frozen=True, kw_only=True):
    """The keyring's names in this namespace, or those of one key (which is then found, so it must exist)."""

    action = Action.LIST_NAMES
    key: KeyRef | None = None
    after: str = ""
    limit: int

    def demands(self) -> tuple[Demand, ...]:
        ring = Demand(self.action, self.keyring)
        return (ring,) if self.key is None else (ring, Demand(Action.LIST_NAMES, self.key))


class TagKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.TAG_KEY
    changes = True
    tags: Mapping[str, str]


class UntagKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.UNTAG_KEY
    changes = True
    names: tuple[str, ...]


class ListTags(KeyOperation[Page[tuple[str, str]]], frozen=True, kw_only=True):
    action = Action.LIST_TAGS
    after: str = ""
    limit: int


class EnableRotation(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.ENABLE_ROTATION
    changes = True
    period_days: int | None = None  # None: the period it had, or 365


class DisableRotation(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DISABLE_ROTATION
    changes = True


class RotationStatus(Struct, frozen=True):
    key: Key
    rotation: Rotation | None


class ReadRotation(KeyOperation[RotationStatus], frozen=True, kw_only=True):
    action = Action.READ_ROTATION


class RotateKey(KeyOperation[Described], frozen=True, kw_only=True):
    action = Action.ROTATE_KEY
    changes = True
    scheduled: bool = False  # the scheduler's


class Rotations(Struct, frozen=True):
    """`scattered`: what waits for its rotation has not been imported into every related key yet."""

    key: Key
    page: Page[KeyVersion]
    scattered: bool = False


class ListRotations(KeyOperation[Rotations], frozen=True, kw_only=True):
    action = Action.LIST_ROTATIONS
    everything: bool = False  # the version that the key began with, and the one that waits for its rotation, too
    after: str = ""
    limit: int


class KeySettings(Struct, frozen=True):
    """Of a keyring's keys."""

    upserts: bool


class ReadKeySettings(KeyringOperation[KeySettings], frozen=True, kw_only=True):
    action = Action.READ_KEY_SETTINGS


class PutKeySettings(KeyringOperation[KeySettings], frozen=True, kw_only=True):
    action = Action.PUT_KEY_SETTINGS
    changes = True
    settings: KeySettings
