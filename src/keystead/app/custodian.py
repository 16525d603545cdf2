"""Who answers what doors ask of the seal: how it stands, shares to open it; and by `rekeying` and `rooting` the rest.

One per installation, in the supervisor, so that nothing depends on which worker a share came to.

Rule 1: what is asked for without a share has been allowed by the core, in the worker that asks, and is on record there.
Rule 2: a set of shares is tried against what is kept of U, in constant time; what is wrong with it is not told.
Rule 3: what was begun ends with a seal, and what is given for one thing counts for no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from keystead.app.gathering import Gathering
from keystead.app.rekeying import Rekeying
from keystead.app.rooting import Rooting
from keystead.app.trials import Keeper, Trials
from keystead.core.errors import KeysteadError, Unauthenticated
from keystead.core.ports import Entropy
from keystead.kit import custody as c
from keystead.kit.custody import No, Why

LOG = logging.getLogger("keystead")


class Custodian:
    """`answer` is for one thread at a time, `look` for any."""

    def __init__(self, keeper: Keeper, entropy: Entropy, clock: Callable[[], float]) -> None:
        self._keeper, self._entropy, self._trials = keeper, entropy, Trials(keeper, clock)
        self._opening: Gathering | None = None
        self.rekeying = Rekeying(keeper, self._trials, entropy, self._on_change)
        self.rooting = Rooting(keeper, self._trials, entropy)
        self.renewed = False
        """Whether what the workers were started with is no longer so."""

    def forget(self) -> None:
        """What was begun is over."""
        self._opening = None
        self.rekeying.forget()
        self.rooting.forget()

    def _on_change(self) -> None:
        self.rooting.forget()
        self.renewed = True

    def look(self, request: c.AnyRequest) -> c.AnyAnswer:
        """What changes nothing. Raises No."""
        told: c.AnyAnswer = LOOKS[type(request)](self)
        return told

    def answer(self, request: c.AnyRequest) -> c.AnyAnswer:
        """Raises No."""
        self.renewed = False
        try:
            came: c.AnyAnswer = ACTS[type(request)](self, request)
        except KeysteadError as error:
            LOG.exception("%s failed", type(request).__name__)  # whoever asks may be anybody
            raise No(Why.FAILED, "it failed: the server's log says why") from error
        return came

    def standing(self) -> c.Standing:
        seals = self._keeper.seal_kept
        shared = seals.shared
        n_shares, threshold = (shared.n_shares, shared.threshold) if shared else (1, 1)
        opening = self._opening
        begun = opening is not None and opening.progress > 0
        return c.Standing(
            kind=shared.kind if shared else seals.kind,
            is_sealed=not self._keeper.is_open,
            n_shares=n_shares,
            threshold=threshold,
            progress=opening.progress if opening and begun else 0,
            nonce=opening.nonce if opening and begun else "",
        )

    def offer(self, request: c.Offer) -> c.Standing:
        if self._keeper.is_open:
            if request.share is None:
                raise No(Why.OPEN)
            return self.standing()
        seal = self._trials.shared()
        if request.share is None:
            self._opening = None
            return self.standing()
        self._trials.require_few()
        opening = self._opening = self._opening or Gathering(seal.threshold, self._entropy)
        opening.give(request.share)
        if opening.is_complete:
            self._opening = None
            unseal_key = self._trials.joined(seal, opening)
            try:
                self._keeper.open_with(unseal_key)
            except Unauthenticated:
                raise self._trials.failed() from None
            self.renewed = True
        return self.standing()

    def seal_up(self, _request: c.SealUp) -> c.Done:
        if self._keeper.seal_kept.kinds == ("file",):
            raise No(Why.STAYS_OPEN)
        if self._keeper.is_open:
            self.forget()
            self._keeper.close_up()
            self.renewed = True
        return c.Done()

    def rotate(self, _request: c.RotateRoot) -> c.Done:
        self._trials.require_open()
        self._keeper.rotate_slot()
        return c.Done()

    def root_key(self) -> c.RootKey:
        self._trials.require_open()
        return self._keeper.root_key()

    def gauges(self) -> c.Gauges:
        self._trials.require_open()
        return self._keeper.gauges()


LOOKS: dict[type, Callable[[Custodian], Any]] = {
    c.Look: Custodian.standing,
    c.LookAtRoot: Custodian.root_key,
    c.LookAtServer: Custodian.gauges,
    c.LookAtRekey: lambda custodian: custodian.rekeying.look(),
    c.LookAtVerify: lambda custodian: custodian.rekeying.verification(),
    c.LookAtRootToken: lambda custodian: custodian.rooting.look(),
}
ACTS: dict[type, Callable[[Custodian, Any], Any]] = {
    c.Offer: Custodian.offer,
    c.SealUp: Custodian.seal_up,
    c.RotateRoot: Custodian.rotate,
    c.BeginRekey: lambda custodian, request: custodian.rekeying.begin(request),
    c.CancelRekey: lambda custodian, request: custodian.rekeying.cancel(request),
    c.GiveForRekey: lambda custodian, request: custodian.rekeying.give(request),
    c.CancelVerify: lambda custodian, request: custodian.rekeying.cancel_verification(request),
    c.GiveForVerify: lambda custodian, request: custodian.rekeying.give_for_verification(request),
    c.BeginRoot: lambda custodian, request: custodian.rooting.begin(request),
    c.CancelRoot: lambda custodian, request: custodian.rooting.cancel(request),
    c.GiveForRoot: lambda custodian, request: custodian.rooting.give(request),
}
