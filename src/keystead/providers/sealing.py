"""Keys of raw bytes that encrypt: ciphertext format v1, and detached ciphertexts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keystead.core.algorithms import Algorithm, KeySpec
from keystead.core.detached import Detached, DetachedSealer
from keystead.core.envelope import PREFIX_BYTES, Envelope
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import TAG_BYTES, Gcm, chacha_open_once, chacha_seal_once, open_once, seal_once
from keystead.crypto.draws import Draws
from keystead.crypto.tags import beside
from keystead.providers.loaded import Key


def _aes_128_seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    return seal_once(key[:16], plaintext, aad)


def _aes_128_open(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    return open_once(key[:16], sealed, aad)


CIPHERS: Final = {
    "AES_256": (seal_once, open_once),
    "AES_128": (_aes_128_seal, _aes_128_open),
    "CHACHA20": (chacha_seal_once, chacha_open_once),
}
"""By key spec: what seals and opens one message under K_enc."""


class Sealing(Key):
    """Ciphertext format v1, with the cipher that the key's spec names."""

    __slots__ = ("_draw", "_envelope", "_open", "_seal")

    def __init__(self, spec: KeySpec, material: bytes, key_id: str, version: int, draw: Draws) -> None:
        super().__init__(spec, beside(material))
        if len(material) * 8 != spec.bits:
            raise InvalidArgument(f"{len(material)} bytes are no {spec.name} key", "key_material")
        self._envelope, self._draw = Envelope(material, key_id, version), draw.__call__
        self._seal, self._open = CIPHERS[spec.name]

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        text = plaintext.reveal()
        key, prefix = self._envelope.seal(text, aad, self._draw())
        return prefix + self._seal(key, text, prefix)

    def encrypt_convergent(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        text = plaintext.reveal()
        key, prefix = self._envelope.converge(text, aad)
        return prefix + self._seal(key, text, prefix)

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        key, prefix = self._envelope.open(ciphertext, aad)
        return Sensitive(self._open(key, ciphertext[PREFIX_BYTES:], prefix))


class Aes(Sealing):
    """AES-256, and detached ciphertexts beside format v1: no two of their derived keys are the same."""

    __slots__ = ("_detached", "_prepare")

    def __init__(self, spec: KeySpec, material: bytes, key_id: str, version: int, draw: Draws) -> None:
        super().__init__(spec, material, key_id, version, draw)
        self._prepare: Callable[[], DetachedSealer] = lambda: DetachedSealer(material, version)
        self._detached: DetachedSealer | None = None  # once one is asked for: most keys are never used so

    def _sealer(self) -> DetachedSealer:
        if (found := self._detached) is None:
            found = self._detached = self._prepare()
        return found

    def encrypt_detached(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> Detached:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        text = plaintext.reveal()
        key, nonce, header, bound = self._sealer().seal(text, aad, self._draw())
        sealed = Gcm(key).seal(nonce, text, bound)
        return Detached(sealed[:-TAG_BYTES], nonce, sealed[-TAG_BYTES:], header)

    def decrypt_detached(self, algorithm: Algorithm, parts: Detached, aad: bytes) -> Sensitive:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        key, nonce, _, bound = self._sealer().open(parts, aad)
        return Sensitive(Gcm(key).open(nonce, parts.ciphertext + parts.tag, bound))
