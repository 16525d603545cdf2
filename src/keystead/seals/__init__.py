"""Seals: what opens the unseal key U. A table: the kind in seal.json -> the seal.

To add a seal, add a module with a plan, a configuration and a class; and rows here, in kept.py and in several.py.
"""

from __future__ import annotations

import msgspec

from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.seals.base import Surroundings
from keystead.seals.external import ExternalPlan, ExternalSeal
from keystead.seals.file import FilePlan, FileSeal
from keystead.seals.kept import Configuration, decode, encode
from keystead.seals.passphrase import PassphraseConfiguration, PassphraseSeal
from keystead.seals.pkcs11 import Pkcs11Plan, Pkcs11Seal
from keystead.seals.several import AnySeal, Seals
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal
from keystead.seals.tpm import TpmPlan, TpmSeal

__all__ = ["SEALS", "AnySeal", "Configuration", "Plan", "Seals", "encode", "load", "make", "plan_of"]

SEALS: dict[str, type[AnySeal]] = {
    FileSeal.kind: FileSeal,
    PassphraseSeal.kind: PassphraseSeal,
    ShamirSeal.kind: ShamirSeal,
    TpmSeal.kind: TpmSeal,
    Pkcs11Seal.kind: Pkcs11Seal,
    ExternalSeal.kind: ExternalSeal,
}

Plan = FilePlan | PassphraseConfiguration | ShamirConfiguration | TpmPlan | Pkcs11Plan | ExternalPlan
"""What a seal that is to be made is said with. Nothing in it is secret."""


def plan_of(said: object) -> Plan:
    """From what came as JSON. Raises InvalidArgument."""
    try:
        plan: Plan = msgspec.convert(said, Plan)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"that is no seal: {error}", "seal") from error
    return plan


def make(plan: Plan, unseal_key: Sensitive, at: Surroundings) -> Configuration:
    """A seal around U. Raises what its device says, and InvalidArgument."""
    return plan.make(unseal_key, at)


def load(text: bytes, at: Surroundings) -> Seals:
    """The seals of a seal.json. Raises InvalidArgument."""
    return Seals(decode(text), at)
