"""Seals: what opens the unseal key U. A table: the kind in the configuration -> the seal.

To add a seal, add a module with a configuration and a class, and a row here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from keystead.core.errors import InvalidArgument
from keystead.core.ports import Seal
from keystead.seals.file import FileConfiguration, FileSeal
from keystead.seals.passphrase import PassphraseConfiguration, PassphraseSeal
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal

Configuration = FileConfiguration | PassphraseConfiguration | ShamirConfiguration

SEALS: dict[str, type[FileSeal] | type[PassphraseSeal] | type[ShamirSeal]] = {
    FileSeal.kind: FileSeal,
    PassphraseSeal.kind: PassphraseSeal,
    ShamirSeal.kind: ShamirSeal,
}


def encode(configuration: Configuration) -> bytes:
    """seal.json"""
    return msgspec.json.format(msgspec.json.encode(configuration), indent=2) + b"\n"


def load(text: bytes, directory: Path) -> Seal:
    """The seal of a seal.json that stands in `directory`. Raises InvalidArgument."""
    try:
        configuration: Configuration = msgspec.json.decode(text, type=Configuration)
    except msgspec.DecodeError as error:
        raise InvalidArgument(f"seal.json: {error}", "seal") from error
    return configuration.seal(directory)
