"""Keys of time-based one-time passwords (RFC 6238)."""

from __future__ import annotations

from datetime import datetime

from keystead.core.entities.base import Kind, Wrapped


class OtpKey(Wrapped, frozen=True, kw_only=True):
    """What two parties make passwords of; `id` is "<uuid>/1", and what it holds is the shared secret.

    A key that is put in the place of another is another: a leaf of the key tree is used once.
    """

    kind = Kind.OTP_KEY
    bound_as = "otp"
    number: int = 1
    keyring: str
    name: str
    named: str  # a keyed digest of keyring and name
    created_at: datetime
    digest: str  # as hashlib writes it
    digits: int
    period: int  # seconds
    skew: int  # periods that a clock may be ahead or behind
    issuer: str
    account: str
    used: tuple[int, ...] = ()  # time steps whose password has been accepted, of those that could be again

    @property
    def parent(self) -> str:
        return self.keyring

    @property
    def link(self) -> str:
        return self.named

    @property
    def owner(self) -> str:
        return self.id.rpartition("/")[0]

    def step(self, at: datetime) -> int:
        """RFC 6238 §4.2: T."""
        return int(at.timestamp()) // self.period

    def __repr__(self) -> str:
        return f"OtpKey({self.id!r})"
