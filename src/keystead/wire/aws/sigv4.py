"""AWS Signature Version 4: what is signed, and how. Pure: no clock, no credentials, no decision.

    parse_header / parse_query -> Presented | Flaw      what the request claims
    canonical_request -> bytes                          what it should have signed
    string_to_sign, signing_key, Signer                 the signature that should have come out

Source: AWS General Reference, "Create a signed AWS API request"; the test suite of awslabs/aws-c-auth
(tests/wire/test_sigv4.py). The rules of services other than S3 hold: the path is normalized and then encoded
once more, and the payload is always hashed.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from hashlib import sha256
from operator import itemgetter
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

ALGORITHM = b"AWS4-HMAC-SHA256"
SKEW = 300  # seconds; KMS and STS
EXPIRES = 604_800  # seconds; the longest life of a signed query (X-Amz-Expires)
N_QUERY, N_PAIRS = 4096, 100  # bytes and parameters of a query; what it costs is spent on anybody who asks
N_SIGNATURE = 64  # hex digits; the last of an Authorization header

# Headers that decide what a request means; where one is present it must be among the signed ones. ("You must
# include the host header and any x-amz-* headers"; a proxy may add others, which nobody here reads.)
MUST_BE_SIGNED = (b"x-amz-content-sha256", b"x-amz-date", b"x-amz-security-token", b"x-amz-target")


class Flaw(Enum):
    """Why a request is no signed request at all."""

    MISSING = "missing"  # it carries no signature
    INCOMPLETE = "incomplete"  # a part is absent or not of its form
    MIXED = "mixed"  # a header and a query signature at once
    DATE = "date"  # no date, or one that is none
    UNSIGNED = "unsigned"  # a header that must be signed is not
    EXPIRES = "expires"  # X-Amz-Expires out of range


class Scope(Struct, frozen=True):
    """What a signing key is good for: one day, one region, one service."""

    date: bytes  # YYYYMMDD
    region: bytes
    service: bytes

    def __bytes__(self) -> bytes:
        return b"%b/%b/%b/aws4_request" % (self.date, self.region, self.service)


class Presented(Struct, frozen=True, kw_only=True):
    """What the request claims. `signed` is sorted, without repetition, and contains b"host"."""

    access_key_id: str
    scope: Scope
    signed: tuple[bytes, ...]
    signature: bytes  # 64 hex digits
    timestamp: bytes = b""  # query form: X-Amz-Date
    expires: int | None = None  # query form: X-Amz-Expires, seconds
    token: bytes | None = None  # query form: X-Amz-Security-Token

    def __repr__(self) -> str:
        return f"Presented({self.access_key_id!r})"


# Parts of the Authorization header after the algorithm, in any order, separated by commas and blanks. All at once: to
# look for one after the other takes a third of a second of a head that is full of beginnings.
_PART = rb"(Credential|SignedHeaders|Signature)=([^, ]+)"
_PARTS = re.compile(rb", *".join([_PART] * 3) + rb"(?:, *)?")
_CREDENTIAL = re.compile(rb"([A-Za-z0-9]{1,128})/([0-9]{8})/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request")
_SIGNED = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*")
_SIGNATURE = re.compile(rb"[0-9a-f]{64}")
_TIMESTAMP = re.compile(rb"[0-9]{8}T[0-9]{6}Z")


def parse_header(value: bytes) -> Presented | Flaw:
    """The claims of an Authorization header."""
    algorithm, _, rest = value.partition(b" ")
    if algorithm != ALGORITHM:
        return Flaw.INCOMPLETE
    found = _PARTS.fullmatch(rest)
    parts = dict(zip(found.groups()[::2], found.groups()[1::2], strict=True)) if found is not None else {}
    if len(parts) != 3:
        return Flaw.INCOMPLETE
    return _presented(parts[b"Credential"], parts[b"SignedHeaders"], parts[b"Signature"])


def parse_query(query: bytes) -> Presented | Flaw:
    """The claims of a signed query. Each X-Amz- parameter must be there once."""
    if is_overlong(query):
        return Flaw.INCOMPLETE
    pairs = _pairs(query)
    claims = {name: value for name, value in pairs if name.startswith(b"X-Amz-")}
    if sum(name.startswith(b"X-Amz-") for name, _ in pairs) != len(claims):
        return Flaw.INCOMPLETE
    if claims.get(b"X-Amz-Algorithm") != ALGORITHM:
        return Flaw.INCOMPLETE
    names = (b"X-Amz-Credential", b"X-Amz-SignedHeaders", b"X-Amz-Signature")
    presented = _presented(*(claims.get(name, b"") for name in names))
    if isinstance(presented, Flaw):
        return presented
    expires = claims.get(b"X-Amz-Expires", b"")
    if not re.fullmatch(rb"[0-9]{1,6}", expires) or not 1 <= int(expires) <= EXPIRES:
        return Flaw.EXPIRES
    return Presented(
        access_key_id=presented.access_key_id,
        scope=presented.scope,
        signed=presented.signed,
        signature=presented.signature,
        timestamp=claims.get(b"X-Amz-Date", b""),
        expires=int(expires),
        token=claims.get(b"X-Amz-Security-Token"),
    )


def is_overlong(query: bytes) -> bool:
    """Whether a query is more than anybody signs: it is refused before it is taken apart."""
    return len(query) > N_QUERY or query.count(b"&") >= N_PAIRS


def is_query_signed(query: bytes) -> bool:
    """Whether a query carries any part of a credential: X-Amz-Signature and its siblings."""
    return any(name.lower().startswith(b"x-amz-") for name, _ in _pairs(query)) if query else False


def _presented(credential: bytes, signed: bytes, signature: bytes) -> Presented | Flaw:
    match = _CREDENTIAL.fullmatch(credential)
    if not match or not _SIGNED.fullmatch(signed) or not _SIGNATURE.fullmatch(signature):
        return Flaw.INCOMPLETE
    names = tuple(signed.split(b";"))
    if list(names) != sorted(set(names)) or b"host" not in names:
        return Flaw.INCOMPLETE
    access_key_id, *scope = match.groups()
    return Presented(access_key_id=access_key_id.decode(), scope=Scope(*scope), signed=names, signature=signature)


def unsigned(signed: Iterable[bytes]) -> tuple[bytes, ...]:
    """The headers of MUST_BE_SIGNED that are not signed: none of them may be present."""
    names = set(signed)
    return tuple(name for name in MUST_BE_SIGNED if name not in names)


# --- time


def seconds(timestamp: bytes) -> int | None:
    """b"20150830T123600Z" as seconds since 1970; None if it is not such a time."""
    if not _TIMESTAMP.fullmatch(timestamp):
        return None
    try:
        return int(datetime.strptime(timestamp.decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def timestamp(second: int) -> bytes:
    """Seconds since 1970 as b"20150830T123600Z"."""
    t = datetime.fromtimestamp(second, UTC)
    return b"%04d%02d%02dT%02d%02d%02dZ" % (t.year, t.month, t.day, t.hour, t.minute, t.second)


def header_timestamp(headers: Mapping[bytes, bytes]) -> bytes | Flaw:
    """The time a header-signed request names: X-Amz-Date, else Date (in either form), in X-Amz-Date's form."""
    if (value := headers.get(b"x-amz-date")) is not None:
        return value
    value = headers.get(b"date", b"")
    if _TIMESTAMP.fullmatch(value):
        return value
    try:
        return timestamp(int(parsedate_to_datetime(value.decode("ascii")).timestamp()))
    except (ValueError, TypeError, OverflowError, IndexError):
        return Flaw.DATE


# --- what is signed


def canonical_request(
    method: bytes, target: bytes, headers: Mapping[bytes, bytes], signed: Sequence[bytes], body: bytes
) -> bytes | Flaw:
    """The canonical request over exactly the signed headers (lower-case names). Flaw.UNSIGNED if one is absent."""
    if (block := canonical_headers(headers, signed)) is None:
        return Flaw.UNSIGNED
    return b"%b\n%b\n%b\n\n%b\n%b" % (
        method,
        canonical_target(target),
        block,
        b";".join(signed),
        sha256(body).hexdigest().encode(),
    )


def canonical_headers(headers: Mapping[bytes, bytes], signed: Iterable[bytes]) -> bytes | None:
    """`name:value` lines joined by LF, blanks within a value collapsed; None if a signed header is absent."""
    try:
        return b"\n".join([b"%b:%b" % (name, b" ".join(headers[name].split())) for name in signed])
    except KeyError:
        return None


def canonical_target(target: bytes) -> bytes:
    """`path LF query` in canonical form; the X-Amz-Signature of a signed query is not part of it."""
    path, _, query = target.partition(b"?")
    return _path(path) + b"\n" + (_query(query) if query else b"")


def _path(path: bytes) -> bytes:
    """RFC 3986 §5.2.4 without empty segments, then each octet encoded but the unreserved ones and "/"."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in {b"", b"."}:
            kept.append(segment)
    slash = b"/" if kept and path.endswith(b"/") else b""  # as the SDKs do: none after a trailing "/." or "/.."
    return quote(b"/" + b"/".join(kept) + slash, safe="/~").encode()


def _pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    parts = [part.partition(b"=") for part in query.split(b"&") if part]
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts]


def _query(query: bytes) -> bytes:
    pairs = [(quote(n, safe="~"), quote(v, safe="~")) for n, v in _pairs(query) if n != b"X-Amz-Signature"]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()


def string_to_sign(stamp: bytes, scope: Scope, canonical: bytes) -> bytes:
    return b"%b\n%b\n%b\n%b" % (ALGORITHM, stamp, bytes(scope), sha256(canonical).hexdigest().encode())


# --- the signature


def signing_key(secret: bytes, scope: Scope) -> bytes:
    """32 bytes, from a secret access key: four HMACs (General Reference, "Derive a signing key")."""
    key = hmac.digest(b"AWS4" + secret, scope.date, "sha256")
    for part in (scope.region, scope.service, b"aws4_request"):
        key = hmac.digest(key, part, "sha256")
    return key


_INNER, _OUTER = bytes(b ^ 0x36 for b in range(256)), bytes(b ^ 0x5C for b in range(256))
_POST = b"POST\n/\n\n"
_BLANK, _TAB = 0x20, 0x09  # numbers: to look for one byte is several times faster than to look for bytes


def _values_of(names: tuple[bytes, ...]) -> Callable[[Mapping[bytes, bytes]], tuple[bytes, ...]]:
    """Their values, in that order, in one call. It raises KeyError where one is absent."""
    if len(names) == 1:
        return lambda headers: (headers[names[0]],)
    return itemgetter(*names)


class Signer:
    """A signing key with its two HMAC states prepared, and all of a request that does not change with it.

    One per (access key, scope, signed headers). It holds a derived secret: its repr shows nothing.
    """

    __slots__ = ("_between", "_inner", "_lines", "_outer", "_tail", "_values", "scope", "signed", "timely", "unsigned")

    def __init__(self, key: bytes, scope: Scope, signed: tuple[bytes, ...]) -> None:
        block = key.ljust(64, b"\0")  # RFC 2104: B = 64 for SHA-256
        self._inner = sha256(block.translate(_INNER) + ALGORITHM + b"\n")
        self._outer = sha256(block.translate(_OUTER))
        self._between = b"\n%b\n" % bytes(scope)
        self._tail = b"\n\n%b\n" % b";".join(signed)
        self._lines = b"\n".join([b"%b:%%b" % name.replace(b"%", b"%%") for name in signed])
        self._values = _values_of(signed)
        self.scope, self.signed, self.unsigned = scope, signed, unsigned(signed)
        self.timely: object = None  # what its user last found to be of its scope and of this time

    def signature(
        self, method: bytes, target: bytes, headers: Mapping[bytes, bytes], body: bytes, stamp: bytes
    ) -> bytes | None:
        """The 64 hex digits this request should carry; None if a signed header is absent."""
        try:
            block = self._lines % self._values(headers)
        except KeyError:
            return None
        if _TAB in block or (_BLANK in block and block.find(b"  ") >= 0):
            block = canonical_headers(headers, self.signed) or b""
        start = _POST if target == b"/" and method == b"POST" else b"%b\n%b\n" % (method, canonical_target(target))
        canonical = b"".join((start, block, self._tail, sha256(body).hexdigest().encode()))
        inner = self._inner.copy()
        inner.update(b"".join((stamp, self._between, sha256(canonical).hexdigest().encode())))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest().encode()

    def __repr__(self) -> str:
        return f"Signer({bytes(self.scope).decode()})"
