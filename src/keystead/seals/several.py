"""The seals of an installation as one: any of them opens it.

Rule 1: what opens by itself is tried where nothing is offered; the others where something is.
Rule 2: what is offered says what it is: a share begins as shares do, all else is a passphrase.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from keystead.core.errors import Conflict, InvalidArgument, KeysteadError, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.crypto.shamir import PREFIX
from keystead.seals.base import Surroundings
from keystead.seals.external import ExternalSeal
from keystead.seals.file import FileSeal
from keystead.seals.kept import Configuration, Kept
from keystead.seals.passphrase import PassphraseSeal
from keystead.seals.pkcs11 import Pkcs11Seal
from keystead.seals.shamir import ShamirSeal
from keystead.seals.tpm import TpmSeal

Asking = Callable[[str, Callable[[], Sensitive]], Sensitive]
"""(kind of a seal, what opens it) -> U. Raises Unavailable too where it is not waited for any longer."""


def _at_once(_kind: str, opened: Callable[[], Sensitive]) -> Sensitive:
    return opened()


AnySeal = FileSeal | PassphraseSeal | ShamirSeal | TpmSeal | Pkcs11Seal | ExternalSeal


NEAR = frozenset({TpmSeal.kind, Pkcs11Seal.kind})
"""Kinds of seals that rest on a device."""


class Seals:
    """One or two. `around`, `told` and `discard` of each are those of its module."""

    def __init__(self, kept: Kept, at: Surroundings) -> None:
        self.kept = kept
        self.each = tuple(configuration.seal(at) for configuration in kept.seals)
        self.kinds = tuple(seal.kind for seal in self.each)
        self.kind = " + ".join(self.kinds)
        """For people."""
        self.opened_by = ""
        """The kind of the one that opened it last, for the record; and whether PCRs were approved ones."""

    @property
    def opens_itself(self) -> bool:
        """Whether there is one that needs nothing offered."""
        return any(seal.opens_itself for seal in self.each)

    @property
    def by_hand(self) -> tuple[AnySeal, ...]:
        """Those that somebody has to open."""
        return tuple(seal for seal in self.each if not seal.opens_itself)

    @property
    def shared(self) -> ShamirSeal | None:
        """The one whose shares custodians hold."""
        return next((seal for seal in self.each if isinstance(seal, ShamirSeal)), None)

    def of_kind(self, kind: str) -> Configuration:
        """Raises InvalidArgument."""
        for seal, configuration in zip(self.each, self.kept.seals, strict=True):
            if seal.kind == kind:
                return configuration
        raise InvalidArgument(f"there is no {kind} seal; there is {self.kind}", "kind")

    def open(self, offered: Sequence[Sensitive], ask: Asking = _at_once) -> Sensitive:
        """U. Raises Unauthenticated; where nothing is offered, why the seals that open by themselves do not.

        `ask`: how one of those is asked, by whoever must not wait for a device that hangs.
        """
        if offered or not self.opens_itself:
            return self._opened(self._chosen(offered), offered)
        troubles: list[tuple[AnySeal, KeysteadError]] = []
        for seal in self.each:
            if seal.opens_itself:
                try:
                    return ask(seal.kind, partial(self._opened, seal, ()))
                except KeysteadError as error:
                    troubles.append((seal, error))
        if len(troubles) == 1:
            raise troubles[0][1]
        may_come = any(isinstance(error, Unavailable) for _, error in troubles)
        kind = Unavailable if may_come else type(troubles[0][1])  # what was refused is not asked again and again
        raise kind("; ".join(f"{seal.kind}: {error}" for seal, error in troubles))

    def trouble(self, is_right: Callable[[Sensitive], bool], ask: Asking) -> str:
        """Why those that rest on a device here would not open it just now; "" where they would. `is_right`: of U.

        A service is not asked: each question is on its bill, and in its log.
        """
        troubles = list[str]()
        for seal in self.each:
            if seal.kind in NEAR:
                try:
                    if not is_right(ask(seal.kind, partial(seal.open, ()))):
                        troubles.append(f"{seal.kind}: it opens another key")
                except KeysteadError as error:
                    troubles.append(f"{seal.kind}: {error}")
        return "; ".join(troubles)

    def _opened(self, seal: AnySeal, offered: Sequence[Sensitive]) -> Sensitive:
        unseal_key = seal.open(offered)
        self.opened_by = seal.opened_as if isinstance(seal, TpmSeal) else seal.kind
        return unseal_key

    def require_ours(self, key: Sensitive) -> None:
        """Raises Conflict where nobody vouches for what seal.json says, and a later U would go where it says."""
        if not self.kept.is_vouched(key) and not all(seal.is_older for seal in self.kept.seals):
            raise Conflict("seal.json is not as this installation wrote it: put back the one that is", "seal")

    def followed(self, unseal_key: Sensitive, *, but: frozenset[str], key: Sensitive) -> list[Configuration]:
        """The others than those of the kinds `but`, around another U. `key`: what vouches for the file.

        Raises Conflict where one of them cannot follow, or nobody vouches for it; Unavailable.
        """
        others = [seal for seal in self.each if seal.kind not in but]
        if others:
            self.require_ours(key)
        return [seal.around(unseal_key) for seal in others]

    def _chosen(self, offered: Sequence[Sensitive]) -> AnySeal:
        """Raises InvalidArgument, Unauthenticated."""
        if len(self.by_hand) == 1:
            return self.by_hand[0]
        if not self.by_hand:
            raise InvalidArgument(f"nothing is to be offered: the seal opens by itself ({self.kind})", "seal")
        if not offered:
            raise Unauthenticated(f"what opens one of its seals is needed ({self.kind})")
        is_share = offered[0].reveal().lstrip()[: len(PREFIX)].lower() == PREFIX.encode()
        return next(seal for seal in self.by_hand if (seal.kind == ShamirSeal.kind) == is_share)
