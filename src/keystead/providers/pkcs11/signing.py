"""Signatures by raw mechanisms (rule R5): hashed and framed here, so that every token makes them alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from keystead.core.algorithms import ALGORITHMS, Algorithm, Family, KeySpec, MessageForm, Purpose
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.core.operations.schemes import AS_DIGEST, LONGEST, Scheme
from keystead.crypto import halves
from keystead.crypto.schemes import DIGESTS
from keystead.cryptoki.errors import Absurd
from keystead.cryptoki.mechanisms import DIGESTS as IN_TOKENS
from keystead.cryptoki.mechanisms import Mechanism, ed25519ph, pss
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Ckm

_EDDSA, _ECDSA, _RSA_PKCS = Mechanism(Ckm.EDDSA), Mechanism(Ckm.ECDSA), Mechanism(Ckm.RSA_PKCS)
_ED25519PH = ed25519ph()
_ED25519_BYTES: Final = 64
PREHASHED: Final = "ED25519PH"
PREHASHING: Final[dict[str, Callable[[bytes], bytes]]] = {
    "message": lambda message: message,
    "hashed": lambda message: hashlib.sha512(message).digest(),
}
"""Who makes the SHA-512 of Ed25519ph, the token or we: PKCS#11 v3.1 §6.3.15 says that there is one, and not of what."""


_SCHEMES: Final = {
    name: Scheme(digest=algorithm.digest, padding="pkcs1" if "PKCS1" in name else "pss", salt=AS_DIGEST)
    for name, algorithm in ALGORITHMS.items()
}


def scheme_of(algorithm: Algorithm) -> Scheme:
    """PSS with a salt as long as the digest, ECDSA as DER: as the algorithm table has them."""
    return _SCHEMES[algorithm.name]


def needs(family: Family, scheme: Scheme) -> Ckm | None:
    """The mechanism that it takes; None: no such signatures."""
    if family is Family.RSA:
        return {"pss": Ckm.RSA_PKCS_PSS, "pkcs1": Ckm.RSA_PKCS}.get(
            "pkcs1" if scheme.digest is None else scheme.padding
        )
    return {Family.EC: Ckm.ECDSA, Family.EDWARDS: Ckm.EDDSA}.get(family)


def tested_as(spec: KeySpec) -> dict[Ckm, Algorithm]:
    """By mechanism, the algorithm of the spec that it is tried with."""
    found: dict[Ckm, Algorithm] = {}
    for name in spec.algorithms:
        algorithm = ALGORITHMS[name]
        if algorithm.purpose is Purpose.SIGNATURE and name != PREHASHED:
            mechanism = needs(spec.family, scheme_of(algorithm))
            if mechanism is not None:
                found.setdefault(mechanism, algorithm)
    return found


def _hashed(digest: str | None, message: bytes, form: MessageForm) -> tuple[str, bytes]:
    """Raises InvalidArgument as software does (crypto.schemes)."""
    if digest not in DIGESTS or digest is None:
        raise InvalidArgument(f"no signatures with {digest}", "digest")
    if form is MessageForm.RAW:
        return digest, hashlib.new(digest, message).digest()
    if len(message) != DIGESTS[digest].digest_size:
        raise InvalidArgument(f"{len(message)} bytes are no {digest} digest", "form")
    return digest, message


def prepared(spec: KeySpec, scheme: Scheme, message: bytes, form: MessageForm) -> tuple[Mechanism, bytes]:
    """What the token is asked. Raises InvalidArgument (detail "form", "salt", "digest", "padding"), Unsupported."""
    if spec.family is Family.EDWARDS:
        return _EDDSA, message
    if spec.family is Family.EC:
        _, hashed = _hashed(scheme.digest, message, form)
        return _ECDSA, hashed[: halves.order_bytes(spec)]  # FIPS 186-5 §6.4.1: the leftmost bits
    return _rsa(spec, scheme, message, form)


def prehashed(way: str, message: bytes) -> tuple[Mechanism, bytes]:
    """Of Ed25519ph. `way`: of PREHASHING."""
    return _ED25519PH, PREHASHING[way](message)


def _rsa(spec: KeySpec, scheme: Scheme, message: bytes, form: MessageForm) -> tuple[Mechanism, bytes]:
    size = (spec.bits or 0) // 8
    if scheme.digest is None:
        return _RSA_PKCS, _fitting(message, size)
    digest, hashed = _hashed(scheme.digest, message, form)
    if scheme.padding == "pkcs1":
        return _RSA_PKCS, _fitting(halves.digest_info(digest, hashed), size)
    if scheme.padding != "pss":
        raise InvalidArgument("an RSA signature has a padding, PSS or PKCS #1 v1.5", "padding")
    if digest not in IN_TOKENS:
        raise Unsupported(f"no HSM makes PSS with {digest} here", digest)
    longest = size - len(hashed) - 2  # RFC 8017 §9.1.1
    salt = {LONGEST: longest, AS_DIGEST: len(hashed)}.get(scheme.salt, scheme.salt)
    if not 0 <= salt <= longest:
        raise InvalidArgument("a salt or message that does not fit the key", "salt")
    return pss(digest, salt), hashed


def _fitting(framed: bytes, size: int) -> bytes:
    if len(framed) > size - 11:  # RFC 8017 §9.2
        raise InvalidArgument("a salt or message that does not fit the key", "salt")
    return framed


def _is_as_long(spec: KeySpec, n: int) -> bool:
    """As a signature: of ECDSA r and s, alike in length (PKCS#11 v3.1 §6.3.1)."""
    if spec.family is Family.EC:
        return 0 < n <= 2 * halves.order_bytes(spec) and n % 2 == 0
    return n == (_ED25519_BYTES if spec.family is Family.EDWARDS else (spec.bits or 0) // 8)


def signed(session: Session, key: int, spec: KeySpec, scheme: Scheme, asked: tuple[Mechanism, bytes]) -> bytes:
    """The signature in the form that software gives it. Raises Failed."""
    made = session.sign(asked[0], key, asked[1])
    if not _is_as_long(spec, len(made)):
        raise Absurd("C_Sign")
    return made if spec.family is not Family.EC or scheme.fixed else halves.to_der(made)
