"""Public keys of a JWK set, and the signatures that they verify. RFC 7518 §3, §6; RFC 8037; RFC 9864.

Each algorithm belongs to one type of key, so no key verifies what it was not made for: there is no `none`, and no HMAC
of a public key.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from keystead.core.algorithms import MessageForm
from keystead.crypto.keys import CURVES
from keystead.crypto.sign import SCHEMES
from keystead.crypto.weak import has_roca
from keystead.wire import Malformed
from keystead.wire.jose import Jwk, octets

RSA_BITS: Final = range(2048, 8193)
EXPONENTS: Final = range(65537, 2**32, 2)  # FIPS 186-5 §A.1.1: odd, > 2^16; larger ones cost time


class Jws(Struct, frozen=True):
    """A signature algorithm of JOSE."""

    kty: str
    crv: str  # "" for RSA
    scheme: str  # key of crypto.sign.SCHEMES
    size: int = 0  # bytes of each half of a signature of ECDSA


ALGORITHMS: Final[dict[str, Jws]] = {
    "RS256": Jws("RSA", "", "RSA_PKCS1_SHA256"),
    "RS384": Jws("RSA", "", "RSA_PKCS1_SHA384"),
    "RS512": Jws("RSA", "", "RSA_PKCS1_SHA512"),
    "PS256": Jws("RSA", "", "RSA_PSS_SHA256"),
    "PS384": Jws("RSA", "", "RSA_PSS_SHA384"),
    "PS512": Jws("RSA", "", "RSA_PSS_SHA512"),
    "ES256": Jws("EC", "P-256", "ECDSA_P256_SHA256", 32),
    "ES384": Jws("EC", "P-384", "ECDSA_P384_SHA384", 48),
    "ES512": Jws("EC", "P-521", "ECDSA_P521_SHA512", 66),
    "EdDSA": Jws("OKP", "Ed25519", "ED25519"),
    "Ed25519": Jws("OKP", "Ed25519", "ED25519"),
}
_CURVES: Final = {"P-256": ("EC_P256", 32), "P-384": ("EC_P384", 48), "P-521": ("EC_P521", 66)}


class VerifyingKey:
    """One usable key of a set."""

    __slots__ = ("_key", "_only", "crv", "kty")

    def __init__(self, kty: str, crv: str, key: Any, only: str = "") -> None:
        """`only`: the algorithm that it is for, "" for every one of its type."""
        self.kty, self.crv, self._key, self._only = kty, crv, key, only

    @classmethod
    def of_jwk(cls, jwk: Jwk) -> VerifyingKey:
        """Raises ValueError, Malformed for what is no public key, or a weak one."""
        return cls(jwk.kty, "" if jwk.kty == "RSA" else jwk.crv, _LOAD[jwk.kty](jwk), jwk.alg)

    @classmethod
    def of_pem(cls, text: str) -> VerifyingKey:
        """A public key, or that of a certificate, in PEM; for every algorithm of its type.

        Raises ValueError for what is none, or a weak one.
        """
        return cls(*_read_pem(text))

    def fits(self, alg: str) -> bool:
        """Whether it is a key for this algorithm of ALGORITHMS (RFC 7517 §4.4)."""
        row = ALGORITHMS[alg]
        return (row.kty, row.crv) == (self.kty, self.crv) and self._only in {"", alg}

    def verify(self, alg: str, message: bytes, signature: bytes) -> bool:
        """`alg` fits."""
        row = ALGORITHMS[alg]
        if row.size:  # RFC 7518 §3.4: R and S, each of full length
            if len(signature) != 2 * row.size:
                return False
            halves = (int.from_bytes(signature[: row.size]), int.from_bytes(signature[row.size :]))
            signature = encode_dss_signature(*halves)
        return SCHEMES[row.scheme].verify(self._key, message, signature, MessageForm.RAW)


def usable(jwk: Jwk) -> VerifyingKey | None:
    """None for a key of another type, and for one that is broken or weak."""
    try:
        return VerifyingKey.of_jwk(jwk) if jwk.kty in _LOAD else None
    except (ValueError, Malformed):
        return None


def _read_pem(text: str) -> tuple[str, str, Any]:
    """(kty, crv, key). Raises ValueError."""
    raw = text.encode()
    try:
        certified = b"-----BEGIN CERTIFICATE-----" in raw
        key = x509.load_pem_x509_certificate(raw).public_key() if certified else load_pem_public_key(raw)
    except (UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValueError("a key of another kind") from None
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return "RSA", "", _sound(numbers.n, numbers.e)
    if isinstance(key, ec.EllipticCurvePublicKey):
        found = [crv for crv, (name, _) in _CURVES.items() if CURVES[name].name == key.curve.name]
        if found:
            return "EC", found[0], key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "OKP", "Ed25519", key
    raise ValueError("a key of another kind")


def _number(text: str) -> int:
    return int.from_bytes(octets(text.encode()))


def _rsa(jwk: Jwk) -> Any:
    return _sound(_number(jwk.n), _number(jwk.e))


def _sound(modulus: int, exponent: int) -> Any:
    if modulus.bit_length() not in RSA_BITS or exponent not in EXPONENTS or modulus % 2 == 0 or has_roca(modulus):
        raise ValueError("a weak RSA key")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _ec(jwk: Jwk) -> Any:
    """RFC 7518 §6.2.1: coordinates of full length. A point off the curve raises ValueError."""
    if jwk.crv not in _CURVES:
        raise ValueError("another curve")
    name, size = _CURVES[jwk.crv]
    point = [octets(text.encode()) for text in (jwk.x, jwk.y)]
    if any(len(coordinate) != size for coordinate in point):
        raise ValueError("not a point")
    x, y = map(int.from_bytes, point)
    return ec.EllipticCurvePublicNumbers(x, y, CURVES[name]).public_key()


def _okp(jwk: Jwk) -> Any:
    if jwk.crv != "Ed25519":
        raise ValueError("another curve")
    return ed25519.Ed25519PublicKey.from_public_bytes(octets(jwk.x.encode()))


_LOAD: Final = {"RSA": _rsa, "EC": _ec, "OKP": _okp}
