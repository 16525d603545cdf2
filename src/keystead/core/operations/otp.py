"""Time-based one-time passwords (RFC 6238): keys at a keyring, passwords made and checked."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import OtpKey
from keystead.core.operations.base import KeyringOperation, Nothing, Page
from keystead.core.sensitive import Sensitive

MOST_BYTES = 1024
"""of a shared secret"""

USED = "used"
"""detail of the Conflict for a password that has been accepted before."""


class OtpFacts(Struct, frozen=True, kw_only=True):
    """As OtpKey has them."""

    digest: str
    digits: int
    period: int
    skew: int
    issuer: str = ""
    account: str = ""


class OtpWritten(Struct, frozen=True):
    key: OtpKey
    secret: Sensitive


class WriteOtpKey(KeyringOperation[OtpWritten], frozen=True, kw_only=True):
    """In the place of the key that has the name, which is destroyed. `secret` None: `n_bytes` fresh ones.

    Raises InvalidArgument (detail "digest", "digits", "period", "skew", "n_bytes"), Unsupported (Withdrawn).
    """

    action = Action.WRITE_OTP_KEY
    changes = True
    name: str
    facts: OtpFacts
    secret: Sensitive | None = None
    n_bytes: int = 20


class ReadOtpKey(KeyringOperation[OtpKey], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_OTP_KEY
    name: str


class ListOtpKeys(KeyringOperation[Page[str]], frozen=True, kw_only=True):
    """Names, in no order; one may be there twice, where it was written by two at once."""

    action = Action.LIST_OTP_KEYS
    after: str = ""
    limit: int


class DeleteOtpKey(KeyringOperation[Nothing], frozen=True, kw_only=True):
    """Destroy it. Nothing happens where there is none."""

    action = Action.DELETE_OTP_KEY
    changes = True
    name: str


class OtpCode(Struct, frozen=True):
    key: OtpKey
    code: Sensitive
    made_at: datetime
    ends_at: datetime


class GenerateOtp(KeyringOperation[OtpCode], frozen=True, kw_only=True):
    """The password of now. Raises NotFound, Unsupported (Withdrawn)."""

    action = Action.GENERATE_OTP
    name: str


class CheckOtp(KeyringOperation[bool], frozen=True, kw_only=True):
    """Whether it is the password of now, or of as many periods around it as the key allows. Each is accepted once.

    Raises NotFound, Conflict (USED).
    """

    action = Action.CHECK_OTP
    changes = True
    name: str
    code: Sensitive
