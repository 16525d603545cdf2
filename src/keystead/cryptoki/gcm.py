"""AES-GCM in a token, in four ways that differ in who makes the IV and where it comes back (rule R3).

| mode      | the IV is made by | and comes back                | seen in                                   |
| caller    | us, at random     | as we gave it                 | SoftHSM2, Luna, nShield                   |
| read-back | the HSM           | in the parameter (12 bytes)   | AWS CloudHSM                              |
| prepended | the HSM           | before the ciphertext (12)    | AWS CloudHSM, by a mechanism of its own   |
| appended  | the HSM           | after the tag (16)            | Luna in FIPS mode                         |

A sealed text is ciphertext and tag, without the IV.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from keystead.core.errors import Internal
from keystead.cryptoki.mechanisms import GcmReadBack
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Ckm

IV_BYTES, LONG_IV_BYTES = 12, 16


class Mode(Enum):
    """In order of preference."""

    CALLER = "caller"
    READ_BACK = "read-back"
    PREPENDED = "prepended"
    APPENDED = "appended"

    @property
    def mechanism(self) -> int:
        return Ckm.CLOUDHSM_AES_GCM if self is Mode.PREPENDED else Ckm.AES_GCM


def seal(
    session: Session, key: int, mode: Mode, draw: Callable[[int], bytes], text: bytes, aad: bytes
) -> tuple[bytes, bytes]:
    """(IV, sealed). `draw`: random bytes. Raises Internal where the HSM gave no IV."""
    if mode is Mode.CALLER:
        iv = draw(IV_BYTES)
        return iv, session.encrypt(session.gcm.with_(iv, aad), key, text)
    if mode is Mode.READ_BACK:
        mechanism = GcmReadBack(IV_BYTES, aad)
        sealed = session.encrypt(mechanism, key, text)
        iv = mechanism.iv
    else:
        sealed = session.encrypt(session.gcm.with_(b"", aad, mode.mechanism), key, text)
        first = mode is Mode.PREPENDED
        iv, sealed = (
            (sealed[:IV_BYTES], sealed[IV_BYTES:]) if first else (sealed[-LONG_IV_BYTES:], sealed[:-LONG_IV_BYTES])
        )
    if not any(iv):
        raise Internal("the HSM has sealed with an IV of zeros")
    return iv, sealed


def opened(session: Session, key: int, mode: Mode, iv: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises Failed."""
    if mode is Mode.PREPENDED:
        return session.decrypt(session.gcm.with_(b"", aad, mode.mechanism), key, iv + sealed).reveal()
    return session.decrypt(session.gcm.with_(iv, aad), key, sealed).reveal()
