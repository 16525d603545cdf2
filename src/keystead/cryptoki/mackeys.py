"""HMAC keys in a token: generic secrets, or of their digest's own type where a token has no others.

YubiHSM 2 takes CKK_SHA256_HMAC and its like alone, and no CKA_VALUE_LEN: the type says how long the key is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keystead.cryptoki.errors import REFUSED, Failed
from keystead.cryptoki.templates import Template
from keystead.cryptoki.words import Cka, Ckk

TYPED: Final = {
    "sha224": Ckk.SHA224_HMAC,
    "sha256": Ckk.SHA256_HMAC,
    "sha384": Ckk.SHA384_HMAC,
    "sha512": Ckk.SHA512_HMAC,
}
"""hashlib's name -> CKK_."""


def made(digest: str, template: Template, make: Callable[[Template], int]) -> int:
    """What `make` answers of the template of a generic secret or, where that is refused, of one of the digest's type.

    Raises Failed: of the first, where both are refused.
    """
    try:
        return make(template)
    except Failed as failed:
        if failed.rv not in REFUSED:
            raise
        refused = failed
    typed = {**template, Cka.KEY_TYPE: TYPED[digest]}
    typed.pop(Cka.VALUE_LEN, None)
    try:
        return make(typed)
    except Failed as failed:
        raise (refused if failed.rv in REFUSED else failed) from None
