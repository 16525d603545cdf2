"""What the headers of a request say: whose it is, where it stands, whether its answer is to be wrapped, what is shown.

Names are lower case and values stripped, as wire.http.HttpRequest has them.
"""

from __future__ import annotations

from collections.abc import Mapping

from keystead.wire import Malformed
from keystead.wire.vault import Refused, scalars

_BEARER = b"Bearer "
_FACTORS = 'failed to parse X-Vault-MFA header: invalid data in header "X-Vault-MFA"; '
_WRAP = "error parsing X-Vault-Wrap-TTL header: "


def token(headers: Mapping[bytes, bytes]) -> bytes:
    """X-Vault-Token, or else Authorization: Bearer (in that spelling); b"" where neither is there. A secret."""
    if found := headers.get(b"x-vault-token"):
        return found
    said = headers.get(b"authorization", b"")
    return said.removeprefix(_BEARER).strip() if said.startswith(_BEARER) else b""


def namespace(headers: Mapping[bytes, bytes]) -> str:
    """X-Vault-Namespace without slashes around it; "" for the root, which may also call itself "root"."""
    said = headers.get(b"x-vault-namespace", b"").strip(b"/").decode("latin-1")
    return "" if said == "root" else said


def wrap_for(headers: Mapping[bytes, bytes]) -> int:
    """Seconds for which the answer is to be wrapped; 0 is not at all, and part of a second is a whole one.

    Raises Refused (400, Vault's words).
    """
    said = headers.get(b"x-vault-wrap-ttl")
    if not said:
        return 0
    try:
        nano = scalars.second_nanoseconds(said.decode("latin-1"))
    except Malformed as error:
        raise Refused(400, f"{_WRAP}{error}") from None
    if nano < 0:
        raise Refused(400, f"{_WRAP}requested wrap ttl cannot be negative")
    return max(nano // 10**9, 1) if nano else 0


def factors(headers: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """X-Vault-MFA: "method" or "method:words", once for each, or several in one with commas between (RFC 9110 §5.3).

    Raises Refused (400, Vault's words).
    """
    found: dict[str, list[str]] = {}
    for one in headers.get(b"x-vault-mfa", b"").decode("latin-1").split(","):
        name, colon, words = one.strip().partition(":")
        if not name and not colon:
            continue
        if not name or (colon and not words):
            raise Refused(400, f"{_FACTORS}missing method {'value' if name else 'name or ID'}")
        found.setdefault(name, []).extend([words] if colon else [])
    return found
