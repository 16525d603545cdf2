"""How many there are, kept beside the rows and changed in the same transaction as they are (core.quotas).

A count is a fact in the store's meta, "count/<what>/<parent>". One that is not there yet, or was given up since a row
did not verify, is counted once over all rows of the parent. After that, what a commit adds and takes is known from the
rows that it replaces, under the store's one write lock: so the count is exact among workers, and costs no scan.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from keystead.core.entities import Entity
from keystead.core.errors import Internal
from keystead.core.ports import Reader, Row, Transaction
from keystead.core.quotas import COUNTED, Counted, Quotas, require_room
from keystead.service.rows import ENCODER, Rows

PAGE = 1000
_EPOCH = 0  # a count is of the rows, whatever generation of the slot they were written in
_BY_NAME = {counted.name: counted for counted in COUNTED}
_KINDS = frozenset(counted.of for counted in COUNTED)


class Counts:
    """Of one commit."""

    def __init__(self, txn: Transaction, rows: Rows) -> None:
        self._txn, self._rows = txn, rows
        self._gained: Counter[tuple[str, str]] = Counter()
        self._unknown: set[tuple[str, str]] = set()

    def replaced(self, stored: Row | None, entity: Entity | None, of: type[Entity]) -> None:
        """The row `stored` has become `entity`. None: it was not there, or is no more."""
        if of not in _KINDS:
            return
        for counted in COUNTED:
            if counted.of is of:
                self._add(counted, stored, -1)
                if entity is not None and counted.counts(entity):
                    self._gained[counted.name, entity.parent] += 1

    def _add(self, counted: Counted, stored: Row | None, n: int) -> None:
        if stored is None:
            return
        try:
            if counted.counts(self._rows.open(stored, counted.of)):
                self._gained[counted.name, stored.parent] += n
        except Internal:  # it is being mended: what it was, nobody knows
            self._unknown.add((counted.name, stored.parent))

    def finish(self, within: Quotas | None) -> None:
        """Write the new counts. Raises LimitExceeded where there are more than `within` has room for."""
        for name, parent in self._unknown:
            self._txn.put_meta(_meta(name, parent), b"")
        for (name, parent), gained in self._gained.items():
            if not gained or (name, parent) in self._unknown:
                continue
            kept = self._kept(name, parent)
            n = count(self._txn, self._rows, name, parent) if kept is None else kept + gained
            if within is not None and gained > 0:
                require_room(name, getattr(within, name), n - gained, gained)
            sealed = self._rows.seal_fact(_meta(name, parent), ENCODER.encode(n), _EPOCH)
            self._txn.put_meta(_meta(name, parent), sealed)

    def _kept(self, name: str, parent: str) -> int | None:
        if not (sealed := self._txn.meta(_meta(name, parent))):
            return None
        try:
            return msgspec.msgpack.decode(self._rows.open_fact(_meta(name, parent), sealed, _EPOCH), type=int)
        except Internal:
            return None


def count(reader: Reader, rows: Rows, name: str, parent: str) -> int:
    """Over all rows. Those that do not verify do not count."""
    counted, n, after = _BY_NAME[name], 0, ""
    while page := reader.children(counted.of.kind, parent, after=after, limit=PAGE):
        n += sum(_holds(counted, rows, row) for row in page)
        after = page[-1].id
    return n


def _holds(counted: Counted, rows: Rows, row: Row) -> bool:
    try:
        return counted.counts(rows.open(row, counted.of))
    except Internal:
        return False


def _meta(name: str, parent: str) -> str:
    return f"count/{name}/{parent}"
