"""Lists of certificates that are revoked: X.509 CRLs, RFC 5280 §5. Vault HTTP API, "TLS certificates auth method"."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct, field

from keystead.core.entities.base import Entity, Kind

N_SERIAL = 20  # bytes: RFC 5280 §4.1.2.2
STALE_FOR = timedelta(days=1)  # that a list still serves after the next one should have been there


class CertificateId(Struct, frozen=True):
    """Which certificate: RFC 5280 §4.1.2.2. `issuer`: digest of its issuer's name (crypto.names); b"": not known."""

    serial: int
    issuer: bytes = b""


class Revoked(Struct, frozen=True):
    """What a list says. `packed`: serial numbers of N_SERIAL bytes, ascending."""

    packed: bytes = b""
    next_at: datetime | None = None  # when the next list should be there
    made_at: datetime | None = None  # None: kept before this was
    issuer: bytes = b""  # digest of its name; b"": the same
    covers: bytes = (
        b""  # digest (crypto.names) of whose certificates it is of; b"": kept before this was, or of several
    )

    @classmethod
    def of(
        cls,
        serials: Iterable[int],
        next_at: datetime | None,
        made_at: datetime | None = None,
        issuer: bytes = b"",
        covers: bytes = b"",
    ) -> Revoked:
        """Raises OverflowError for a number that no certificate has."""
        return cls(b"".join(one.to_bytes(N_SERIAL) for one in sorted(set(serials))), next_at, made_at, issuer, covers)

    def names(self, one: CertificateId) -> bool:
        """Whether it revokes that certificate. Where it is not known whose the one or the other is, by its number."""
        is_another = bool(self.covers and one.issuer) and self.covers != one.issuer
        return not is_another and one.serial in self

    def is_older(self, other: Revoked) -> bool:
        return self.made_at is not None and other.made_at is not None and self.made_at < other.made_at

    def is_of_another(self, other: Revoked) -> bool:
        """Whether another authority says it."""
        return bool(self.issuer and other.issuer) and self.issuer != other.issuer

    @property
    def serials(self) -> tuple[int, ...]:
        return tuple(int.from_bytes(self._at(n)) for n in range(len(self)))

    def _at(self, n: int) -> bytes:
        return self.packed[n * N_SERIAL : (n + 1) * N_SERIAL]

    def __len__(self) -> int:
        return len(self.packed) // N_SERIAL

    def __contains__(self, serial: int) -> bool:
        """A number that no list can have counts as revoked."""
        try:
            wanted = serial.to_bytes(N_SERIAL)
        except OverflowError:
            return True
        at = bisect_left(range(len(self)), wanted, key=self._at)
        return self._at(at) == wanted

    def __repr__(self) -> str:
        return f"Revoked({len(self)})"


class RevocationList(Entity, frozen=True, kw_only=True):
    """One of a mount's. `url`: where the next one is to be had; "" for a list that somebody has written."""

    kind = Kind.REVOCATION_LIST
    tenant: str
    mount: str  # its uuid: a mount may be moved
    name: str
    url: str = ""
    revoked: Revoked | None = field(default=None, name="r")  # None: it has not been fetched yet
    fetched_at: datetime | None = None

    @property
    def parent(self) -> str:
        return self.mount

    def is_current(self, now: datetime) -> bool:
        """Whether it says who is revoked today. One that was written does until it is taken away."""
        if self.revoked is None:
            return False
        return not self.url or (self.revoked.next_at is not None and now < self.revoked.next_at + STALE_FOR)

    def __repr__(self) -> str:
        return f"RevocationList({self.name!r})"
