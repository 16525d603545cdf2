"""Key check values: three bytes that tell one key from another, and nothing else (ANSI X9.24-1 §7, SP 800-57pt2r1)."""

from __future__ import annotations

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = bytes(16)
CHECK_BYTES = 3


def by_ecb(key: bytes) -> bytes:
    """Of an AES key: the first bytes of one block of zeros, enciphered."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - one block, as the check value is
    return encryptor.update(BLOCK)[:CHECK_BYTES]


def by_cmac(key: bytes) -> bytes:
    """The same by AES-CMAC (SP 800-38B), where an HSM refuses ECB."""
    tag = cmac.CMAC(algorithms.AES(key))
    tag.update(BLOCK)
    return tag.finalize()[:CHECK_BYTES]
