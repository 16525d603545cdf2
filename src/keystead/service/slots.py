"""The slots of one installation: staged in all of them, opened by any, erased in all (docs/adr/0036-slots.md).

Which slots those are the root says; how each is reached, the configuration. A slot that cannot be reached stops a
destruction before anything has changed, and keeps no reader out as long as another one opens the root.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from keystead.core.errors import Internal, InvalidArgument, KeysteadError, Unavailable
from keystead.core.ports import Slot
from keystead.core.sensitive import Sensitive
from keystead.service.root import FILE, Root, challenge, wrapping_key

log = logging.getLogger(__name__)
T = TypeVar("T")
Opener = Callable[[str, str], Slot]
"""(name, owner) -> slot. Raises InvalidArgument where the configuration says nothing of it."""

ANSWERED_IN, LOCKED_FOR = 30.0, 10.0
"""Seconds that devices have to answer; and while the store's write lock is held for them, once they have answered."""


LACKS: Final = "it does not hold the generation of today: rotate"
SHORT: Final = "it keeps no room for the next destruction, which is refused if it is full then: make room in it"


class Asker(Protocol):
    """(name of a slot, what it is asked) -> its answer. Raises Unavailable too where it is waited for no longer: what
    it was asked then goes on, and may be done when nobody looks any more.
    """

    def __call__(self, name: str, ask: Callable[[], T], /) -> T: ...


def at_once(_name: str, ask: Callable[[], T]) -> T:
    return ask()


class Ask:
    """How slots are asked that an act has to do with."""

    __slots__ = ("_asker",)

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def __call__(self, slot: Slot, what: Callable[[], T]) -> T:
        return self._asker(slot.name, what) if slot.may_hang else what()

    def named(self, slot: Slot, what: Callable[[], T]) -> T:
        """And what it cannot do is told with its name."""

        def named() -> T:
            try:
                return what()
            except Unavailable as error:
                raise Unavailable(f"slot {slot.name}: {error}") from error

        return self(slot, named)


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
    is_short: bool = False  # it keeps no room for the next destruction


class Slots:
    """Each is opened when it is first needed. `first`: those that a new installation begins with.

    `within`: makes what slots are asked by that may hang, all of them within some seconds from then on.
    """

    def __init__(
        self, opener: Opener, first: Sequence[str], within: Callable[[float], Asker] = lambda _: at_once
    ) -> None:
        self._opener, self.first, self._within = opener, tuple(first), within
        self.ask: Asker = at_once
        """How a slot is looked at: by whoever must not wait for one that hangs, otherwise."""
        self._open: dict[tuple[str, str], Slot] = {}

    @classmethod
    def of(cls, *slots: Slot, within: Callable[[float], Asker] = lambda _: at_once) -> Slots:
        by_name = {slot.name: slot for slot in slots}

        def opener(name: str, _owner: str) -> Slot:
            if name not in by_name:
                raise InvalidArgument(f"there is no slot {name}", "slot")
            return by_name[name]

        return cls(opener, tuple(by_name), within)

    def at(self, name: str, owner: str) -> Slot:
        """Raises Unavailable, with the slot's name."""
        if (slot := self._open.get((name, owner))) is None:
            try:
                slot = self._open[name, owner] = self._opener(name, owner)
            except InvalidArgument as error:
                raise Unavailable(f"slot {name} is not configured: {error}") from error
        return slot

    def begin(self, seconds: float | None = None) -> Ask:
        """From now on those that may hang have so much time (ANSWERED_IN), and no more."""
        return Ask(self._within(ANSWERED_IN if seconds is None else seconds))

    # --- opening

    def unwrap(self, root: Root, unseal_key: Sensitive) -> bytes | None:
        """The root node key, by the first slot that opens it; None where every slot holds other generations.

        Files come first: a device may take its time, or hang.

        Raises Unavailable where a slot that might open it cannot be reached, Internal where what it gives does not.
        """
        trouble: KeysteadError | None = None
        ask, asked = self.begin(), challenge(unseal_key)
        for wrap in sorted(root.wraps, key=lambda one: one.slot != FILE):
            try:
                slot = self.at(wrap.slot, root.owner)
                given = ask(slot, partial(slot.give, wrap.generation, asked))
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
        """Before any lock is taken: that every slot answers, and is another place than each other one.

        Two that show one generation are one token by two names, and each would erase what the other holds. Raises
        Unavailable.
        """
        shown: dict[str, str] = {}
        ask = self.begin()
        for name in names:
            slot = self.at(name, owner)
            for generation in ask.named(slot, slot.generations):
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

    def away(self, names: Iterable[str], owner: str) -> dict[str, KeysteadError]:
        """Of those that may hang, before a lock is taken: slot -> why it does not answer."""
        failed: dict[str, KeysteadError] = {}
        ask = self.begin()
        for name in names:
            try:
                slot = self.at(name, owner)
                if slot.may_hang:
                    ask.named(slot, slot.generations)
            except Unavailable as error:
                failed[name] = error
        return failed

    def held(self, root: Root, unseal_key: Sensitive, ask: Ask) -> dict[str, frozenset[str]]:
        """What each slot of the root that can be reached holds.

        One that does not show what the root names is asked for that by its name before it counts as erased: a module of
        PKCS#11 may hide objects, and then looks anew (cryptoki.views).
        """
        found: dict[str, frozenset[str]] = {}
        for name, generation in root.generations.items():
            with suppress(Unavailable):
                slot = self.at(name, root.owner)
                shown = ask(slot, slot.generations)
                give = partial(slot.give, generation, challenge(unseal_key))
                is_hidden = generation not in shown and ask(slot, give) is not None
                found[name] = ask(slot, slot.generations) if is_hidden else shown
        return found

    def stage(self, names: Iterable[str], owner: str, unseal_key: Sensitive, ask: Ask) -> Iterator[Staged]:
        """A new generation in each, read back as every reader will. Raises Unavailable.

        One that comes when it is waited for no more is named by no root: the next `retire` takes it.
        """
        asked = challenge(unseal_key)
        for name in names:
            slot = self.at(name, owner)
            generation = ask.named(slot, partial(slot.stage, asked))
            given = ask.named(slot, partial(slot.give, generation, asked))
            if given is None:
                raise Unavailable(f"slot {name} does not hold what it was given to hold")
            yield Staged(name, generation, Sensitive(wrapping_key(unseal_key.reveal(), given.reveal())))

    def retire(self, root: Root, gone: Iterable[str], away: Mapping[str, KeysteadError]) -> dict[str, KeysteadError]:
        """Erase every generation that the root does not name, and all that the slots hold that are `gone` from it.

        slot -> why it has not erased. `away`: those that are not asked.
        """
        keep: dict[str, str | None] = {**dict.fromkeys(gone), **root.generations}
        failed: dict[str, KeysteadError] = {name: away[name] for name in keep if name in away}
        todays, ask = set(root.generations.values()), self.begin(LOCKED_FOR)
        for name, generation in keep.items():
            if name in failed:
                continue
            try:
                slot = self.at(name, root.owner)
                is_asked = slot.may_hang or generation is None
                shown = ask(slot, slot.generations) if is_asked else frozenset[str]()
                if generation is not None or todays.isdisjoint(shown):
                    ask(slot, partial(slot.retire, generation, shown if slot.may_hang else None))
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
        def looked() -> tuple[frozenset[str], bool]:
            slot = self.at(name, owner)
            return slot.generations(), slot.is_short()

        try:
            held, is_short = self.ask(name, looked)
        except Unavailable as error:
            return SlotLook(name=name, generation=generation, n_unerased=None, trouble=str(error))
        trouble = LACKS if generation not in held else SHORT if is_short else ""
        n_unerased = len(held - {generation})
        return SlotLook(name=name, generation=generation, n_unerased=n_unerased, trouble=trouble, is_short=is_short)

    def hold_something(self, names: Iterable[str], owner: str) -> bool:
        """Whether any of them does. Raises Unavailable."""
        ask, slots = self.begin(), [self.at(name, owner) for name in names]
        return any(ask.named(slot, slot.generations) for slot in slots)
