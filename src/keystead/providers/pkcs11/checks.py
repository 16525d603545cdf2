"""Key check values in a token (rule R11): three bytes that tell whether an object is the key it is taken for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keystead.crypto import checkvalues
from keystead.crypto.checkvalues import BLOCK, CHECK_BYTES
from keystead.cryptoki.errors import Absurd
from keystead.cryptoki.mechanisms import Mechanism, cbc
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka, Ckm

HMACS: Final = {
    "sha224": Ckm.SHA224_HMAC,
    "sha256": Ckm.SHA256_HMAC,
    "sha384": Ckm.SHA384_HMAC,
    "sha512": Ckm.SHA512_HMAC,
}
_Asked = Callable[[Session, int], bytes]


def _by_hmac(digest: str) -> _Asked:
    return lambda session, key: session.sign(Mechanism(HMACS[digest]), key, BLOCK)


ASKED: Final[dict[str, _Asked]] = {
    "ecb": lambda session, key: session.encrypt(Mechanism(Ckm.AES_ECB), key, BLOCK),
    "cbc": lambda session, key: session.encrypt(cbc(BLOCK), key, BLOCK),
    "cmac": lambda session, key: session.sign(Mechanism(Ckm.AES_CMAC), key, BLOCK),
    **{digest: _by_hmac(digest) for digest in HMACS},
}
"""How -> what a token is asked."""
USES: Final = {"ecb": frozenset({Cka.ENCRYPT}), "cbc": frozenset({Cka.ENCRYPT}), "cmac": frozenset({Cka.SIGN})}
IN_SOFTWARE: Final = {"ecb": checkvalues.by_ecb, "cbc": checkvalues.by_ecb, "cmac": checkvalues.by_cmac}
"""CBC of one block of zeros with an IV of zeros is what ECB makes of it."""


def value(session: Session, key: int, how: str) -> bytes:
    """Raises Failed. Empty for a `how` that is empty: the token has no way to tell."""
    if not how:
        return b""
    made = ASKED[how](session, key)
    if len(made) < CHECK_BYTES:
        raise Absurd("C_Sign" if how in HMACS else "C_Encrypt")
    return made[:CHECK_BYTES]
