"""A seal as it is asked for on the command line. Its plan is made here: no share or passphrase leaves this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import click
from msgspec import Struct

from keystead.cli import files, secrets
from keystead.config import path_of
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto import p256
from keystead.seals import Plan
from keystead.seals.external import ExternalPlan
from keystead.seals.passphrase import PassphraseSeal
from keystead.seals.pkcs11 import Pkcs11Plan
from keystead.seals.shamir import ShamirSeal
from keystead.seals.tpm import DEFAULT_PCRS, TpmPlan


class Choice(Struct, frozen=True, kw_only=True):
    """What was said of a seal; None, or nothing: not said."""

    shares: int | None = None
    threshold: int | None = None
    passphrase: str | None = None  # a reference, unless somebody has typed the thing itself
    pcr: tuple[int, ...] = ()
    authority: str | None = None  # file: of a public key
    hsm: str | None = None
    kms: str | None = None

    def __repr__(self) -> str:
        return "Choice()"


class Planned(Struct, frozen=True):
    """`shares`: what custodians get, shown once."""

    plan: Plan
    shares: tuple[Sensitive, ...] = ()

    def texts(self) -> list[str]:
        return [share.reveal().decode() for share in self.shares]


def _shamir(choice: Choice, entropy: Entropy) -> Planned:
    n = choice.shares or 5
    return Planned(*ShamirSeal.plan(choice.threshold or n // 2 + 1, n, entropy))


def _passphrase(choice: Choice, entropy: Entropy) -> Planned:
    return Planned(PassphraseSeal.plan(secrets.new_passphrase(choice.passphrase), entropy))


def _tpm(choice: Choice, _: Entropy) -> Planned:
    authority = (
        b""
        if choice.authority is None
        else p256.point(files.read(path_of(choice.authority, "--authority"), "authority"))
    )
    return Planned(TpmPlan(choice.pcr or DEFAULT_PCRS, authority))


def _pkcs11(choice: Choice, _: Entropy) -> Planned:
    if choice.hsm is None:
        raise InvalidArgument("say which HSM: --hsm NAME, as `hsms` in keystead.toml calls it", "hsm")
    return Planned(Pkcs11Plan(choice.hsm))


def _external(choice: Choice, _: Entropy) -> Planned:
    if choice.kms is None:
        raise InvalidArgument("say which service: --kms NAME, as `kms` in keystead.toml calls it", "kms")
    return Planned(ExternalPlan(choice.kms))


PLANS: dict[str, Callable[[Choice, Entropy], Planned]] = {
    "shamir": _shamir,
    "passphrase": _passphrase,
    "tpm": _tpm,
    "pkcs11": _pkcs11,
    "external": _external,
}
RECOVERY = ("shamir", "passphrase")
"""What somebody opens by hand: what stands beside a seal that opens by itself."""
OF = {
    "shares": "shamir",
    "threshold": "shamir",
    "passphrase": "passphrase",
    "pcr": "tpm",
    "authority": "tpm",
    "hsm": "pkcs11",
    "kms": "external",
}
"""Of an option, the kind of seal that it says something of."""


def plan(kinds: Sequence[str], choice: Choice, entropy: Entropy = os.urandom) -> list[Planned]:
    """One for each kind. Raises InvalidArgument, also for what was said of a kind that is not asked for."""
    for name, kind in OF.items():
        if getattr(choice, name) not in {None, ()} and kind not in kinds:
            raise InvalidArgument(f"--{name} goes with --seal {kind}", name)
    return [PLANS[kind](choice, entropy) for kind in kinds]


def options(run: Callable[..., object]) -> Callable[..., object]:
    """What can be said of a seal."""
    for option in reversed(
        (
            click.option("--shares", type=int, metavar="N", help="shamir: how many custodians [default: 5]."),
            click.option(
                "--threshold", type=int, metavar="K", help="shamir: how many open it [default: more than half]."
            ),
            click.option(
                "--passphrase",
                metavar="REF",
                help="passphrase: file:PATH, env:NAME or fd:N; asked for at a terminal otherwise.",
            ),
            click.option(
                "--pcr", type=int, multiple=True, metavar="N", help="tpm: it opens while this PCR is as now [7]."
            ),
            click.option(
                "--authority",
                metavar="file:PEM",
                help="tpm: whose signature allows other PCRs after an update (`keystead pcrs`), a key over P-256.",
            ),
            click.option("--hsm", metavar="NAME", help="pkcs11: which, as `hsms` in keystead.toml calls it."),
            click.option("--kms", metavar="NAME", help="external: which, as `kms` in keystead.toml calls it."),
        )
    ):
        run = option(run)
    return run
