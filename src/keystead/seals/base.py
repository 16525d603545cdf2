"""What every seal has in common: it is around a U that it is given; another one beside it may be around the same."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from keystead.core.errors import Conflict
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.token import Token
from keystead.seals.services import Place
from keystead.tpm import Tpm

C = TypeVar("C", bound=Struct)
UNSEAL_BYTES, CHECK_BYTES = 32, 16


class Created(Struct, Generic[C], frozen=True):
    """A new seal: what to store, U, and what the operator sees once. `beside`: another seal around U."""

    configuration: C
    unseal_key: Sensitive
    show: tuple[Sensitive, ...] = ()
    beside: tuple[Any, ...] = ()

    def texts(self) -> list[str]:
        """What to show, as it is written down."""
        return [secret.reveal().decode() for secret in self.show]


class Devices(Protocol):
    """What a seal reaches for outside its directory, as the installation's configuration names it."""

    @property
    def tpm(self) -> Tpm:
        """Raises InvalidArgument where none is configured."""
        ...

    def kms(self, name: str) -> Place:
        """A key at another service. Raises NotFound, and InvalidArgument for what cannot be followed."""
        ...

    def token(self, name: str) -> Token:
        """Of an HSM. Raises NotFound for a name that the configuration does not have."""
        ...


class Surroundings(Struct, frozen=True):
    """Where a seal stands: the directory of seal.json, what is outside of it, and where randomness comes from."""

    directory: Path
    devices: Devices
    entropy: Entropy


def check_of(unseal_key: bytes) -> bytes:
    """Tells whether U came out right. U is 256 random bits, so a PRF of it gives nothing away."""
    return hmac.digest(unseal_key, b"keystead/seal-check/v1", "sha256")[:CHECK_BYTES]


def cannot_follow(kind: str) -> Conflict:
    """Of a seal that was made before seals could be put around another U without what opens them."""
    return Conflict(
        f"the {kind} seal is of an older form, which holds one unseal key for ever: "
        f"`keystead seal migrate {kind}` renews it",
        "seal",
    )
