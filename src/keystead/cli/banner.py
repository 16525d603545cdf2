"""What a server says when it is ready."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from keystead.app.layout import Running
from keystead.cli.environment import endpoint
from keystead.cli.here import data_flag
from keystead.version import VERSION

Lines = Sequence[tuple[str, str]]


def banner(title: str, facts: Lines, steps: Lines) -> None:
    """Facts first, then what to paste: a line of words before each command. Colour on a terminal only."""
    width = max(len(name) for name, _ in facts)
    lines = ["", f"  {click.style('◆', fg='cyan')} {click.style(title, bold=True)}", ""]
    lines += [f"    {click.style(name.ljust(width), dim=True)}  {value}" for name, value in facts]
    for words, command in steps:
        lines += ["", f"    {click.style(words, dim=True)}", f"      {click.style(command, fg='cyan')}"]
    click.echo("\n".join([*lines, ""]))
    sys.stdout.flush()


def served(running: Running, directory: Path) -> Lines:
    doors = [(door, endpoint(running, door)) for door in running.listen]
    return [*doors, ("data", str(directory)), ("workers", str(running.workers))]


def keystead() -> str:
    """This command, as it can be pasted here: by its name only where that finds it."""
    ours, found = Path(sys.argv[0]), shutil.which("keystead")
    if not ours.is_file() or (found is not None and Path(found).samefile(ours)):
        return "keystead"
    inside = ours.absolute().is_relative_to(Path.cwd())
    return shlex.quote(str(ours.absolute().relative_to(Path.cwd()) if inside else ours.absolute()))


def development(running: Running, directory: Path) -> None:
    steps = [
        ("In another terminal, point AWS clients here:", f'eval "$({keystead()} env aws{data_flag(directory)})"'),
        ("and make a key:", "aws kms create-key --description 'my first key'"),
    ]
    if "vault" in running.listen:
        steps.append(("or Vault's clients:", f'eval "$({keystead()} env vault{data_flag(directory)})"'))
    banner(f"Keystead {VERSION}, for development", served(running, directory), steps)
    click.echo("    Anybody who can read this directory can use its keys. Ctrl-C stops.\n")


def production(running: Running, directory: Path, *, sealed: bool) -> None:
    step = ("It is sealed. Open it:", f"{keystead()} unseal{data_flag(directory)}")
    banner(f"Keystead {VERSION}", served(running, directory), [step] if sealed else [])


def uninitialised(running: Running, directory: Path) -> None:
    address = endpoint(running, "vault")
    steps = [
        ("There is no installation yet. Make one, and keep what it shows:", f"bao operator init -address={address}")
    ]
    banner(f"Keystead {VERSION}", served(running, directory), steps)
    click.echo("    Whoever reaches this port first does it.\n")
