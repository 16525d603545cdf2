"""Second factors of logins: methods, who is enrolled in them, who is asked for them; and the login that waits.

Vault documentation, "Login MFA"; RFC 6238.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.caller import Factor
from keystead.core.entities import MfaEnforcement, MfaMethod
from keystead.core.operations.base import Nothing, TenantOperation
from keystead.core.operations.tokens import MadeToken
from keystead.core.sensitive import Sensitive

# --- methods


class MfaMethodFacts(Struct, frozen=True, kw_only=True):
    """As MfaMethod has them. `name` None: as it was, or none."""

    name: str | None = None
    issuer: str
    digest: str
    digits: int
    period: int
    skew: int
    n_bytes: int
    n_pixels: int
    max_attempts: int


class WriteMfaMethod(TenantOperation[MfaMethod], frozen=True, kw_only=True):
    """`id` "": the one of that name, or a new one. Who is enrolled already keeps what they have.

    Raises NotFound for an id that there is not; InvalidArgument; LimitExceeded (detail "mfa_methods").
    """

    action = Action.WRITE_MFA_METHOD
    changes = True
    id: str = ""
    facts: MfaMethodFacts


class ReadMfaMethod(TenantOperation[MfaMethod], frozen=True, kw_only=True):
    """Of this tenant, or of one above it. Raises NotFound."""

    action = Action.READ_MFA_METHOD
    id: str


class ListMfaMethods(TenantOperation[tuple[MfaMethod, ...]], frozen=True, kw_only=True):
    """Those of the tenants above, too."""

    action = Action.LIST_MFA_METHODS


class DeleteMfaMethod(TenantOperation[Nothing], frozen=True, kw_only=True):
    """With what whoever is enrolled in it has. One that is not there is gone already.

    Raises InvalidArgument for one of another tenant, or that an enforcement names, here or below.
    """

    action = Action.DELETE_MFA_METHOD
    changes = True
    id: str


# --- who is enrolled


class MfaEnrolment(Struct, frozen=True):
    """`secret`: shown once; None: there was one, and it stays. `account`: the id of the entity."""

    method: MfaMethod
    account: str
    secret: Sensitive | None


class GenerateMfaSecret(TenantOperation[MfaEnrolment], frozen=True, kw_only=True):
    """For the entity that the caller's token belongs to. Raises InvalidArgument, Unsupported (Withdrawn)."""

    action = Action.GENERATE_MFA_SECRET
    changes = True
    method: str


class EnrolEntity(TenantOperation[MfaEnrolment], frozen=True, kw_only=True):
    """The same for any entity of the tenant."""

    action = Action.ENROL_ENTITY
    changes = True
    method: str
    entity: str


class DestroyMfaSecret(TenantOperation[Nothing], frozen=True, kw_only=True):
    """What the entity has for the method, if it has anything. Raises InvalidArgument."""

    action = Action.DESTROY_MFA_SECRET
    changes = True
    method: str
    entity: str


# --- who is asked


class WriteMfaEnforcement(TenantOperation[MfaEnforcement], frozen=True, kw_only=True):
    """None: as it was. Raises InvalidArgument; LimitExceeded (detail "mfa_enforcements")."""

    action = Action.WRITE_MFA_ENFORCEMENT
    changes = True
    name: str
    methods: tuple[str, ...] | None = None
    accessors: tuple[str, ...] | None = None
    engines: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    entities: tuple[str, ...] | None = None


class ReadMfaEnforcement(TenantOperation[MfaEnforcement], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_MFA_ENFORCEMENT
    name: str


class ListMfaEnforcements(TenantOperation[tuple[MfaEnforcement, ...]], frozen=True, kw_only=True):
    action = Action.LIST_MFA_ENFORCEMENTS


class DeleteMfaEnforcement(TenantOperation[Nothing], frozen=True, kw_only=True):
    """One that is not there is gone already."""

    action = Action.DELETE_MFA_ENFORCEMENT
    changes = True
    name: str


# --- logging in


class MfaRequired(Struct, frozen=True):
    """In place of a token: by the names of the enforcements, the methods of which each asks for one.

    `request_id`: what the login is ended by, once (ValidateLogin); it is shown once.
    """

    request_id: Sensitive
    any_of: dict[str, tuple[MfaMethod, ...]]


class NotProven(Struct, frozen=True):
    """In place of a token: the second factor does not hold. `words`: for whoever has shown the first."""

    words: str


LoggedIn = MadeToken | MfaRequired | NotProven
"""What a login comes to once the first factor holds."""


class ValidateLogin(TenantOperation[MadeToken | NotProven], frozen=True, kw_only=True):
    """End a login that waits. `factors`: as Caller has them.

    Raises InvalidArgument for one that is not there, or not any more; Denied for one that is over, whatever is shown.
    """

    action = Action.VALIDATE_LOGIN
    changes = True
    request_id: Sensitive
    factors: Mapping[str, Factor]
