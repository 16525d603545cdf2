"""Authenticated encryption in a token: AES-GCM in four ways that differ in who makes the IV and where it comes back,
and AES-CBC with HMAC where a token has no GCM (rule R3).

| mode      | the IV is made by | and comes back                | seen in                                   |
| caller    | us, at random     | as we gave it                 | SoftHSM2, Luna, nShield                   |
| read-back | the HSM           | in the parameter (12 bytes)   | AWS CloudHSM                              |
| prepended | the HSM           | before the ciphertext (12)    | AWS CloudHSM, by a mechanism of its own   |
| appended  | the HSM           | after the tag (16)            | Luna in FIPS mode                         |
| cbc-hmac  | us, at random     | as we gave it (16)            | YubiHSM 2: two keys, core.etm             |

A sealed text is ciphertext and tag, without the IV.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct

from keystead.core import etm
from keystead.core.errors import Internal
from keystead.cryptoki.errors import Absurd
from keystead.cryptoki.mechanisms import TAG_BYTES, GcmReadBack, Mechanism, cbc
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Ckm

IV_BYTES, LONG_IV_BYTES = 12, 16
_TAGGING: Final = Mechanism(Ckm.SHA256_HMAC)


class Mode(Enum):
    """In order of preference."""

    CALLER = "caller"
    READ_BACK = "read-back"
    PREPENDED = "prepended"
    APPENDED = "appended"
    CBC_HMAC = "cbc-hmac"
    __hash__ = object.__hash__  # members are single; Enum's own hash of the name costs more than the look-up

    @property
    def mechanisms(self) -> tuple[Ckm, ...]:
        """What a token has to list; the first is what the text itself goes through."""
        return _MECHANISMS.get(self, (Ckm.AES_GCM,))

    @property
    def iv_bytes(self) -> int:
        return LONG_IV_BYTES if self is Mode.APPENDED or self is Mode.CBC_HMAC else IV_BYTES

    @property
    def drawn_bytes(self) -> int:
        """Of the IV, where it is made by us; 0: it is not."""
        return _DRAWN.get(self, 0)


_DRAWN: Final = {Mode.CALLER: IV_BYTES, Mode.CBC_HMAC: LONG_IV_BYTES}
_MECHANISMS: Final[dict[Mode, tuple[Ckm, ...]]] = {
    Mode.PREPENDED: (Ckm.CLOUDHSM_AES_GCM,),
    Mode.CBC_HMAC: (Ckm.AES_CBC, Ckm.SHA256_HMAC, Ckm.GENERIC_SECRET_KEY_GEN),
}


class Keys(Struct, frozen=True, gc=False):
    """Handles. `mac`: of the HMAC key that CBC_HMAC needs beside the AES key; 0: there is none."""

    cipher: int
    mac: int = 0


def seal(session: Session, keys: Keys, mode: Mode, iv: bytes, text: bytes, aad: bytes) -> tuple[bytes, bytes]:
    """(IV, sealed). `iv`: `mode.drawn_bytes` at random, for this text. Raises Failed; Internal where there is no IV."""
    if len(iv) != _DRAWN.get(mode, 0):
        raise Internal(f"an IV of {len(iv)} bytes for {mode.value}")
    if mode is Mode.CBC_HMAC:
        cipher = _as_long(session.encrypt(cbc(iv), keys.cipher, padded := etm.padded(text)), len(padded))
        return iv, cipher + session.mac(_TAGGING, keys.mac, etm.tagged(aad, iv, cipher), etm.TAG_BYTES)
    n = len(text) + TAG_BYTES
    if mode is Mode.CALLER:
        return iv, _as_long(session.encrypt(session.gcm.with_(iv, aad), keys.cipher, text), n)
    if mode is Mode.READ_BACK:
        mechanism = GcmReadBack(IV_BYTES, aad)
        sealed = _as_long(session.encrypt(mechanism, keys.cipher, text), n)
        iv = mechanism.iv
    else:
        made = session.encrypt(session.gcm.with_(b"", aad, mode.mechanisms[0]), keys.cipher, text)
        _as_long(made, n + mode.iv_bytes)
        first = mode is Mode.PREPENDED
        iv, sealed = (made[:IV_BYTES], made[IV_BYTES:]) if first else (made[-LONG_IV_BYTES:], made[:-LONG_IV_BYTES])
    if not any(iv):
        raise Internal("the HSM has sealed with an IV of zeros")
    return iv, sealed


def _as_long(made: bytes, n: int) -> bytes:
    """Raises Absurd for a text of another length: nobody would ever open it."""
    if len(made) != n:
        raise Absurd("C_Encrypt")
    return made


def opened(session: Session, keys: Keys, mode: Mode, iv: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises Failed, DecryptionFailed."""
    if mode is Mode.CBC_HMAC:
        cipher, tag = etm.split(iv, sealed)
        etm.require_same(session.mac(_TAGGING, keys.mac, etm.tagged(aad, iv, cipher), etm.TAG_BYTES), tag)
        return etm.unpadded(session.decrypt(cbc(iv), keys.cipher, cipher).reveal())
    if mode is Mode.PREPENDED:
        mechanism = session.gcm.with_(b"", aad, mode.mechanisms[0])
        return session.decrypt(mechanism, keys.cipher, iv + sealed).reveal()
    return session.decrypt(session.gcm.with_(iv, aad), keys.cipher, sealed).reveal()
