"""What every entity has, and what the others belong to: tenants, keyrings, their addresses."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from keystead.core.states import KeyState


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
    USAGE = "usage"
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
    IDENTITY_ENTITY = "identity-entity"
    IDENTITY_GROUP = "identity-group"
    IDENTITY_NAME = "identity-name"
    GROUP_TIE = "group-tie"
    ALIAS = "alias"
    OIDC_SETTINGS = "oidc-settings"
    OIDC_KEY = "oidc-key"
    OIDC_ROLE = "oidc-role"
    OIDC_ASSIGNMENT = "oidc-assignment"
    OIDC_SCOPE = "oidc-scope"
    OIDC_CLIENT = "oidc-client"
    OIDC_CLIENT_SECRET = "oidc-client-secret"  # noqa: S105 - a kind, not a secret
    OIDC_ISSUER = "oidc-issuer"
    OIDC_CODE = "oidc-code"
    ACCOUNT = "account"
    OTP_KEY = "otp-key"
    SETTING = "setting"
    SECRET_ID = "secret-id"  # noqa: S105 - a kind, not a secret
    LOGIN_SETTINGS = "login-settings"
    LOGIN_SECRET = "login-secret"  # noqa: S105 - a kind, not a secret
    OIDC_LOGIN = "oidc-login"
    REVOCATION_LIST = "revocation-list"
    MFA_RULES = "mfa-rules"
    MFA_ROLL = "mfa-roll"
    MFA_SECRET = "mfa-secret"  # noqa: S105 - a kind, not a secret
    WAITING_LOGIN = "waiting-login"
    NAMESPACE = "namespace"
    ERASURE = "erasure"
    GIVEN_UP = "given-up"
    SLOT_RULE = "slot-rule"
    ENDED_ROOT = "ended-root"
    SHARE_PROOF = "share-proof"
    APPROVAL_RULES = "approval-rules"
    APPROVAL_REQUEST = "approval-request"


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
    upserts: bool = True  # what is encrypted under a key that is not there makes the key (Vault, transit)
    hsm: str = ""  # where its new keys are held of which nobody says where; "": as the operator has it

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


class Wrapped(Entity, frozen=True, kw_only=True):
    """What holds a value under a leaf of the key tree of its own: `id` is "<owner's id>/<number>".

    `bound_as` and the owner are in the AAD of what is sealed: no value opens as another's, or as another kind's.
    """

    bound_as: ClassVar[str]
    number: int
    position: int = -1  # leaf of the key tree that wraps it; -1: none yet
    wrapped: bytes = b""  # sealed under its leaf key, AAD = (bound_as, owner, number); empty once destroyed
    destroyed_under: int = 0  # epoch of the root that its leaf was last under; 0: it was not, or before this was kept
    destroyed_leaf: bytes = b""  # of the record of that in the audit log (RFC 6962 §2.1)
    lost: bool = False  # its row was damaged or gone when it was destroyed: nobody knows what else stood in it

    @property
    def owner(self) -> str:
        return self.parent

    @property
    def state(self) -> KeyState:
        """Where it stands once it holds nothing any more."""
        return KeyState.DESTROYED
