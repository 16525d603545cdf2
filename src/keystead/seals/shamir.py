"""U split among custodians: any `threshold` of `n_shares` open it, fewer know nothing."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from keystead.core.errors import InvalidArgument, Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.shamir import check_numbers, join, parse_share, split
from keystead.seals.base import UNSEAL_BYTES, Created, check_of


class ShamirConfiguration(Struct, frozen=True, tag_field="kind", tag="shamir", forbid_unknown_fields=True):
    threshold: int
    n_shares: int
    set_id: bytes
    check: bytes  # base.check_of(U)

    def seal(self, _directory: Path) -> ShamirSeal:
        return ShamirSeal(self)


class ShamirSeal:
    kind = "shamir"

    def __init__(self, configuration: ShamirConfiguration) -> None:
        self._configuration = configuration

    @property
    def n_shares(self) -> int:
        """How many there are."""
        return self._configuration.n_shares

    @property
    def threshold(self) -> int:
        """How many shares open it."""
        return self._configuration.threshold

    @staticmethod
    def check(threshold: int, n_shares: int) -> None:
        """Raises InvalidArgument where no set has so many shares, or so many that open it."""
        check_numbers(threshold, n_shares)

    @classmethod
    def create(cls, threshold: int, n_shares: int, entropy: Entropy) -> Created[ShamirConfiguration]:
        """`show` holds the shares, one for each custodian; they are kept nowhere. Raises InvalidArgument."""
        unseal_key = entropy(UNSEAL_BYTES)
        shares = split(unseal_key, threshold, n_shares, entropy)
        configuration = ShamirConfiguration(threshold, n_shares, parse_share(shares[0]).set_id, check_of(unseal_key))
        return Created(configuration, Sensitive(unseal_key), tuple(Sensitive(share.encode()) for share in shares))

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Shares as text. Raises Unauthenticated, saying which rule they break and never quoting them."""
        kept = self._configuration
        try:
            shares = [parse_share(text.reveal().decode()) for text in offered]
            unseal_key = join(shares)
        except InvalidArgument as error:
            raise Unauthenticated(str(error)) from error
        except UnicodeDecodeError as error:
            raise Unauthenticated("a share is plain text") from error
        if not hmac.compare_digest(check_of(unseal_key), kept.check):
            raise Unauthenticated("the shares do not open this seal: they belong to another, or are not genuine")
        return Sensitive(unseal_key)
