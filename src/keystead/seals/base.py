"""What every seal has in common."""

from __future__ import annotations

import hmac
from typing import Generic, TypeVar

from msgspec import Struct

from keystead.core.sensitive import Sensitive

C = TypeVar("C", bound=Struct)
UNSEAL_BYTES = 32


class Created(Struct, Generic[C], frozen=True):
    """A new seal: what to store, U, and what the operator sees once and must keep."""

    configuration: C
    unseal_key: Sensitive
    show: tuple[Sensitive, ...] = ()

    def texts(self) -> list[str]:
        """What to show, as it is written down."""
        return [secret.reveal().decode() for secret in self.show]


def check_of(unseal_key: bytes) -> bytes:
    """Tells whether U came out right. U is 256 random bits, so a PRF of it gives nothing away."""
    return hmac.digest(unseal_key, b"keystead/seal-check/v1", "sha256")[:16]
