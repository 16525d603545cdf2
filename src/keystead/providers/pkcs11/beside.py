"""The HMAC key that stands beside an AES key in a token without GCM: it tags what the AES key enciphers (core.etm).

It has the AES key's CKA_ID and a label of its own, so the two are found, proved and erased together. Where the AES key
was made in the token, so was this one; where the AES key came from outside, this one comes of it by HKDF: the same
material brought in twice opens the same ciphertexts.
"""

from __future__ import annotations

from typing import Final

from keystead.core.algorithms import KEY_SPECS
from keystead.core.sensitive import Sensitive
from keystead.crypto.kdf import hkdf
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Ckr
from keystead.providers.pkcs11 import checks, making, objects
from keystead.providers.pkcs11.bringing import Bringing
from keystead.providers.pkcs11.handle import BESIDE

SPEC: Final = KEY_SPECS["HMAC_256"]
_INFO: Final = b"keystead/hsm-mac/v1"


def derived(material: Sensitive) -> Sensitive:
    """Of an AES key that comes from outside."""
    return Sensitive(hkdf(material.reveal(), _INFO))


def generate(desk: Desk, its_id: bytes) -> int:
    """Raises Failed."""
    if (by := making.maker(desk.connection.mechanisms, SPEC)) is None:
        raise Failed("C_GenerateKey", Ckr.MECHANISM_INVALID)
    return making.secret(desk.session, SPEC, by, its_id, objects.TAGGING, label=BESIDE)


def bring(bringing: Bringing, material: Sensitive, its_id: bytes) -> int:
    """Raises Failed, Unsupported."""
    return bringing.bring(SPEC, derived(material), its_id, objects.TAGGING, label=BESIDE)


def check(session: Session, key: int) -> bytes:
    """Its check value (rule R11). Raises Failed."""
    return checks.value(session, key, "sha256")
