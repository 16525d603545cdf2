"""The slots of one installation: staged in all of them, opened by any, erased in all (docs/adr/0036-slots.md).

Which slots those are the root says; how each is reached, the configuration. A slot that cannot be reached stops a
destruction before anything has changed, and keeps no reader out as long as another one opens the root.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from msgspec import Struct

from keystead.core.errors import Internal, InvalidArgument, KeysteadError, Unavailable
from keystead.core.ports import Slot
from keystead.core.sensitive import Sensitive
from keystead.service.root import FILE, Root, challenge, wrapping_key

log = logging.getLogger(__name__)
T = TypeVar("T")
Opener = Callable[[str, str], Slot]
"""(name, owner) -> slot. Raises InvalidArgument where the configuration says nothing of it."""


Looked = frozenset[str]
Asking = Callable[[str, Callable[[], Looked]], Looked]
"""(name of a slot, what it is asked) -> its answer. Raises Unavailable too where it is not waited for any longer."""


def _at_once(_name: str, ask: Callable[[], Looked]) -> Looked:
    return ask()


class Staged(Struct, frozen=True):
    """A generation that is durable in its slot, and that no root names yet."""

    slot: str
    generation: str
    wrapped_by: Sensitive  # R


class SlotLook(Struct, frozen=True, kw_only=True):
    """How one slot is. `n_unerased`: generations to be erased; None: it cannot be looked at, and `trouble` says why."""

    name: str
    generation: str  # the one that the root names
    n_unerased: int | None
    trouble: str = ""


class Slots:
    """Each is opened when it is first needed. `first`: those that a new installation begins with."""

    def __init__(self, opener: Opener, first: Sequence[str]) -> None:
        self._opener, self.first = opener, tuple(first)
        self.ask: Asking = _at_once
        """How a slot is looked at: by whoever must not wait for one that hangs, otherwise."""
        self._open: dict[tuple[str, str], Slot] = {}

    @classmethod
    def of(cls, *slots: Slot) -> Slots:
        by_name = {slot.name: slot for slot in slots}

        def opener(name: str, _owner: str) -> Slot:
            if name not in by_name:
                raise InvalidArgument(f"there is no slot {name}", "slot")
            return by_name[name]

        return cls(opener, tuple(by_name))

    def at(self, name: str, owner: str) -> Slot:
        """Raises Unavailable, with the slot's name."""
        if (slot := self._open.get((name, owner))) is None:
            try:
                slot = self._open[name, owner] = self._opener(name, owner)
            except InvalidArgument as error:
                raise Unavailable(f"slot {name} is not configured: {error}") from error
        return slot

    # --- opening

    def unwrap(self, root: Root, unseal_key: Sensitive) -> bytes | None:
        """The root node key, by the first slot that opens it; None where every slot holds other generations.

        Files come first: a device may take its time, or hang.

        Raises Unavailable where a slot that might open it cannot be reached, Internal where what it gives does not.
        """
        trouble: KeysteadError | None = None
        for wrap in sorted(root.wraps, key=lambda one: one.slot != FILE):
            try:
                given = self.at(wrap.slot, root.owner).give(wrap.generation, challenge(unseal_key))
                if given is not None:
                    return wrap.unwrap(wrapping_key(unseal_key.reveal(), given.reveal()), root.epoch)
            except (Unavailable, Internal) as error:
                log.warning("slot %s does not open the root: %s", wrap.slot, error)
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return None

    def wrapping_keys(self, root: Root, unseal_key: Sensitive) -> list[bytes]:
        """R for every generation that any slot holds now. Raises Unavailable."""
        asked = challenge(unseal_key)
        slots = [self.at(wrap.slot, root.owner) for wrap in root.wraps]
        given = [slot.give(generation, asked) for slot in slots for generation in sorted(slot.generations())]
        return [wrapping_key(unseal_key.reveal(), one.reveal()) for one in given if one is not None]

    # --- destroying

    def require(self, names: Iterable[str], owner: str) -> None:
        """Before any lock is taken: that every slot can be reached, and is another place than each other one.

        Two that show one generation are one token by two names, and each would erase what the other holds. Raises
        Unavailable.
        """
        shown: dict[str, str] = {}
        for name in names:
            for generation in _named(name, self.at(name, owner).generations):
                if (other := shown.setdefault(generation, name)) != name:
                    raise Unavailable(f"slots {other} and {name} are one place by two names: keep one of them")

    def require_apart(self, names: Iterable[str], owner: str) -> None:
        """Of a new installation's, which hold something by now: as `require`, else nothing of it is left in them."""
        names = tuple(names)
        try:
            self.require(names, owner)
        except Unavailable:
            for name in names:
                with suppress(Unavailable):
                    self.at(name, owner).retire(None)
            raise

    def held(self, root: Root, unseal_key: Sensitive) -> dict[str, frozenset[str]]:
        """What each slot of the root that can be reached holds.

        One that does not show what the root names is asked for that by its name before it counts as erased: a module of
        PKCS#11 may hide objects, and then looks anew (cryptoki.views).
        """
        found: dict[str, frozenset[str]] = {}
        for name, generation in root.generations.items():
            with suppress(Unavailable):
                slot = self.at(name, root.owner)
                shown = slot.generations()
                is_hidden = generation not in shown and slot.give(generation, challenge(unseal_key)) is not None
                found[name] = slot.generations() if is_hidden else shown
        return found

    def stage(self, names: Iterable[str], owner: str, unseal_key: Sensitive) -> Iterator[Staged]:
        """A new generation in each, read back as every reader will. Raises Unavailable."""
        asked = challenge(unseal_key)
        for name in names:
            slot = self.at(name, owner)
            generation = _named(name, partial(slot.stage, asked))
            given = _named(name, partial(slot.give, generation, asked))
            if given is None:
                raise Unavailable(f"slot {name} does not hold what it was given to hold")
            yield Staged(name, generation, Sensitive(wrapping_key(unseal_key.reveal(), given.reveal())))

    def retire(self, root: Root, gone: Iterable[str]) -> dict[str, KeysteadError]:
        """Erase every generation that the root does not name, and all that the slots hold that are `gone` from it.

        slot -> why it has not erased.
        """
        keep: dict[str, str | None] = {**dict.fromkeys(gone), **root.generations}
        failed: dict[str, KeysteadError] = {}
        todays = set(root.generations.values())
        for name, generation in keep.items():
            try:
                slot = self.at(name, root.owner)
                if generation is not None or todays.isdisjoint(slot.generations()):
                    slot.retire(generation)
                # else it is the place of one that stays, by another name: that one erases the rest
            except (Unavailable, Internal) as error:
                failed[name] = error
        return failed

    def wear(self, root: Root) -> bool:
        """Whether one of them does. A slot that cannot be reached is no reason to write to it less often."""
        for name in root.generations:
            with suppress(Unavailable):
                if self.at(name, root.owner).wears:
                    return True
        return False

    # --- looking

    def look(self, root: Root) -> list[SlotLook]:
        return [self._look(wrap.slot, wrap.generation, root.owner) for wrap in root.wraps]

    def _look(self, name: str, generation: str, owner: str) -> SlotLook:
        try:
            held = self.ask(name, self.at(name, owner).generations)
        except Unavailable as error:
            return SlotLook(name=name, generation=generation, n_unerased=None, trouble=str(error))
        lacks = "" if generation in held else "it does not hold the generation of today: rotate"
        return SlotLook(name=name, generation=generation, n_unerased=len(held - {generation}), trouble=lacks)

    def hold_something(self, names: Iterable[str], owner: str) -> bool:
        """Whether any of them does. Raises Unavailable."""
        return any(_named(name, self.at(name, owner).generations) for name in names)


def _named(name: str, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Unavailable as error:
        raise Unavailable(f"slot {name}: {error}") from error
