"""Names of X.509 as they are compared: RFC 5280 §7.1, RFC 4518.

Which kind of string an authority has written, its case and how many blanks there are tell no name from another. More
names are one here than there: of the two, a list of revoked certificates that is missed would be the worse.
"""

from __future__ import annotations

from hashlib import sha256
from unicodedata import normalize

import msgspec
from cryptography import x509


def digest_of(name: x509.Name) -> bytes:
    """SHA-256, 32 bytes; of two names that are compared as one it is the same."""
    parts = [sorted((one.oid.dotted_string, _compared(one.value)) for one in part) for part in name.rdns]
    return sha256(msgspec.msgpack.encode(parts)).digest()


def _compared(value: str | bytes) -> str:
    if isinstance(value, bytes):  # BIT STRING: X.520 §6.2.7
        return f"#{value.hex()}"
    return " ".join(normalize("NFKC", normalize("NFKC", value).casefold()).split())
