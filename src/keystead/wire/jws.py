"""Signed tokens as they are made: RFC 7515 §5.1, §7.1. They are read by wire.jose."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import msgspec


def encoded(raw: bytes) -> bytes:
    """base64url without padding. RFC 7515 §2"""
    return urlsafe_b64encode(raw).rstrip(b"=")


def signing_input(algorithm: str, kid: str, payload: bytes) -> bytes:
    header = msgspec.json.encode({"alg": algorithm, "kid": kid})
    return encoded(header) + b"." + encoded(payload)


def compact(signed: bytes, signature: bytes) -> bytes:
    """The token: what was signed, and the signature."""
    return signed + b"." + encoded(signature)
