"""Identity tokens as an issuer makes them, and as nobody should: what the tests of web identities stand on."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {
    "256": (ec.SECP256R1(), "P-256", 32),
    "384": (ec.SECP384R1(), "P-384", 48),
    "512": (ec.SECP521R1(), "P-521", 66),
}


def b64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64url(value.to_bytes(size or (value.bit_length() + 7) // 8))


class SigningKey:
    """One key of an issuer's, for one algorithm."""

    def __init__(self, alg: str = "ES256", kid: str = "one", bits: int = 2048) -> None:
        self.alg, self.kid, family, size = alg, kid, alg[:2], alg[2:]
        if family in {"RS", "PS"}:
            self.private: Any = _rsa(bits)
        elif family == "ES":
            self.private = ec.generate_private_key(CURVES[size][0])
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()

    @property
    def jwk(self) -> dict[str, Any]:
        common = {"kid": self.kid, "use": "sig", "alg": self.alg}
        public = self.private.public_key()
        if self.alg[:2] in {"RS", "PS"}:
            numbers = public.public_numbers()
            return {**common, "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        if self.alg[:2] == "ES":
            _, crv, size = CURVES[self.alg[2:]]
            point = public.public_numbers()
            return {**common, "kty": "EC", "crv": crv, "x": number(point.x, size), "y": number(point.y, size)}
        return {**common, "kty": "OKP", "crv": "Ed25519", "x": b64url(public.public_bytes_raw())}

    def sign(self, message: bytes) -> bytes:
        family, size = self.alg[:2], self.alg[2:]
        if family == "RS":
            return self.private.sign(message, padding.PKCS1v15(), HASHES[size])
        if family == "PS":
            pss = padding.PSS(padding.MGF1(HASHES[size]), padding.PSS.DIGEST_LENGTH)
            return self.private.sign(message, pss, HASHES[size])
        if family == "ES":
            halves = decode_dss_signature(self.private.sign(message, ec.ECDSA(HASHES[size])))
            return b"".join(half.to_bytes(CURVES[size][2]) for half in halves)
        return self.private.sign(message)

    def token(self, claims: dict[str, Any] | bytes, **header: Any) -> str:
        """`claims`: bytes are taken as they are. `header`: members beside alg and kid; None takes one away."""
        said = {"alg": self.alg, "typ": "JWT", "kid": self.kid} | header
        head = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
        return self.compact(head, claims if isinstance(claims, bytes) else json.dumps(claims).encode())

    def compact(self, header: bytes, payload: bytes) -> str:
        signed = f"{b64url(header)}.{b64url(payload)}"
        return f"{signed}.{b64url(self.sign(signed.encode()))}"


def key_set(*keys: SigningKey | dict[str, Any]) -> bytes:
    return json.dumps({"keys": [key.jwk if isinstance(key, SigningKey) else key for key in keys]}).encode()


@cache
def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)
