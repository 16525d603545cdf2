"""What comes in as a key share, and what the custodian's refusals are called in Vault.

A share's bytes are spelled in hex or base64, as Vault's are; its own text (`ks-share-1-…`) is taken too.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import TypeVar

from keystead.core.sensitive import Sensitive
from keystead.crypto.shamir import PREFIX, spelled
from keystead.doors.vault.endpoint import Said, custody_of
from keystead.kit import Call
from keystead.kit.custody import No, Request, Why

A = TypeVar("A")
SHARE_BYTES = 42  # set id, threshold, index, 32 of U, check
LONGEST = 512
NO_PGP = "keys encrypted with PGP are not offered"
WRONG = "invalid key: failed to decrypt keys from storage: cipher: message authentication failed"

REFUSALS: Mapping[Why, tuple[int, str]] = {
    Why.OPEN: (400, "vault is unsealed"),
    Why.SEALED: (503, "Vault is sealed"),
    Why.NO_SHARES: (400, "the {detail} seal has no shares: it opens with `keystead unseal`, and has nothing to rekey"),
    Why.STAYS_OPEN: (400, "the file seal opens by itself: stop the server instead"),
    Why.BAD_SET: (400, "{detail}"),
    Why.NOT_A_SHARE: (400, "invalid key: {detail}"),
    Why.GIVEN_BEFORE: (400, "given key has already been provided during this generation operation"),
    Why.TOO_OFTEN: (429, "too many wrong keys: wait a minute"),
    Why.WRONG_LENGTH: (400, "OTP string has incorrect length"),
    Why.BUSY: (503, "the seal is being changed: try again"),
    Why.FAILED: (500, "{detail}"),
}
"""Of what every topic says alike; the rest each says in words of its own."""


def ask(call: Call, request: Request[A], words: Mapping[Why, tuple[int, str]]) -> A:
    """The custodian's answer. Raises Said, Sealed, Unavailable."""
    try:
        return custody_of(call)(request)
    except No as no:
        status, text = words.get(no.why) or REFUSALS[no.why]
        raise Said(status, text.format(detail=no.detail)) from None


def share(key: str, lacking: str) -> Sensitive:
    """A share as text. Raises Said: `lacking` where there is none."""
    if not key:
        raise Said(400, lacking)
    if key.startswith(PREFIX):
        return Sensitive(key.encode())
    if (raw := _bytes(key)) is None:
        raise Said(400, "'key' must be a valid hex or base64 string")
    if len(raw) < SHARE_BYTES:
        raise Said(400, f"invalid key: key is shorter than minimum {SHARE_BYTES} bytes")
    if len(raw) > SHARE_BYTES:
        raise Said(400, f"invalid key: key is longer than maximum {SHARE_BYTES} bytes")
    return Sensitive(spelled(raw).encode())


def _bytes(key: str) -> bytes | None:
    if len(key) > LONGEST:
        return None
    try:
        return bytes.fromhex(key) if " " not in key else None
    except ValueError:
        pass
    try:
        return b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return None
