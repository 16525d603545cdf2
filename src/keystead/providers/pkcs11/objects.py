"""Templates of the objects that we make. Rule R4: every flag is said, and nothing that is optional.

A key is found by its id and label (rule R1); keys of a trial, and agreed secrets, are session objects without either.
"""

from __future__ import annotations

from typing import Final

from keystead.core.algorithms import Family, KeySpec
from keystead.cryptoki.templates import Template, Value
from keystead.cryptoki.words import Cka, Ckk, Cko
from keystead.providers.pkcs11.handle import LABEL, PASSING

_OF_SECRETS: Final = (Cka.ENCRYPT, Cka.DECRYPT, Cka.SIGN, Cka.VERIFY, Cka.WRAP, Cka.UNWRAP, Cka.DERIVE)
_OF_PUBLIC: Final = (Cka.ENCRYPT, Cka.VERIFY, Cka.WRAP)
_OF_PRIVATE: Final = (Cka.DECRYPT, Cka.SIGN, Cka.UNWRAP, Cka.DERIVE)

CIPHER: Final = frozenset({Cka.ENCRYPT, Cka.DECRYPT})
TAGGING: Final = frozenset({Cka.SIGN, Cka.VERIFY})
SIGNING: Final = frozenset({Cka.SIGN, Cka.VERIFY})
RSA: Final = SIGNING | CIPHER
AGREEING: Final = SIGNING | {Cka.DERIVE}

Uses = frozenset[Cka]

_ATTRIBUTES: Final = 256  # bytes: name, flags, and what a token adds of its own
_PARTS: Final = {Family.RSA: 5, Family.EC: 3}  # RSA: n, d and as much again for p, q and what CRT needs


def room(spec: KeySpec) -> int:
    """Bytes that a key of it takes in a token, about."""
    return _PARTS.get(spec.family, 1) * ((spec.bits or 0) // 8) + _ATTRIBUTES


def _flags(known: tuple[Cka, ...], uses: Uses) -> dict[Cka, Value]:
    return {flag: flag in uses for flag in known}


def _found_by(its_id: bytes | None) -> dict[Cka, Value]:
    """Without an id: an object of the session, which ends with it."""
    if its_id is None:
        return {Cka.TOKEN: False}
    passes = its_id.startswith(PASSING)
    return {Cka.TOKEN: True, Cka.ID: its_id, Cka.LABEL: PASSING if passes else LABEL}


def secret(kind: Ckk, its_id: bytes | None, uses: Uses, **more: Value) -> Template:
    """Of an AES or HMAC key. `more`: attributes by their names in small letters."""
    return {
        Cka.CLASS: Cko.SECRET_KEY,
        Cka.KEY_TYPE: kind,
        **_found_by(its_id),
        Cka.PRIVATE: True,
        Cka.SENSITIVE: True,
        Cka.EXTRACTABLE: False,
        **_flags(_OF_SECRETS, uses),
        **{Cka[name.upper()]: value for name, value in more.items()},
    }


def private(kind: Ckk, its_id: bytes | None, uses: Uses, **more: Value) -> Template:
    return {
        Cka.CLASS: Cko.PRIVATE_KEY,
        Cka.KEY_TYPE: kind,
        **_found_by(its_id),
        Cka.PRIVATE: True,
        Cka.SENSITIVE: True,
        Cka.EXTRACTABLE: False,
        **_flags(_OF_PRIVATE, uses),
        **{Cka[name.upper()]: value for name, value in more.items()},
    }


def public(kind: Ckk, its_id: bytes | None, uses: Uses, **more: Value) -> Template:
    """Of the half that comes with a pair; it is read and erased at once. CloudHSM wants it private like the other."""
    return {
        Cka.CLASS: Cko.PUBLIC_KEY,
        Cka.KEY_TYPE: kind,
        **_found_by(its_id),
        Cka.PRIVATE: True,
        **_flags(_OF_PUBLIC, uses),
        **{Cka[name.upper()]: value for name, value in more.items()},
    }


def agreed(n_bytes: int) -> Template:
    """Of a secret that two parties agree on: it is handed out, so it is neither kept nor hidden."""
    return {
        Cka.CLASS: Cko.SECRET_KEY,
        Cka.KEY_TYPE: Ckk.GENERIC_SECRET,
        Cka.TOKEN: False,
        Cka.PRIVATE: True,
        Cka.SENSITIVE: False,
        Cka.EXTRACTABLE: True,
        Cka.VALUE_LEN: n_bytes,
    }
