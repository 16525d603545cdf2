"""Passwords of people: kept as Argon2id (RFC 9106) under a salt each, compared in constant time."""

from __future__ import annotations

import hmac
import threading

from keystead.core.sensitive import Sensitive
from keystead.crypto.kdf import SALT_BYTES, Argon2Cost, argon2id

COST = Argon2Cost(iterations=2, memory_kib=19_456, lanes=1)
"""OWASP, "Password Storage Cheat Sheet": some 25 ms, which whoever guesses at the door pays for with ours."""
MAX_BYTES = 1024
AT_ONCE = 4  # in a process: they cost its memory, too
_turns = threading.BoundedSemaphore(AT_ONCE)
_NOBODY = bytes(SALT_BYTES + 32)


def kept(password: Sensitive, salt: bytes) -> bytes:
    """What is kept of a password: its salt, and what comes of both."""
    with _turns:
        return salt + argon2id(password.reveal(), salt, COST)


def is_right(kept_of: bytes, password: Sensitive) -> bool:
    """Whether it is the password of which that is kept; of nobody (b""), it takes as long to say no."""
    against = kept_of or _NOBODY
    found = kept(password, against[:SALT_BYTES])
    return hmac.compare_digest(found, against) and bool(kept_of)
