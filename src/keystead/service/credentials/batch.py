"""Batch tokens: everything about one is sealed into its text, so nothing is kept and nothing can be taken back.

    text = "hvb." ‖ base64url(nonce ‖ AES-256-GCM-SIV(what it says)), of a namespace with "." ‖ its sign, which is bound

Vault documentation, "Tokens", "Batch tokens". One ends at its time, with the token it was made with, and with the mount
that it was got at; whoever must be able to end one sooner uses service tokens.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from keystead.core.entities import OidcAccess, Token
from keystead.core.errors import DecryptionFailed, LimitExceeded
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.service.credentials.token import BATCH_PREFIX, is_batch, token_id

SUBKEY = "batch-token"
MAX_TEXT = 8192
"""Characters: half of what a request's head may have."""
_AAD = b"keystead batch token v1"


class _Said(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a text says. Times in seconds."""

    tenant: str
    creator: str
    policies: tuple[str, ...]
    display_name: str
    meta: dict[str, str]
    path: str
    role: str
    created: int
    ttl: int
    mount: str
    bound_cidrs: tuple[str, ...]
    entity: str
    behind: tuple[str, ...] = ()
    access: OidcAccess | None = None


class BatchTokens:
    """Seals and opens them under barrier.subkey(SUBKEY)."""

    def __init__(self, key: Sensitive) -> None:
        self._aead = GcmSiv(key.reveal())

    def seal(self, token: Token, entropy: Entropy, sign: str = "") -> tuple[Token, Sensitive]:
        """The token as its text says it, and the text. Raises LimitExceeded where that would be too long.

        `sign`: of the namespace that it is of.
        """
        said = _Said(
            token.tenant,
            token.creator,
            token.policies,
            token.display_name,
            token.meta,
            token.path,
            token.role,
            int(token.created_at.timestamp()),
            token.ttl,
            token.mount,
            token.bound_cidrs,
            token.entity,
            token.behind,
            token.access,
        )
        sealed = self._aead.seal(entropy(NONCE_BYTES), msgspec.msgpack.encode(said), _aad(sign))
        text = BATCH_PREFIX + urlsafe_b64encode(sealed).rstrip(b"=").decode() + (f".{sign}" if sign else "")
        if len(text) > MAX_TEXT:
            raise LimitExceeded("what a batch token is to carry is too long", "token")
        return _token(said, text), Sensitive(text.encode())

    def open(self, given: Sensitive) -> Token | None:
        """What it says; None if it is not one of ours, or is written in another way than it was."""
        try:
            text = given.reveal().decode()
            if not is_batch(text) or len(text) > MAX_TEXT:
                return None
            said_of, dot, sign = text[len(BATCH_PREFIX) :].partition(".")
            if dot and not sign:
                return None
            raw = said_of.encode("ascii")
            sealed = urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
            if urlsafe_b64encode(sealed).rstrip(b"=") != raw:
                return None
            said = msgspec.msgpack.decode(self._aead.open(sealed, _aad(sign)), type=_Said)
        except (ValueError, DecryptionFailed, msgspec.MsgspecError):
            return None
        return _token(said, text)


def _aad(sign: str) -> bytes:
    return _AAD + (b"." + sign.encode("ascii") if sign else b"")


def _token(said: _Said, text: str) -> Token:
    created_at = datetime.fromtimestamp(said.created, UTC)
    return Token(
        id=token_id(text),
        tenant=said.tenant,
        accessor="",
        creator=said.creator,
        policies=said.policies,
        display_name=said.display_name,
        meta=said.meta,
        path=said.path,
        role=said.role,
        created_at=created_at,
        ttl=said.ttl,
        expires_at=created_at + timedelta(seconds=said.ttl),
        mount=said.mount,
        bound_cidrs=said.bound_cidrs,
        entity=said.entity,
        behind=said.behind,
        access=said.access,
        is_batch=True,
    )
