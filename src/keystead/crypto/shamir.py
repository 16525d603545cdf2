"""Secret sharing (Shamir 1979) over GF(256), and the text form of a share.

Rule 1: no tables and no branches on secret bytes: a look-up leaks through the cache (CVE-2023-25000).
Rule 2: index 0 is the secret itself and an index given twice divides by zero: both are refused, as are shares of two
        sets.

A share is "ks-share-1-" and, in base32 by groups of four: set id 4 | threshold 1 | index 1 | value | check 4, where
check = SHA-256("keystead/share/v1" ‖ what comes before)[:4] finds a slip of the pen, not a forgery. The same bytes
are what clients spell in hex or base64 that know no such text. One share of one is the secret itself.
"""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode
from collections.abc import Callable, Sequence
from hashlib import sha256

from msgspec import Struct

from keystead.core.errors import InvalidArgument

PREFIX = "ks-share-1-"
POLYNOMIAL = 0x11B  # x^8 + x^4 + x^3 + x + 1, the field of AES
SET_BYTES, CHECK_BYTES, HEAD_BYTES = 4, 4, 6
MOST_SHARES = 32


class Share(Struct, frozen=True):
    set_id: bytes
    threshold: int
    index: int
    value: bytes

    def __repr__(self) -> str:
        return f"<share {self.index} of set {self.set_id.hex()}>"


def multiply(a: int, b: int) -> int:
    """The product in GF(256): eight rounds whatever the operands are."""
    product = 0
    for _ in range(8):
        product ^= -(b & 1) & a
        a = (a << 1) ^ (-(a >> 7) & POLYNOMIAL)
        b >>= 1
    return product


def invert(a: int) -> int:
    """a^254, the inverse of a; 0 for 0."""
    power = a
    for _ in range(6):
        power = multiply(multiply(power, power), a)
    return multiply(power, power)


def split(secret: bytes, threshold: int, n_shares: int, entropy: Callable[[int], bytes]) -> list[str]:
    """`n_shares` texts, any `threshold` of which give the secret. Raises InvalidArgument."""
    check_numbers(threshold, n_shares)
    coefficients = [secret, *(entropy(len(secret)) for _ in range(threshold - 1))]
    set_id = entropy(SET_BYTES)
    return [format_share(Share(set_id, threshold, x, _evaluate(coefficients, x))) for x in range(1, n_shares + 1)]


def check_numbers(threshold: int, n_shares: int) -> None:
    """Raises InvalidArgument."""
    if not (threshold == n_shares == 1 or 2 <= threshold <= n_shares <= MOST_SHARES):
        raise InvalidArgument(f"one of one, or 2 <= threshold <= shares <= {MOST_SHARES} must hold", "threshold")


def join(shares: Sequence[Share]) -> bytes:
    """The secret: what the polynomial through the shares is at 0.

    Raises InvalidArgument for too few shares, shares of two sets, or one index twice. A forged share gives a wrong
    secret: the caller knows a digest of it.
    """
    if not shares or len(shares) < shares[0].threshold:
        raise InvalidArgument(
            f"{shares[0].threshold if shares else 'some'} shares are needed, not {len(shares)}", "shares"
        )
    if len({(share.set_id, share.threshold, len(share.value)) for share in shares}) > 1:
        raise InvalidArgument("the shares are of different sets", "shares")
    if len({share.index for share in shares}) != len(shares):
        raise InvalidArgument("a share was given twice", "shares")
    if 0 in {share.index for share in shares}:
        raise InvalidArgument("a share has the index zero, which none has", "shares")
    secret = bytearray(len(shares[0].value))
    for share in shares:
        weight = _weight(share.index, [other.index for other in shares if other is not share])
        for i, byte in enumerate(share.value):
            secret[i] ^= multiply(weight, byte)
    return bytes(secret)


def format_share(share: Share) -> str:
    body = share.set_id + bytes([share.threshold, share.index]) + share.value
    return spelled(body + _check(body))


def spelled(raw: bytes) -> str:
    """The text of a share's bytes, whatever they are: `parse_share` looks at them."""
    text = b32encode(raw).decode().rstrip("=").lower()
    return PREFIX + "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def packed(text: str) -> bytes:
    """The bytes that a share's text spells. Raises InvalidArgument as `parse_share` does."""
    share = parse_share(text)
    body = share.set_id + bytes([share.threshold, share.index]) + share.value
    return body + _check(body)


def parse_share(text: str) -> Share:
    """Upper and lower case, spaces and hyphens do not matter. Raises InvalidArgument, which does not quote the text."""
    cleaned = "".join(text.split()).lower()
    if not cleaned.startswith(PREFIX):
        raise InvalidArgument(f"a share begins with {PREFIX}", "shares")
    letters = cleaned.removeprefix(PREFIX).replace("-", "").upper()
    try:
        raw = b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("a share has a letter that does not belong there", "shares") from error
    body, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
    if len(body) <= HEAD_BYTES or check != _check(body):
        raise InvalidArgument("a share has been copied wrongly: its check does not match", "shares")
    share = Share(body[:SET_BYTES], body[SET_BYTES], body[SET_BYTES + 1], body[HEAD_BYTES:])
    if not share.index or not share.threshold or share.index > share.threshold == 1:
        raise InvalidArgument("a share with index or threshold zero, or the second of a single one, is none", "shares")
    return share


def _evaluate(coefficients: Sequence[bytes], x: int) -> bytes:
    value = bytes(len(coefficients[0]))
    for coefficient in reversed(coefficients):
        value = bytes(multiply(v, x) ^ c for v, c in zip(value, coefficient, strict=True))
    return value


def _weight(index: int, others: Sequence[int]) -> int:
    """The Lagrange coefficient of `index` at 0."""
    weight = 1
    for other in others:
        weight = multiply(weight, multiply(other, invert(other ^ index)))
    return weight


def _check(body: bytes) -> bytes:
    return sha256(b"keystead/share/v1" + body).digest()[:CHECK_BYTES]
