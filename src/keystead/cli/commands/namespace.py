"""keystead namespace …"""

from __future__ import annotations

from typing import Any

import click

from keystead.cli import places
from keystead.cli.group import Suggesting
from keystead.cli.here import Output
from keystead.cli.places import TENANT, tenant_ref
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.entities import path_of_chain
from keystead.core.errors import NotFound
from keystead.core.operations import TenantRef, ToldNamespace


@click.group(cls=Suggesting)
def namespace() -> None:
    """Tenants below a tenant, by path. Each is an account of its own at every door, with the number that is shown."""


def _shape(one: ToldNamespace) -> dict[str, Any]:
    return {
        "path": path_of_chain(one.chain),
        "tenant": one.namespace.id,
        "locked": one.is_locked,
        "ending": one.namespace.ends,
        "created_at": one.namespace.created_at,
    }


@namespace.command("list")
@TENANT
@with_session
def list_(out: Output, session: Session, tenant: str | None) -> None:
    """Every namespace below the tenant, to whatever depth."""
    root = tenant_ref(session, tenant)
    found = [_shape(one) for one in session.perform(ops.ListNamespaces(tenant=root, deep=True))]
    out.rows(("path", "tenant", "locked", "ending"), found, none="No namespaces.")


@namespace.command()
@click.argument("path")
@TENANT
@with_session
def create(out: Output, session: Session, path: str, tenant: str | None) -> None:
    """A namespace at PATH, below one that is there: team, or team/inner."""
    above, name = places.namespace(session, path, tenant)
    made = session.perform(ops.CreateNamespace(tenant=TenantRef(above), name=name))
    out.answer(_shape(made), made.namespace.id)


@namespace.command()
@click.argument("path")
@TENANT
@with_session
def delete(out: Output, session: Session, path: str, tenant: str | None) -> None:
    """Take the namespace at PATH away for good: its keys are destroyed, and no old backup opens them any more."""
    above, name = places.namespace(session, path, tenant)
    at = TenantRef(above)
    session.perform(ops.EndNamespace(tenant=at, name=name))
    after: str | None = ""
    while after is not None:
        try:
            after = session.perform(ops.ClearNamespace(tenant=at, name=name, after=after)).after
        except NotFound:  # the server has done the last of it
            break
    out.answer({"path": path, "deleted": True}, f"{path} is gone, and everything that was in it.")
