"""Key derivation: HKDF (RFC 5869) from a key, Argon2id (RFC 9106) from a passphrase."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from keystead.core.errors import InvalidArgument

SALT_BYTES = 16


def hkdf(key: bytes, info: bytes, length: int = 32, salt: bytes = b"") -> bytes:
    """HKDF-SHA-256; without a salt `key` must be uniformly random. `info` names what the result is for."""
    return HKDF(SHA256(), length, salt or None, info).derive(key)


class Argon2Cost(Struct, frozen=True, forbid_unknown_fields=True):
    """What a passphrase costs: by default 64 MiB (RFC 9106 §4, second choice) for about a quarter of a second."""

    iterations: int = 6
    memory_kib: int = 65_536
    lanes: int = 4


# What may be asked of us by a file we read: (least, most). Row 63: no unchecked cost from outside.
BOUNDS = {"iterations": (2, 16), "memory_kib": (19_456, 1_048_576), "lanes": (1, 16)}


def check_cost(salt: bytes, cost: Argon2Cost) -> None:
    """Raises InvalidArgument where the cost or the salt is out of bounds."""
    for name, (least, most) in BOUNDS.items():
        if not least <= getattr(cost, name) <= most:
            raise InvalidArgument(f"Argon2id {name} must be from {least} to {most}", name)
    if len(salt) != SALT_BYTES:
        raise InvalidArgument(f"the salt must have {SALT_BYTES} bytes", "salt")


def argon2id(passphrase: bytes, salt: bytes, cost: Argon2Cost) -> bytes:
    """32 bytes. Raises InvalidArgument where the cost or the salt is out of bounds, before any work is done."""
    check_cost(salt, cost)
    kdf = Argon2id(salt=salt, length=32, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib)
    return kdf.derive(passphrase)
