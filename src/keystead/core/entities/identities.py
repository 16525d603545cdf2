"""Principals, and what they may do and come in by."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from msgspec import Struct, field

from keystead.core.entities.base import Entity, Kind


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
