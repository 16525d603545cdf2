"""The other side of an import: keying material under the RSA public key that was prepared for it."""

from __future__ import annotations

from keystead.core.sensitive import Sensitive
from keystead.crypto.keys import parse_public
from keystead.crypto.oaep import encrypt


def wrapped(public: bytes, material: Sensitive) -> bytes:
    """RSAES-OAEP with SHA-256 (core.wrapping: RSA_OAEP_SHA256). `public`: DER SubjectPublicKeyInfo."""
    return encrypt("RSA_OAEP_SHA256", parse_public(public), material.reveal())
