"""One verifier per kind of credential. They say whose a credential is; service.authenticate makes the Caller."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from keystead.core.keyed import KeyedHash
from keystead.core.rights import Narrowing, Rights
from keystead.core.sensitive import Sensitive
from keystead.service.held import HeldCredential, HeldToken


class Reason(Enum):
    """Why a request is not authenticated: the detail of Unauthenticated, for a door to word its answer by."""

    MISSING = "no credential"
    INCOMPLETE = "a part of the credential is missing or not of its form"
    UNKNOWN = "no such credential"  # also for a disabled or expired one: nobody is told which
    MISMATCH = "the signature does not match"
    EXPIRED = "signed too long ago"
    NOT_YET_CURRENT = "signed in the future"
    EXPIRED_TOKEN = "the session is over"  # noqa: S105 - a reason, not a token
    WRONG_SCOPE = "signed for another date, region or service"


class Directory(Protocol):
    """Who there is (service.view). May raise WouldBlock on the event loop."""

    def credential(self, id_: str, /) -> HeldCredential | None: ...

    def token(self, id_: str, /) -> HeldToken | None: ...

    def batch_token(self, text: str, /) -> HeldToken | None: ...
    def within(self, rights: Rights, tenant: str, /, *, unlocking: bool = False) -> Rights: ...

    def strangers(self, rights: Rights, /) -> Rights | None: ...

    def rights(self, id_: str, /) -> Rights | None: ...

    def narrowed_rights(self, id_: str, by: Narrowing | None, /) -> Rights | None: ...


def keyed(key: Sensitive) -> KeyedHash:
    """HMAC-SHA-256 under a subkey of the barrier, prepared."""
    return KeyedHash(key.reveal())
