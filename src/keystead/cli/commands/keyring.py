"""keystead keyring …"""

from __future__ import annotations

from typing import Any

import click

from keystead.cli import places
from keystead.cli.group import Suggesting
from keystead.cli.here import Output
from keystead.cli.places import TENANT
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.entities import Keyring


@click.group(cls=Suggesting)
def keyring() -> None:
    """Keyrings. A door's address is bound to one, and keys in it answer there."""


def _shape(ring: Keyring, namespaces: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": ring.id,
        "tenant": ring.tenant,
        "name": ring.name,
        "addresses": namespaces,
        "created_at": ring.created_at,
    }


@keyring.command("list")
@with_session
def list_(out: Output, session: Session) -> None:
    """Every keyring, with the addresses bound to it."""
    found = [_shape(one.keyring, one.namespaces) for one in places.keyrings(session)]
    out.rows(("name", "tenant", "addresses", "id"), found, none="No keyrings.")


@keyring.command()
@click.argument("name")
@click.option("--address", "addresses", multiple=True, help="DOOR:TENANT:PLACE, bound to it. Repeatable.")
@TENANT
@with_session
def create(out: Output, session: Session, name: str, addresses: tuple[str, ...], tenant: str | None) -> None:
    """A new keyring. A tenant that is named for the first time begins with it."""
    owner = places.tenant_of(session, tenant)
    made = session.perform(ops.CreateKeyring(tenant=owner, name=name, namespaces=addresses))
    out.answer(_shape(made, addresses), made.id)


@keyring.command()
@click.argument("keyring_id", metavar="KEYRING")
@click.argument("address")
@with_session
def bind(out: Output, session: Session, keyring_id: str, address: str) -> None:
    """Bind ADDRESS (DOOR:TENANT:PLACE) to a keyring, by its id: its keys answer there, too.

    \b
    keystead keyring bind 3f0c… vault:111122223333:transit
    """
    session.perform(ops.BindKeyring(keyring=keyring_id, namespace=address))
    out.answer({"id": keyring_id, "address": address}, f"Keys of {keyring_id} answer at {address}.")
