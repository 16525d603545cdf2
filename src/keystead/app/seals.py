"""What is done with the seals of an open installation: one added, one removed, one put in another's place.

    add      a seal around today's U                               seal.json alone
    remove   the others around a new U, so that it opens nothing   app.resealing
    migrate  the others and the new one around a new U             app.resealing

Nothing that is kept is decrypted: the root of the key tree is put under another U, and no more. What cannot be done is
refused before anything has changed: every device has answered, and every seal that stays has followed, by then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from keystead.app.compose import Core
from keystead.app.hardware import surroundings
from keystead.app.layout import write_durably
from keystead.app.patience import Patience
from keystead.app.resealing import announce, settle
from keystead.config import Config
from keystead.core.errors import AlreadyExists, Conflict, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.seals import Configuration, Plan, Seals, encode, make
from keystead.seals.base import UNSEAL_BYTES
from keystead.seals.kept import MOST_SEALS, SUBKEY
from keystead.service.barrier import Commit
from keystead.service.bootstrap import record_of_seal

DISCARDED_IN = 5.0  # seconds that a device is waited for which may be lost: nobody is served meanwhile
ALONE = (
    "the {kind} seal stands alone: what it rests on can be lost, and everything with it. "
    "Add recovery shares: `keystead seal add shamir`"
)


class Holder(Protocol):
    """Whoever has the installation open, and has to be told of another U."""

    core: Core

    def hold(self, unseal_key: Sensitive, seals: Seals) -> None: ...


class SealChanges:
    """Called while nothing else changes, and while nobody but `holder` has the installation open."""

    def __init__(self, holder: Holder, settings: Config, read: Callable[[], Seals]) -> None:
        self._holder, self._read, self._ask = holder, read, Patience()
        self._entropy = holder.core.entropy
        self._at = surroundings(holder.core.layout.directory, settings, holder.core.tokens, self._entropy)

    def prepare_added(self, plan: Plan, seals: Seals, unseal_key: Sensitive) -> Callable[[], None]:
        """What adds it. Raises AlreadyExists, Conflict (there are two), and what its device says."""
        kind = _kind(plan)
        if kind in seals.kinds:
            raise AlreadyExists(f"there is a {kind} seal", "kind")
        if len(seals.kinds) >= MOST_SEALS:
            raise Conflict(f"there are {MOST_SEALS} seals: {seals.kind}; migrate one, or remove it", "kind")
        seals.require_ours(self._key)
        new = [*seals.kept.seals, make(plan, unseal_key, self._at)]

        def add() -> None:
            core = self._holder.core
            core.barrier.commit(Commit(record=record_of_seal(core.barrier, core.clock.now(), "add-seal", kind)))
            write_durably(core.layout.seal, encode(new, self._key))
            self._holder.hold(unseal_key, self._read())

        return add

    def prepare_removed(self, kind: str, seals: Seals) -> Callable[[], None]:
        """What removes it. Raises InvalidArgument, Conflict (the last one)."""
        seals.of_kind(kind)
        if len(seals.kinds) == 1:
            raise Conflict("the last seal is not removed: migrate it to another", "kind")
        unseal_key = Sensitive(self._entropy(UNSEAL_BYTES))
        followed = seals.followed(unseal_key, but=frozenset({kind}), key=self._key)
        return lambda: self._reseal(unseal_key, followed, "remove-seal", kind, seals)

    def prepare_migrated(self, plan: Plan, replaced: str, seals: Seals) -> Callable[[], None]:
        """What puts it in the place of the one of kind `replaced`, and of one of its own kind if there is one too.

        Raises InvalidArgument, Conflict.
        """
        kind = _kind(plan)
        seals.of_kind(replaced)
        unseal_key = Sensitive(self._entropy(UNSEAL_BYTES))
        followed = seals.followed(unseal_key, but=frozenset({kind, replaced}), key=self._key)
        new = [*followed, make(plan, unseal_key, self._at)]
        return lambda: self._reseal(unseal_key, new, "migrate-seal", kind, seals)

    def rekey(self, unseal_key: Sensitive, new: Configuration, kind: str, seals: Seals) -> None:
        """The seal of that kind made anew by whoever has shown its shares."""
        followed = seals.followed(unseal_key, but=frozenset({kind}), key=self._key)
        self._reseal(unseal_key, [*followed, new], "rekey", kind, seals)

    @property
    def _key(self) -> Sensitive:
        return self._holder.core.barrier.subkey(SUBKEY)

    def _reseal(self, unseal_key: Sensitive, new: list[Configuration], act: str, kind: str, old: Seals) -> None:
        core = self._holder.core
        announce(core.layout, unseal_key, encode(new, self._key))
        try:
            core.barrier.rekey(unseal_key, record_of_seal(core.barrier, core.clock.now(), act, kind))
        except Exception:
            if not core.barrier.is_under(unseal_key):
                settle(core.layout, core.store)
                raise
            core.open(unseal_key)  # it was kept all the same
        settle(core.layout, core.store)
        seals = self._read()
        self._holder.hold(unseal_key, seals)
        core.generation.announce()
        for one, was in zip(old.each, old.kept.seals, strict=True):
            if not any(_same_place(was, now) for now in seals.kept.seals):
                with suppress(Unavailable):  # it opens nothing any more, wherever it is
                    self._ask(f"the {one.kind} seal", one.discard, DISCARDED_IN)


def warning_of(seals: Seals) -> str:
    """What an operator is to hear of the seals as they are; "" for nothing. A file is for development, and says so."""
    (kind, *others) = seals.kinds
    return ALONE.format(kind=kind) if not others and seals.opens_itself and kind != "file" else ""


def _kind(plan: Plan) -> str:
    return str(plan.__struct_config__.tag)


def _same_place(was: Configuration, now: Configuration) -> bool:
    """Whether what `was` rests on is what `now` rests on: then nothing of it is discarded."""
    return was.rests_on == now.rests_on
