"""Anti-forensic splitting: a secret inflated until no part of it may be lost.

Overwriting a file erases it only where the medium really overwrites. A secret that stands in 128 blocks, each of which
is needed in full, is gone when any one of them is. Fruhwirth, TKS1 (2004); LUKS1 on-disk format 1.2.3 §2.4.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

STRIPES = 128
DIGEST_BYTES = 32
_FIRST = bytes(4)


def split(secret: bytes, entropy: Callable[[int], bytes], stripes: int = STRIPES) -> bytes:
    """`stripes` blocks as long as the secret: all but the last are random."""
    blocks = [entropy(len(secret)) for _ in range(stripes - 1)]
    return b"".join(blocks) + _xor(_fold(blocks, len(secret)), secret)


def merge(blocks: bytes, stripes: int = STRIPES) -> bytes:
    """The secret, or something else where one bit has changed: the caller knows a digest of it."""
    n = len(blocks) // stripes
    parts = [blocks[i : i + n] for i in range(0, n * stripes, n)]
    return _xor(_fold(parts[:-1], n), parts[-1])


def _fold(blocks: list[bytes], n: int) -> bytes:
    folded = bytes(n)
    for block in blocks:
        folded = _diffuse(_xor(folded, block))
    return folded


def _diffuse(block: bytes) -> bytes:
    """Every output bit depends on its whole digest-sized part: SHA-256(part number ‖ part), as LUKS does it."""
    if len(block) == DIGEST_BYTES:
        return sha256(_FIRST + block).digest()
    parts = range(0, len(block), DIGEST_BYTES)
    return b"".join(
        sha256(i.to_bytes(4, "big") + block[at : at + DIGEST_BYTES]).digest()[: len(block) - at]
        for i, at in enumerate(parts)
    )


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(len(a))
