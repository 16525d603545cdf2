"""What Keystead keeps: typed, versioned entities, each sealed into one row of the store.

    tenant ─ keyring ─┬─ key ─┬─ key version
                      │       ├─ key policy
                      │       └─ grant
                      ├─ key store <─ key
                      └─ name (door namespace, name) ─> key
    tenant ─ principal ── credential
    group ── membership ── user
    tenant ─ managed policy ── attachment ── user, role or group
    keyring ─ folder ─┬─ folder …
                      └─ secret ── secret version

Related keys (core.family) are keys of their own; `link` finds them by their family.

Rule 1: an id is opaque and never used twice; a name made anew gets a new id, and old grants do not follow it.
Rule 2: `parent` is the listing an entity belongs to, `link` a second index; both are ids, or digests of names.
Rule 3: `revision` grows with every change; a commit names the revisions it rests on.
Rule 4: what belongs to a key (version, policy, name, grant) never changes without the key's own revision changing
        too, so one number tells every cache that something about the key is new. So with what ties principals to
        others (membership, attachment): it never changes without both its ends.
Rule 5: whoever makes or destroys one of related keys, or changes which is the primary or what they share, puts
        the primary too: so whoever commits on its revision knows all of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import ClassVar

from msgspec import Struct, field

from keystead.core.algorithms import KEY_SPECS, KeySpec, Purpose
from keystead.core.family import family_of, in_header
from keystead.core.states import KeyState, Lifecycle


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
    OIDC_PROVIDER = "oidc-provider"
    MEMBERSHIP = "membership"
    MANAGED_POLICY = "managed-policy"
    ATTACHMENT = "attachment"
    LAST_USE = "last-use"
    KEY_STORE = "key-store"
    MOUNT = "mount"
    ACL_POLICY = "acl-policy"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    SECRET = "secret"  # noqa: S105 - a kind, not a secret
    SECRET_VERSION = "secret-version"  # noqa: S105 - a kind, not a secret
    FOLDER = "folder"
    SECRET_SETTINGS = "secret-settings"  # noqa: S105 - a kind, not a secret
    CUBBY = "cubby"
    TOKEN_ROLE = "token-role"  # noqa: S105 - a kind, not a secret
    WRAPPED = "wrapped"
    ACCOUNT = "account"
    SECRET_ID = "secret-id"  # noqa: S105 - a kind, not a secret


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
        return KEY_SPECS[self.spec_name]


class Wrapped(Entity, frozen=True, kw_only=True):
    """What holds a value under a leaf of the key tree of its own: `id` is "<owner's id>/<number>".

    `bound_as` and the owner are in the AAD of what is sealed: no value opens as another's, or as another kind's.
    """

    bound_as: ClassVar[str]
    number: int
    position: int = -1  # leaf of the key tree that wraps it; -1: none yet
    wrapped: bytes = b""  # sealed under its leaf key, AAD = (bound_as, owner, number); empty once destroyed

    @property
    def owner(self) -> str:
        return self.parent

    @property
    def state(self) -> KeyState:
        """Where it stands once it holds nothing any more."""
        return KeyState.DESTROYED


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

    @property
    def parent(self) -> str:
        return self.key_id

    @property
    def state(self) -> KeyState:
        return self.lifecycle.state


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
    WEB_IDENTITY = "web-identity"  # whom a token speaks of (core.federation); never kept
    TOKEN = "token"  # noqa: S105 - whoever bears it: it stands for nobody else, and is kept nowhere but in its token
    GROUP = "group"  # of users, who have its policies; it has no credential and does nothing itself
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
    path: str = "/"  # where it stands: a part of how it is written, not of what finds it
    created_at: datetime
    enabled: bool = True
    policies: tuple[PolicyText, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    boundary: str = ""  # id of the managed policy that its policies reach no further than
    trust: TrustPolicy | None = None  # a role's
    max_session_for: int = 3600  # seconds; a role's

    @property
    def parent(self) -> str:
        return self.tenant

    @property
    def link(self) -> str:
        return self.name_digest

    @property
    def full_name(self) -> str:
        """With its path, without the slash that every path begins with."""
        return f"{self.path[1:]}{self.name}"

    @property
    def is_group(self) -> bool:
        return self.principal_kind is PrincipalKind.GROUP


class Membership(Entity, frozen=True, kw_only=True):
    """A user is in a group; `id` is "<group id>/<user id>"."""

    kind = Kind.MEMBERSHIP
    group_id: str
    user_id: str

    @property
    def parent(self) -> str:
        return self.group_id

    @property
    def link(self) -> str:
        return self.user_id


class PolicyVersion(Struct, frozen=True, kw_only=True):
    number: int
    dialect: str
    text: str
    created_at: datetime


class ManagedPolicy(Entity, frozen=True, kw_only=True):
    """An identity policy of a tenant's own, whose default version counts for all whom it is attached to."""

    kind = Kind.MANAGED_POLICY
    tenant: str
    name: str
    name_digest: str
    path: str = "/"
    description: str = ""
    created_at: datetime
    versions: tuple[PolicyVersion, ...]  # in the order of their numbers
    n_made: int = 1  # versions so far: no number comes twice
    default: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    n_attached: int = 0
    n_bounded: int = 0  # users and roles whose permissions boundary it is

    @property
    def parent(self) -> str:
        return self.tenant

    @property
    def link(self) -> str:
        return self.name_digest

    def version(self, number: int) -> PolicyVersion | None:
        return next((one for one in self.versions if one.number == number), None)

    @property
    def text(self) -> PolicyText:
        """What it says today."""
        (found,) = (one for one in self.versions if one.number == self.default)
        return PolicyText(self.name, found.dialect, found.text)


class Attachment(Entity, frozen=True, kw_only=True):
    """A managed policy is attached to a principal, or is its permissions boundary."""

    kind = Kind.ATTACHMENT
    policy_id: str
    holder_id: str
    as_boundary: bool = False

    @property
    def parent(self) -> str:
        return self.policy_id

    @property
    def link(self) -> str:
        return self.holder_id

    @classmethod
    def of(cls, policy: ManagedPolicy, holder: Principal, *, as_boundary: bool = False) -> Attachment:
        id_ = f"{policy.id}/{holder.id}{'/boundary' if as_boundary else ''}"
        return cls(id=id_, policy_id=policy.id, holder_id=holder.id, as_boundary=as_boundary)


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


class Mount(Entity, frozen=True, kw_only=True):
    """An engine at a place in a tenant's tree of paths, as Vault has them; `id` is its address.

    "vault:<tenant>:<path>", of an engine that logs in "vault-auth:<tenant>:<path>"; no slash at either end. Where the
    engine keeps keys or secrets, the same address is bound to the keyring that they are in.
    """

    kind = Kind.MOUNT
    tenant: str
    engine: str  # "transit", "kv", "approle" …
    accessor: str
    uuid: str
    keyring: str = ""  # "" of an engine that keeps nothing in one
    description: str = ""
    options: dict[str, str] = field(default_factory=dict)
    default_lease_for: int = 0  # seconds; 0: as the installation has it
    max_lease_for: int = 0
    listing: str = ""  # listing_visibility
    created_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class AclPolicy(Entity, frozen=True, kw_only=True):
    """A named policy of the vault dialect.

    `id` is a digest of tenant and name, against Rule 1: whoever has such a policy has it by name, and so whatever
    it says today, also once it is made anew.
    """

    kind = Kind.ACL_POLICY
    tenant: str
    name: str
    text: str
    modified_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class Token(Entity, frozen=True, kw_only=True):
    """What Vault's clients authenticate with. `id` is a digest of its text, which nobody keeps.

    It is its own principal: what it may do stands in it. `creator` is the token it was made with, and ends with it;
    "" for an orphan.
    """

    kind = Kind.TOKEN
    tenant: str
    accessor: str
    creator: str = ""
    policies: tuple[str, ...]  # names, sorted
    display_name: str = "token"
    meta: dict[str, str] = field(default_factory=dict)
    path: str  # of the request that made it
    role: str = ""
    created_at: datetime
    renewed_at: datetime | None = None
    ttl: int = 0  # seconds, as it was made with; 0: it never ends
    period: int = 0
    explicit_max_ttl: int = 0
    expires_at: datetime | None = None
    max_ttl: int = 0  # seconds, of all renewals together; 0: as the installation has it
    mount: str = ""  # uuid of the mount that it was got at by logging in; it ends with it
    n_uses: int = 0  # left; 0: any number; USED_UP: the request under way is the last
    renewable: bool = False
    bound_cidrs: tuple[str, ...] = ()

    @property
    def parent(self) -> str:
        return self.creator or self.mount or self.tenant

    @property
    def link(self) -> str:
        return self.accessor

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def __repr__(self) -> str:
        return f"Token({self.accessor!r})"


USED_UP = -1


class TokenRole(Entity, frozen=True, kw_only=True):
    """What tokens are made like at auth/token/create/<name>; `id` is a digest of tenant and name."""

    kind = Kind.TOKEN_ROLE
    tenant: str
    name: str
    allowed_policies: tuple[str, ...] = ()
    allowed_policies_glob: tuple[str, ...] = ()
    disallowed_policies: tuple[str, ...] = ()
    disallowed_policies_glob: tuple[str, ...] = ()
    with_default: bool = True
    orphan: bool = False
    renewable: bool = True
    path_suffix: str = ""
    period: int = 0  # seconds
    explicit_max_ttl: int = 0  # seconds
    n_uses: int = 0
    bound_cidrs: tuple[str, ...] = ()

    @property
    def parent(self) -> str:
        return self.tenant

    @property
    def bounds_policies(self) -> bool:
        """Whether it says which policies its tokens may have; otherwise they may have what their maker may give."""
        allowed = self.allowed_policies or self.allowed_policies_glob
        return bool(allowed or self.disallowed_policies or self.disallowed_policies_glob)


class WrappedAnswer(Entity, frozen=True, kw_only=True):
    """An answer that waits for whoever has the token of the same id; it goes with it."""

    kind = Kind.WRAPPED
    answer: bytes = field(default=b"", name="a")  # as it would have been sent

    def __repr__(self) -> str:
        return f"WrappedAnswer({self.id!r})"


class TokenTerms(Struct, frozen=True, kw_only=True):
    """What tokens got by logging in are like. Seconds."""

    policies: tuple[str, ...] = ()
    with_default: bool = True
    ttl: int = 0
    max_ttl: int = 0
    explicit_max_ttl: int = 0
    period: int = 0
    n_uses: int = 0
    bound_cidrs: tuple[str, ...] = ()


class Account(Entity, frozen=True, kw_only=True):
    """Whom an auth mount lets in: a user with a password, or a role with secret ids. `id` is a digest of both names."""

    kind = Kind.ACCOUNT
    mount: str  # its uuid: a mount may be moved
    name: str
    terms: TokenTerms = TokenTerms()
    password: bytes = field(default=b"", name="p")  # salt and Argon2id of it
    n_failed: int = 0  # logins since the last that went well
    locked_until: datetime | None = None
    role_id: str = ""
    role_digest: str = ""  # of mount and role id
    needs_secret_id: bool = True
    secret_id_cidrs: tuple[str, ...] = ()
    secret_id_n_uses: int = 0
    secret_id_ttl: int = 0  # seconds

    @property
    def parent(self) -> str:
        return self.mount

    @property
    def link(self) -> str:
        return self.role_digest

    def __repr__(self) -> str:
        return f"Account({self.name!r})"


class SecretId(Entity, frozen=True, kw_only=True):
    """What a role logs in with. `id` is a digest of the role and the secret, which nobody keeps."""

    kind = Kind.SECRET_ID
    account_id: str
    accessor: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    ttl: int = 0  # seconds
    n_uses: int = 0  # left; 0: any number
    meta: dict[str, str] = field(default_factory=dict)
    cidrs: tuple[str, ...] = ()  # it is good from there
    token_cidrs: tuple[str, ...] = ()  # what is got with it, too

    @property
    def parent(self) -> str:
        return self.account_id

    @property
    def link(self) -> str:
        return self.accessor

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class Secret(Entity, frozen=True, kw_only=True):
    """A value at a path of a keyring, in versions. The path itself is secret, and stands only inside the row.

    `id` is a keyed digest of keyring and path, against Rule 1: a path means one secret at a time, and nothing names a
    secret by its id. `folder` is the id of the folder it is listed in.
    """

    kind = Kind.SECRET
    tenant: str
    keyring: str
    folder: str
    path: str  # without slashes at its ends
    created_at: datetime
    updated_at: datetime
    current: int = 0  # the newest version; 0: none has been written yet
    oldest: int = 0  # versions below this have been dropped; 0: none has
    kept_from: int = 1  # rows of versions below this are gone too
    max_versions: int = 0  # 0: as the keyring's settings say
    cas_required: bool = False
    delete_after: int = 0  # seconds after it is written that a version is deleted; 0: as the settings say
    custom: dict[str, str] = field(default_factory=dict)  # its owner's own metadata

    @property
    def parent(self) -> str:
        return self.folder

    @property
    def link(self) -> str:
        return self.keyring

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Secret({self.id!r})"


class SecretVersion(Wrapped, frozen=True, kw_only=True):
    """One value of a secret; `id` is "<secret id>/<number>".

    Deleted is a date that it is not told from; destroyed is for ever. A date to come is an appointment.
    """

    kind = Kind.SECRET_VERSION
    bound_as = "secret"
    secret_id: str
    created_at: datetime
    deleted_at: datetime | None = None

    @property
    def parent(self) -> str:
        return self.secret_id

    @property
    def is_destroyed(self) -> bool:
        return not self.wrapped

    def is_deleted(self, now: datetime) -> bool:
        return self.deleted_at is not None and self.deleted_at <= now

    def __repr__(self) -> str:
        return f"SecretVersion({self.id!r})"


class Folder(Entity, frozen=True, kw_only=True):
    """What a path's segments but the last lead through; there as long as a secret is below it (docs/adr/0021).

    `id` is a keyed digest of keyring and path; the topmost folder of a keyring is nowhere kept.
    """

    kind = Kind.FOLDER
    keyring: str
    above: str  # id of the folder it is listed in
    path: str

    @property
    def parent(self) -> str:
        return self.above

    @property
    def link(self) -> str:
        return self.keyring

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Folder({self.id!r})"


class SecretSettings(Entity, frozen=True, kw_only=True):
    """What holds for every secret of a keyring; `id` is the keyring's."""

    kind = Kind.SECRET_SETTINGS
    max_versions: int = 0  # 0: ten
    cas_required: bool = False
    delete_after: int = 0  # seconds; below 0: never, whatever a secret says


class Cubby(Entity, frozen=True, kw_only=True):
    """A value at a path that is a token's own; it is deleted with the token, whose id is its parent."""

    kind = Kind.CUBBY
    token_id: str
    tenant: str
    path: str
    value: bytes = field(name="s")

    @property
    def parent(self) -> str:
        return self.token_id

    def __repr__(self) -> str:
        return f"Cubby({self.id!r})"


class LastUse(Entity, frozen=True, kw_only=True):
    """The newest use of a key, or of an access key, that the sequencer has seen; derived from the audit log."""

    kind = Kind.LAST_USE
    operation: str  # wire operation
    at: datetime
    request_id: str
    index: int  # of the record in the audit log
    namespace: str = ""  # the address that it was used at
