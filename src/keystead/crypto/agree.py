"""ECDH (SP 800-56Ar3 §5.7.1.2)."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from keystead.core.errors import InvalidArgument


def agree(private: Any, peer: Any) -> bytes:
    """The x-coordinate, as long as the field; the peer has been checked (keys.load_public). Raises InvalidArgument."""
    try:
        secret: bytes = private.exchange(ec.ECDH(), peer)
    except ValueError as error:
        raise InvalidArgument("a public key no secret can be agreed with", "public_key") from error
    return secret
