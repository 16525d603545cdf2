"""otpauth:// URIs. Google Authenticator wiki, "Key Uri Format"; OpenBao, totp/path_keys.go."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from msgspec import Struct

from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Said

MOST = 8192  # characters
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
_ILLEGAL = re.compile(r"[^A-Z2-7]")
_SHORT = {1, 3, 6}  # RFC 4648 §6: what no number of bytes comes to
_PATH, _QUERY = "$&+,/:;=@", ":@$"


class Told(Struct, frozen=True, kw_only=True):
    """What a URI says, and what was said beside it of what it does not say."""

    key: str
    issuer: str
    account: str
    period: int
    digits: int
    algorithm: str

    def __repr__(self) -> str:
        return "Told(…)"


def read(text: str, beside: Told) -> Told:
    """Raises Said."""
    if len(text) > MOST or _BAD_ESCAPE.search(text):
        raise Said(400, "an error occurred while parsing url string")
    try:
        parts = urlsplit(text)
        query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=64)))
        label = unquote(parts.path, errors="strict").removeprefix("/")
    except ValueError:
        raise Said(400, "an error occurred while parsing url string") from None
    first, colon, rest = label.partition(":")
    return Told(
        key=query.get("secret", ""),
        issuer=query.get("issuer") or (first if colon else beside.issuer),
        account=rest if colon else label,
        period=_number(query.get("period", ""), beside.period, "period"),
        digits=_number(query.get("digits", ""), beside.digits, "digits"),
        algorithm=query.get("algorithm") or beside.algorithm,
    )


def _number(text: str, otherwise: int, name: str) -> int:
    if not text:
        return otherwise
    if _NUMBER.fullmatch(text) is None:
        raise Said(400, f"an error occurred while parsing {name} value in url")
    return int(text)


def written(told: Told) -> Sensitive:
    path = quote(f"{told.issuer}:{told.account}", safe=_PATH)
    query = {
        "algorithm": told.algorithm,
        "digits": str(told.digits),
        "issuer": told.issuer,
        "period": str(told.period),
        "secret": told.key,
    }
    pairs = "&".join(f"{name}={quote(value, safe=_QUERY)}" for name, value in query.items())
    return Sensitive(f"otpauth://totp/{path}?{pairs}".encode())


def secret_of(text: str) -> Sensitive:
    """Base32 (RFC 4648 §6), with its padding or without, in either case. Raises Said."""
    upper = text.upper()
    bare = upper.rstrip("=")
    found = _ILLEGAL.search(bare)
    at = found.start() if found else len(bare)
    excess = len(upper) - len(bare) and len(upper) % 8
    if found or len(bare) % 8 in _SHORT or excess or len(upper) - len(bare) > 6:
        raise Said(400, f"invalid key value: illegal base32 data at input byte {at}")
    try:
        return Sensitive(base64.b32decode(bare + "=" * (-len(bare) % 8)))
    except binascii.Error:
        raise Said(400, f"invalid key value: illegal base32 data at input byte {at}") from None


def text_of(secret: Sensitive) -> str:
    return base64.b32encode(secret.reveal()).decode().rstrip("=")
