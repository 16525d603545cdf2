"""Temporary AWS credentials: everything about a session is sealed into its token, so nothing is kept.

    token = base64(nonce ‖ AES-256-GCM-SIV(session)),  secret = base64(HMAC(key, "secret" ‖ token))[:40]

A session ends when it expires, or at once when its principal is disabled or deleted (the verifier asks the
directory each time). There is no list to revoke a single one from; AWS has none either ("Revoking IAM role
temporary security credentials" denies by date in the role's policy).
"""

from __future__ import annotations

from base64 import b32encode, b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from keystead.core.entities import PolicyText
from keystead.core.errors import DecryptionFailed, LimitExceeded
from keystead.core.keyed import KeyedHash
from keystead.core.operations import MAX_TOKEN
from keystead.core.ports import Entropy
from keystead.core.rights import Narrowing
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv

_AAD = b"keystead session token v1"


class Session(Struct, frozen=True, kw_only=True, array_like=True):
    """What a token says."""

    access_key_id: str  # "ASIA…"
    principal_id: str
    name: str  # role session name; empty for a user's own session
    issued: int  # seconds since 1970
    expires: int
    policy: PolicyText | None = None  # its own, and managed ones: nothing is allowed but by one of them
    policy_ids: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    behind: tuple[str, ...] = ()  # who opened it, where that is not the principal itself (service.persons)
    provider: str = ""  # ARN of the one whose token it was opened with

    @property
    def narrowing(self) -> Narrowing | None:
        if self.policy is None and not self.policy_ids and not self.tags:
            return None
        id_ = self.access_key_id
        return Narrowing(session_id=id_, policy=self.policy, policy_ids=self.policy_ids, tags=self.tags)


class Minted(Struct, frozen=True, kw_only=True):
    """A new session, as the caller gets it."""

    access_key_id: str
    secret: Sensitive  # 40 characters
    token: str
    expires: int  # seconds since 1970

    def __repr__(self) -> str:
        return f"Minted({self.access_key_id!r})"


_DECODER = msgspec.msgpack.Decoder(Session)  # here, and on no two threads at once (service.rows)


class Sessions:
    """Mints and opens session tokens under barrier.subkey("session-token")."""

    def __init__(self, key: Sensitive, entropy: Entropy) -> None:
        derive = KeyedHash(key.reveal())
        self._aead = GcmSiv(derive(b"token"))
        self._secret = KeyedHash(derive(b"secret"))
        self._entropy = entropy

    def mint_session(  # noqa: PLR0913 - one parameter a member of what is sealed
        self,
        principal_id: str,
        *,
        name: str,
        issued: int,
        lasts_for: int,
        policy: PolicyText | None = None,
        policy_ids: tuple[str, ...] = (),
        tags: Mapping[str, str] = MappingProxyType({}),
        behind: tuple[str, ...] = (),
        provider: str = "",
    ) -> Minted:
        """A session of `lasts_for` seconds from `issued` (seconds since 1970).

        Raises LimitExceeded (detail "session") where its token would be longer than MAX_TOKEN.
        """
        access_key_id = "ASIA" + b32encode(self._entropy(10)).decode()
        session = Session(
            access_key_id=access_key_id,
            principal_id=principal_id,
            name=name,
            issued=issued,
            expires=issued + lasts_for,
            policy=policy,
            policy_ids=policy_ids,
            tags=dict(tags),
            behind=behind,
            provider=provider,
        )
        sealed = self._aead.seal(self._entropy(NONCE_BYTES), msgspec.msgpack.encode(session), _AAD)
        token = b64encode(sealed)
        if len(token) > MAX_TOKEN:
            raise LimitExceeded("what the session is to carry is too long", "session")
        return Minted(
            access_key_id=access_key_id,
            secret=self.secret(token),
            token=token.decode(),
            expires=session.expires,
        )

    def open_session(self, token: bytes) -> Session | None:
        """What the token says; None if it is not one of ours. Its expiry is the caller's to look at."""
        try:
            if len(token) > MAX_TOKEN:
                return None
            sealed = b64decode(token, validate=True)
            if b64encode(sealed) != token:
                return None
            return _DECODER.decode(self._aead.open(sealed, _AAD))
        except (Error, ValueError, DecryptionFailed, msgspec.MsgspecError):
            return None

    def secret(self, token: bytes) -> Sensitive:
        """The secret access key that belongs to a token."""
        return Sensitive(b64encode(self._secret(token))[:40])
