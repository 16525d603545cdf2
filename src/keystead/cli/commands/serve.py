"""keystead dev, keystead serve."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from socket import socket
from typing import Protocol

import click
from msgspec.structs import replace

from keystead import config
from keystead.app import hygiene
from keystead.app.development import begin, begin_vault
from keystead.app.doors import DOORS
from keystead.app.hsms import pins
from keystead.app.installation import exists, read_seal
from keystead.app.layout import Running
from keystead.app.sockets import parse_address
from keystead.app.supervisor import Supervisor
from keystead.app.tls import server_context
from keystead.cli import banner, secrets
from keystead.cli.here import Here, Output, Silent, is_about, with_here
from keystead.config import Config
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.seals.file import FileSeal


class Ready(Protocol):
    def __call__(self, running: Running, *, sealed: bool) -> None: ...


LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
LISTEN = click.option(
    "--listen",
    multiple=True,
    metavar="DOOR=HOST:PORT",
    help="Where a door answers; port 0 picks a free one. Repeatable.",
)


@click.command()
@LISTEN
@click.option("--workers", type=click.IntRange(1, 60), help="Processes that share the port.")
@with_here
def dev(here: Here, listen: Sequence[str], workers: int | None) -> None:
    """Start a development server on loopback; make the installation in --data if there is none.

    What opens it, and an administrator's access key, lie in its directory: not for keys that matter.
    """
    addresses = listening(listen)
    for door, address in addresses.items():
        if not _is_loopback(parse_address(address)[0]):
            raise InvalidArgument(
                f"{door}={address}: a development server answers on loopback only; see `keystead init`",
                "listen",
            )
    hygiene.harden()
    if not exists(here.directory):
        begin(here.directory, Config(listen=addresses or config.DEV_LISTEN, slots_at_least=1))
    elif not addresses and config.read(here.directory).listen == config.DEFAULT_LISTEN:
        addresses = config.DEV_LISTEN
    if FileSeal.kind not in (seals := read_seal(here.directory)).kinds:
        raise InvalidArgument(f"{here.directory} has a {seals.kind} seal: `keystead serve {here.directory}`", "data")
    if "vault" in {**config.read(here.directory).listen, **addresses}:
        begin_vault(here.directory)

    def ready(running: Running, *, sealed: bool) -> None:  # noqa: ARG001 - it opens or ends
        _say(here.out, running, lambda: banner.development(running, here.directory))

    supervise(here.directory, addresses, workers, (), ready, trust_clock=True)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path), required=False)
@LISTEN
@click.option("--workers", type=click.IntRange(1, 60), help="Processes that share the port.")
@click.option(
    "--unseal", multiple=True, metavar="REF", help="A passphrase or share: file:PATH, env:NAME, fd:N. Repeatable."
)
@click.option("--trust-clock", is_flag=True, help="The time of day is right, however far it has moved since it ran.")
@with_here
def serve(
    here: Here,
    directory: Path | None,
    listen: Sequence[str],
    workers: int | None,
    unseal: Sequence[str],
    *,
    trust_clock: bool,
) -> None:
    """Serve the installation in DIR.

    It opens with what --unseal points at, or asks at a terminal; otherwise it starts sealed, and
    `keystead unseal` opens it. Where DIR is empty and --listen names the Vault door, it waits there for
    `bao operator init` to make the installation, with shares.

    \b
    keystead serve /srv/keystead --workers 4 --listen aws=0.0.0.0:8200
    """
    at = directory or here.directory
    is_about(at)
    addresses = listening(listen)
    hygiene.harden()
    bound: dict[str, socket] = {}
    known: dict[str, Sensitive] | None = None
    if not unseal and "vault" in addresses and _is_empty(at):
        known = pins(config.read(at).hsms, secrets.ask_pin)
        if (sock := _begun(here, at, addresses, workers, known)) is None:
            return
        bound["vault"] = sock
        here = Here(at, Silent(as_json=here.out.as_json))  # it has said where it is
    offered = [] if bound else secrets.to_open(at, unseal)

    def ready(running: Running, *, sealed: bool) -> None:
        _say(here.out, running, lambda: banner.production(running, at, sealed=sealed))

    supervise(at, addresses, workers, offered, ready, trust_clock=trust_clock, bound=bound, known=known)


def _is_empty(directory: Path) -> bool:
    """It comes with the Vault door, which the supervisor of an installation does without."""
    from keystead.app.beginning import is_empty

    return is_empty(directory)


def _begun(
    here: Here, directory: Path, listen: Mapping[str, str], workers: int | None, known: Mapping[str, Sensitive]
) -> socket | None:
    """Wait for whoever initialises; the socket they came to. None: told to stop."""
    from keystead.app.beginning import Beginning

    settings = config.read(directory)
    settings = replace(settings, listen=dict(listen), workers=workers or settings.workers)

    def ready(running: Running) -> None:
        _say(here.out, running, lambda: banner.uninitialised(running, directory))

    logging.basicConfig(format=LOG_FORMAT, level=logging.INFO)
    return Beginning(directory, settings, ready, known).run()


def supervise(
    directory: Path,
    listen: Mapping[str, str],
    workers: int | None,
    offered: Sequence[Sensitive],
    on_ready: Ready,
    *,
    trust_clock: bool,
    bound: Mapping[str, socket] | None = None,
    known: Mapping[str, Sensitive] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `bound`: of a door, a socket that listens already. `known`: PINs read already."""
    logging.basicConfig(format=LOG_FORMAT, level=logging.INFO)
    settings = config.read(directory)
    settings = replace(settings, listen={**settings.listen, **listen}, workers=workers or settings.workers)
    if settings.tls is not None:
        server_context(settings.tls)  # here, where somebody is told what is wrong with it

    def ready(running: Running) -> None:
        on_ready(running, sealed=not server.sealing.is_open)

    if known is None:
        known = pins(settings.hsms, secrets.ask_pin)
    server = Supervisor(directory, settings, ready, pins=known, trust_clock=trust_clock, bound=bound)
    server.run(offered)


def listening(given: Sequence[str]) -> dict[str, str]:
    """Of --listen, by door. Raises InvalidArgument."""
    addresses = {}
    for each in given:
        door, _, address = each.partition("=")
        if door not in DOORS:
            near = get_close_matches(door, DOORS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(DOORS)}"
            raise InvalidArgument(f"no door {door!r} in --listen {each}; {hint}", "listen")
        parse_address(address)
        addresses[door] = address
    return addresses


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _say(out: Output, running: Running, words: Callable[[], None]) -> None:
    if out.as_json:
        out.answer(running)
    else:
        words()
