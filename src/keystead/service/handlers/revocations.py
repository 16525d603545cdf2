"""Lists of revoked certificates. Whatever changes one changes the settings of its mount with it.

A login rests on those settings, and a renewal too, so neither is committed over a list that it has not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import CertBounds, CertSettings, Entity, LoginSettings, Mount, RevocationList, Revoked
from keystead.core.errors import Conflict, InvalidArgument, LimitExceeded, NotFound
from keystead.core.operations import Nothing
from keystead.crypto.crls import is_vouched, revoked
from keystead.service.handlers.logins import mount_of
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_LISTS, MAX_URL, MAX_NAME = 16, 1024, 256
_URL = re.compile(r"https?://[!-~]+")
PLAIN = "http://"
N_ROLES = 1000  # whose authorities may have signed a list


def _list(op: ops.RevocationOperation[Any], tenant: HeldTenant) -> RevocationList:
    if (found := tenant.revocation_list(mount_of(op, tenant), op.name)) is None:
        raise NotFound("no such list", "name")
    return found


def _touched(tenant: HeldTenant, mount: Mount) -> tuple[Entity, ...]:
    """What logins at the mount rest on, to be put: its settings; with the first of them the mount, too."""
    settings = tenant.login_settings(mount)
    return (settings,) if settings is not None else (LoginSettings(id=mount.uuid, settings=CertSettings()), mount)


def _read(body: bytes) -> Revoked:
    """Raises InvalidArgument."""
    try:
        return revoked(body)
    except ValueError as error:
        raise InvalidArgument(f"failed to parse CRL: {error}", "crl") from None


def write_revocation_list(op: ops.WriteRevocationList, targets: tuple[HeldTenant], act: Act) -> Outcome[RevocationList]:
    (tenant,) = targets
    mount = mount_of(op, tenant)
    if not op.name or len(op.name) > MAX_NAME:
        raise InvalidArgument('"name" parameter cannot be empty, or so long', "name")
    if not op.text and (len(op.url) > MAX_URL or not _URL.fullmatch(op.url)):
        raise InvalidArgument("invalid CRL url: it has to be an http:// or https:// URL", "url")
    before = tenant.revocation_list(mount, op.name)
    if before is None and len(tenant.revocation_lists(mount.uuid)) >= MAX_LISTS:
        raise LimitExceeded("too many lists of revoked certificates at this mount", "crls")
    made = RevocationList(
        id=tenant.revocation_list_id(mount, op.name),
        revision=0 if before is None else before.revision,
        tenant=mount.tenant,
        mount=mount.uuid,
        name=op.name,
        url="" if op.text else op.url,
        revoked=_read(op.text) if op.text else None,
        fetched_at=act.now if op.text else None,
    )
    return Outcome(answer=made, put=(made, *_touched(tenant, mount)), seen=(mount,), made=made.id)


def read_revocation_list(op: ops.ReadRevocationList, targets: tuple[HeldTenant], _act: Act) -> Outcome[RevocationList]:
    return Outcome(answer=_list(op, targets[0]))


def list_revocation_lists(
    op: ops.ListRevocationLists, targets: tuple[HeldTenant], _act: Act
) -> Outcome[tuple[str, ...]]:
    (tenant,) = targets
    return Outcome(answer=tuple(sorted(one.name for one in tenant.revocation_lists(mount_of(op, tenant).uuid))))


def delete_revocation_list(op: ops.DeleteRevocationList, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    gone = _list(op, tenant)
    return Outcome(answer=Nothing(), put=_touched(tenant, mount_of(op, tenant)), delete=(gone,), made=gone.id)


def refresh_revocation_list(
    op: ops.RefreshRevocationList, targets: tuple[HeldTenant], act: Act
) -> Outcome[RevocationList]:
    (tenant,) = targets
    before = _list(op, tenant)
    if before.url != op.url:
        raise Conflict("the list is to be had elsewhere by now", "url")
    found = _read(op.body)
    if found.next_at is None or found.next_at <= act.now:  # RFC 5280 §5.1.2.5: it is there
        raise InvalidArgument("the list is not of today", "crl")
    mount = mount_of(op, tenant)
    if op.url.startswith(PLAIN) and not is_vouched(op.body, op.url, _authorities(tenant, mount), act.now):
        raise InvalidArgument("came over plain HTTP, and none of the roles' authorities has signed it", "crl")
    if op.url.startswith(PLAIN) and before.revoked is not None and found.is_of_another(before.revoked):
        raise InvalidArgument("the list is of another authority than the one that is held", "crl")
    if before.revoked is not None and found.is_older(before.revoked):
        raise InvalidArgument("the list is older than the one that is held", "crl")
    made = replace(before, revoked=found, fetched_at=act.now)
    return Outcome(answer=made, put=(made, *_touched(tenant, mount)), made=made.id)


def _authorities(tenant: HeldTenant, mount: Mount) -> Iterator[str]:
    """PEM of each role that a certificate would be tried with."""
    every = sorted(tenant.accounts(mount), key=lambda one: one.name)[:N_ROLES]
    return (one.bounds.certificate for one in every if isinstance(one.bounds, CertBounds))


HANDLERS: dict[type, Handler] = {
    ops.WriteRevocationList: write_revocation_list,
    ops.ReadRevocationList: read_revocation_list,
    ops.ListRevocationLists: list_revocation_lists,
    ops.DeleteRevocationList: delete_revocation_list,
    ops.RefreshRevocationList: refresh_revocation_list,
}
