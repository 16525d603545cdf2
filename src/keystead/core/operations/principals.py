"""A tenant's principals and their credentials, as an administrator has them in hand."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Credential, PolicyText, Principal, PrincipalKind
from keystead.core.operations.base import Nothing, Page, TenantOperation
from keystead.core.sensitive import Sensitive


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
    """With every credential it has, out of every group, with nothing attached."""

    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str


class SetPrincipalEnabled(TenantOperation[Nothing], frozen=True, kw_only=True):
    action = Action.MANAGE_PRINCIPALS
    changes = True
    name: str
    enabled: bool


class ListPrincipals(TenantOperation[Page[Principal]], frozen=True, kw_only=True):
    """Whoever can act: groups are not among them."""

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
