"""keystead env, keystead run."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import NoReturn

import click

from keystead import config
from keystead.app.layout import Layout, SavedCredentials, read_running, read_saved
from keystead.cli import environment, shells
from keystead.cli.exits import NoCommand, NoServer, NotExecutable
from keystead.cli.here import Here, say, with_here
from keystead.core.errors import InvalidArgument

HOST = click.option("--host", metavar="NAME", help="The name clients call the server by, where it has a certificate.")


@click.command()
@click.argument("door")
@HOST
@click.option("--shell", type=click.Choice(list(shells.SHELLS)), help="Whose words [default: the shell that asks].")
@with_here
def env(here: Here, door: str, host: str | None, shell: str | None) -> None:
    """Print the variables that point the clients of DOOR at the running server.

    \b
    eval "$(keystead env aws)"
    keystead env aws | source        # fish
    """
    found, saved = _variables(here, door, host)
    if saved is None and door == "aws":
        say("The access key is not kept here: export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY yourself, from")
        say("`keystead init` or `keystead principal access-key create NAME`.")
    if "VAULT_TOKEN" not in found and door == "vault":
        say("No token is kept here: export VAULT_TOKEN yourself, from `keystead token create --policy …`.")
    here.out.answer(found, shells.script(shell or shells.asking(), found, environment.left_over(found, os.environ)))


@click.command()
@HOST
@click.argument("door")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- CMD …")
@with_here
def run(here: Here, door: str, command: tuple[str, ...], host: str | None) -> NoReturn:
    """Run CMD with the variables that point it at the running server.

    It takes this process' place, so signals and the exit status are its own.

    \b
    keystead run aws -- aws kms list-keys
    """
    found, _ = _variables(here, door, host)
    if not command:
        raise NoCommand("there is no command to run; say `keystead run aws -- CMD …`")
    gone = environment.left_over(found, os.environ)
    there = {name: value for name, value in os.environ.items() if name not in gone}
    try:
        os.execvpe(command[0], command, {**there, **found})  # noqa: S606 - that is what it is for
    except FileNotFoundError:
        raise NoCommand(f"{command[0]}: no such command") from None
    except OSError as error:
        raise NotExecutable(f"{command[0]}: {error.strerror}") from None


def _variables(here: Here, door: str, host: str | None) -> tuple[dict[str, str], SavedCredentials | None]:
    if door not in environment.VARIABLES:
        near = get_close_matches(door, environment.VARIABLES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(environment.VARIABLES)}"
        raise InvalidArgument(f"no door {door!r}; {hint}", "door")
    layout = Layout(here.directory)
    if (running := read_running(layout)) is None:
        raise NoServer(f"no server is running on {here.directory}")
    if door not in running.listen:
        raise InvalidArgument(f"the server on {here.directory} does not serve the {door} door", "door")
    saved = read_saved(layout)
    return environment.variables(running, door, config.read(here.directory), saved, host), saved
