"""ECDSA over P-256 with SHA-256 as a TPM takes it: a public key is its point, a signature r and s, 64 bytes each."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive

NUMBER_BYTES: Final = 32
BYTES: Final = 2 * NUMBER_BYTES
_UNREADABLE: Final = (ValueError, TypeError, OverflowError)
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


def point(pem: bytes) -> bytes:
    """x and y of a PEM SubjectPublicKeyInfo. Raises InvalidArgument."""
    try:
        key = serialization.load_pem_public_key(pem)
    except _UNREADABLE:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidArgument("that is no public key over P-256 in PEM: `openssl ec -pubout` writes one", "authority")
    return _point(key)


def sign(pem: Sensitive, message: bytes) -> tuple[bytes, bytes]:
    """(whose point, signature) by a PEM private key without a passphrase. Raises InvalidArgument."""
    try:
        key = serialization.load_pem_private_key(pem.reveal(), None)
    except _UNREADABLE:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidArgument("that is no private key over P-256 in PEM, without a passphrase", "key")
    return _point(key.public_key()), _pair(*decode_dss_signature(key.sign(message, _ECDSA)))


def verify(whose: bytes, message: bytes, signature: bytes) -> bool:
    """Raises InvalidArgument for a point that is none."""
    if len(signature) != BYTES:
        return False
    try:
        key = ec.EllipticCurvePublicNumbers(*_numbers(whose), ec.SECP256R1()).public_key()
    except ValueError:
        raise InvalidArgument("that is no point of P-256", "authority") from None
    try:
        key.verify(encode_dss_signature(*_numbers(signature)), message, _ECDSA)
    except (InvalidSignature, ValueError):
        return False
    return True


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    numbers = key.public_numbers()
    return _pair(numbers.x, numbers.y)


def _pair(one: int, other: int) -> bytes:
    return one.to_bytes(NUMBER_BYTES, "big") + other.to_bytes(NUMBER_BYTES, "big")


def _numbers(pair: bytes) -> tuple[int, int]:
    return int.from_bytes(pair[:NUMBER_BYTES], "big"), int.from_bytes(pair[NUMBER_BYTES:], "big")
