"""keystead init."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from keystead.app import hygiene
from keystead.app.entropy import drawing
from keystead.app.hardware import surroundings
from keystead.app.hsms import Tokens, pins
from keystead.app.installation import ADMINISTRATOR, REGIONS, MadeWith, initialise, prepare, read_seal
from keystead.app.seals import warning_of
from keystead.app.slots import places, require_new
from keystead.app.tls import server_context
from keystead.cli import secrets
from keystead.cli.commands.serve import LISTEN, listening
from keystead.cli.here import JSON, Output, say
from keystead.cli.seals import PLANS, RECOVERY, Choice, options, plan
from keystead.config import Config, Tls, TpmAt, check_slots, path_of, read
from keystead.core.errors import Internal, InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.core.words import count_of
from keystead.doors.control.codec import shown_once
from keystead.seals import make
from keystead.seals.base import UNSEAL_BYTES, Created
from keystead.seals.shamir import ShamirConfiguration
from keystead.service.bootstrap import First


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--seal", type=click.Choice(list(PLANS)), default="shamir", show_default=True, help="What opens it.")
@click.option("--with-recovery", "recovery", type=click.Choice(RECOVERY), help="A second seal that opens it as well.")
@options
@click.option("--tpm", metavar="TCTI", help="Where the TPM is, as tpm2-tools say it, such as device:/dev/tpmrm0.")
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
@click.option(
    "--slots-at-least",
    type=click.IntRange(1, 8),
    metavar="N",
    help="In how many places it must lie for `status` to be content [default: 2].",
)
@click.option("--tree-copy", metavar="FILE", help="Keep the newest copy of the key tree there, beside the backups.")
@click.option("--certificate", metavar="file:PATH", help="TLS: the PEM chain.")
@click.option("--private-key", metavar="file:PATH", help="TLS: its private key.")
@click.option("--workers", type=click.IntRange(1, 60), help="Processes that share the port [default: 1].")
@LISTEN
@JSON
def init(directory: Path, seal: str, *, as_json: bool, **given: Any) -> None:
    """Make a new installation in DIR, where a keystead.toml may stand already: what it says is kept.

    Its shares, if it has any, and the administrator's access key are shown once, and kept nowhere.

    \b
    keystead init /srv/keystead --shares 5 --threshold 3 --slot /srv/keystead/slot --slot /mnt/other-disk/slot
    """
    hygiene.harden()
    out = Output(as_json=as_json)
    secrets.may_show(out)
    settings = _settings(directory, given)
    require_new(directory, settings)
    kinds = [seal, given["recovery"]] if given["recovery"] else [seal]
    if len(set(kinds)) < len(kinds):
        raise InvalidArgument(f"two seals are of two kinds: {seal} is one already", "with-recovery")
    choice = Choice(**{name: given[name] for name in Choice.__struct_fields__})
    known = pins(settings.hsms, secrets.ask_pin) if _uses_hsms(kinds, settings) else None
    with closing(Tokens(settings.hsms, known)) as tokens, drawing(settings, tokens) as entropy:
        planned, unseal_key = plan(kinds, choice, entropy), Sensitive(entropy(UNSEAL_BYTES))
        at = surroundings(directory, settings, tokens, entropy)
        first_seal, *beside = [make(one.plan, unseal_key, at) for one in planned]
        shares = tuple(share for one in planned for share in one.shares)
        created = Created(first_seal, unseal_key, shares, tuple(beside))
        prepare(directory)
        first = initialise(
            directory,
            settings,
            created,
            made_with=MadeWith(tokens, entropy),
            tenant=given["tenant"],
            regions=tuple(given["regions"]) or REGIONS,
            administrator=given["administrator"],
        )
    threshold = next((one.plan.threshold for one in planned if isinstance(one.plan, ShamirConfiguration)), 0)
    _show(out, directory, created.texts(), threshold, first)
    if warning := warning_of(read_seal(directory, settings)):
        say(warning)
    if (n_places := places(directory, settings)) < settings.slots_at_least:
        say(
            f"RED: its slots are in {count_of(n_places, 'place')}, and whoever loses it loses every key: two "
            "directories on one disk"
        )
        say("are one place. `keystead slot add` another, or accept it, with --slots-at-least 1 or in keystead.toml.")


def _settings(directory: Path, given: Mapping[str, Any]) -> Config:
    """What was said now, and what the operator has written before, such as hardware. Raises InvalidArgument."""
    there = read(directory)
    return replace(
        there,
        listen=listening(given["listen"]) or there.listen,
        tls=_tls(given["certificate"], given["private_key"]) or there.tls,
        slots=_slots(given["slots"]) or there.slots,
        slots_at_least=given["slots_at_least"] or there.slots_at_least,
        tree_copy=str(Path(given["tree_copy"]).absolute()) if given["tree_copy"] else there.tree_copy,
        workers=given["workers"] or there.workers,
        region=(given["regions"] or REGIONS)[0],
        tpm=replace(there.tpm or TpmAt(), tcti=given["tpm"]) if given["tpm"] else there.tpm,
    )


def _uses_hsms(kinds: Sequence[str], settings: Config) -> bool:
    named = (*settings.slots_beside, *settings.entropy.sources)
    return "pkcs11" in kinds or any(name.startswith(("pkcs11:", "hsm:")) for name in named)


def _tls(certificate: str | None, private_key: str | None) -> Tls | None:
    """By absolute path, and usable. Raises InvalidArgument."""
    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        raise InvalidArgument("TLS needs both --certificate and --private-key", "tls")
    chain, key = path_of(certificate, "--certificate"), path_of(private_key, "--private-key")
    tls = Tls(f"file:{chain.absolute()}", f"file:{key.absolute()}")
    server_context(tls)
    return tls


def _slots(given: Sequence[str]) -> tuple[str, ...]:
    """Directories by absolute path, and whatever else there is. Raises InvalidArgument."""
    if not given:
        return ()
    beside = Config(slots=tuple(given)).slots_beside
    chosen = tuple(one if one in beside else str(Path(one).absolute()) for one in given)
    check_slots(chosen)
    return chosen


def _show(out: Output, directory: Path, shares: list[str], threshold: int, first: First) -> None:
    if first.access_key is None:
        raise Internal("the administrator has no access key")
    key = shown_once(first.access_key)
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
        lines += [f"Shares, one for each custodian; any {threshold} of them open it:", ""]
        lines += [f"  {share}" for share in shares] + [""]
    lines += [f"Access key of {first.administrator.name}:", ""]
    lines += [f"  AWS_ACCESS_KEY_ID={key.access_key_id}", f"  AWS_SECRET_ACCESS_KEY={key.secret_access_key}", ""]
    out.answer(None, "\n".join(lines))
    say("Hand these out and keep them now: nothing shows them again.")
    return say(f"Next: `keystead serve {directory}`")
