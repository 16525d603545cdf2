"""Sessions: credentials that end by themselves."""

from __future__ import annotations

from keystead.core.actions import Action
from keystead.core.operations.base import Nothing, PrincipalOperation, TenantOperation
from keystead.core.operations.principals import AccessKey


class AssumeRole(PrincipalOperation[AccessKey], frozen=True, kw_only=True):
    """Open a session of the role `principal`, whose trust policy decides. `seconds`: None for an hour.

    Raises Denied for a role that is not there, too; InvalidArgument (detail "seconds").
    """

    action = Action.ASSUME_ROLE
    session_name: str
    seconds: int | None = None
    external_id: str | None = None


class AssumeRoleWithWebIdentity(PrincipalOperation[AccessKey], frozen=True, kw_only=True):
    """The same by a web identity (core.federation.WebIdentity), and by nobody else."""

    action = Action.ASSUME_ROLE_WITH_WEB_IDENTITY
    session_name: str
    seconds: int | None = None


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
