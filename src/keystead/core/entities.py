"""What Keystead keeps: typed, versioned entities, each sealed into one row of the store.

    tenant ─ keyring ─┬─ key ─┬─ key version
                      │       ├─ key policy
                      │       └─ grant
                      ├─ key store <─ key
                      └─ name (door namespace, name) ─> key
    tenant ─ principal ── credential

Rule 1: an id is opaque and never used twice; a name made anew gets a new id, and old grants do not follow it.
Rule 2: `parent` is the listing an entity belongs to, `link` a second index; both are ids, or digests of names.
Rule 3: `revision` grows with every change; a commit names the revisions it rests on.
Rule 4: what belongs to a key (version, policy, name, grant) never changes without the key's own revision changing
        too, so one number tells every cache that something about the key is new.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum, StrEnum
from typing import ClassVar

from msgspec import Struct, field

from keystead.core.algorithms import KEY_SPECS, KeySpec, Purpose
from keystead.core.states import Lifecycle


class Kind(StrEnum):
    """The table of the store a row belongs to."""

    TENANT = "tenant"
    KEYRING = "keyring"
    BINDING = "binding"
    KEY = "key"
    KEY_VERSION = "key-version"
    KEY_POLICY = "key-policy"
    NAME = "name"
    GRANT = "grant"
    PRINCIPAL = "principal"
    CREDENTIAL = "credential"
    LAST_USE = "last-use"
    KEY_STORE = "key-store"


class Entity(Struct, frozen=True, kw_only=True):
    """Base of everything kept. `id` is unique within its kind."""

    kind: ClassVar[Kind]
    id: str
    revision: int = 0  # 0: not stored yet

    @property
    def parent(self) -> str:
        return ""

    @property
    def link(self) -> str:
        return ""


class Tenant(Entity, frozen=True, kw_only=True):
    """One customer: an AWS account. The id is twelve decimal digits, so that every door can print it."""

    kind = Kind.TENANT
    name: str
    created_at: datetime


class Keyring(Entity, frozen=True, kw_only=True):
    """The container every protocol has under another name (AWS: account and region)."""

    kind = Kind.KEYRING
    tenant: str
    name: str
    created_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class Binding(Entity, frozen=True, kw_only=True):
    """A door's address ("aws:111122223333:us-east-1") bound to a keyring; `id` is the address."""

    kind = Kind.BINDING
    keyring: str
    created_at: datetime

    @property
    def parent(self) -> str:
        return self.keyring


class Origin(Enum):
    GENERATED = "generated"
    EXTERNAL = "external"  # imported (BYOK)
    HSM = "hsm"
    EXTERNAL_STORE = "external-store"  # held elsewhere (HYOK)


class Elsewhere(Struct, frozen=True):
    """Where the other half of a key is that is used in two halves: in a key store, under a name of its own."""

    store: str  # id
    name: str


class Rotation(Struct, frozen=True, kw_only=True):
    """A rotation schedule; `next_at` is an appointment the scheduler keeps."""

    period_days: int
    next_at: datetime


class Key(Entity, frozen=True, kw_only=True):
    """A key: metadata, and the lifecycle that gates all its versions.

    AWS "Disabled" is SUSPENDED; "PendingDeletion" is SUSPENDED with `destroy_at` set (docs/adr/0003);
    "PendingImport" is PRE_ACTIVE: material that its owner lends has not come yet, or has gone again.
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
    multi_region: bool = False
    material_ids: tuple[str, ...] = ()  # imported: a keyed digest of each version's material, hex, by number
    lapses_at: datetime | None = None  # the first of its imported material, but for what waits, expires
    elsewhere: Elsewhere | None = None

    @property
    def parent(self) -> str:
        return self.keyring

    @property
    def link(self) -> str:
        return self.elsewhere.store if self.elsewhere else ""

    @property
    def spec(self) -> KeySpec:
        return KEY_SPECS[self.spec_name]


class RotatedBy(Enum):
    CREATION = "creation"
    SCHEDULE = "schedule"
    DEMAND = "demand"


class KeyVersion(Entity, frozen=True, kw_only=True):
    """One generation of keying material; `id` is "<key id>/<number>"."""

    kind = Kind.KEY_VERSION
    key_id: str
    number: int
    lifecycle: Lifecycle
    created_at: datetime
    rotated_by: RotatedBy = RotatedBy.CREATION
    position: int = -1  # leaf of the key tree that wraps it; -1: none yet
    wrapped: bytes = b""  # sealed under its leaf key, AAD = (key id, number); empty once destroyed
    public_key: bytes = b""  # DER SubjectPublicKeyInfo, where there is one
    expires_at: datetime | None = None  # imported material
    rotated_at: datetime | None = None  # imported material: when it became the current one, if not at once
    description: str = ""  # imported material

    @property
    def parent(self) -> str:
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


class PrincipalKind(Enum):
    ROOT = "root"  # the tenant itself
    USER = "user"
    ROLE = "role"
    SERVICE = "service"
    SYSTEM = "system"  # Keystead's own scheduler and operator


class PolicyText(Struct, frozen=True):
    """An identity policy as it was written."""

    name: str
    dialect: str
    text: str


class TrustPolicy(Struct, frozen=True, kw_only=True):
    """Who may take on a role. `principals`: what every name in `text` meant when it was put, as in KeyPolicy."""

    dialect: str
    text: str
    principals: dict[str, str] = field(default_factory=dict)


class Principal(Entity, frozen=True, kw_only=True):
    """One identity; credentials point at it. `name_digest` (of tenant, kind and name) finds it by name.

    A role that has no trust policy is nobody's to take on.
    """

    kind = Kind.PRINCIPAL
    tenant: str
    principal_kind: PrincipalKind
    name: str
    name_digest: str
    created_at: datetime
    enabled: bool = True
    policies: tuple[PolicyText, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    trust: TrustPolicy | None = None  # a role's
    max_session_for: int = 3600  # seconds; a role's

    @property
    def parent(self) -> str:
        return self.tenant

    @property
    def link(self) -> str:
        return self.name_digest


class CredentialKind(Enum):
    ACCESS_KEY = "access-key"  # AWS: id AKIA…, secret
    XKS = "xks"  # AWS KMS towards an external key store: id of [A-Z2-7], secret
    PEER = "peer"  # the uid at the other end of a unix socket; id "uid:<n>"


class Credential(Entity, frozen=True, kw_only=True):
    """What a principal authenticates with; the kind says which verifier reads it."""

    kind = Kind.CREDENTIAL
    principal_id: str
    credential_kind: CredentialKind
    secret: bytes = field(default=b"", name="s")
    enabled: bool = True
    created_at: datetime
    expires_at: datetime | None = None
    at: str = ""  # the one address it is good for; "" where that is not for the credential to say

    @property
    def parent(self) -> str:
        return self.principal_id

    def __repr__(self) -> str:
        return f"Credential({self.id!r})"


class LastUse(Entity, frozen=True, kw_only=True):
    """The newest use of a key that the sequencer has seen; derived from the audit log, rebuildable."""

    kind = Kind.LAST_USE
    operation: str  # wire operation
    at: datetime
    request_id: str
    index: int  # of the record in the audit log
