"""keystead token …"""

from __future__ import annotations

from typing import Any

import click

from keystead.cli import secrets
from keystead.cli.durations import seconds
from keystead.cli.group import Suggesting
from keystead.cli.here import Output
from keystead.cli.places import TENANT, tenant_ref
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.entities import Token


@click.group(cls=Suggesting)
def token() -> None:
    """Tokens of Vault's clients: made by whoever runs the installation, listed, revoked."""


@token.command()
@click.option("--policy", "policies", multiple=True, required=True, metavar="NAME", help="What it may do. Repeatable.")
@click.option("--ttl", default="", metavar="TIME", help="How long it lasts, as 24h [default: 32 days; root: for ever].")
@click.option("--period", default="", metavar="TIME", help="It lasts for as long as it is renewed once in TIME.")
@click.option("--display-name", default="", metavar="NAME", help="What the audit log calls it.")
@TENANT
@with_session
def create(
    out: Output,
    session: Session,
    policies: tuple[str, ...],
    ttl: str,
    period: str,
    display_name: str,
    tenant: str | None,
) -> None:
    """A new token, shown once. Its policies are Vault's; `root` may do everything.

    \b
    keystead token create --policy app --ttl 24h
    """
    secrets.may_show(out)
    made = session.issue(
        ops.IssueToken(
            tenant=tenant_ref(session, tenant),
            policies=policies,
            display_name=display_name,
            ttl=seconds(ttl, "ttl"),
            period=seconds(period, "period"),
        )
    )
    secrets.show_once(out, made, [f"VAULT_TOKEN={made.token}", f"accessor {made.accessor}"])


@token.command("list")
@TENANT
@with_session
def list_(out: Output, session: Session, tenant: str | None) -> None:
    """The tokens there are, by their accessors."""
    found = session.perform(ops.ListTokens(tenant=tenant_ref(session, tenant)))
    out.rows(("accessor", "display_name", "policies", "expires_at"), [_shape(one) for one in found], none="No tokens.")


def _shape(one: Token) -> dict[str, Any]:
    return {
        "accessor": one.accessor,
        "display_name": one.display_name,
        "policies": list(one.policies),
        "path": one.path,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


@token.command()
@click.argument("accessor")
@TENANT
@with_session
def revoke(out: Output, session: Session, accessor: str, tenant: str | None) -> None:
    """End a token, and all that were made with it, from the answer on."""
    session.perform(ops.RevokeToken(tenant=tenant_ref(session, tenant), accessor=accessor))
    out.answer({"accessor": accessor, "revoked": True}, f"{accessor} is gone, and all that were made with it.")
