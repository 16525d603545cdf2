"""SoftHSM2 made to look like a YubiHSM 2 (yubihsm-shell's pkcs11 module): what that refuses is refused.

It has no AES-GCM; HMAC keys are of their digest's own type and without CKA_VALUE_LEN; AES keys tag nothing; there are
no session objects; and no more than 2,000 bytes go in at once.
"""

from __future__ import annotations

import pytest

from keystead.cryptoki import connection, finding
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka, Ckk, Ckm, Ckr

MISSING = frozenset({Ckm.AES_GCM, Ckm.AES_CMAC, Ckm.AES_CBC_PAD})
MOST = 2000
TYPED = {Ckk.SHA256_HMAC: 32, Ckk.SHA384_HMAC: 48, Ckk.SHA512_HMAC: 64}


def pretend(patch: pytest.MonkeyPatch) -> None:
    """Until `patch` is undone, for tokens that are opened from now on."""
    listed = finding.mechanisms

    def some(module, slot):
        return {number: found for number, found in listed(module, slot).items() if number not in MISSING}

    patch.setattr(connection.finding, "mechanisms", some)
    for function, at in (("generate", 1), ("create", 0), ("unwrap", 3)):
        patch.setattr(Session, function, _strict(getattr(Session, function), function, at))
    for function in ("encrypt", "decrypt", "sign"):
        patch.setattr(Session, function, _short(getattr(Session, function), function))


def _strict(asked, function, at):
    def made(session, *args):
        template = dict(args[at])
        kind = template[Cka.KEY_TYPE]
        if (
            not template[Cka.TOKEN]
            or kind is Ckk.GENERIC_SECRET
            or (kind is Ckk.AES and (template[Cka.SIGN] or template[Cka.WRAP]))
            or (kind in TYPED and Cka.VALUE_LEN in template)
        ):
            raise Failed(f"C_{function}", Ckr.TEMPLATE_INCONSISTENT)
        if kind in TYPED:
            template[Cka.KEY_TYPE] = Ckk.GENERIC_SECRET
            if function == "generate":
                template[Cka.VALUE_LEN] = TYPED[kind]
        return asked(session, *args[:at], template, *args[at + 1 :])

    return made


def _short(asked, function):
    def done(session, mechanism, key, data):
        if mechanism.type in MISSING:
            raise Failed(f"C_{function}Init", Ckr.MECHANISM_INVALID)
        if len(data) > MOST:
            raise Failed(f"C_{function}", Ckr.DATA_LEN_RANGE)
        return asked(session, mechanism, key, data)

    return done
