"""Who answers what doors ask of the seal: shares gathered, a set of them tried, the seal changed, a root token made.

One per installation, in the supervisor, so that nothing depends on which worker a share came to. Rekeying is Vault's
word: the shares are changed, and with them the unseal key; those that opened the seal before open nothing any more.

Rule 1: what is asked for without a share has been allowed by the core, in the worker that asks, and is on record there.
Rule 2: a set of shares is tried against what is kept of U, in constant time; what is wrong with it is not told.
Rule 3: what was begun ends with a seal, and what is given for one thing counts for no other.
"""

from __future__ import annotations

import hmac
import logging
import string
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from keystead.app.gathering import Gathering, Wrong
from keystead.core.errors import InvalidArgument, KeysteadError, Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.kit import custody as c
from keystead.kit.custody import No, Why
from keystead.seals import Seals
from keystead.seals.base import Created
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal

LOG = logging.getLogger("keystead")
LETTERS = string.ascii_letters + string.digits
PAD_LENGTH = 28  # of a root token's text: "hvs." and 24 letters


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


class Change(Struct):
    """Of the shares, on its way. `created`: the new ones, once they have been told and before they are good."""

    n_shares: int
    threshold: int
    with_verification: bool
    gathering: Gathering
    created: Created[ShamirConfiguration] | None = None
    verifying: Gathering | None = None


class Custodian:
    """`answer` is for one thread at a time, `look` for any."""

    def __init__(self, keeper: Keeper, entropy: Entropy, clock: Callable[[], float]) -> None:
        self._keeper, self._entropy, self._wrong = keeper, entropy, Wrong(clock)
        self._opening: Gathering | None = None
        self._change: Change | None = None
        self._rooting: Gathering | None = None
        self._pad: Sensitive | None = None
        self.renewed = False
        """Whether what the workers were started with is no longer so."""

    def forget(self) -> None:
        """What was begun is over."""
        self._opening = self._change = self._rooting = self._pad = None

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

    # --- the seal

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
        seal = self._shared()
        if request.share is None:
            self._opening = None
            return self.standing()
        self._wrong.require_few()
        opening = self._opening = self._opening or Gathering(seal.threshold, self._entropy)
        opening.give(request.share)
        if opening.is_complete:
            self._opening = None
            unseal_key = self._joined(seal, opening)
            try:
                self._keeper.open_with(unseal_key)
            except Unauthenticated:
                self._wrong.another()
                raise No(Why.WRONG_SHARES) from None
            self.renewed = True
        return self.standing()

    def _shared(self) -> ShamirSeal:
        """Raises No where nothing is shared."""
        if (shared := self._keeper.seal_kept.shared) is None:
            raise No(Why.NO_SHARES, self._keeper.seal_kept.kind)
        return shared

    def _joined(self, seal: ShamirSeal, gathering: Gathering) -> Sensitive:
        """What the shares given come to, if that is what the seal opens with. Raises No."""
        try:
            return seal.open(gathering.take())
        except Unauthenticated:
            self._wrong.another()
            raise No(Why.WRONG_SHARES) from None

    def seal_up(self, _request: c.SealUp) -> c.Done:
        if self._keeper.seal_kept.kinds == ("file",):
            raise No(Why.STAYS_OPEN)
        if self._keeper.is_open:
            self.forget()
            self._keeper.close_up()
            self.renewed = True
        return c.Done()

    def rotate(self, _request: c.RotateRoot) -> c.Done:
        self._require_open()
        self._keeper.rotate_slot()
        return c.Done()

    def root_key(self) -> c.RootKey:
        self._require_open()
        return self._keeper.root_key()

    def gauges(self) -> c.Gauges:
        self._require_open()
        return self._keeper.gauges()

    def _require_open(self) -> None:
        if not self._keeper.is_open:
            raise No(Why.SEALED)

    # --- new shares

    def begin_change(self, request: c.BeginRekey) -> c.Rekeying:
        self._require_open()
        seal = self._shared()
        if self._change is not None:
            raise No(Why.IN_PROGRESS)
        try:
            ShamirSeal.check(request.threshold, request.n_shares)
        except InvalidArgument as error:
            raise No(Why.BAD_SET, str(error)) from None
        gathering = Gathering(seal.threshold, self._entropy)
        self._change = Change(request.n_shares, request.threshold, request.with_verification, gathering)
        return self.change()

    def change(self) -> c.Rekeying:
        self._require_open()
        seal, one = self._shared(), self._change
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

    def cancel_change(self, _request: c.CancelRekey) -> c.Done:
        self._require_open()
        self._change = None
        return c.Done()

    def give_for_change(self, request: c.GiveForRekey) -> c.Rekeying | c.Rekeyed:
        self._require_open()
        seal, change = self._shared(), self._change
        if change is None:
            raise No(Why.NOTHING_BEGUN)
        if change.created is not None:
            raise No(Why.TO_BE_VERIFIED)
        self._give(change.gathering, request.share, request.nonce)
        if not change.gathering.is_complete:
            return self.change()
        self._prove(seal, change.gathering)
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
        self._change = self._rooting = self._pad = None
        self.renewed = True

    def _give(self, gathering: Gathering, share: Sensitive, nonce: str) -> None:
        gathering.require(nonce)
        self._wrong.require_few()
        if not gathering.give(share):
            raise No(Why.GIVEN_BEFORE)

    def _prove(self, seal: ShamirSeal, gathering: Gathering) -> None:
        """That the shares given are those of today. Raises No."""
        if not self._keeper.holds(self._joined(seal, gathering)):
            self._wrong.another()
            raise No(Why.WRONG_SHARES)

    # --- the new shares given back, before they are good

    def _verified(self) -> tuple[Change, Gathering]:
        self._require_open()
        change = self._change
        if change is None:
            raise No(Why.NOTHING_BEGUN)
        if change.verifying is None:
            raise No(Why.TO_BE_VERIFIED)
        return change, change.verifying

    def verification(self) -> c.Verifying:
        self._require_open()
        if (change := self._change) is None:
            raise No(Why.NOTHING_BEGUN)
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
        self._give(verifying, request.share, request.nonce)
        if not verifying.is_complete or change.created is None:
            return self.verification()
        created = change.created
        try:
            same = self._joined(ShamirSeal(created.configuration), verifying)
        except No:
            change.verifying = Gathering(change.threshold, self._entropy)
            raise
        if not hmac.compare_digest(same.reveal(), created.unseal_key.reveal()):
            raise No(Why.WRONG_SHARES)
        self._change_to(created)
        return c.Verifying(nonce=verifying.nonce, complete=True)

    # --- a root token

    def begin_root(self, request: c.BeginRoot) -> c.Rooting:
        self._require_open()
        seal = self._shared()
        if self._rooting is not None:
            raise No(Why.IN_PROGRESS)
        if request.pad is not None and len(request.pad) != PAD_LENGTH:
            raise No(Why.WRONG_LENGTH)
        pad = request.pad or Sensitive(letters(PAD_LENGTH, self._entropy).encode())
        self._rooting, self._pad = Gathering(seal.threshold, self._entropy), pad
        return c.Rooting(
            nonce=self._rooting.nonce,
            required=seal.threshold,
            pad=None if request.pad else pad,
            pad_length=PAD_LENGTH,
        )

    def rooting(self) -> c.Rooting:
        self._require_open()
        required, one = self._shared().threshold, self._rooting
        if one is None:
            return c.Rooting(required=required, pad_length=PAD_LENGTH)
        return c.Rooting(nonce=one.nonce, progress=one.progress, required=required, pad_length=PAD_LENGTH)

    def cancel_root(self, _request: c.CancelRoot) -> c.Done:
        self._require_open()
        self._rooting = self._pad = None
        return c.Done()

    def give_for_root(self, request: c.GiveForRoot) -> c.Rooting:
        self._require_open()
        seal, one, pad = self._shared(), self._rooting, self._pad
        if one is None or pad is None:
            raise No(Why.NOTHING_BEGUN)
        self._give(one, request.share, request.nonce)
        if not one.is_complete:
            return self.rooting()
        self._prove(seal, one)
        text = f"hvs.{letters(PAD_LENGTH - 4, self._entropy)}".encode()
        self._keeper.make_root_token(Sensitive(text))
        self._rooting = self._pad = None
        hidden = bytes(a ^ b for a, b in zip(text, pad.reveal(), strict=True))
        return c.Rooting(
            nonce=one.nonce,
            progress=one.required,
            required=one.required,
            pad_length=PAD_LENGTH,
            encoded=Sensitive(hidden),
        )


def letters(n: int, entropy: Entropy) -> str:
    """`n` letters and digits, each as likely as any other: 5.95 bits each."""
    found = ""
    while len(found) < n:
        found += "".join(LETTERS[byte % 62] for byte in entropy(n) if byte < 248)  # 248 = 4 * 62
    return found[:n]


LOOKS: dict[type, Callable[[Custodian], Any]] = {
    c.Look: Custodian.standing,
    c.LookAtRoot: Custodian.root_key,
    c.LookAtServer: Custodian.gauges,
    c.LookAtRekey: Custodian.change,
    c.LookAtVerify: Custodian.verification,
    c.LookAtRootToken: Custodian.rooting,
}
ACTS: dict[type, Callable[[Custodian, Any], Any]] = {
    c.Offer: Custodian.offer,
    c.SealUp: Custodian.seal_up,
    c.RotateRoot: Custodian.rotate,
    c.BeginRekey: Custodian.begin_change,
    c.CancelRekey: Custodian.cancel_change,
    c.GiveForRekey: Custodian.give_for_change,
    c.CancelVerify: Custodian.cancel_verification,
    c.GiveForVerify: Custodian.give_for_verification,
    c.BeginRoot: Custodian.begin_root,
    c.CancelRoot: Custodian.cancel_root,
    c.GiveForRoot: Custodian.give_for_root,
}
