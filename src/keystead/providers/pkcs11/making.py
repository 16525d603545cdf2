"""Keys made in a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keystead.core.algorithms import Family, KeySpec, Purpose
from keystead.core.errors import Internal
from keystead.crypto import halves
from keystead.cryptoki import mackeys
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.finding import MechanismInfo
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.session import Session
from keystead.cryptoki.templates import Template, Value
from keystead.cryptoki.words import Cka, Ckk, Ckm, Ckr, Flag
from keystead.providers.pkcs11 import objects
from keystead.providers.pkcs11.objects import Uses

EXPONENT: Final = b"\x01\x00\x01"
KINDS: Final = {
    Family.AES: Ckk.AES,
    Family.HMAC: Ckk.GENERIC_SECRET,
    Family.RSA: Ckk.RSA,
    Family.EC: Ckk.EC,
    Family.EDWARDS: Ckk.EC_EDWARDS,
}
MAKERS: Final[dict[Family, tuple[Ckm, ...]]] = {
    Family.AES: (Ckm.AES_KEY_GEN,),
    Family.HMAC: (Ckm.GENERIC_SECRET_KEY_GEN,),
    Family.RSA: (Ckm.RSA_PKCS_KEY_PAIR_GEN, Ckm.RSA_X9_31_KEY_PAIR_GEN),
    Family.EC: (Ckm.EC_KEY_PAIR_GEN,),
    Family.EDWARDS: (Ckm.EC_EDWARDS_KEY_PAIR_GEN,),
}
"""In order of preference."""
EDWARDS: Final = {
    # PrintableString "edwards25519" (PKCS#11 v3.0 §2.3.10); id-Ed25519 (RFC 8410)
    "name": b"\x13\x0cedwards25519",
    "oid": bytes.fromhex("06032b6570"),
}
USES: Final[dict[Family, Uses]] = {
    Family.AES: objects.CIPHER,
    Family.HMAC: objects.TAGGING,
    Family.RSA: objects.RSA,
    Family.EC: objects.AGREEING,
    Family.EDWARDS: objects.SIGNING,
}


def maker(mechanisms: dict[int, MechanismInfo], spec: KeySpec) -> Ckm | None:
    """The mechanism that makes keys of that family and, where its sizes are bits, of that size."""
    for one in MAKERS.get(spec.family, ()):
        if (info := mechanisms.get(one)) is None or not info.flags & (Flag.GENERATE | Flag.GENERATE_KEY_PAIR):
            continue
        if spec.family in {Family.RSA, Family.EC} and not info.least <= (spec.bits or 0) <= info.most:
            continue
        return one
    return None


def secret(session: Session, spec: KeySpec, by: Ckm, its_id: bytes | None, uses: Uses, **more: Value) -> int:
    """`more`: attributes by their names in small letters."""
    template = objects.secret(KINDS[spec.family], its_id, uses, value_len=(spec.bits or 0) // 8, **more)
    return put(spec, template, lambda wanted: session.generate(Mechanism(by), wanted))


def put(spec: KeySpec, template: Template, make: Callable[[Template], int]) -> int:
    """What `make` answers of the template of an AES or HMAC key, as the token takes it. Raises Failed."""
    if spec.family is not Family.HMAC:
        return make(template)
    return mackeys.made(spec.default(Purpose.MAC).digest or "", template, make)


def pair(
    session: Session, spec: KeySpec, by: Ckm, its_id: bytes | None, edwards: str, uses: Uses | None = None
) -> tuple[int, int, bytes]:
    """(public, private, DER SubjectPublicKeyInfo)."""
    kind, uses = KINDS[spec.family], USES[spec.family] if uses is None else uses
    if spec.family is Family.RSA:
        theirs = objects.public(kind, its_id, uses, modulus_bits=spec.bits or 0, public_exponent=EXPONENT)
    else:
        theirs = objects.public(kind, its_id, uses, ec_params=parameters(spec, edwards))
    one, other = session.generate_pair(Mechanism(by), theirs, objects.private(kind, its_id, uses))
    return one, other, public_key(session, spec, one)


def parameters(spec: KeySpec, edwards: str) -> bytes:
    """CKA_EC_PARAMS."""
    return EDWARDS[edwards] if spec.family is Family.EDWARDS else halves.OIDS[spec.name]


def public_key(session: Session, spec: KeySpec, handle: int) -> bytes:
    """DER SubjectPublicKeyInfo. Raises Internal for one of another size.

    Raises Failed for an object that does not tell: SoftHSM2's do not while another thread reads them from their file.
    """
    told = session.attributes(handle, (Cka.MODULUS, Cka.PUBLIC_EXPONENT, Cka.EC_POINT))
    modulus, exponent, point = (told.get(one, b"") for one in (Cka.MODULUS, Cka.PUBLIC_EXPONENT, Cka.EC_POINT))
    if not isinstance(modulus, bytes) or not isinstance(exponent, bytes) or not isinstance(point, bytes):
        raise Internal("an HSM's public key is none")
    if not (modulus and exponent if spec.family is Family.RSA else point):
        raise Failed("C_GetAttributeValue", Ckr.FUNCTION_FAILED)
    made = halves.rsa_public(modulus, exponent) if spec.family is Family.RSA else halves.ec_public(spec, point)
    if spec.family is Family.RSA and halves.rsa_bits(made) != spec.bits:
        raise Internal("an HSM's public key is of another size")
    return made
