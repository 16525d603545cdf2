"""What was erased where: a row for each root that was replaced, filled in as its slots erase (docs/adr/0036-slots.md).

Rule 1: the row comes in the transaction that replaces the root; a slot stands in it as erased only after it has erased.
Rule 2: a slot that holds a generation no longer has erased it, whoever saw to that: so a crash between loses no word.
Rule 3: what a version was last under is in the version's row. It is irrecoverable once every root up to that one is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from keystead.core.entities import EndedRoot, Erased, Erasure, Fate, GivenUp, KeyVersion, Kind, Mode, SlotRule, Wrapped
from keystead.core.entities.slots import LOST, PEOPLE, RECOVERY, SLOTS, THE_ONE
from keystead.core.ports import Reader
from keystead.service.root import Root
from keystead.service.rows import Rows
from keystead.service.slots import SlotLook

BY_SLOT = "slot"
PAGE = 500


def rule(reader: Reader, rows: Rows) -> SlotRule:
    """The one there is; the default as long as nobody has chosen."""
    row = reader.get(Kind.SLOT_RULE, THE_ONE)
    return SlotRule() if row is None else rows.open(row, SlotRule)


def lack(root: Root, held: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The slots that can be reached, and do not hold the generation that the root names."""
    return frozenset(name for name, found in held.items() if root.generations[name] not in found)


def strange(root: Root, held: Mapping[str, frozenset[str]], known: Callable[[], Iterable[EndedRoot]]) -> str:
    """A slot that somebody else has replaced the generation in, where none holds ours any more; else "".

    A copy of the installation that reaches the same slot does so. One that is empty was lost, and one that holds what
    an older root named was put back: a new generation mends both.
    """
    if len(lack(root, held)) < len(root.generations):
        return ""
    ours = {generation for one in known() for generation in one.generations.values()}
    return next((name for name, found in held.items() if found - ours), "")


def ended(epoch: int, openers: Mapping[str, str], now: datetime | None) -> EndedRoot:
    """That the root of this epoch has been replaced, and nothing of it is erased yet."""
    return EndedRoot(id=EndedRoot.id_of(epoch), epoch=epoch, generations=dict(openers), replaced_at=now)


def waiting(reader: Reader, rows: Rows, link: str, limit: int = PAGE) -> list[EndedRoot]:
    """Those that wait for slots, or for people (core.entities.slots), oldest first."""
    return [rows.open(row, EndedRoot) for row in reader.linked(Kind.ENDED_ROOT, link, limit=limit)]


def reported(found: Iterable[EndedRoot], chosen: SlotRule, root: Root) -> list[EndedRoot]:
    """Each of them, with what people have reported. A slot that the root is in says so itself, and nobody for it."""
    after = []
    for one in found:
        said = {
            name: word
            for name in one.waits_for
            if (word := chosen.reported.get(name)) and name not in root.generations and _covers(word, one)
        }
        after.append(replace(one, erased={**one.erased, **said}))
    return after


def acknowledged(found: Iterable[EndedRoot], slots: frozenset[str], now: datetime | None) -> list[EndedRoot]:
    """Each of them, once these slots have erased."""
    return [one.after(slots, Erased(BY_SLOT, now)) for one in found]


def owed_by(lost: Mapping[str, frozenset[str]], found: Iterable[EndedRoot]) -> tuple[EndedRoot, ...]:
    """Those that wait for slots which were lost since, as they are to be kept: what stands in such a slot's place, and
    does not hold what it is to erase, never held it. `lost`: what there is in each.
    """
    after = []
    for one in found:
        gone = frozenset(n for n in one.waits_for if n in lost and one.generations[n] not in lost[n])
        if gone:
            after.append(one.without(gone))
    return tuple(after)


def changed(before: Iterable[EndedRoot], after: Iterable[EndedRoot]) -> tuple[EndedRoot, ...]:
    return tuple(new for old, new in zip(before, after, strict=True) if old.erased != new.erased)


def _covers(said: Erased, one: EndedRoot) -> bool:
    """Whether that was said when the root had been replaced: of what came later it says nothing."""
    return said.at is not None and one.replaced_at is not None and one.replaced_at <= said.at


def owes_rotation(root: Root, chosen: SlotRule) -> bool:
    """Whether leaves went under this root that are to be erased, or it is not for the recovery keys of today."""
    wanted = {one.name for one in chosen.recovery} if chosen.mode is Mode.WINDOW else set()
    return (root.n_erased > 0 and chosen.mode is not Mode.OFF) or {one.wrap.slot for one in root.escrows} != wanted


def fate(reader: Reader, rows: Rows, root: Root, version: Wrapped, n_unerased: Callable[[], int]) -> Fate:
    """What is true of a version that holds nothing any more. `n_unerased`: as the slots say themselves."""
    if isinstance(version, KeyVersion) and _is_in_an_hsm(reader, rows, version):
        return Fate.DESTROYED
    oldest = [one.epoch for link in (SLOTS, PEOPLE) for one in waiting(reader, rows, link, 1)]
    under = version.destroyed_under
    if under == 0:  # from before this was kept: under a root that no erasure stands for
        return Fate.DESTROYED if n_unerased() else Fate.IRRECOVERABLE
    if under >= root.epoch:  # the root has not been replaced since
        return Fate.DELETED if rule(reader, rows).mode is Mode.OFF else Fate.DESTROYED
    return Fate.DESTROYED if oldest and min(oldest) <= under else Fate.IRRECOVERABLE


def _is_in_an_hsm(reader: Reader, rows: Rows, version: KeyVersion) -> bool:
    """Whether what an HSM holds of it is still to be erased there, or was given up."""
    owed = [rows.open(row, Erasure).number for row in reader.linked(Kind.ERASURE, version.key_id)]
    left = [rows.open(row, GivenUp).number for row in reader.linked(Kind.GIVEN_UP, version.key_id)]
    return version.number in (*owed, *left)


def of_slots(found: Iterable[EndedRoot]) -> set[str]:
    """The slots that they wait for."""
    return {name for one in found for name in one.waits_for if not name.startswith((RECOVERY, LOST))}


def outstanding(looks: Iterable[SlotLook], found: Iterable[EndedRoot]) -> int:
    """Generations still to be erased, as the slots looked just now. `found`: what waits for slots.

    A slot that cannot be looked at counts as one, as nobody knows; so does one that was removed and not reached.
    """
    looks = tuple(looks)
    owing = of_slots(found) - {look.name for look in looks}
    return len(owing) + sum(1 if look.n_unerased is None else look.n_unerased for look in looks)


def of_people(found: Iterable[EndedRoot]) -> set[str]:
    """What people are to report."""
    return {name for one in found for name in one.waits_for if name.startswith((RECOVERY, LOST))}
