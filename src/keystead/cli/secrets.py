"""How secrets come in and go out. In: by reference or by prompt, never in argv. Out: once, to a terminal or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keystead import config
from keystead.cli.exits import NOTHING_OFFERED
from keystead.cli.here import Output, say
from keystead.core.errors import InvalidArgument, Sealed
from keystead.core.sensitive import Sensitive

if TYPE_CHECKING:
    from keystead.seals import Seals

ENOUGH: dict[str, str] = {"passphrase": "Passphrase", "shamir": "Share"}
"""The kind of seal -> what is asked for."""


def offered(references: Sequence[str]) -> list[Sensitive]:
    """What --unseal points at. Raises InvalidArgument."""
    found = []
    for i, reference in enumerate(references, 1):
        try:
            found.append(config.secret(reference))
        except InvalidArgument as error:
            if len(references) == 1:
                raise
            raise InvalidArgument(f"--unseal, {i} of {len(references)}: {error}", "secret") from None
    return found


def ask(kind: str, n: int) -> list[Sensitive]:
    """What a seal of that kind needs, from whoever sits at the terminal; [] where there is no terminal."""
    if not sys.stdin.isatty():
        return []
    word = ENOUGH[kind]
    titles = [word] if n == 1 else [f"{word} {i} of {n}" for i in range(1, n + 1)]
    return [Sensitive(click.prompt(title, hide_input=True, err=True).encode()) for title in titles]


def ask_pin(hsm: str) -> Sensitive:
    """The PIN of an HSM, from whoever sits at the terminal. Raises InvalidArgument where there is none."""
    from keystead.app.hsms import nobody

    if not sys.stdin.isatty():
        return nobody(hsm)
    return Sensitive(click.prompt(f"PIN of the HSM {hsm}", hide_input=True, err=True).encode())


def to_open(directory: Path, references: Sequence[str], *, by_hand: bool = False) -> list[Sensitive]:
    """What opens the seal of an installation: by reference, else by prompt; [] where nothing is needed or nobody asked.

    `by_hand`: what opens by itself has been tried, and did not.

    Raises NotFound, InvalidArgument.
    """
    from keystead.app.installation import read_seal

    seals = read_seal(directory)
    if references or (seals.opens_itself and not by_hand):
        return offered(references)
    return ask_for(seals)


def ask_for(seals: Seals) -> list[Sensitive]:
    """What opens one of them, from whoever sits at the terminal; [] without one, or where nothing is to be asked."""
    from keystead.seals.shamir import ShamirSeal

    for seal in seals.by_hand:
        if found := ask(seal.kind, seal.threshold if isinstance(seal, ShamirSeal) else 1):
            return found
    return []


def required(directory: Path, references: Sequence[str]) -> list[Sensitive]:
    """The same where sealed is no use. Raises Sealed."""
    from keystead.app.installation import read_seal

    found = to_open(directory, references)
    if not found and not read_seal(directory).opens_itself:
        raise Sealed("no server is running, and nothing to open the seal with was given", NOTHING_OFFERED)
    return found


def new_passphrase(reference: str | None) -> Sensitive:
    """By reference, or typed twice. Raises InvalidArgument."""
    if reference is not None:
        return config.secret(reference)
    if not sys.stdin.isatty():
        raise InvalidArgument(
            "there is no terminal to ask at: use --passphrase file:PATH, env:NAME or fd:N", "passphrase"
        )
    typed = click.prompt("New passphrase", hide_input=True, confirmation_prompt="The same again", err=True)
    return Sensitive(typed.encode())


def may_show(out: Output) -> None:
    """Raise InvalidArgument where a secret would go into a pipe or a file by accident."""
    if not out.as_json and not sys.stdout.isatty():
        raise InvalidArgument("this shows secrets, once, and only on a terminal or with --json", "json")


def show_once(out: Output, data: Any, lines: Sequence[str]) -> None:
    """What nothing shows again: `data` in JSON, `lines` to people. `may_show` was asked before it was made."""
    out.answer(data, "\n".join(lines))
    if not out.as_json:
        say("Keep it now: nothing shows it again.")
