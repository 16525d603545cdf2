"""Identity tokens, and the key sets that verify them, as bytes say them. Nothing is verified here.

RFC 7515 §3.1 §7.1 (JWS compact), RFC 7517 §5 (JWK set), RFC 7519 §4 (claims), OpenID Connect Core 1.0 §2. Refused
beyond those: whatever wire.json refuses (a name twice, above all), a token longer or fuller than any issuer makes, a
time that is not a whole number of seconds, a `kid` that is missing, and what changes the meaning of the rest (`crit`,
`b64`, RFC 7797; `enc`, `zip`, RFC 7516).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, field

from keystead.wire import Malformed
from keystead.wire.json import check, reader

N_HEADER, N_PAYLOAD, N_SIGNATURE = 4096, 8192, 1400  # characters; RSA of 8192 bits signs in 1366
N_NAMED, N_VALUES = 32, 256  # that a header, and the claims, may come to
N_KEYS, N_KEY_SET = 100, 128 * 1024  # keys of a set; bytes of it

_COMPACT = re.compile(
    rb"([A-Za-z0-9_-]{1,%d})\.([A-Za-z0-9_-]{1,%d})\.([A-Za-z0-9_-]{1,%d})" % (N_HEADER, N_PAYLOAD, N_SIGNATURE)
)

Time = Annotated[int, Meta(ge=0, le=253_402_300_799)]
"""Seconds since 1970, until the end of the year 9999."""
Text = Annotated[str, Meta(min_length=1, max_length=255)]


class Header(Struct, frozen=True):
    alg: Annotated[str, Meta(max_length=16)]
    kid: Text
    crit: Any = UNSET
    b64: Any = UNSET
    enc: Any = UNSET
    zip: Any = UNSET


class Claims(Struct, frozen=True):
    """What a token says, as far as anybody here asks. `sub` and what else is text is of printable characters."""

    iss: Annotated[str, Meta(min_length=1, max_length=263)]
    sub: Text
    aud: Text | Annotated[list[Text], Meta(min_length=1, max_length=32)]
    exp: Time
    iat: Time
    nbf: Time = 0
    azp: Annotated[str, Meta(max_length=255)] = ""
    amr: Annotated[tuple[Text, ...], Meta(max_length=32)] = ()
    tags: Any = field(default=UNSET, name="https://aws.amazon.com/tags")
    source_identity: Any = field(default=UNSET, name="https://aws.amazon.com/source_identity")

    @property
    def audiences(self) -> tuple[str, ...]:
        return (self.aud,) if isinstance(self.aud, str) else tuple(self.aud)


class Token(Struct, frozen=True):
    """A JWS whose payload is claims. Its repr shows none of it."""

    header: Header
    claims: Claims
    signed: bytes  # the JWS signing input
    signature: bytes

    def __repr__(self) -> str:
        return "Token(…)"


class Jwk(Struct, frozen=True):
    """One key of a set: those of its members that a public key for signatures can have."""

    kty: str
    kid: str
    use: str = "sig"
    key_ops: tuple[str, ...] = ("verify",)
    alg: str = ""
    crv: str = ""
    n: str = ""
    e: str = ""
    x: str = ""
    y: str = ""
    d: Any = UNSET

    def __repr__(self) -> str:
        return f"Jwk({self.kid!r})"


class _Set(Struct, frozen=True):
    keys: list[msgspec.Raw]


_header, _claims = reader(Header), reader(Claims)


def token(text: str) -> Token:
    """Raises Malformed, in words that show nothing of the token."""
    found = _COMPACT.fullmatch(text.encode("ascii", "replace"))
    if found is None:
        raise Malformed("not a signed token in compact form")
    header = _header(_small(found[1], N_NAMED))
    if any(meaning is not UNSET for meaning in (header.crit, header.b64, header.enc, header.zip)):
        raise Malformed("a header parameter that is not understood")
    claims = _claims(_small(found[2], N_VALUES))
    if not all(text.isprintable() for text in (claims.iss, claims.sub, *claims.audiences, claims.azp, *claims.amr)):
        raise Malformed("a claim of unprintable characters")
    return Token(header, claims, found[0][: found.end(2)], octets(found[3]))


def octets(text: bytes) -> bytes:
    """base64url without padding (RFC 7515 §2), in its one spelling. Raises Malformed."""
    try:
        raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (Error, ValueError):
        raise Malformed("not base64url") from None
    if urlsafe_b64encode(raw).rstrip(b"=") != text:
        raise Malformed("not base64url")
    return raw


def _small(text: bytes, most: int) -> bytes:
    raw = octets(text)
    if raw.count(b",") + raw.count(b":") + raw.count(b"[") + raw.count(b"{") > most:
        raise Malformed("too many values")
    return raw


def key_set(body: bytes) -> list[Jwk]:
    """The keys of a set that are for verifying signatures; others, of whatever form, are left out. Raises Malformed."""
    if len(body) > N_KEY_SET:
        raise Malformed("the key set is too large")
    check(body, exact=True)
    try:
        found = msgspec.json.decode(body, type=_Set)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("not a JWK set") from None
    if len(found.keys) > N_KEYS:
        raise Malformed("too many keys in the set")
    return [key for raw in found.keys if (key := _key(raw)) is not None]


def _key(raw: msgspec.Raw) -> Jwk | None:
    try:
        key = msgspec.json.decode(raw, type=Jwk)
    except msgspec.DecodeError:
        return None
    # RFC 7517 §4.2 §4.3; `d` is of a private key, which no longer is one
    return key if key.use == "sig" and "verify" in key.key_ops and key.d is UNSET else None
