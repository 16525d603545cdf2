"""U in a box that custodians open together: any `threshold` of `n_shares` open it, fewer know nothing.

What is shared is a seed; the box is closed with a public key of the seed's (crypto.hpke). So shares stay good when U
changes, and whoever makes them need not tell them to the server. In installations made before, what is shared is U.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core.errors import DecryptionFailed, InvalidArgument, Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.core.words import count_of
from keystead.crypto import proofs
from keystead.crypto.hpke import BOX, SECRET_BYTES
from keystead.crypto.shamir import SET_BYTES, check_numbers, join, parse_share, split
from keystead.seals.base import CHECK_BYTES, UNSEAL_BYTES, Created, Surroundings, cannot_follow, check_of


class ShamirConfiguration(Struct, frozen=True, tag_field="kind", tag="shamir", forbid_unknown_fields=True):
    """Without a box it is a plan: what is public of shares that somebody has made."""

    threshold: int
    n_shares: int
    set_id: bytes
    check: bytes  # base.check_of(what is shared)
    public: bytes = b""  # empty: what is shared is U
    box: bytes = b""
    provers: tuple[bytes, ...] = ()  # of each share, by its index, what its proofs are verified with

    @property
    def rests_on(self) -> tuple[str, str]:
        """What there is of it elsewhere, which `discard` takes away."""
        return ("shamir", "")

    @property
    def is_older(self) -> bool:
        """Whether it is around one U for ever."""
        return not self.public

    def seal(self, _at: Surroundings) -> ShamirSeal:
        return ShamirSeal(self)

    def make(self, unseal_key: Sensitive, _at: Surroundings) -> ShamirConfiguration:
        """Raises InvalidArgument."""
        check_numbers(self.threshold, self.n_shares)
        if len(self.set_id) != SET_BYTES or len(self.check) != CHECK_BYTES:
            raise InvalidArgument("that is no set of shares", "set_id")
        if [len(prover) for prover in self.provers] != [proofs.PUBLIC_BYTES] * self.n_shares:
            raise InvalidArgument("of each share what its proofs are verified with", "provers")
        return replace(self, box=BOX.close(self.public, unseal_key, self.info))

    @property
    def info(self) -> bytes:
        return msgspec.msgpack.encode(("shamir/v2", self.threshold, self.n_shares, self.set_id))


class ShamirSeal:
    kind = "shamir"
    opens_itself = False

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

    @staticmethod
    def plan(threshold: int, n_shares: int, entropy: Entropy) -> tuple[ShamirConfiguration, tuple[Sensitive, ...]]:
        """What is public of new shares; and the shares, one a custodian, kept nowhere. Raises InvalidArgument."""
        seed = entropy(SECRET_BYTES)
        shares = split(seed, threshold, n_shares, entropy)
        parsed = [parse_share(share) for share in shares]
        provers = tuple(proofs.public_key(share) for share in parsed)
        public = BOX.public_key(Sensitive(seed))
        plan = ShamirConfiguration(threshold, n_shares, parsed[0].set_id, check_of(seed), public, provers=provers)
        return plan, tuple(Sensitive(share.encode()) for share in shares)

    @classmethod
    def create(
        cls, threshold: int, n_shares: int, entropy: Entropy, unseal_key: Sensitive | None = None
    ) -> Created[ShamirConfiguration]:
        """`show` holds the shares, one for each custodian; they are kept nowhere. Raises InvalidArgument."""
        plan, shares = cls.plan(threshold, n_shares, entropy)
        unseal_key = unseal_key or Sensitive(entropy(UNSEAL_BYTES))
        return Created(cls(plan).around(unseal_key), unseal_key, shares)

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Shares as text. Raises Unauthenticated, saying which rule they break and never quoting them."""
        kept = self._configuration
        try:
            shares = [parse_share(text.reveal().decode()) for text in offered]
            shared = join(shares)
        except InvalidArgument as error:
            raise Unauthenticated(str(error)) from error
        except UnicodeDecodeError as error:
            raise Unauthenticated("a share is plain text") from error
        if not hmac.compare_digest(check_of(shared), kept.check):
            raise Unauthenticated("the shares do not open this seal: they belong to another, or are not genuine")
        if not kept.public:
            return Sensitive(shared)
        try:
            return BOX.open(Sensitive(shared), kept.box, kept.info)
        except DecryptionFailed as error:
            raise Unauthenticated("the shares are right, and what they open does not verify") from error

    def around(self, unseal_key: Sensitive) -> ShamirConfiguration:
        """The same shares for another U. Raises Conflict for a seal of the older form."""
        kept = self._configuration
        if not kept.public:
            raise cannot_follow(self.kind)
        return replace(kept, box=BOX.close(kept.public, unseal_key, kept.info))

    def told(self) -> str:
        return f"{self.threshold} of {count_of(self.n_shares, 'share')}"

    def discard(self) -> None:
        """There is nothing of it anywhere else."""
