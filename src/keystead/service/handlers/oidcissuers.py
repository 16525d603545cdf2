"""Issuers that clients come to. Vault calls them providers. OpenBao, identity/store_oidc_provider.go."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import OidcIssuer, OidcScope
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import (
    DEFAULT_ISSUER,
    Nothing,
    PublishedIssuer,
    ShownOidcIssuer,
    WrittenOidcIssuer,
)
from keystead.service.handlers.idtokens import issuer_at, published_keys
from keystead.service.handlers.oidcscopes import OPENID, clashes
from keystead.service.handlers.oidcsettings import check_origin
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_ISSUERS, MAX_ALLOWED, MAX_OF_ONE = 100, 1000, 64  # issuers; clients, and scopes, of one
MAX_NAME = 255  # characters of a name, or an id


def distinct(given: Iterable[str], most: int, what: str, longest: int = MAX_NAME) -> tuple[str, ...]:
    """Without what is empty or there twice, sorted. Raises InvalidArgument."""
    found = sorted({one.strip() for one in given} - {""})
    if len(found) > most:
        raise InvalidArgument(f"there are {most} at most", what)
    if any(len(one) > longest or not one.isprintable() for one in found):
        raise InvalidArgument(f"each has at most {longest} printable characters", what)
    return tuple(found)


def url_of(tenant: HeldTenant, issuer: OidcIssuer) -> str:
    """What it is called in its tokens. Without an origin, by its path alone."""
    return f"{issuer_at(tenant, issuer.origin)}/provider/{issuer.name}"


def write_issuer(op: ops.WriteOidcIssuer, targets: tuple[HeldTenant], act: Act) -> Outcome[WrittenOidcIssuer]:
    (tenant,) = targets
    before = tenant.oidc_issuer(op.name)
    if before is None and len(tenant.oidc_issuers()) >= MAX_ISSUERS:
        raise InvalidArgument(f"there are {MAX_ISSUERS} providers at most", "name")
    base = before or OidcIssuer(
        id=tenant.oidc_id(OidcIssuer, op.name), tenant=tenant.id, name=op.name, modified_at=act.now
    )
    allowed = base.allowed_client_ids if op.allowed_client_ids is None else op.allowed_client_ids
    issuer = replace(
        base,
        origin=base.origin if op.origin is None else op.origin,
        allowed_client_ids=distinct(allowed, MAX_ALLOWED, "allowed_client_ids"),
        scopes=distinct(base.scopes if op.scopes is None else op.scopes, MAX_OF_ONE, "scopes_supported"),
        modified_at=act.now,
    )
    check_origin(issuer.origin)
    scopes = tuple(_scope(tenant, name) for name in issuer.scopes)
    answer = WrittenOidcIssuer(issuer, tuple(clashes(scopes, act.now)))
    return Outcome(answer=answer, put=(issuer, *scopes), made=op.name)  # whoever deletes a scope looks again


def _scope(tenant: HeldTenant, name: str) -> OidcScope:
    """Raises InvalidArgument."""
    if (found := tenant.oidc_scope(name)) is None:
        raise InvalidArgument(f'scope "{name}" does not exist', "scopes_supported")
    return found


def _shown(tenant: HeldTenant, issuer: OidcIssuer) -> ShownOidcIssuer:
    return ShownOidcIssuer(issuer, url_of(tenant, issuer))


def read_issuer(op: ops.ReadOidcIssuer, targets: tuple[HeldTenant], _act: Act) -> Outcome[ShownOidcIssuer]:
    (tenant,) = targets
    return Outcome(answer=_shown(tenant, _there(tenant, op.name)))


def _there(tenant: HeldTenant, name: str) -> OidcIssuer:
    """Raises NotFound."""
    if (found := tenant.oidc_issuer(name)) is None:
        raise NotFound("no such provider", "name")
    return found


def list_issuers(
    op: ops.ListOidcIssuers, targets: tuple[HeldTenant], _act: Act
) -> Outcome[tuple[ShownOidcIssuer, ...]]:
    (tenant,) = targets
    names = sorted({DEFAULT_ISSUER, *(one.name for one in tenant.oidc_issuers())})
    found = (_there(tenant, name) for name in names)
    answer = tuple(_shown(tenant, one) for one in found if not op.client_id or one.takes(op.client_id))
    return Outcome(answer=answer)


def delete_issuer(op: ops.DeleteOidcIssuer, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if op.name == DEFAULT_ISSUER:
        raise InvalidArgument(f'deletion of OIDC provider "{op.name}" not allowed', "name")
    found = tenant.oidc_issuer(op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else (found,), made=op.name)


def publish_issuer(op: ops.PublishOidcIssuer, targets: tuple[HeldTenant], act: Act) -> Outcome[PublishedIssuer]:
    (tenant,) = targets
    issuer = _there(tenant, op.name)
    names = {one.key for one in tenant.oidc_clients() if issuer.takes(one.client_id)} if op.with_keys else set()
    keys = tuple(published_keys(tenant, names, act.now)) if names else ()
    return Outcome(answer=PublishedIssuer(url_of(tenant, issuer), (*issuer.scopes, OPENID), keys))


HANDLERS: dict[type, Handler] = {
    ops.WriteOidcIssuer: write_issuer,
    ops.ReadOidcIssuer: read_issuer,
    ops.ListOidcIssuers: list_issuers,
    ops.DeleteOidcIssuer: delete_issuer,
    ops.PublishOidcIssuer: publish_issuer,
}
