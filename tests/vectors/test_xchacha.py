"""XChaCha20-Poly1305 by the vectors of draft-irtf-cfrg-xchacha-03."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from keystead.core.errors import DecryptionFailed
from keystead.crypto.xchacha import XChaCha, hchacha20

unhex = bytes.fromhex


def test_the_key_of_a_message():
    """§2.2.1"""
    key, nonce = bytes(range(32)), unhex("000000090000004a0000000031415927")
    assert hchacha20(key, nonce).hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


SEALED = (
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
    "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
    "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"
)


def test_a_sealed_text():
    """§A.3.1"""
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    cipher, nonce, aad = XChaCha(bytes(range(0x80, 0xA0))), bytes(range(0x40, 0x58)), unhex("50515253c0c1c2c3c4c5c6c7")
    assert cipher.seal(nonce, text, aad) == nonce + unhex(SEALED)
    assert cipher.open(nonce + unhex(SEALED), aad) == text


def test_a_nonce_of_another_half_is_another_key_or_another_nonce():
    key, nonce = os.urandom(32), os.urandom(24)
    again = ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], b"text", b"a")
    assert XChaCha(key).seal(nonce, b"text", b"a") == nonce + again


@pytest.mark.parametrize("n", [0, 1, 23, 24, 39])
def test_what_is_too_short_does_not_open(n):
    with pytest.raises(DecryptionFailed):
        XChaCha(bytes(32)).open(bytes(n), b"")
