"""Asymmetric keys: made, written, read and examined.

Keying material is PKCS#8 DER, the seed form for ML-DSA and ML-KEM (RFC 9881 §6, RFC 9935 §6). Curves and parameter
sets are named by key spec (core.algorithms); what stands in no table here is Unsupported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa

from keystead.core.algorithms import Family, KeySpec
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.crypto.bounds import require_private, require_public, require_short
from keystead.crypto.kdf import hkdf
from keystead.crypto.weak import refuse_weak_public, refuse_weak_rsa

PrivateKey = Any  # one of cryptography's; nobody above keystead.crypto looks into it
PublicKey = Any

CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "EC_P256": ec.SECP256R1(),
    "EC_P384": ec.SECP384R1(),
    "EC_P521": ec.SECP521R1(),
    "EC_K256": ec.SECP256K1(),
}
PRIVATE_TYPES: Final[dict[str, Any]] = {
    **dict.fromkeys(("RSA_2048", "RSA_3072", "RSA_4096"), rsa.RSAPrivateKey),
    **dict.fromkeys(CURVES, ec.EllipticCurvePrivateKey),
    "ED25519": ed25519.Ed25519PrivateKey,
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
    "ML_KEM_768": mlkem.MLKEM768PrivateKey,  # cryptography 50 has no ML-KEM-512, although OpenSSL has
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey,
}
PUBLIC_TYPES: Final[dict[str, Any]] = {
    **dict.fromkeys(("RSA_2048", "RSA_3072", "RSA_4096"), rsa.RSAPublicKey),
    "ED25519": ed25519.Ed25519PublicKey,
}
"""What may come without its private half, beside the CURVES."""
PUBLIC_EXPONENT = 65537
# InternalError: what it says to an Ed25519 key of 31 bytes
UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, InternalError)


EXTRA_BITS = 64  # FIPS 186-5 A.2.1


def _generate_ec(spec: KeySpec, seed: bytes) -> PrivateKey:
    """FIPS 186-5 A.2.1, by extra random bits."""
    d = int.from_bytes(seed, "big") % (CURVES[spec.name].group_order - 1) + 1
    return ec.derive_private_key(d, CURVES[spec.name])


_GENERATE: Final[dict[Family, Callable[[KeySpec, bytes], PrivateKey]]] = {
    # RSA's primes are drawn by OpenSSL, whose generator has its own seeding and reseeds after fork
    Family.RSA: lambda spec, _: rsa.generate_private_key(PUBLIC_EXPONENT, spec.bits or 0),
    Family.EC: _generate_ec,
    Family.EDWARDS: lambda _, seed: ed25519.Ed25519PrivateKey.from_private_bytes(seed),  # RFC 8032 §5.1.5
    Family.ML_DSA: lambda spec, seed: PRIVATE_TYPES[spec.name].from_seed_bytes(seed),  # FIPS 204 §5.1
    Family.ML_KEM: lambda spec, seed: PRIVATE_TYPES[spec.name].from_seed_bytes(seed),  # FIPS 203 §7.1
}
_SEED_BYTES: Final[dict[Family, Callable[[KeySpec], int]]] = {
    Family.RSA: lambda _: 0,
    Family.EC: lambda spec: (CURVES[spec.name].group_order.bit_length() + EXTRA_BITS + 7) // 8,
    Family.EDWARDS: lambda _: 32,
    Family.ML_DSA: lambda _: 32,
    Family.ML_KEM: lambda _: 64,
}


def seed_bytes(spec: KeySpec) -> int:
    """How many bytes a key pair is made of; 0 where OpenSSL draws them itself. Raises Unsupported."""
    if spec.name not in PRIVATE_TYPES:
        raise Unsupported(f"no {spec.name} keys here", spec.name)
    return _SEED_BYTES[spec.family](spec)


def generate(spec: KeySpec, seed: bytes) -> PrivateKey:
    """Of `seed_bytes` unpredictable bytes. RSA may take a second. Raises Unsupported, ValueError for another length."""
    if len(seed) != seed_bytes(spec):
        raise ValueError(f"{spec.name} is made of {seed_bytes(spec)} bytes")
    return _GENERATE[spec.family](spec, seed)


def private_der(key: PrivateKey) -> bytes:
    """PKCS#8."""
    der: bytes = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return der


def public_der(key: PrivateKey) -> bytes:
    """SubjectPublicKeyInfo."""
    return spki(key.public_key())


def load(spec: KeySpec, der: bytes) -> PrivateKey:
    """Our own keying material.

    The primality tests of RSA (35 ms) are left out: the row it came from is authenticated, and the material was
    examined when it was made or registered. Raises InvalidArgument, Unsupported.
    """
    return _read(spec, der, trusted=True)


def examine(spec: KeySpec, der: bytes) -> PrivateKey:
    """Somebody else's keying material, checked as far as can be checked. Raises InvalidArgument, Unsupported."""
    if spec.name in PRIVATE_TYPES:
        require_private(spec, der)
    key = _read(spec, der, trusted=False)
    if spec.family is Family.RSA:
        refuse_weak_rsa(key.private_numbers())
    return key


def examine_public(spec: KeySpec, der: bytes) -> PublicKey:
    """Somebody else's public key, checked as far as can be checked. Raises InvalidArgument, Unsupported."""
    if spec.family is Family.EC:
        return load_public(spec, der)
    if spec.name not in PUBLIC_TYPES:
        raise Unsupported(f"no {spec.name} public keys here", spec.name)
    require_short(spec, der)
    key = parse_public(der)
    if not isinstance(key, PUBLIC_TYPES[spec.name]) or not _fits(spec, key):
        raise InvalidArgument(f"not an {spec.name} public key", "public_key")
    if spec.family is Family.RSA:
        refuse_weak_public(key.public_numbers())
    return key


def spki(key: PublicKey) -> bytes:
    """DER SubjectPublicKeyInfo, as we write it."""
    der: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return der


def traditional(spec: KeySpec, der: bytes) -> bytes:
    """Our keying material as others write it: RFC 8017 A.1.2, RFC 5915, or an Ed25519 seed and its public key.

    Raises Unsupported.
    """
    key = load(spec, der)
    if spec.family is Family.EDWARDS:
        seed: bytes = key.private_bytes_raw()
        return seed + bytes(key.public_key().public_bytes_raw())
    if spec.family not in {Family.RSA, Family.EC}:
        raise Unsupported(f"{spec.name} keys are not exported", spec.name)
    made: bytes = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return made


def derived(key: PrivateKey, context: bytes) -> PrivateKey:
    """The Ed25519 key pair that OpenBao derives of one: its seed is HKDF-SHA-256 of seed and public key (RFC 5869).

    keysutil.Policy.DeriveKey: without a salt, `context` as the info.
    """
    whole: bytes = key.private_bytes_raw() + key.public_key().public_bytes_raw()
    return ed25519.Ed25519PrivateKey.from_private_bytes(hkdf(whole, context))


def load_public(spec: KeySpec, der: bytes) -> PublicKey:
    """A public key of this EC spec; a point off the curve, or on another, raises InvalidArgument."""
    require_public(spec, der)
    key = parse_public(der)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != CURVES[spec.name].name:
        raise InvalidArgument(f"not a public key of an {spec.name} key pair", "public_key")
    return key


def parse_public(der: bytes) -> PublicKey:
    """DER SubjectPublicKeyInfo of any kind. Raises InvalidArgument."""
    try:
        return serialization.load_der_public_key(der)
    except UNREADABLE as error:
        raise InvalidArgument("not a public key in DER SubjectPublicKeyInfo form", "public_key") from error


def _read(spec: KeySpec, der: bytes, *, trusted: bool) -> PrivateKey:
    if spec.name not in PRIVATE_TYPES:
        raise Unsupported(f"no {spec.name} keys here", spec.name)
    try:
        key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=trusted)
    except UNREADABLE as error:
        raise InvalidArgument("not a private key in DER PKCS#8 form", "key_material") from error
    if not isinstance(key, PRIVATE_TYPES[spec.name]) or not _fits(spec, key):
        raise InvalidArgument(f"not an {spec.name} private key", "key_material")
    return key


def _fits(spec: KeySpec, key: PrivateKey) -> bool:
    if spec.family is Family.EC:
        return bool(key.curve.name == CURVES[spec.name].name)
    return spec.family is not Family.RSA or bool(key.key_size == spec.bits)
