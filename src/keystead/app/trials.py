"""Sets of shares, tried together against what is kept of the unseal key: whatever they were given for.

Rule: a set is tried in constant time, and what is wrong with it is not told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from keystead.app.gathering import Gathering, Wrong
from keystead.core.errors import Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.kit import custody as c
from keystead.kit.custody import No, Why
from keystead.seals import Seals
from keystead.seals.base import Created
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal


class Keeper(Protocol):
    """The supervisor, as the custodian sees it. All of it is called while nothing else changes."""

    @property
    def seal_kept(self) -> Seals: ...

    @property
    def is_open(self) -> bool: ...

    def open_with(self, unseal_key: Sensitive) -> None:
        """Raises Unauthenticated, Conflict."""
        ...

    def close_up(self) -> None: ...

    def change_seal(self, created: Created[ShamirConfiguration]) -> None: ...

    def rotate_slot(self) -> None: ...

    def holds(self, unseal_key: Sensitive) -> bool: ...

    def root_key(self) -> c.RootKey: ...

    def gauges(self) -> c.Gauges: ...

    def make_root_token(self, text: Sensitive) -> None:
        """A token that may do everything, of that text; durable on return."""
        ...


class Trials:
    """Of one installation: wrong sets are counted over all that they may be given for."""

    def __init__(self, keeper: Keeper, clock: Callable[[], float]) -> None:
        self._keeper, self._wrong = keeper, Wrong(clock)

    def shared(self) -> ShamirSeal:
        """The seal of today. Raises No where nothing is shared."""
        if (shared := self._keeper.seal_kept.shared) is None:
            raise No(Why.NO_SHARES, self._keeper.seal_kept.kind)
        return shared

    def shared_of_open(self) -> ShamirSeal:
        """The same while it is open. Raises No."""
        self.require_open()
        return self.shared()

    def require_open(self) -> None:
        """Raises No."""
        if not self._keeper.is_open:
            raise No(Why.SEALED)

    def require_few(self) -> None:
        """Raises No where there were too many wrong sets of late."""
        self._wrong.require_few()

    def failed(self) -> No:
        """Counts a wrong set; what is said of it."""
        self._wrong.another()
        return No(Why.WRONG_SHARES)

    def give(self, gathering: Gathering, share: Sensitive, nonce: str) -> None:
        """Raises No."""
        gathering.require(nonce)
        self.require_few()
        if not gathering.give(share):
            raise No(Why.GIVEN_BEFORE)

    def joined(self, seal: ShamirSeal, gathering: Gathering) -> Sensitive:
        """What the shares given come to, if that is what the seal opens with. Raises No."""
        try:
            return seal.open(gathering.take())
        except Unauthenticated:
            raise self.failed() from None

    def prove(self, seal: ShamirSeal, gathering: Gathering) -> None:
        """That the shares given are those of today. Raises No."""
        if not self._keeper.holds(self.joined(seal, gathering)):
            raise self.failed()
