"""What can be asked of Keystead: one typed operation per verb, each naming the action it needs.

Rule 1: the action belongs to the type, so no call site can authorize one thing and do another.
Rule 2: an operation names its targets by reference; the pipeline finds and authorizes them, and the
        handler gets just those.
Rule 3: the answer is the richest any door can use; a door drops what its protocol cannot carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import Algorithm, KeySpec, Purpose, Word
from keystead.core.algorithms import MessageForm as MessageForm  # noqa: PLC0414 - a word of operations, too
from keystead.core.detached import Detached
from keystead.core.entities import (
    Credential,
    Grant,
    Key,
    Keyring,
    KeyVersion,
    LastUse,
    Name,
    Origin,
    PolicyText,
    Principal,
    PrincipalKind,
    Rotation,
)
from keystead.core.sensitive import Sensitive
from keystead.core.wrapping import Wrapping

R = TypeVar("R")
T = TypeVar("T")

Aad = dict[str, str] | bytes | None
"""What a ciphertext is bound to: an encryption context, bytes, or nothing (core.envelope types and frames it)."""


# --- references: what a caller names, before it is found


class KeyRef(Struct, frozen=True):
    """A key as a caller names it within a door's namespace ("aws:111122223333:us-east-1"): by id, or by name.

    The door's one parse decides which; exactly one of the two is set. `by_ciphertext`: the id was read out of a
    ciphertext, so an absent key must not be told from a forbidden one, and the tenant may be another one.
    """

    namespace: str
    id: str = ""
    name: str = ""
    by_ciphertext: bool = False

    @property
    def reason(self) -> str:
        """As core.errors.said_of has it: the two are answered in different words."""
        return "KeyRef.by_ciphertext" if self.by_ciphertext else "KeyRef"


class KeyringRef(Struct, frozen=True):
    namespace: str


class TenantRef(Struct, frozen=True):
    tenant: str


class PrincipalRef(Struct, frozen=True):
    """A tenant's principal of that kind and name."""

    tenant: str
    kind: PrincipalKind
    name: str


class SystemRef(Struct, frozen=True):
    """The installation itself."""


Ref = KeyRef | KeyringRef | TenantRef | PrincipalRef | SystemRef


class Demand(Struct, frozen=True):
    """An action the caller must be allowed, and on what. `to_be`: the principal that the act is to make there."""

    action: Action
    target: Ref
    to_be: PrincipalRef | None = None


class Operation(Struct, Generic[R], frozen=True, kw_only=True):
    """A request for one act, answered by an R."""

    action: ClassVar[Action]
    changes: ClassVar[bool] = False  # writes to the store, so it never runs on the event loop
    dry_run: bool = False
    grant_tokens: tuple[str, ...] = ()

    def demands(self) -> tuple[Demand, ...]:
        """Every (action, target) the caller must be allowed; ReEncrypt has two."""
        raise NotImplementedError

    def context(self) -> Mapping[str, str] | None:
        """The encryption context a policy condition or a grant constraint may look at."""
        return None


class KeyOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    key: KeyRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.key),)


class KeyringOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    keyring: KeyringRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.keyring),)


class TenantOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    tenant: TenantRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.tenant),)


class PrincipalOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    principal: PrincipalRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.principal),)


class SystemOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, SystemRef()),)


class Page(Struct, Generic[T], frozen=True):
    """One page of a listing; `after` is where the next one starts, None at the end."""

    items: tuple[T, ...]
    after: str | None = None


class Nothing(Struct, frozen=True):
    """Done; there is nothing to tell."""


# --- cipher


class Encrypted(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    ciphertext: bytes


class Decrypted(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    plaintext: Sensitive


class _WithContext(KeyOperation[R], Generic[R], frozen=True, kw_only=True):
    aad: Aad = None

    def context(self) -> Mapping[str, str] | None:
        return self.aad if isinstance(self.aad, dict) else None


class Encrypt(_WithContext[Encrypted], frozen=True, kw_only=True):
    action = Action.ENCRYPT
    plaintext: Sensitive
    algorithm: Word | None = None


WRONG_KEY = "the key of the ciphertext"
"""detail of the InvalidArgument for a ciphertext that another key made."""

NOT_SIGNED, NOT_AUTHENTIC = "signature", "mac"
"""details of the InvalidArgument for a dry run that checks what does not verify; without one, that is an answer."""

NO_PUBLIC_KEY = "public key"
"""detail of the Unsupported for the public part of a key that has none."""


class TooLong(Struct, frozen=True):
    """detail of the InvalidArgument for a plaintext that `algorithm` does not take under a key of `spec`."""

    algorithm: Algorithm
    spec: KeySpec
    limit: int  # bytes


class Decrypt(_WithContext[Decrypted], frozen=True, kw_only=True):
    """`key` is the caller's choice, or what the ciphertext names (KeyRef.by_ciphertext).

    A dry run without a ciphertext asks whether the caller may, and whether the key is fit.
    """

    action = Action.DECRYPT
    ciphertext: bytes
    algorithm: Word | None = None


class EncryptedDetached(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    parts: Detached


class EncryptDetached(KeyOperation[EncryptedDetached], frozen=True, kw_only=True):
    """AES-GCM for a protocol that carries the parts of a ciphertext itself. `aad` is bytes, and part of no record."""

    action = Action.ENCRYPT
    plaintext: Sensitive
    aad: bytes = b""


class DecryptDetached(KeyOperation[Decrypted], frozen=True, kw_only=True):
    """A dry run without parts asks whether the caller may, and whether the key is fit."""

    action = Action.DECRYPT
    parts: Detached | None
    aad: bytes = b""


class ReEncrypted(Struct, frozen=True):
    source: Decrypted
    destination: Encrypted


class ReEncrypt(Operation[ReEncrypted], frozen=True, kw_only=True):
    action = Action.RE_ENCRYPT_FROM
    source: KeyRef
    destination: KeyRef
    ciphertext: bytes
    source_aad: Aad = None
    destination_aad: Aad = None
    source_algorithm: Word | None = None
    destination_algorithm: Word | None = None

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(Action.RE_ENCRYPT_FROM, self.source), Demand(Action.RE_ENCRYPT_TO, self.destination))

    def context(self) -> Mapping[str, str] | None:
        """The source's; the pipeline asks destination_context() for the second demand."""
        return self.source_aad if isinstance(self.source_aad, dict) else None

    def destination_context(self) -> Mapping[str, str] | None:
        return self.destination_aad if isinstance(self.destination_aad, dict) else None


class DataKey(Struct, frozen=True):
    key: Key
    version: int
    plaintext: Sensitive
    ciphertext: bytes


class GenerateDataKey(_WithContext[DataKey], frozen=True, kw_only=True):
    action = Action.GENERATE_DATA_KEY
    n_bytes: int


class GenerateDataKeyBlind(_WithContext[DataKey], frozen=True, kw_only=True):
    """The same for a caller who may not see it: the door must drop `plaintext`."""

    action = Action.GENERATE_DATA_KEY_BLIND
    n_bytes: int


class DataKeyPair(Struct, frozen=True):
    key: Key
    version: int
    pair_spec: KeySpec
    private_key: Sensitive  # DER PKCS#8
    private_key_ciphertext: bytes
    public_key: bytes  # DER SubjectPublicKeyInfo


class GenerateDataKeyPair(_WithContext[DataKeyPair], frozen=True, kw_only=True):
    action = Action.GENERATE_DATA_KEY_PAIR
    changes = True  # it writes nothing; making an RSA pair takes up to a second
    pair_spec: Word


class GenerateDataKeyPairBlind(_WithContext[DataKeyPair], frozen=True, kw_only=True):
    action = Action.GENERATE_DATA_KEY_PAIR_BLIND
    changes = True
    pair_spec: Word


# --- signature, MAC, agreement, encapsulation


class Signed(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    signature: bytes


class Sign(KeyOperation[Signed], frozen=True, kw_only=True):
    action = Action.SIGN
    message: bytes
    form: MessageForm = MessageForm.RAW
    algorithm: Word


class Checked(Struct, frozen=True):
    """Whether a signature or a MAC is right. "It is not" is an answer, not an error."""

    key: Key
    version: int
    algorithm: Algorithm
    valid: bool


class Verify(KeyOperation[Checked], frozen=True, kw_only=True):
    action = Action.VERIFY
    message: bytes
    signature: bytes
    form: MessageForm = MessageForm.RAW
    algorithm: Word


class PublicKey(Struct, frozen=True):
    key: Key
    version: int
    public_key: bytes


class ReadPublicKey(KeyOperation[PublicKey], frozen=True, kw_only=True):
    action = Action.READ_PUBLIC_KEY


class Mac(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    tag: bytes


class GenerateMac(KeyOperation[Mac], frozen=True, kw_only=True):
    action = Action.GENERATE_MAC
    message: bytes
    algorithm: Word


class VerifyMac(KeyOperation[Checked], frozen=True, kw_only=True):
    action = Action.VERIFY_MAC
    message: bytes
    tag: bytes
    algorithm: Word


class SharedSecret(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    secret: Sensitive
    ciphertext: bytes = b""  # encapsulation only


class DeriveSharedSecret(KeyOperation[SharedSecret], frozen=True, kw_only=True):
    action = Action.DERIVE_SHARED_SECRET
    peer_public_key: bytes  # DER SubjectPublicKeyInfo
    algorithm: Word


class Encapsulate(KeyOperation[SharedSecret], frozen=True, kw_only=True):
    action = Action.ENCAPSULATE
    algorithm: Word


class Decapsulate(KeyOperation[SharedSecret], frozen=True, kw_only=True):
    action = Action.DECAPSULATE
    ciphertext: bytes
    algorithm: Word


class GenerateRandom(KeyringOperation[Sensitive], frozen=True, kw_only=True):
    action = Action.GENERATE_RANDOM
    n_bytes: int


# --- a key's life


class Described(Struct, frozen=True):
    """A key with its current version; `version` is None before material is imported and after destruction."""

    key: Key
    version: KeyVersion | None


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

    def demands(self) -> tuple[Demand, ...]:
        """Tags can open a key to others, so to set them takes a right of its own (KMS API Reference, CreateKey)."""
        create = Demand(self.action, self.keyring)
        return (create, Demand(Action.TAG_KEY, self.keyring)) if self.tags else (create,)


class DescribeKey(KeyOperation[Described], frozen=True, kw_only=True):
    action = Action.DESCRIBE_KEY


class ListKeys(KeyringOperation[Page[str]], frozen=True, kw_only=True):
    """Key ids."""

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
    key: Key
    page: Page[KeyVersion]


class ListRotations(KeyOperation[Rotations], frozen=True, kw_only=True):
    action = Action.LIST_ROTATIONS
    everything: bool = False  # the version that the key began with, and the one that waits for its rotation, too
    after: str = ""
    limit: int


# --- material that its owner makes, and lends


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


# --- grants


class Granted(Struct, frozen=True):
    grant: Grant
    token: str


class CreateGrant(KeyOperation[Granted], frozen=True, kw_only=True):
    action = Action.CREATE_GRANT
    changes = True
    grantee: str  # as the dialect writes principals; resolved by the handler's Act
    retiree: str | None = None
    actions: tuple[Action, ...]
    context_equals: Mapping[str, str] | None = None
    context_subset: Mapping[str, str] | None = None
    name: str | None = None


class ListGrants(KeyOperation[Page[Grant]], frozen=True, kw_only=True):
    action = Action.LIST_GRANTS
    grant_id: str | None = None
    grantee: str | None = None
    after: str = ""
    limit: int


class PlacedGrant(Struct, frozen=True):
    """A grant, and the address of its key in the dialect and at the place that were asked about."""

    grant: Grant
    namespace: str


class ListRetirableGrants(TenantOperation[Page[PlacedGrant]], frozen=True, kw_only=True):
    """Grants on any tenant's keys at the place of `namespace`."""

    action = Action.LIST_RETIRABLE_GRANTS
    retiree: str
    namespace: str
    after: str = ""
    limit: int


class RetireGrant(KeyOperation[Nothing], frozen=True, kw_only=True):
    """By the grant's retiring principal, its grantee where the grant lets it, or the key's own tenant."""

    action = Action.RETIRE_GRANT
    changes = True
    grant_id: str


class RevokeGrant(KeyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.REVOKE_GRANT
    changes = True
    grant_id: str


# --- a tenant


class Identity(Struct, frozen=True):
    principal: Principal


class WhoAmI(TenantOperation[Identity], frozen=True, kw_only=True):
    action = Action.WHO_AM_I


class CreatePrincipal(TenantOperation[Principal], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str
    principal_kind: PrincipalKind = PrincipalKind.USER


class DeletePrincipal(TenantOperation[Nothing], frozen=True, kw_only=True):
    """With every credential it has."""

    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str


class SetPrincipalEnabled(TenantOperation[Nothing], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str
    enabled: bool


class ListPrincipals(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_PRINCIPALS
    after: str = ""
    limit: int = 1000


class PutPrincipalPolicy(TenantOperation[Nothing], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str
    policy: PolicyText


class DeletePrincipalPolicy(TenantOperation[Nothing], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str
    policy_name: str


class AccessKey(Struct, frozen=True):
    """Shown once."""

    credential: Credential
    secret: Sensitive
    session_token: Sensitive | None = None


class CreateAccessKey(TenantOperation[AccessKey], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str


class CreateXksCredential(TenantOperation[AccessKey], frozen=True, kw_only=True):
    """What AWS KMS signs with towards one URI prefix of the XKS door. A principal has two at most for each."""

    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str
    namespace: str  # "xks:<tenant>:<URI prefix>", bound to a keyring


class IssueSession(TenantOperation[AccessKey], frozen=True, kw_only=True):
    """A temporary access key with a session token that carries principal and expiry, sealed."""

    action = Action.MANAGE_PRINCIPALS
    name: str
    seconds: int


class SetCredentialEnabled(TenantOperation[Nothing], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    credential_id: str
    enabled: bool


class DeleteCredential(TenantOperation[Nothing], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    credential_id: str


class ListCredentials(TenantOperation[Page[Credential]], frozen=True, kw_only=True):
    """Ids, kinds and dates; secrets are left out."""

    action = Action.LIST_PRINCIPALS
    name: str
    after: str = ""
    limit: int = 1000


# --- identities, one action each, as AWS IAM has them


class CreateUser(TenantOperation[Principal], frozen=True, kw_only=True):
    """Raises AlreadyExists."""

    action = Action.CREATE_USER
    changes = True
    name: str

    def demands(self) -> tuple[Demand, ...]:
        made = PrincipalRef(self.tenant.tenant, PrincipalKind.USER, self.name)
        return (Demand(self.action, self.tenant, made),)


class ListUsers(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_USERS
    after: str = ""
    limit: int


class ReadUser(PrincipalOperation[Principal], frozen=True, kw_only=True):
    action = Action.READ_USER


class DeleteUser(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Raises WrongState (detail IN_USE) while it has access keys or policies."""

    action = Action.DELETE_USER
    changes = True


IN_USE = "in use"
"""detail of the WrongState for a principal that something must be taken from before it can be deleted."""


class CreateUserAccessKey(PrincipalOperation[AccessKey], frozen=True, kw_only=True):
    action = Action.CREATE_ACCESS_KEY
    changes = True


class ListUserAccessKeys(PrincipalOperation[Page[Credential]], frozen=True, kw_only=True):
    """Without their secrets."""

    action = Action.LIST_ACCESS_KEYS
    after: str = ""
    limit: int


class UpdateUserAccessKey(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.UPDATE_ACCESS_KEY
    changes = True
    credential_id: str
    enabled: bool


class DeleteUserAccessKey(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DELETE_ACCESS_KEY
    changes = True
    credential_id: str


class PutUserPolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.PUT_USER_POLICY
    changes = True
    policy: PolicyText


class ReadUserPolicy(PrincipalOperation[PolicyText], frozen=True, kw_only=True):
    action = Action.READ_USER_POLICY
    policy_name: str


class ListUserPolicies(PrincipalOperation[Page[str]], frozen=True, kw_only=True):
    """Their names, in order."""

    action = Action.LIST_USER_POLICIES
    after: str = ""
    limit: int


class DeleteUserPolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DELETE_USER_POLICY
    changes = True
    policy_name: str


class CreateRole(TenantOperation[Principal], frozen=True, kw_only=True):
    """Raises AlreadyExists; InvalidArgument for a trust policy that is none."""

    action = Action.CREATE_ROLE
    changes = True
    name: str
    trust: PolicyText
    description: str = ""
    max_session_for: int = 3600  # seconds

    def demands(self) -> tuple[Demand, ...]:
        made = PrincipalRef(self.tenant.tenant, PrincipalKind.ROLE, self.name)
        return (Demand(self.action, self.tenant, made),)


class ListRoles(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    action = Action.LIST_ROLES
    after: str = ""
    limit: int


class ReadRole(PrincipalOperation[Principal], frozen=True, kw_only=True):
    action = Action.READ_ROLE


class DeleteRole(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Its sessions end with it. Raises WrongState (detail IN_USE) while it has credentials or policies."""

    action = Action.DELETE_ROLE
    changes = True


class PutTrustPolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.PUT_TRUST_POLICY
    changes = True
    trust: PolicyText


class PutRolePolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.PUT_ROLE_POLICY
    changes = True
    policy: PolicyText


class ReadRolePolicy(PrincipalOperation[PolicyText], frozen=True, kw_only=True):
    action = Action.READ_ROLE_POLICY
    policy_name: str


class ListRolePolicies(PrincipalOperation[Page[str]], frozen=True, kw_only=True):
    action = Action.LIST_ROLE_POLICIES
    after: str = ""
    limit: int


class DeleteRolePolicy(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DELETE_ROLE_POLICY
    changes = True
    policy_name: str


# --- sessions


class AssumeRole(PrincipalOperation[AccessKey], frozen=True, kw_only=True):
    """Open a session of the role `principal`, whose trust policy decides. `seconds`: None for an hour.

    Raises Denied for a role that is not there, too; InvalidArgument (detail "seconds").
    """

    action = Action.ASSUME_ROLE
    session_name: str
    seconds: int | None = None
    external_id: str | None = None


class OpenSession(TenantOperation[AccessKey], frozen=True, kw_only=True):
    """Open a session of the caller's own, who must have come with a credential that lasts. `seconds`: None for half
    a day. Raises Denied, InvalidArgument (detail "seconds").
    """

    action = Action.OPEN_SESSION
    seconds: int | None = None


class LocateAccessKey(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Whether that access key is one of this tenant's. Raises NotFound."""

    action = Action.LOCATE_ACCESS_KEY
    credential_id: str


# --- the installation


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
    """Where a key is, for who has but its id. Raises NotFound."""

    action = Action.MANAGE_KEYRINGS
    key_id: str


class SealUp(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to forget the unseal key. The server does it once this is on record."""

    action = Action.MANAGE_SEAL


class RotateSlot(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to give the slot a new generation, so that no backup made before opens by itself any more."""

    action = Action.MANAGE_SEAL


class BackUp(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to copy the database."""

    action = Action.BACK_UP


class RestoreBackup(SystemOperation[Nothing], frozen=True, kw_only=True):
    """Leave to put back from an old backup what the database lacks."""

    action = Action.RESTORE


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
