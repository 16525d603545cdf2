"""AES-CBC with HMAC-SHA-256 under keys that are known (core.etm): what an HSM's answers are held against."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from keystead.core import etm


def seal(cipher_key: bytes, mac_key: bytes, iv: bytes, text: bytes, aad: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
    cipher = encryptor.update(etm.padded(text)) + encryptor.finalize()
    return cipher + hmac.digest(mac_key, etm.tagged(aad, iv, cipher), "sha256")


def opened(cipher_key: bytes, mac_key: bytes, iv: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises DecryptionFailed."""
    cipher, tag = etm.split(iv, sealed)
    etm.require_same(hmac.digest(mac_key, etm.tagged(aad, iv, cipher), "sha256"), tag)
    decryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).decryptor()
    return etm.unpadded(decryptor.update(cipher) + decryptor.finalize())
