"""ECDH (SP 800-56Ar3 §5.7.1.2)."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.crypto.kdf import hkdf


def agree(private: Any, peer: Any) -> bytes:
    """The x-coordinate, as long as the field; the peer has been checked (keys.load_public). Raises InvalidArgument."""
    try:
        secret: bytes = private.exchange(ec.ECDH(), peer)
    except ValueError as error:
        raise InvalidArgument("a public key no secret can be agreed with", "public_key") from error
    return secret


def drawn_out(secret: Sensitive, n_bytes: int) -> Sensitive:
    """A key from an agreed secret (SP 800-56C, two steps with nothing but the secret; OpenBao, DeriveKeyECDH)."""
    return Sensitive(hkdf(secret.reveal(), b"", n_bytes))
