"""The shares changed, and with them the unseal key: "rekeying" is Vault's word. It may be asked to be verified.

begin -> give … (shares of today) -> [give for verification … (new shares)] -> those of before open nothing any more
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from msgspec import Struct

from keystead.app.gathering import Gathering
from keystead.app.trials import Keeper, Trials
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Entropy
from keystead.kit import custody as c
from keystead.kit.custody import No, Why
from keystead.seals.base import Created
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal


class Change(Struct):
    """Of the shares, on its way. `created`: the new ones, once they have been told and before they are good."""

    n_shares: int
    threshold: int
    with_verification: bool
    gathering: Gathering
    created: Created[ShamirConfiguration] | None = None
    verifying: Gathering | None = None


class Rekeying:
    """One change of the shares at a time. `on_change` hears of it before it is answered."""

    def __init__(self, keeper: Keeper, trials: Trials, entropy: Entropy, on_change: Callable[[], None]) -> None:
        self._keeper, self._trials, self._entropy, self._on_change = keeper, trials, entropy, on_change
        self._change: Change | None = None

    def forget(self) -> None:
        """What was begun is over."""
        self._change = None

    def begin(self, request: c.BeginRekey) -> c.Rekeying:
        seal = self._trials.shared_of_open()
        if self._change is not None:
            raise No(Why.IN_PROGRESS)
        try:
            ShamirSeal.check(request.threshold, request.n_shares)
        except InvalidArgument as error:
            raise No(Why.BAD_SET, str(error)) from None
        gathering = Gathering(seal.threshold, self._entropy)
        self._change = Change(request.n_shares, request.threshold, request.with_verification, gathering)
        return self.look()

    def look(self) -> c.Rekeying:
        seal, one = self._trials.shared_of_open(), self._change
        if one is None:
            return c.Rekeying(required=seal.threshold)
        return c.Rekeying(
            nonce=one.gathering.nonce,
            n_shares=one.n_shares,
            threshold=one.threshold,
            progress=one.gathering.progress,
            required=seal.threshold,
            with_verification=one.with_verification,
            verification_nonce=one.verifying.nonce if one.verifying else "",
        )

    def cancel(self, _request: c.CancelRekey) -> c.Done:
        self._trials.require_open()
        self.forget()
        return c.Done()

    def give(self, request: c.GiveForRekey) -> c.Rekeying | c.Rekeyed:
        seal, change = self._trials.shared_of_open(), self._change
        if change is None:
            raise No(Why.NOTHING_BEGUN)
        if change.created is not None:
            raise No(Why.TO_BE_VERIFIED)
        self._trials.give(change.gathering, request.share, request.nonce)
        if not change.gathering.is_complete:
            return self.look()
        self._trials.prove(seal, change.gathering)
        created = ShamirSeal.create(change.threshold, change.n_shares, self._entropy)
        if change.with_verification:
            change.created = created
            change.verifying = Gathering(change.threshold, self._entropy)
            return c.Rekeyed(
                nonce=change.gathering.nonce, shares=created.show, verification_nonce=change.verifying.nonce
            )
        self._change_to(created)
        return c.Rekeyed(nonce=change.gathering.nonce, shares=created.show)

    def _change_to(self, created: Created[ShamirConfiguration]) -> None:
        self._keeper.change_seal(created)
        self.forget()
        self._on_change()

    # --- the new shares given back, before they are good

    def _verified(self) -> tuple[Change, Gathering]:
        change = self._begun()
        if change.verifying is None:
            raise No(Why.TO_BE_VERIFIED)
        return change, change.verifying

    def _begun(self) -> Change:
        self._trials.require_open()
        if self._change is None:
            raise No(Why.NOTHING_BEGUN)
        return self._change

    def verification(self) -> c.Verifying:
        change = self._begun()
        verifying = change.verifying
        return c.Verifying(
            nonce=verifying.nonce if verifying else "",
            n_shares=change.n_shares,
            threshold=change.threshold,
            progress=verifying.progress if verifying else 0,
        )

    def cancel_verification(self, _request: c.CancelVerify) -> c.Verifying:
        change, _ = self._verified()
        change.verifying = Gathering(change.threshold, self._entropy)
        return self.verification()

    def give_for_verification(self, request: c.GiveForVerify) -> c.Verifying:
        change, verifying = self._verified()
        self._trials.give(verifying, request.share, request.nonce)
        if not verifying.is_complete or change.created is None:
            return self.verification()
        created = change.created
        try:
            same = self._trials.joined(ShamirSeal(created.configuration), verifying)
        except No:
            change.verifying = Gathering(change.threshold, self._entropy)
            raise
        if not hmac.compare_digest(same.reveal(), created.unseal_key.reveal()):
            raise No(Why.WRONG_SHARES)
        self._change_to(created)
        return c.Verifying(nonce=verifying.nonce, complete=True)
