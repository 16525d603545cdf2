"""The devices beside this machine that the configuration names: what seals reach for."""

from __future__ import annotations

import os
from pathlib import Path

from keystead.app.hsms import Tokens
from keystead.app.kms import place_of
from keystead.config import Config, TpmAt, secret
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.ports import Entropy
from keystead.cryptoki.token import Token
from keystead.net.https import Https
from keystead.seals.base import Surroundings
from keystead.seals.services import Place
from keystead.tpm import Tpm


class Hardware:
    """keystead.seals.base.Devices. Nothing is opened before it is asked for. `tokens`: those that are open already."""

    def __init__(self, settings: Config, tokens: Tokens | None = None) -> None:
        self._settings, self._tokens = settings, tokens or Tokens(settings.hsms)
        self._net = Https()

    def kms(self, name: str) -> Place:
        if (found := self._settings.kms.get(name)) is None:
            raise NotFound(f"the configuration names no KMS {name!r}", "kms")
        return place_of(name, found, self._net)

    def token(self, name: str) -> Token:
        return self._tokens.token(name)

    @property
    def tpm(self) -> Tpm:
        if self._settings.tpm is None:
            raise InvalidArgument('no TPM is configured: tpm = { tcti = "device:/dev/tpmrm0" }', "tpm")
        return tpm_at(self._settings.tpm)


def tpm_at(where: TpmAt) -> Tpm:
    owner = where.owner
    return Tpm(where.tcti, None if owner is None else lambda: secret(owner))


def surroundings(
    directory: Path, settings: Config, tokens: Tokens | None = None, entropy: Entropy = os.urandom
) -> Surroundings:
    """Of the seals of an installation."""
    return Surroundings(directory, Hardware(settings, tokens), entropy)
