"""XChaCha20 keys: ciphertexts as OpenBao's transit makes them, which name neither key nor version (docs/adr/0041).

nonce (24) ‖ ciphertext ‖ tag (16), sealed under K, or for a derived key under K_enc; AAD = the associated data
K_enc ‖ K_non ‖ K_aad = HKDF-SHA-256(K, info = context), 96 bytes
nonce of a convergent one = HMAC-SHA-256(K_non, plaintext), or where there is associated data
                            HMAC-SHA-256(K_aad, 64-bit length of it ‖ associated data ‖ plaintext); 24 bytes of it
any other nonce = the first 24 bytes of HMAC-SHA-256(K_hedge, random 24 ‖ SHA-256(typed AAD) ‖ SHA-256(plaintext))
K_hedge = KDF(K, "keystead/xhd/v1", "")                 as K_hedge of ciphertext format v1
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from keystead.core.algorithms import Algorithm, KeySpec
from keystead.core.envelope import untyped
from keystead.core.errors import DecryptionFailed, InvalidArgument
from keystead.core.keyed import BITS, KeyedHash, fixed_input
from keystead.core.operations import TOO_SHORT
from keystead.core.sensitive import Sensitive
from keystead.crypto.draws import Draws
from keystead.crypto.kdf import hkdf
from keystead.crypto.tags import apart
from keystead.crypto.xchacha import KEY_BYTES, NONCE_BYTES, XChaCha
from keystead.providers.loaded import Key

_OF_A_CONTEXT: Final = 3 * KEY_BYTES


class XChaChaKey(Key):
    """XChaCha20-Poly1305. A stuck generator makes equal ciphertexts of equal messages, and never one nonce for two."""

    __slots__ = ("_draw", "_hedge", "_material")

    def __init__(self, spec: KeySpec, material: bytes, draw: Draws) -> None:
        super().__init__(spec, apart(material))
        if len(material) != KEY_BYTES:
            raise InvalidArgument(f"{len(material)} bytes are no {spec.name} key", "key_material")
        self._material, self._draw = material, draw
        self._hedge = KeyedHash(KeyedHash(material)(fixed_input("keystead/xhd/v1") + BITS))

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        cipher, data = self._for(algorithm, aad)
        text = plaintext.reveal()
        nonce = self._hedge(self._draw() + sha256(aad).digest() + sha256(text).digest())[:NONCE_BYTES]
        return cipher.seal(nonce, text, data)

    def encrypt_convergent(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """Raises InvalidArgument where there is no context."""
        context, data = self._bound(algorithm, aad)
        if not context:
            raise InvalidArgument("convergent encryption takes a context", "context")
        keys = hkdf(self._material, context, _OF_A_CONTEXT)
        text = plaintext.reveal()
        return XChaCha(keys[:KEY_BYTES]).seal(_converging(keys, data, text), text, data)

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        cipher, data = self._for(algorithm, aad)
        if len(ciphertext) < NONCE_BYTES:
            raise DecryptionFailed("the ciphertext is too short", TOO_SHORT)
        return Sensitive(cipher.open(ciphertext, data))

    def _for(self, algorithm: Algorithm, aad: bytes) -> tuple[XChaCha, bytes]:
        context, data = self._bound(algorithm, aad)
        return XChaCha(hkdf(self._material, context) if context else self._material), data

    def _bound(self, algorithm: Algorithm, aad: bytes) -> tuple[bytes, bytes]:
        """(context, associated data)"""
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        return untyped(aad)


def _converging(keys: bytes, data: bytes, text: bytes) -> bytes:
    """OpenBao's has the plaintext alone, so two texts that differ in their data share a key of Poly1305's there."""
    if not data:
        return KeyedHash(keys[KEY_BYTES : 2 * KEY_BYTES])(text)[:NONCE_BYTES]
    return KeyedHash(keys[2 * KEY_BYTES :])(len(data).to_bytes(8, "big") + data + text)[:NONCE_BYTES]
