"""Key pairs in the pieces that an HSM wants and gives: numbers, points and digests, in and out of DER."""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keystead.core.algorithms import Family, KeySpec
from keystead.core.errors import Internal, InvalidArgument
from keystead.crypto.keys import CURVES, load, load_public, parse_public, spki
from keystead.crypto.schemes import DIGESTS

OIDS: Final = {
    # SEC 2 §A.2.1, as DER
    "EC_P256": bytes.fromhex("06082a8648ce3d030107"),
    "EC_P384": bytes.fromhex("06052b81040022"),
    "EC_P521": bytes.fromhex("06052b81040023"),
    "EC_K256": bytes.fromhex("06052b8104000a"),
}
_DIGEST_INFO: Final = {
    # RFC 8017 §9.2 note 1, and NIST's arc for SHA-3
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    **{
        name: bytes([0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, arc, 5, 0, 4, size])
        for name, arc, size in (
            ("sha256", 1, 32),
            ("sha384", 2, 48),
            ("sha512", 3, 64),
            ("sha224", 4, 28),
            ("sha3_224", 7, 28),
            ("sha3_256", 8, 32),
            ("sha3_384", 9, 48),
            ("sha3_512", 10, 64),
        )
    },
}


def digest_info(digest: str, hashed: bytes) -> bytes:
    """What RSASSA-PKCS1-v1_5 pads: RFC 8017 §9.2."""
    if len(hashed) != DIGESTS[digest].digest_size:
        raise InvalidArgument(f"{len(hashed)} bytes are no {digest} digest", "form")
    return _DIGEST_INFO[digest] + hashed


def of_bytes(number: int) -> bytes:
    """Big-endian, without leading zeros: PKCS#11's "Big integer"."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def rsa_parts(spec: KeySpec, der: bytes) -> tuple[bytes, ...]:
    """(n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p) of our own keying material."""
    key = load(spec, der).private_numbers()
    public = key.public_numbers
    numbers = (public.n, public.e, key.d, key.p, key.q, key.dmp1, key.dmq1, key.iqmp)
    return tuple(of_bytes(number) for number in numbers)


def ec_parts(spec: KeySpec, der: bytes) -> tuple[bytes, bytes]:
    """(scalar, point), or (seed, point) of Ed25519, of our own keying material."""
    key = load(spec, der)
    if spec.family is Family.EDWARDS:
        return key.private_bytes_raw(), key.public_key().public_bytes_raw()
    n = (CURVES[spec.name].key_size + 7) // 8
    return key.private_numbers().private_value.to_bytes(n, "big"), _point(key.public_key())


def rsa_public(modulus: bytes, exponent: bytes) -> bytes:
    """DER SubjectPublicKeyInfo. Raises Internal."""
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    try:
        return spki(numbers.public_key())
    except ValueError as error:
        raise Internal("an HSM's public key is none") from error


def ec_public(spec: KeySpec, point: bytes) -> bytes:
    """DER SubjectPublicKeyInfo of what CKA_EC_POINT says: a point in an OCTET STRING, or bare. Raises Internal."""
    try:
        if spec.family is Family.EDWARDS:
            return spki(ed25519.Ed25519PublicKey.from_public_bytes(point[-32:]))
        n = 1 + 2 * ((CURVES[spec.name].key_size + 7) // 8)
        return spki(ec.EllipticCurvePublicKey.from_encoded_point(CURVES[spec.name], point[-n:]))
    except ValueError as error:
        raise Internal("an HSM's public key is none") from error


def peer_point(spec: KeySpec, der: bytes) -> bytes:
    """The point of somebody's public key, uncompressed, checked to be on that curve. Raises InvalidArgument."""
    return _point(load_public(spec, der))


def encoded(point: bytes) -> bytes:
    """A point in an OCTET STRING, as PKCS#11 v2.40 has CKA_EC_POINT; at most 133 bytes."""
    n = len(point)
    return bytes([4, n] if n < 0x80 else [4, 0x81, n]) + point


def _point(public: Any) -> bytes:
    made: bytes = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return made


def order_bytes(spec: KeySpec) -> int:
    return (CURVES[spec.name].key_size + 7) // 8


def to_der(fixed: bytes) -> bytes:
    """An ECDSA signature r || s as RFC 3279 §2.2.3 has it."""
    n = len(fixed) // 2
    return encode_dss_signature(int.from_bytes(fixed[:n], "big"), int.from_bytes(fixed[n:], "big"))


def rsa_bits(public: bytes) -> int:
    bits: int = parse_public(public).key_size
    return bits
