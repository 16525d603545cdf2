"""keystead init."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from keystead.app import hygiene
from keystead.app.installation import ADMINISTRATOR, REGIONS, initialise, prepare
from keystead.app.slots import places
from keystead.app.tls import server_context
from keystead.cli import secrets
from keystead.cli.commands.serve import LISTEN, listening
from keystead.cli.here import JSON, Output, say
from keystead.config import Config, Tls, check_slots, path_of, read
from keystead.core.errors import Internal, InvalidArgument
from keystead.core.ports import Entropy
from keystead.doors.control.codec import shown_once
from keystead.seals.base import Created
from keystead.seals.passphrase import PassphraseSeal
from keystead.seals.shamir import ShamirSeal
from keystead.service.bootstrap import First

ENTROPY: Entropy = os.urandom


class Choice(Struct, frozen=True, kw_only=True):
    """What was said of the seal; None: not said."""

    shares: int | None
    threshold: int | None
    passphrase: str | None  # a reference, unless somebody has typed the thing itself

    def __repr__(self) -> str:
        return "Choice()"


def _shamir(choice: Choice) -> Created[Any]:
    if choice.passphrase is not None:
        raise InvalidArgument("--passphrase goes with --seal passphrase", "passphrase")
    n = choice.shares or 5
    return ShamirSeal.create(choice.threshold or n // 2 + 1, n, ENTROPY)


def _passphrase(choice: Choice) -> Created[Any]:
    if choice.shares is not None or choice.threshold is not None:
        raise InvalidArgument("--shares and --threshold go with --seal shamir", "seal")
    return PassphraseSeal.create(secrets.new_passphrase(choice.passphrase), ENTROPY)


SEALS: dict[str, Callable[[Choice], Created[Any]]] = {"shamir": _shamir, "passphrase": _passphrase}


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--seal", type=click.Choice(list(SEALS)), default="shamir", show_default=True, help="What opens it.")
@click.option("--shares", type=int, metavar="N", help="How many custodians [default: 5].")
@click.option("--threshold", type=int, metavar="K", help="How many of them open it [default: more than half].")
@click.option("--passphrase", metavar="REF", help="file:PATH, env:NAME or fd:N; asked for at a terminal otherwise.")
@click.option("--tenant", metavar="DIGITS", help="Twelve digits, an AWS account's id [default: at random].")
@click.option(
    "--region", "regions", multiple=True, metavar="NAME", help="A keyring each; the first is the default. Repeatable."
)
@click.option("--administrator", default=ADMINISTRATOR, show_default=True, help="The first principal.")
@click.option(
    "--slot",
    "slots",
    multiple=True,
    metavar="SLOT",
    help="Where the erasable secret lies: two directories, best on two disks; pkcs11:NAME of an HSM; tpm. Repeatable.",
)
@click.option("--tree-copy", metavar="FILE", help="Keep the newest copy of the key tree there, beside the backups.")
@click.option("--certificate", metavar="file:PATH", help="TLS: the PEM chain.")
@click.option("--private-key", metavar="file:PATH", help="TLS: its private key.")
@click.option(
    "--workers", type=click.IntRange(1, 60), default=1, show_default=True, help="Processes that share the port."
)
@LISTEN
@JSON
def init(directory: Path, seal: str, *, as_json: bool, **given: Any) -> None:
    """Make a new installation in DIR.

    Its shares, if it has any, and the administrator's access key are shown once, and kept nowhere.
    """
    hygiene.harden()
    out = Output(as_json=as_json)
    secrets.may_show(out)
    there = read(directory)  # hardware is told of by hand
    settings = Config(
        hsms=there.hsms,
        tpm=there.tpm,
        listen=listening(given["listen"]) or Config().listen,
        tls=_tls(given["certificate"], given["private_key"]),
        slots=_slots(given["slots"]),
        tree_copy=str(Path(given["tree_copy"]).absolute()) if given["tree_copy"] else "",
        workers=given["workers"],
        region=(given["regions"] or REGIONS)[0],
    )
    created = SEALS[seal](Choice(shares=given["shares"], threshold=given["threshold"], passphrase=given["passphrase"]))
    prepare(directory)
    first = initialise(
        directory,
        settings,
        created,
        tenant=given["tenant"],
        regions=tuple(given["regions"]) or REGIONS,
        administrator=given["administrator"],
    )
    _show(out, directory, created, first)
    if (n_places := places(directory, settings)) < settings.slots_at_least:
        say(
            f"RED: its slots are in {n_places} place, and whoever loses it loses every key. `keystead slot add` another"
        )
        say("or give --slot on two disks; or say slots_at_least = 1 in keystead.toml.")


def _tls(certificate: str | None, private_key: str | None) -> Tls | None:
    """By absolute path, and usable. Raises InvalidArgument."""
    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        raise InvalidArgument("TLS needs both --certificate and --private-key", "tls")
    tls = Tls(f"file:{path_of(certificate).absolute()}", f"file:{path_of(private_key).absolute()}")
    server_context(tls)
    return tls


def _slots(given: Sequence[str]) -> tuple[str, ...]:
    """Directories by absolute path, and whatever else there is. Raises InvalidArgument."""
    if not given:
        return Config().slots
    beside = Config(slots=tuple(given)).slots_beside
    chosen = tuple(one if one in beside else str(Path(one).absolute()) for one in given)
    check_slots(chosen)
    return chosen


def _show(out: Output, directory: Path, created: Created[Any], first: First) -> None:
    if first.access_key is None:
        raise Internal("the administrator has no access key")
    shares, key = created.texts(), shown_once(first.access_key)
    if out.as_json:
        return out.answer(
            {
                "tenant": first.tenant.id,
                "administrator": first.administrator.name,
                "access_key_id": key.access_key_id,
                "secret_access_key": key.secret_access_key,
                "shares": shares,
            }
        )
    lines = [f"Installation {directory}, tenant {first.tenant.id}.", ""]
    if shares:
        lines += [f"Shares, one for each custodian; any {created.configuration.threshold} of them open it:", ""]
        lines += [f"  {share}" for share in shares] + [""]
    lines += [f"Access key of {first.administrator.name}:", ""]
    lines += [f"  AWS_ACCESS_KEY_ID={key.access_key_id}", f"  AWS_SECRET_ACCESS_KEY={key.secret_access_key}", ""]
    out.answer(None, "\n".join(lines))
    say("Hand these out and keep them now: nothing shows them again.")
    return say(f"Next: `keystead serve {directory}`")
