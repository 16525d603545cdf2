"""keystead policy get, put."""

from __future__ import annotations

import click

from keystead.cli import places
from keystead.cli.files import Text
from keystead.cli.group import Suggesting
from keystead.cli.here import Output
from keystead.cli.places import PLACE
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.entities import PolicyText

NAME = "default"  # KMS Developer Guide, "Key policies": the one name there is


@click.group(cls=Suggesting)
def policy() -> None:
    """The policy of a key: who may do what with it."""


@policy.command()
@click.argument("key_name", metavar="KEY")
@PLACE
@with_session
def get(out: Output, session: Session, key_name: str, place: str | None) -> None:
    """Print it as it was put."""
    found = session.perform(ops.ReadPolicy(key=places.key(session, key_name, place)))
    out.answer({"dialect": found.dialect, "text": found.text}, found.text)


@policy.command()
@click.argument("key_name", metavar="KEY")
@click.argument("text", metavar="FILE", type=Text())
@PLACE
@with_session
def put(out: Output, session: Session, key_name: str, text: str, place: str | None) -> None:
    """Put the policy in FILE (- for standard input).

    It may lock every principal of the tenant out: whoever may say this can always put another.
    """
    ref = places.key(session, key_name, place)
    wanted = PolicyText(NAME, places.DIALECT, text)
    session.perform(ops.PutPolicy(key=ref, policy=wanted, bypass_lockout_check=True))
    out.answer({"key": ref.id or ref.name, "policy": NAME}, "Put.")
