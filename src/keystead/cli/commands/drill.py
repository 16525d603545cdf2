"""keystead custody: custodians prove that their shares still exist, and nothing is unsealed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing

import click

from keystead import config
from keystead.cli.commands.steering import running_server
from keystead.cli.exits import NotProven
from keystead.cli.group import Suggesting
from keystead.cli.here import JSON, Here, Output, shown, table, with_here
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.core.words import count_of


@click.group(cls=Suggesting)
def custody() -> None:
    """Have custodians prove that their shares still exist. Nothing is unsealed."""


@custody.command()
@with_here
def challenge(here: Here) -> None:
    """Make a challenge. Send it to every custodian; it is no secret, and good for 30 days."""
    with closing(running_server(here)) as server:
        found = server.challenge()
    here.out.answer(found, found.challenge)


@custody.command()
@click.argument("challenge")
@click.option("--share", metavar="REF", help="file:PATH, env:NAME or fd:N; asked for at a terminal otherwise.")
@JSON
def prove(challenge: str, share: str | None, *, as_json: bool) -> None:
    """Answer CHALLENGE with a proof, where the share is: it needs no server and no network.

    Send the proof back. It says nothing of the share, which stays here.
    """
    from keystead.seals import drill

    if share is None and not sys.stdin.isatty():
        raise InvalidArgument("there is no terminal to ask at: use --share file:PATH, env:NAME or fd:N", "share")
    text = config.secret(share) if share else Sensitive(click.prompt("Share", hide_input=True, err=True).encode())
    proof = drill.prove(challenge, text)
    Output(as_json=as_json).answer({"proof": proof}, proof)


@custody.command()
@click.argument("proofs", metavar="PROOF...", nargs=-1, required=True)
@with_here
def record(here: Here, proofs: Sequence[str]) -> None:
    """Put proofs on record, each for itself; the first that is not good ends it."""
    with closing(running_server(here)) as server:
        for proof in proofs:
            found = server.record_proof(proof)
    here.out.answer(found, f"Proved: {count_of(found.n_proved, 'share')}, of {found.n_needed} that are to be.")


@custody.command()
@with_here
def status(here: Here) -> None:
    """Say which shares were proved, and when. Exit status 6 where they are too few."""
    with closing(running_server(here)) as server:
        found = server.custody()
    rows = [[str(one.share), shown(one.proved_at), "yes" if one.is_fresh else "no"] for one in found.shares]
    here.out.answer(found, table(["share", "proved", "in_90_days"], rows))
    if found.alarm:
        raise NotProven(found.alarm)
