"""A root token made by whoever has enough shares, and told under a pad of theirs: Vault's "generate-root"."""

from __future__ import annotations

from keystead.app.gathering import Gathering
from keystead.app.trials import Keeper, Trials
from keystead.core.identifiers import letters
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.kit import custody as c
from keystead.kit.custody import No, Why

PAD_LENGTH = 28  # of a root token's text: "hvs." and 24 letters


class Rooting:
    """One such token at a time."""

    def __init__(self, keeper: Keeper, trials: Trials, entropy: Entropy) -> None:
        self._keeper, self._trials, self._entropy = keeper, trials, entropy
        self._gathering: Gathering | None = None
        self._pad: Sensitive | None = None

    def forget(self) -> None:
        """What was begun is over."""
        self._gathering = self._pad = None

    def begin(self, request: c.BeginRoot) -> c.Rooting:
        seal = self._trials.shared_of_open()
        if self._gathering is not None:
            raise No(Why.IN_PROGRESS)
        if request.pad is not None and len(request.pad) != PAD_LENGTH:
            raise No(Why.WRONG_LENGTH)
        pad = request.pad or Sensitive(letters(PAD_LENGTH, self._entropy).encode())
        self._gathering, self._pad = Gathering(seal.threshold, self._entropy), pad
        return c.Rooting(
            nonce=self._gathering.nonce,
            required=seal.threshold,
            pad=None if request.pad else pad,
            pad_length=PAD_LENGTH,
        )

    def look(self) -> c.Rooting:
        required, one = self._trials.shared_of_open().threshold, self._gathering
        if one is None:
            return c.Rooting(required=required, pad_length=PAD_LENGTH)
        return c.Rooting(nonce=one.nonce, progress=one.progress, required=required, pad_length=PAD_LENGTH)

    def cancel(self, _request: c.CancelRoot) -> c.Done:
        self._trials.require_open()
        self.forget()
        return c.Done()

    def give(self, request: c.GiveForRoot) -> c.Rooting:
        seal, one, pad = self._trials.shared_of_open(), self._gathering, self._pad
        if one is None or pad is None:
            raise No(Why.NOTHING_BEGUN)
        self._trials.give(one, request.share, request.nonce)
        if not one.is_complete:
            return self.look()
        self._trials.prove(seal, one)
        text = f"hvs.{letters(PAD_LENGTH - 4, self._entropy)}".encode()
        self._keeper.make_root_token(Sensitive(text))
        self.forget()
        hidden = bytes(a ^ b for a, b in zip(text, pad.reveal(), strict=True))
        return c.Rooting(
            nonce=one.nonce,
            progress=one.required,
            required=one.required,
            pad_length=PAD_LENGTH,
            encoded=Sensitive(hidden),
        )
