"""Sessions: credentials that end by themselves."""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core.actions import Action
from keystead.core.entities import PolicyText
from keystead.core.operations.base import Demand, Nothing, PolicyRef, PrincipalOperation, TenantOperation
from keystead.core.operations.principals import AccessKey

MAX_TOKEN = 4096  # characters of a session token


class Assuming(PrincipalOperation[AccessKey], frozen=True, kw_only=True):
    """Open a session of the role `principal`, whose trust policy decides. `seconds`: None for an hour.

    `policy`, `policies`: what the session may, no more than the role. Raises Denied for a role that is not there,
    too; InvalidArgument (detail "seconds", "Policy", "policies", "tags"); NotFound (detail a PolicyRef); LimitExceeded
    (detail "session").
    """

    session_name: str
    seconds: int | None = None
    policy: PolicyText | None = None
    policies: tuple[PolicyRef, ...] = ()


class AssumeRole(Assuming, frozen=True, kw_only=True):
    action = Action.ASSUME_ROLE
    external_id: str | None = None
    tags: Mapping[str, str] = {}  # of the session, over those of the role

    def demands(self) -> tuple[Demand, ...]:
        tagging = (Demand(Action.TAG_SESSION, self.principal),) if self.tags else ()
        return (Demand(self.action, self.principal), *tagging)


class AssumeRoleWithWebIdentity(Assuming, frozen=True, kw_only=True):
    """By a web identity (core.federation.WebIdentity), and by nobody else."""

    action = Action.ASSUME_ROLE_WITH_WEB_IDENTITY


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
