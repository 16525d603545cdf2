"""Check values of AES keys: enough to tell one key from another, and nothing of the key.

One in sixteen million keys has the check value of another: it finds slips of the pen, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC

from keystead.core.sensitive import Sensitive

_ZEROS = bytes(16)


def _ecb(key: bytes) -> bytes:
    """PKCS #11 v3.1 §4.9.2, CKA_CHECK_VALUE: the first three bytes of a block of zeros, encrypted."""
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - one block, by definition
    return (encryptor.update(_ZEROS) + encryptor.finalize())[:3]


def _cmac(key: bytes) -> bytes:
    """ANSI X9.24-1-2017, annex A: the first five bytes of the CMAC (SP 800-38B) of a block of zeros."""
    mac = CMAC(AES(key))
    mac.update(_ZEROS)
    return mac.finalize()[:5]


FORMS: Final[dict[str, Callable[[bytes], bytes]]] = {"kcv": _ecb, "cmac": _cmac}


def check_value(form: str, key: Sensitive) -> str:
    """Upper-case hex. `form`: one of FORMS. Raises ValueError for what is no AES key."""
    return FORMS[form](key.reveal()).hex().upper()
