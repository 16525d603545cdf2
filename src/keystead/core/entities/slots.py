"""How destruction erases, and what was erased where: the slots' side of the key tree (docs/adr/0036-slots.md)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from keystead.core.entities.base import Entity, Kind

RECOVERY = "recovery:"
"""Before the id of a recovery key, where it stands beside the names of slots."""
LOST = "lost:"
"""Before the name and the generation of a slot that did not hold it any more when its root was replaced: somebody else
may have it, and no slot can say that it is erased."""
THE_ONE = "installation"
"""The id of the one `SlotRule` there is."""


class Mode(StrEnum):
    """What a destruction does beside deleting (research/security.md §6)."""

    STRICT = "strict"  # every slot erases at once: the promise of decision 6
    WINDOW = "window"  # and recovery keys, which custodians replace, open the root until they are reported erased
    OFF = "off"  # nothing is erased: an old backup opens what was deleted


class Fate(StrEnum):
    """What is true of keying material that is no longer there."""

    DELETED = "deleted"  # an old backup opens it, with today's unseal key and slots
    DESTROYED = "destroyed"  # no door gives it; something that opens it is still to be erased
    IRRECOVERABLE = "irrecoverable"  # everything that could open it was reported erased


class Erased(Struct, frozen=True):
    """By whose word it was: "slot", or the id of the principal who said so."""

    by: str
    at: datetime | None  # None: by a process that has no clock


class Recovery(Struct, frozen=True):
    """A recovery key that custodians keep; `id` is a digest of the public key."""

    id: str
    public_key: bytes
    since: datetime | None

    @property
    def name(self) -> str:
        return RECOVERY + self.id


class SlotRule(Entity, frozen=True, kw_only=True):
    """The mode, the recovery keys of today, and what people have reported erased that no slot can tell of.

    `reported`: "recovery:<id>", "lost:<slot>:<generation>", or the name of a slot that was removed while it could not
    be reached. It is said of roots that had been replaced by then.
    """

    kind = Kind.SLOT_RULE
    id: str = THE_ONE
    mode: Mode = Mode.STRICT
    recovery: tuple[Recovery, ...] = ()
    reported: dict[str, Erased] = field(default_factory=dict)


class EndedRoot(Entity, frozen=True, kw_only=True):
    """The end of one root of the key tree; `id` is its epoch. Kept for ever: certificates rest on it.

    `generations`: what opened it, slot (or recovery key) -> name. `erased`: those of which it is known.
    """

    kind = Kind.ENDED_ROOT
    epoch: int
    generations: dict[str, str]
    replaced_at: datetime | None
    erased: dict[str, Erased] = field(default_factory=dict)

    @staticmethod
    def id_of(epoch: int) -> str:
        return f"{epoch:012d}"

    @property
    def waits_for(self) -> tuple[str, ...]:
        return tuple(name for name in self.generations if name not in self.erased)

    @property
    def link(self) -> str:
        """SLOTS: some have to erase yet; PEOPLE: they have, and a recovery key is to be reported; "": it is done."""
        waits = self.waits_for
        if any(not name.startswith((RECOVERY, LOST)) for name in waits):
            return SLOTS
        return PEOPLE if waits else ""

    def without(self, lost: frozenset[str]) -> EndedRoot:
        """It where those slots did not hold their generation any more."""
        named = {f"{LOST}{n}:{gen}" if n in lost else n: gen for n, gen in self.generations.items()}
        return replace(self, generations=named)

    def after(self, names: frozenset[str], erased: Erased) -> EndedRoot:
        """It once those have erased what they held of it."""
        return replace(self, erased={**self.erased, **{name: erased for name in self.waits_for if name in names}})


SLOTS, PEOPLE = "slots", "people"
