"""What a grant of OpenID Connect rests on: a client at an issuer, with whom it is about, and scopes.

OpenID Connect Core 1.0 §3.1.2. Words: OpenBao, identity/store_oidc_provider.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from keystead.core import operations as ops
from keystead.core.entities import (
    Entity,
    OidcAssignment,
    OidcClient,
    OidcIssuer,
    OidcScope,
    Token,
)
from keystead.core.errors import InvalidArgument
from keystead.core.operations import OidcRefusal
from keystead.service.belonging import NOBODYS, Belonging
from keystead.service.handlers.oidcclients import is_assigned
from keystead.service.handlers.oidcscopes import OPENID, told
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act

MAX_SCOPE = 8192  # characters


class Refused(Exception):
    """What becomes an OidcRefusal."""

    def __init__(self, code: str, words: str, *, without_state: bool = False) -> None:
        super().__init__(code)
        self.answer = OidcRefusal(code, words, without_state)


class Standing(Struct, frozen=True):
    """A client at an issuer, with whom it is about."""

    client: OidcClient
    issuer: OidcIssuer
    whose: Belonging
    assignments: tuple[OidcAssignment, ...]
    bearer: Token | None = None  # of a code: what it was asked for by

    @property
    def who(self) -> str:
        """The id of the entity; it is there."""
        return "" if self.whose.entity is None else self.whose.entity.id

    @property
    def seen(self) -> tuple[Entity, ...]:
        stored = (one for one in self.assignments if one.revision)
        bearer = () if self.bearer is None else (self.bearer,)
        return (self.client, self.issuer, *stored, *self.whose.rests_on, *bearer)


def standing_of(tenant: HeldTenant, client: OidcClient, issuer: OidcIssuer, entity: str, code: str) -> Standing:
    """An entity of another tenant is nobody here. `code`: what is refused for somebody who may not."""
    whose = tenant.belonging(entity, tenant.id) if entity else NOBODYS
    if whose.entity is None or whose.entity.tenant != tenant.id:
        raise Refused(code, "identity entity associated with the request not found")
    found = (tenant.oidc_assignment(name) for name in client.assignments)
    assignments = tuple(one for one in found if one is not None)
    if not is_assigned(whose, assignments):
        raise Refused(code, "identity entity not authorized by client assignment")
    return Standing(client, issuer, whose, assignments)


def scopes_asked(scope: str, issuer: OidcIssuer) -> tuple[str, ...]:
    """Those that the issuer has; what it does not understand is passed over (OpenID Connect Core 1.0 §3.1.2.1)."""
    asked = set(scope.split(" ")) if len(scope) <= MAX_SCOPE else set()
    if OPENID not in asked:
        raise Refused("invalid_request", f'scope parameter must contain the "{OPENID}" value')
    return tuple(sorted(asked.intersection(issuer.scopes) - {OPENID}))


def scopes_of(tenant: HeldTenant, names: Iterable[str]) -> tuple[OidcScope, ...]:
    found = (tenant.oidc_scope(name) for name in names)
    return tuple(one for one in found if one is not None)


def told_of(scopes: tuple[OidcScope, ...], whose: Belonging, act: Act) -> dict[str, Any]:
    try:
        said = told(scopes, whose, act.now)
    except InvalidArgument as error:
        raise Refused("server_error", str(error)) from None
    if isinstance(said, ops.OidcClash):
        raise Refused(
            "invalid_request",
            f'found scopes with conflicting top-level claim: claim "{said.claim}" in scopes "{said.scope}", '
            f'"{said.other}"',
        )
    return said


def issuer_of(op: ops.OfOidcIssuer[Any], tenant: HeldTenant) -> OidcIssuer:
    if (issuer := tenant.oidc_issuer(op.name)) is None:
        raise Refused("invalid_request", "provider not found")
    return issuer
