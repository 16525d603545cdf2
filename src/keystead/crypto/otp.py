"""One-time passwords: HOTP (RFC 4226 §5.3), and TOTP (RFC 6238 §4.2), which is HOTP of the time step."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

from keystead.core.sensitive import Sensitive

DIGESTS: Final = frozenset({"sha1", "sha256", "sha512"})  # RFC 6238 §1.2
_STEP_BYTES: Final = 8


def password(secret: Sensitive, step: int, digest: str, digits: int) -> Sensitive:
    """So many decimal digits, in ASCII."""
    tag = hmac.digest(secret.reveal(), step.to_bytes(_STEP_BYTES, "big"), digest)
    offset = tag[-1] & 0x0F
    number = int.from_bytes(tag[offset : offset + 4], "big") & 0x7FFFFFFF
    return Sensitive(f"{number % 10**digits:0{digits}d}".encode())


def step_of(offered: Sensitive, secret: Sensitive, steps: Iterable[int], digest: str, digits: int) -> int | None:
    """Which of the steps has that password. All are tried, whichever it is; each is compared in constant time."""
    found = None
    given = offered.reveal()
    for step in steps:
        if hmac.compare_digest(password(secret, step, digest, digits).reveal(), given):
            found = step
    return found
