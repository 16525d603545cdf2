"""Public keys as a JWK set has them. RFC 7517 §4, RFC 7518 §6, RFC 8037. They are read by crypto.jwk."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from keystead.wire.jws import encoded

_CURVES = {"secp256r1": ("P-256", 32), "secp384r1": ("P-384", 48), "secp521r1": ("P-521", 66)}


def published(public_key: bytes) -> dict[str, str]:
    """The members that say a public key, which is given as DER SubjectPublicKeyInfo. Raises ValueError for others."""
    key = load_der_public_key(public_key)
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _text(numbers.n), "e": _text(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        (crv, size), point = _CURVES[key.curve.name], key.public_numbers()
        return {"kty": "EC", "crv": crv, "x": _text(point.x, size), "y": _text(point.y, size)}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": encoded(key.public_bytes_raw()).decode()}
    raise ValueError("a key that signs no tokens")


def _text(number: int, size: int = 0) -> str:
    return encoded(number.to_bytes(size or (number.bit_length() + 7) // 8)).decode()
