"""What clients may be told of people: scopes and their templates. OpenBao, identity/store_oidc_provider.go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import OidcScope
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import Nothing, OidcClash
from keystead.service.belonging import Belonging
from keystead.service.handlers.idtokens import decoded
from keystead.service.handlers.oidctemplates import TOO_LONG, checked, claims, names_of
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

OPENID = "openid"
MAX_SCOPES, MAX_DESCRIPTION = 1000, 1024


def write_scope(op: ops.WriteOidcScope, targets: tuple[HeldTenant], act: Act) -> Outcome[OidcScope]:
    (tenant,) = targets
    if op.name == OPENID:
        raise InvalidArgument(f'the "{OPENID}" scope name is reserved', "name")
    before = tenant.oidc_scope(op.name)
    if before is None and len(tenant.oidc_scopes()) >= MAX_SCOPES:
        raise InvalidArgument(f"there are {MAX_SCOPES} scopes at most", "name")
    base = before or OidcScope(
        id=tenant.oidc_id(OidcScope, op.name), tenant=tenant.id, name=op.name, modified_at=act.now
    )
    scope = replace(
        base,
        template=checked(base.template if op.template is None else decoded(op.template), act.now),
        description=base.description if op.description is None else op.description,
        modified_at=act.now,
    )
    if len(scope.description) > MAX_DESCRIPTION:
        raise InvalidArgument(f"a description has at most {MAX_DESCRIPTION} characters", "description")
    return Outcome(answer=scope, put=(scope,), made=op.name)


def read_scope(op: ops.ReadOidcScope, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcScope]:
    if (found := targets[0].oidc_scope(op.name)) is None:
        raise NotFound("no such scope", "name")
    return Outcome(answer=found)


def list_scopes(_op: ops.ListOidcScopes, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[str, ...]]:
    return Outcome(answer=tuple(one.name for one in targets[0].oidc_scopes()))


def delete_scope(op: ops.DeleteOidcScope, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if issuers := [one.name for one in tenant.oidc_issuers() if op.name in one.scopes]:
        raise InvalidArgument(
            f'unable to delete scope "{op.name}" because it is currently referenced by these providers: '
            f"{', '.join(issuers)}",
            "name",
        )
    found = tenant.oidc_scope(op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else (found,), made=op.name)


def clashes(scopes: Iterable[OidcScope], now: datetime) -> Iterator[OidcClash]:
    """Where one tells under a name that another before it tells under, too."""
    known: dict[str, str] = {}
    for scope in scopes:
        for claim in sorted(names_of(scope.template, now)):
            if (other := known.get(claim)) is not None:
                yield OidcClash(claim, scope.name, other)
            known[claim] = scope.name


def told(scopes: Iterable[OidcScope], whose: Belonging, now: datetime) -> dict[str, Any] | OidcClash:
    """What these say of somebody. Of nobody, what speaks of an entity says nothing."""
    found: dict[str, Any] = {}
    of: dict[str, str] = {}
    for scope in scopes:
        try:
            said = claims(scope.template, whose, now)
        except InvalidArgument as error:
            if error.detail == TOO_LONG:
                raise
            continue  # it has no value here, which a template that was checked has of everybody
        for claim, value in said.items():
            if claim in of:
                return OidcClash(claim, scope.name, of[claim])
            found[claim], of[claim] = value, scope.name
    return found


HANDLERS: dict[type, Handler] = {
    ops.WriteOidcScope: write_scope,
    ops.ReadOidcScope: read_scope,
    ops.ListOidcScopes: list_scopes,
    ops.DeleteOidcScope: delete_scope,
}
