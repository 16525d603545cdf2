"""What is drawn to name things, or to be a text that nobody guesses: pure functions of entropy."""

from __future__ import annotations

import string
from uuid import UUID

from keystead.core.ports import Entropy

LETTERS = string.ascii_letters + string.digits


def new_id(entropy: Entropy) -> str:
    """A random UUID (RFC 9562 §5.4)."""
    return str(UUID(bytes=entropy(16), version=4))


def letters(n: int, entropy: Entropy) -> str:
    """`n` letters and digits, each as likely as any other: 5.95 bits each."""
    found = ""
    while len(found) < n:
        found += "".join(LETTERS[byte % 62] for byte in entropy(n) if byte < 248)  # 248 = 4 * 62
    return found[:n]
