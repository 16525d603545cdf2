"""What is looked at in somebody else's key before OpenSSL is: a few KiB can keep it busy for minutes.

An RSA key of 2 KiB whose "prime" has 11,213 bits takes 36 seconds to be refused for its modulus, and one of 20,000 bits
three minutes: the primes are tested before anything is known of their size (security.md §4, row 62).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keystead.core.algorithms import Family, KeySpec
from keystead.core.errors import InvalidArgument
from keystead.wire import Malformed, asn1

MAX_PRIVATE: Final[dict[Family, int]] = {
    # bytes; the largest of each written by OpenSSL, with its optional parts, is half of that
    Family.RSA: 6144,
    Family.EC: 512,
    Family.EDWARDS: 256,
    Family.ML_DSA: 12_288,
    Family.ML_KEM: 8192,
}
MAX_PUBLIC: Final[dict[Family, int]] = {Family.RSA: 600, Family.EC: 200, Family.EDWARDS: 64}  # bytes
_PARTS: Final = 3  # RFC 5958 §2: version, algorithm, key; what may follow is not looked at
_TWO_PRIMES: Final = b"\x02\x01\x00"  # RFC 8017 §A.1.2: version 0, and then
_RSA_BITS: Final[tuple[Callable[[int], int], ...]] = (
    lambda bits: bits,  # n
    lambda _: 256,  # e; FIPS 186-5 §A.1.1
    lambda bits: bits,  # d
    *(lambda bits: bits // 2 for _ in ["p", "q", "dp", "dq", "qi"]),
)
_EC: Final = bytes.fromhex("06072a8648ce3d0201")  # RFC 5480 §2.1.1, id-ecPublicKey
_POINTS: Final = frozenset({b"\0\2", b"\0\3", b"\0\4"})  # RFC 5480 §2.2: compressed or not, never hybrid
_CURVES: Final = {
    # RFC 5480 §2.1.1.1; SEC 2 §A.2.1
    "EC_P256": bytes.fromhex("06082a8648ce3d030107"),
    "EC_P384": bytes.fromhex("06052b81040022"),
    "EC_P521": bytes.fromhex("06052b81040023"),
    "EC_K256": bytes.fromhex("06052b8104000a"),
}


def require_private(spec: KeySpec, der: bytes) -> None:
    """PKCS#8 of at most the sizes that a key of this spec has. Raises InvalidArgument."""
    try:
        _private(spec, der)
    except Malformed as error:
        raise InvalidArgument(f"not an {spec.name} private key in DER PKCS#8 form: {error}", "key_material") from error


def require_public(spec: KeySpec, der: bytes) -> None:
    """SubjectPublicKeyInfo of a point on the named curve of an EC spec, and of nothing else. Raises InvalidArgument."""
    try:
        _public(spec, der)
    except Malformed as error:
        raise InvalidArgument(f"not a public key of an {spec.name} key pair: {error}", "public_key") from error


def require_short(spec: KeySpec, der: bytes) -> None:
    """SubjectPublicKeyInfo no longer than one of this spec is. Raises InvalidArgument."""
    if len(der) > MAX_PUBLIC[spec.family]:
        raise InvalidArgument(f"longer than an {spec.name} public key", "public_key")
    try:
        asn1.check(der)
    except Malformed as error:
        raise InvalidArgument(f"not an {spec.name} public key: {error}", "public_key") from error


def _private(spec: KeySpec, der: bytes) -> None:
    if len(der) > MAX_PRIVATE[spec.family]:
        raise Malformed("longer than such a key")
    asn1.check(der)
    if spec.family is Family.RSA:
        _rsa(spec.bits or 0, der)


def _rsa(bits: int, der: bytes) -> None:
    """What is left to OpenSSL takes as long as for a good key of this size. FIPS 186-5 §A.1.1: primes of half of it.

    The RSAPrivateKey within PKCS#8, or bare (RFC 8017 §A.1.2), as `openssl genpkey -outform DER` writes it.
    """
    numbers = asn1.elements(asn1.one(der, asn1.SEQUENCE))
    if len(numbers) >= _PARTS and numbers[2].tag == asn1.OCTET_STRING:
        numbers = asn1.elements(asn1.one(numbers[2].content, asn1.SEQUENCE))
    if len(numbers) != len(_RSA_BITS) + 1 or numbers[0].whole != _TWO_PRIMES:
        raise Malformed("another number of integers, or of primes")
    n, _, _, p, q, *_ = (asn1.unsigned(number, most(bits)) for number, most in zip(numbers[1:], _RSA_BITS, strict=True))
    if n.bit_length() != bits or p * q != n:
        raise Malformed("a modulus of another size, or of other primes")


def _public(spec: KeySpec, der: bytes) -> None:
    info = asn1.elements(asn1.one(der, asn1.SEQUENCE))
    if [part.tag for part in info] != [asn1.SEQUENCE, asn1.BIT_STRING]:
        raise Malformed("no public key")
    if info[0].content != _EC + _CURVES[spec.name]:  # RFC 5480 §2.1.1: implicit and explicit curves are not for use
        raise Malformed("another kind of key, or another curve")
    if info[1].content[:2] not in _POINTS:
        raise Malformed("no point, or of a form that is not for use")
    if len(info[1].content) > 2 + 2 * (((spec.bits or 0) + 7) // 8):
        raise Malformed("longer than a point")
