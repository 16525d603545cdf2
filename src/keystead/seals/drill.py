"""The custody drill: custodians show that their shares still exist, and nothing is unsealed (security.md §15-7).

    challenge   made by the open server, good for CHALLENGE_FOR: whose shares, when, randomness, a MAC of the server's
    proof       made where the share is: which share, the challenge, and a signature by the key that the share gives

A proof counts from when its challenge was made: the share was there then or later. The server keeps public keys alone.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from keystead.core.errors import Conflict, InvalidArgument, Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto import proofs
from keystead.crypto.shamir import SET_BYTES, parse_share
from keystead.seals.shamir import ShamirConfiguration

SUBKEY = "custody-challenge"
CHALLENGE, PROOF = "ks-challenge-1-", "ks-proof-1-"
CHALLENGE_FOR = timedelta(days=30)
PROVED_FOR = timedelta(days=90)
NONCE_BYTES, MAC_BYTES, TIME_BYTES = 16, 16, 8
RAW_BYTES = SET_BYTES + TIME_BYTES + NONCE_BYTES + MAC_BYTES
LONGEST = 512  # characters of a text
NOT_PROVABLE = "these shares are of an older form and cannot be proved: `keystead seal migrate shamir` makes new ones"


class Proven(Struct, frozen=True):
    set_id: bytes
    index: int
    at: datetime


def challenge(seal: ShamirConfiguration, key: Sensitive, now: datetime, entropy: Entropy) -> str:
    """Raises Conflict where the shares cannot be proved."""
    if not seal.provers:
        raise Conflict(NOT_PROVABLE, "seal")
    head = seal.set_id + int(now.timestamp()).to_bytes(TIME_BYTES, "big") + entropy(NONCE_BYTES)
    return _spelled(CHALLENGE, head + _mac(key, head))


def prove(text: str, share: Sensitive) -> str:
    """The proof of a share. Raises InvalidArgument for what is no challenge, or one to other shares, or no share."""
    raw = _raw(CHALLENGE, text, RAW_BYTES)
    try:
        parsed = parse_share(share.reveal().decode())
    except UnicodeDecodeError:
        raise InvalidArgument("a share is plain text", "share") from None
    if raw[:SET_BYTES] != parsed.set_id:
        raise InvalidArgument("the challenge is to other shares", "challenge")
    return _spelled(PROOF, bytes([parsed.index]) + raw + proofs.sign(parsed, raw))


def check(seal: ShamirConfiguration, key: Sensitive, now: datetime, text: str) -> Proven:
    """What a proof proves. Raises InvalidArgument for what is none, Unauthenticated for one that is not good."""
    whole = _raw(PROOF, text, 1 + RAW_BYTES + proofs.SIGNATURE_BYTES)
    index, raw, signature = whole[0], whole[1 : 1 + RAW_BYTES], whole[1 + RAW_BYTES :]
    head, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, head)):
        raise Unauthenticated("the challenge was not made here")
    if raw[:SET_BYTES] != seal.set_id or not 0 < index <= len(seal.provers):
        raise Unauthenticated("the proof is of other shares than those of today")
    at = datetime.fromtimestamp(int.from_bytes(raw[SET_BYTES : SET_BYTES + TIME_BYTES], "big"), UTC)
    if not now - CHALLENGE_FOR <= at <= now:
        raise Unauthenticated(f"the challenge is older than {CHALLENGE_FOR.days} days")
    if not proofs.verify(seal.provers[index - 1], raw, signature):
        raise Unauthenticated("the signature is not that of the share")
    return Proven(seal.set_id, index, at)


def needed(seal: ShamirConfiguration) -> int:
    """How many shares are to be proved within PROVED_FOR: one may be lost meanwhile, where there is one more."""
    return min(seal.threshold + 1, seal.n_shares)


def _mac(key: Sensitive, head: bytes) -> bytes:
    return hmac.digest(key.reveal(), b"keystead/custody-challenge/v1" + head, "sha256")[:MAC_BYTES]


def _spelled(prefix: str, raw: bytes) -> str:
    return prefix + urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(prefix: str, text: str, n: int) -> bytes:
    text = text.strip()
    body = text.removeprefix(prefix)
    try:
        raw = urlsafe_b64decode(body + "=" * (-len(body) % 4)) if len(text) <= LONGEST else b""
    except ValueError:
        raw = b""
    if not text.startswith(prefix) or len(raw) != n or _spelled(prefix, raw) != text:
        raise InvalidArgument(f"that is not whole: it begins with {prefix}", "text")
    return raw
