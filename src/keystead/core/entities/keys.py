"""Keys, their versions, and what belongs to a key."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from msgspec import Struct, field

from keystead.core.algorithms import SPECS, KeySpec, Purpose
from keystead.core.entities.base import Entity, Kind, Wrapped
from keystead.core.family import family_of, in_header
from keystead.core.limits import NONE, Counts, Limits
from keystead.core.states import KeyState, Lifecycle


class Origin(Enum):
    GENERATED = "generated"
    EXTERNAL = "external"  # imported (BYOK)
    HSM = "hsm"
    EXTERNAL_STORE = "external-store"  # held elsewhere (HYOK)


class Protection(Enum):
    """Where keying material is when it is used (Google: ProtectionLevel; Azure: the "-HSM" key types)."""

    SOFTWARE = "software"
    HSM = "hsm"


class InHsm(Struct, frozen=True):
    """An object in an HSM: the HSM's name in the configuration, and the object's (core.providers.Provider).

    `serial`: of the token that it was made in; "": not told, or from before this was kept.
    """

    hsm: str
    name: str
    serial: str = ""

    def is_same(self, other: InHsm | None) -> bool:
        """Whether they are one object: a name is drawn once."""
        return other is not None and (self.hsm, self.name) == (other.hsm, other.name)


class Elsewhere(Struct, frozen=True):
    """The key store that a key is in. `name`: of its other half there, where it is used in two halves; else ""."""

    store: str  # id
    name: str


class Rotation(Struct, frozen=True, kw_only=True):
    """A rotation schedule; `next_at` is an appointment the scheduler keeps.

    `seconds`: the period where it is no number of days; `period_days` is then the nearest that is not shorter.
    """

    period_days: int
    next_at: datetime
    seconds: int = 0

    @property
    def period(self) -> timedelta:
        return timedelta(seconds=self.seconds) if self.seconds else timedelta(days=self.period_days)


class Terms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key may be used for beside its state, as its owner settled it. They hold at every door."""

    min_process: int = 1  # versions below it process nothing
    min_protect: int = 0  # versions below it protect nothing; 0: as min_process
    min_kept: int = 0  # versions below it have been destroyed
    every_version: bool = False  # protects, and not only the current one (Vault: key_version)
    all_purposes: bool = False  # whatever its spec can be for, not `purpose` alone
    derived: bool = False  # each use names a context, under which a key of its own is derived
    convergent: bool = False  # the same text in the same context has the same ciphertext
    exportable: bool = False  # its material may be had in the clear
    copyable: bool = False  # and all of it with its history, as a backup
    erasable: bool = False  # at once, without an appointment
    imports_only: bool = False  # new versions are imported, and never made here


class Key(Entity, frozen=True, kw_only=True):
    """A key: metadata, and the lifecycle that gates all its versions.

    AWS "Disabled" is SUSPENDED; "PendingDeletion" is SUSPENDED with `destroy_at` set (docs/adr/0003);
    "PendingImport" is PRE_ACTIVE: material that its owner lends has not come yet, or has gone again.
    Of related keys each has everything here; what they share is the same in all of them (docs/adr/0014).
    """

    kind = Kind.KEY
    tenant: str
    keyring: str
    spec_name: str
    purpose: Purpose
    origin: Origin
    lifecycle: Lifecycle
    created_at: datetime
    created_by: str  # principal id
    n_versions: int = 1
    current: int = 1  # the version that protects; an imported one after it waits for a rotation
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    rotation: Rotation | None = None
    n_on_demand: int = 0  # on-demand rotations so far
    is_primary: bool = False  # the one of related keys that is copied, and that the others follow
    material_ids: tuple[str, ...] = ()  # imported: a keyed digest of each version's material, hex, by number
    lapses_at: datetime | None = None  # the first of its imported material, but for what waits, expires
    elsewhere: Elsewhere | None = None
    terms: Terms = Terms()
    sealed_as: str = ""  # the id that its ciphertexts name, where it is another: of the key that it is a copy of
    limits: Limits | None = None  # of its use; what has been used stands in its Usage
    hsm: str = ""  # the HSM that every version of it is held in, for life; "": software
    managed: str = ""  # the managed key that it is: its object in the HSM is another's, and outlives it
    restored_at: datetime | None = None  # when it came back as it was in a backup; it is enabled by nobody since
    leaves: bytes = b""  # which leaf of the key tree each version is under (core.leaves): their rows may be damaged
    objects: dict[int, InHsm] = field(default_factory=dict)  # version -> its object in the HSM, for the same reason

    @property
    def protection(self) -> Protection:
        return Protection.HSM if self.hsm else Protection.SOFTWARE

    @property
    def parent(self) -> str:
        return self.keyring

    @property
    def link(self) -> str:
        """Of its family, or of the key store it is in: no key has both."""
        return family_of(self.id) or (self.elsewhere.store if self.elsewhere else "")

    @property
    def in_header(self) -> str:
        """The key id that its ciphertexts name, as UUID text."""
        return self.sealed_as or in_header(self.id)

    @property
    def multi_region(self) -> bool:
        return family_of(self.id) != ""

    @property
    def leads(self) -> bool:
        """Whether what related keys share is changed here: at the primary, and in a key that has no relatives."""
        return self.is_primary or not self.multi_region

    @property
    def spec(self) -> KeySpec:
        return SPECS[self.spec_name]


class RotatedBy(Enum):
    CREATION = "creation"
    SCHEDULE = "schedule"
    DEMAND = "demand"


class KeyVersion(Wrapped, frozen=True, kw_only=True):
    """One generation of keying material; `id` is "<key id>/<number>"."""

    kind = Kind.KEY_VERSION
    bound_as = "material"
    key_id: str
    lifecycle: Lifecycle
    created_at: datetime
    rotated_by: RotatedBy = RotatedBy.CREATION
    public_key: bytes = b""  # DER SubjectPublicKeyInfo, where there is one
    expires_at: datetime | None = None  # imported material
    rotated_at: datetime | None = None  # imported material: when it became the current one, if not at once
    description: str = ""  # imported material
    certificates: tuple[bytes, ...] = ()  # DER; of this version's public key, and of those who issued the one before
    is_public: bool = False  # the private half has not been imported: the material is the public key
    entropy: str = ""  # what the material was drawn from: "kernel", "kernel+hsm:NAME"; "": imported, or older than this
    in_hsm: InHsm | None = None  # the object that the material is a handle of

    @property
    def parent(self) -> str:
        return self.key_id

    @property
    def state(self) -> KeyState:
        return self.lifecycle.state


class Erasure(Entity, frozen=True, kw_only=True):
    """An object in an HSM that no key needs any more, and that is still to be erased there; `id` is its name."""

    kind = Kind.ERASURE
    hsm: str
    key_id: str
    number: int
    since: datetime
    serial: str = ""  # InHsm.serial

    @property
    def link(self) -> str:
        return self.key_id


class GivenUp(Entity, frozen=True, kw_only=True):
    """An object that was to be erased in an HSM, and is not tried any more, by somebody's word; `id` is its name.

    It is not erased. What it was of stays destroyed, and is not irrecoverable, unless somebody takes it up again.
    """

    kind = Kind.GIVEN_UP
    hsm: str
    key_id: str
    number: int
    serial: str  # InHsm.serial
    since: datetime  # it was to be erased, or was asked for and came to no key
    by: str  # principal id
    at: datetime

    @property
    def link(self) -> str:
        return self.key_id


class KeyPolicy(Entity, frozen=True, kw_only=True):
    """The policy document attached to a key; `id` is the key's id.

    `principals` fixes what every principal name in `text` meant when it was put: name -> principal id.
    """

    kind = Kind.KEY_POLICY
    dialect: str
    text: str
    principals: dict[str, str] = field(default_factory=dict)


class Name(Entity, frozen=True, kw_only=True):
    """A (door namespace, name) pair that means a key; `id` is a digest of the pair (service.barrier.name_id)."""

    kind = Kind.NAME
    keyring: str
    key_id: str
    namespace: str
    name: str
    created_at: datetime
    updated_at: datetime

    @property
    def parent(self) -> str:
        return self.keyring

    @property
    def link(self) -> str:
        return self.key_id


class Grant(Entity, frozen=True, kw_only=True):
    """A right on one key for one principal, within constraints (AWS KMS API Reference, GrantListEntry)."""

    kind = Kind.GRANT
    key_id: str
    keyring: str
    grantee: str  # as the caller named it
    grantee_id: str  # principal id
    retiree: str | None = None
    retiree_id: str | None = None
    actions: tuple[str, ...] = ()  # core Action values
    context_equals: dict[str, str] | None = None
    context_subset: dict[str, str] | None = None
    name: str | None = None
    issued_by: str  # tenant id
    created_at: datetime
    token_digests: tuple[str, ...] = ()  # SHA-256 of each grant token, hex

    @property
    def parent(self) -> str:
        return self.key_id

    @property
    def link(self) -> str:
        return self.retiree_id or ""


class LastUse(Entity, frozen=True, kw_only=True):
    """The newest use of a key, or of an access key, that the sequencer has seen; derived from the audit log."""

    kind = Kind.LAST_USE
    operation: str  # wire operation
    at: datetime
    request_id: str
    index: int  # of the record in the audit log
    namespace: str = ""  # the address that it was used at
    leaf: bytes = b""  # of that record (RFC 6962 §2.1); b"" of one that was seen before this was kept


class Usage(Entity, frozen=True, kw_only=True):
    """How far a limited key may have been used; `id` is the key's, or "<key id>/<what of it is counted>".

    While a server runs, how much of it was really used stands in memory (service.meter); after a clean stop this is it.
    """

    kind = Kind.USAGE
    upto: Counts = NONE

    @property
    def parent(self) -> str:
        return self.id.partition("/")[0]
