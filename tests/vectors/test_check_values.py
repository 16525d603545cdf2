"""Check values, against published blocks: RFC 4493 §4 (AES-128(key, 0) and K1), NIST AESAVS (AES-256 of zeros)."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from keystead.core.sensitive import Sensitive
from keystead.crypto.check import check_value

RFC_4493 = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
K1 = bytes.fromhex("fbeed618357133667c85e08f7236a8de")


def test_a_block_of_zeros() -> None:
    assert check_value("kcv", Sensitive(RFC_4493)) == "7DF76B"
    assert check_value("kcv", Sensitive(bytes(32))) == "DC95C0"


def test_the_cmac_of_a_block_of_zeros_is_the_encryption_of_k1() -> None:
    """SP 800-38B §6.2: of one whole block M, the MAC is E(K1 xor M)."""
    encryptor = Cipher(algorithms.AES(RFC_4493), modes.ECB()).encryptor()  # noqa: S305 - one block
    assert check_value("cmac", Sensitive(RFC_4493)) == encryptor.update(K1)[:5].hex().upper()


def test_what_is_no_key() -> None:
    with pytest.raises(ValueError, match="key"):
        check_value("kcv", Sensitive(b"short"))
