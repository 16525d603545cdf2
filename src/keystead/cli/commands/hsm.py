"""keystead hsm: the tokens that the configuration names, asked from here, and the PINs of a running server."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from keystead import config
from keystead.app import hygiene
from keystead.cli import secrets
from keystead.cli.commands.steering import answer, running_server
from keystead.cli.group import Suggesting
from keystead.cli.here import Here, Output, members, table, with_here
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.errors import NotFound


@click.group(cls=Suggesting)
def hsm() -> None:
    """HSMs behind PKCS#11, by their names in the configuration."""


@hsm.command("list")
@with_here
def listed(here: Here) -> None:
    """What the configuration says; no HSM is asked."""
    rows = [
        {"name": name, "token": one.token or None, "serial": one.serial or None, "slot": one.slot, "module": one.module}
        for name, one in sorted(config.read(here.directory).hsms.items())
    ]
    here.out.rows(("name", "token", "serial", "slot", "module"), rows, none="No HSMs in keystead.toml.")


@hsm.command()
@click.argument("name")
@with_here
def check(here: Here, name: str) -> None:
    """Log in, and try everything that Keystead asks of an HSM with keys that are thrown away.

    What it lists is what keys in it can do; what it is seen to do wrongly is not used. Nothing stays in it.
    """
    import os

    from keystead.app.hsms import Tokens, pins
    from keystead.providers.pkcs11 import survey

    hygiene.harden()
    settings = config.read(here.directory)
    known = pins({name: found} if (found := settings.hsms.get(name)) else {}, secrets.ask_pin)
    tokens = Tokens(settings.hsms, known)
    try:
        surveyed = survey.of(tokens.token(name), os.urandom)
    finally:
        tokens.close()
    here.out.answer(surveyed, _text(surveyed))


@hsm.command()
@click.argument("name")
@click.option(
    "--pin", "reference", metavar="REF", help="file:PATH, env:NAME or fd:N [default: what keystead.toml says]."
)
@with_here
def login(here: Here, name: str, reference: str | None) -> None:
    """Give the running server another PIN, after one was refused or changed. It is offered once.

    Workers are started anew, one by one; no door is closed. keystead.toml has to say the same for the next start.
    """
    from keystead.app.hsms import PROMPT

    hygiene.harden()
    found = config.read(here.directory).hsms.get(name)
    if found is None:
        raise NotFound(f"the configuration names no HSM {name!r}", "hsm")
    asked = reference or found.pin
    with closing(running_server(here)) as server:
        pin = secrets.ask_pin(name) if asked == PROMPT else config.secret(asked)
        answer(here, server.log_into_hsm(name, pin))


@hsm.command()
@click.argument("name")
@with_here
def cluster(here: Here, name: str) -> None:
    """The id by which AWS's clients find it: CloudHsmClusterId of create-custom-key-store."""
    from keystead.app.hsms import Tokens, pins
    from keystead.providers.clusters import derived

    hygiene.harden()
    settings = config.read(here.directory)
    found = settings.hsms.get(name)
    if found is not None and found.cluster:
        id_ = found.cluster
    else:
        tokens = Tokens(settings.hsms, pins({} if found is None else {name: found}, secrets.ask_pin))
        try:
            id_ = derived(tokens.token(name).info().serial)
        finally:
            tokens.close()
    here.out.answer({"hsm": name, "cluster": id_}, id_)


@hsm.command("give-up")
@click.argument("name")
@with_session
def give_up(out: Output, session: Session, name: str) -> None:
    """Its token will not come back: try no more to erase there what is still to be erased.

    Each object is tried once more. What is not erased stays so: it is on record under your name, `keystead status`
    counts it, and what it was of is destroyed and not irrecoverable. Should the token come back after all, `take-up`
    has it erased. Where the HSM hangs, take it out of
    keystead.toml first.
    """
    n_given_up = n_erased = 0
    more = True
    while more:
        done = session.perform(ops.GiveUpObjects(hsm=name))
        n_given_up, n_erased, more = n_given_up + done.n_given_up, n_erased + done.n_erased, done.more
    told = f"{n_given_up} given up, NOT erased; {n_erased} erased after all."
    out.answer({"hsm": name, "given_up": n_given_up, "erased": n_erased}, told)


@hsm.command("take-up")
@click.argument("name")
@with_session
def take_up(out: Output, session: Session, name: str) -> None:
    """Its token has come back: erase there after all what was given up.

    It is on record under your name. The server erases it within minutes, and tries until it is done; `keystead status`
    counts what is outstanding.
    """
    n_taken_up, more = 0, True
    while more:
        done = session.perform(ops.TakeUpObjects(hsm=name))
        n_taken_up, more = n_taken_up + done.n_taken_up, done.more
    out.answer({"hsm": name, "taken_up": n_taken_up}, f"{n_taken_up} are to be erased again.")


def _text(surveyed: Any) -> str:
    """For people: who it is, and what keys in it can do."""
    rows = [
        [row.key_spec, row.algorithm, row.mechanism or "-", row.mode or "-", "yes" if row.offered else f"no: {row.why}"]
        for row in surveyed.algorithms
    ]
    offered = table(("key_spec", "algorithm", "mechanism", "mode", "offered"), rows)
    return f"{members(surveyed.facts)}\n\n{offered}"
