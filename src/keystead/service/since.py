"""What was done since a backup to what is in it: by the audit log, which is in no backup, and which is signed.

Rule 1: what counts is whether an act may have taken something away (core.actions.takings), for records do not say what.
Rule 2: without a log, with one that does not verify or that does not have the backup's newest change, anything may have
        been done: nobody knows.
        So it is where the backup is not as it was made (service.imprint); what the log tells counts all the same.
Rule 3: the log ends where it ends. A copy of it that is as old as the backup knows of nothing since: `upto` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.actions import Action
from keystead.core.actions.takings import TAKES_AWAY
from keystead.core.audit.merkle import leaf_hash
from keystead.core.audit.note import verifier_key
from keystead.core.audit.record import PERFORMED, Record, Who, parse
from keystead.core.audit.verify import Tampered
from keystead.core.errors import KeysteadError
from keystead.core.ports import Reader
from keystead.crypto.notes import verify_ed25519
from keystead.service.barrier import Barrier
from keystead.service.imprint import is_as_made
from keystead.service.log import Log
from keystead.service.progress import newest_of
from keystead.service.signing import signer

_MAY_COUNT = re.compile(rb'"action":"(?:%b)"' % b"|".join(re.escape(one.encode()) for one in sorted(TAKES_AWAY)))


class Deed(Struct, frozen=True, kw_only=True):
    """One act on record that may have taken something away from `target`, or `part` of it; `index`: of its record."""

    index: int
    at: datetime
    who: str
    operation: str
    action: str
    target: str  # id
    part: str  # id; "": the record names none


class Since(Struct, frozen=True, kw_only=True):
    """`deeds`: by id of what each was done to, in order. `upto`: when the newest record was made."""

    is_known: bool
    deeds: dict[str, tuple[Deed, ...]] = {}
    upto: datetime | None = None

    def taken(self, id_: str, by: frozenset[Action], part: str | None = None) -> bool:
        """Whether something may have been taken away from it, or that part of it, by one of these actions."""
        done = (deed for deed in self.deeds.get(id_, ()) if deed.action in by)
        return not self.is_known or any(part is None or deed.part in {"", part} for deed in done)

    def of(self, ids: Iterable[str]) -> tuple[Deed, ...]:
        """What was done to these, in order."""
        found = {(deed.index, deed.target): deed for id_ in ids for deed in self.deeds.get(id_, ())}
        return tuple(found[place] for place in sorted(found))

    def every(self) -> tuple[Deed, ...]:
        """All of them, in order: each on what it was done to, or on its part where the record names nothing else."""
        found = self.of(self.deeds)
        named = {deed.index for deed in found if deed.target != deed.part}
        return tuple(deed for deed in found if deed.target != deed.part or deed.index not in named)


NOBODY_KNOWS = Since(is_known=False)
NOTHING = Since(is_known=True)


def since(old: Reader, log: Log, barrier: Barrier) -> Since:
    """What `log` says of the time after the backup `old`. All of it is read, and verified: some 2 µs a record."""
    try:
        log.verify(verifier_key(signer(barrier)), verify_ed25519)
        number, newest = newest_of(old)
        at = log.find(leaf_hash(newest)) if number else None
        if at is None:
            return NOBODY_KNOWS
        found = told(log.numbered(at))
        return found if is_as_made(old, barrier.rows) else replace(found, is_known=False)
    except (KeysteadError, Tampered, OSError):
        return NOBODY_KNOWS


def newest_change(old: Reader) -> datetime | None:
    """When the last change was made that is in the backup."""
    number, record = newest_of(old)
    return parse(record).at if number else None


def told(records: Iterable[tuple[int, bytes]]) -> Since:
    """What records say, the first of which is the newest that the backup knows. Raises Malformed."""
    deeds: dict[str, list[Deed]] = {}
    newest = b""
    for n, (index, line) in enumerate(records):
        newest = line
        if n and _MAY_COUNT.search(line):
            for deed in _deeds(index, parse(line)):
                deeds.setdefault(deed.target, []).append(deed)
    upto = parse(newest).at if newest else None
    return Since(is_known=True, deeds={id_: tuple(found) for id_, found in deeds.items()}, upto=upto)


def _named(who: Who) -> str:
    """As people know them: a user of this machine acts as the installation's own principal, whose name tells nobody."""
    return who.via if who.via.startswith("uid:") else who.name or who.id


def _deeds(index: int, record: Record) -> Iterable[Deed]:
    """Of the targets, and of that part of them that has changed or gone."""
    if record.outcome != PERFORMED:
        return
    for target in record.targets:
        for id_ in dict.fromkeys((target.key, record.made)):
            if id_ and target.action in TAKES_AWAY:
                yield Deed(
                    index=index,
                    at=record.at,
                    who=_named(record.who),
                    operation=record.operation,
                    action=target.action,
                    target=id_,
                    part=record.made,
                )
