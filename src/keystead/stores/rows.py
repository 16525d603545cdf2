"""The statements that read, in one place: a reader runs them on the last commit, the writer under its lock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from keystead.core.entities import Kind
from keystead.core.errors import DAMAGED, Internal
from keystead.core.ports import Row

KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}
FIELDS = "id, parent, link, revision, epoch, sealed"
TYPES = (str, str, str, int, int, bytes)

GET = f"SELECT {FIELDS} FROM item WHERE kind = ? AND id = ?"
# INDEXED BY: without statistics the planner would walk the whole kind in the order asked for
CHILDREN = (
    f"SELECT {FIELDS} FROM item INDEXED BY item_parent WHERE kind = ? AND parent = ? AND id > ? ORDER BY id LIMIT ?"
)
LINKED = (
    f"SELECT {FIELDS} FROM item INDEXED BY item_link "
    "WHERE kind = ? AND link = ? AND link <> '' AND id > ? ORDER BY id LIMIT ?"
)
EVERY = f"SELECT {FIELDS} FROM item WHERE kind = ? AND id > ? ORDER BY id LIMIT ?"
COUNT = "SELECT count(*) FROM item WHERE kind = ?"
NODE = "SELECT sealed FROM node WHERE place = ?"
NODES = "SELECT place, sealed FROM node WHERE place > ? ORDER BY place LIMIT ?"
META = "SELECT value FROM meta WHERE name = ?"
# none where the oldest that is kept is too new to tell
CHANGES = "SELECT seq, kind, id FROM change WHERE seq >= ?1 AND (SELECT min(seq) FROM change) <= ?1 + 1 ORDER BY seq"
NEWEST_CHANGE = "SELECT coalesce(max(seq), 0) FROM change"
RECORDS = "SELECT seq, bytes FROM record WHERE seq > ? ORDER BY seq LIMIT ?"

PUT = (
    "INSERT INTO item (kind, id, parent, link, revision, epoch, sealed) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (kind, id) DO UPDATE SET parent = excluded.parent, link = excluded.link, "
    "revision = excluded.revision, epoch = excluded.epoch, sealed = excluded.sealed"
)
DELETE = "DELETE FROM item WHERE kind = ? AND id = ? RETURNING 1"
PUT_NODE = "INSERT INTO node VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET sealed = excluded.sealed"
PUT_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
CHANGED = "INSERT INTO change (kind, id) VALUES (?, ?)"
FORGET_CHANGES = "DELETE FROM change WHERE seq <= (SELECT max(seq) FROM change) - ?"
RECORD = "INSERT INTO record (bytes) VALUES (?) RETURNING seq"
DROP_RECORDS = "DELETE FROM record WHERE seq <= ?"


def place(level: int, index: int) -> int:
    """The primary key of a node (migrations, table node)."""
    return level << 40 | index


class SqlReader(ABC):
    """core.ports.Reader over one abstract method. Raises Unavailable; Internal where the file is damaged."""

    @abstractmethod
    def _ask(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows that the statement gives."""

    def get(self, kind: Kind, id: str) -> Row | None:
        rows = [_row(kind, row) for row in self._ask(GET, (kind, id))]
        if not rows:
            return None
        _require(rows[0].id == id)  # an index out of order answers with a neighbour
        return rows[0]

    def children(self, kind: Kind, parent: str, *, after: str = "", limit: int = 1000) -> list[Row]:
        rows = [_row(kind, row) for row in self._ask(CHILDREN, (kind, parent, after, limit))]
        _require(all(row.parent == parent for row in rows))
        return rows

    def linked(self, kind: Kind, link: str, *, after: str = "", limit: int = 1000) -> list[Row]:
        """An empty link links to nothing."""
        rows = [_row(kind, row) for row in self._ask(LINKED, (kind, link, after, limit))]
        _require(all(row.link == link for row in rows))
        return rows

    def every(self, kind: Kind, *, after: str = "", limit: int = 1000) -> list[Row]:
        return [_row(kind, row) for row in self._ask(EVERY, (kind, after, limit))]

    def node(self, level: int, index: int) -> bytes | None:
        rows = self._ask(NODE, (place(level, index),))
        return _typed(rows[0], (bytes,))[0] if rows else None

    def nodes(self, *, after: tuple[int, int] = (-1, 0), limit: int = 1000) -> list[tuple[int, int, bytes]]:
        rows = [_typed(row, (int, bytes)) for row in self._ask(NODES, (place(*after), limit))]
        return [(*divmod(at, 1 << 40), sealed) for at, sealed in rows]

    def count(self, kind: Kind) -> int:
        """Walks an index: about 10 ms for 100,000."""
        return int(self._ask(COUNT, (kind,))[0][0])

    def meta(self, name: str) -> bytes | None:
        rows = self._ask(META, (name,))
        return _typed(rows[0], (bytes,))[0] if rows else None

    def changes(self, after: int) -> tuple[int, list[tuple[Kind, str]] | None]:
        rows = [_typed(row, (int, str, str)) for row in self._ask(CHANGES, (after,))]
        if not rows:  # `after` is too long ago or of another history, or nothing has ever changed
            newest = int(self._ask(NEWEST_CHANGE, ())[0][0])
            return newest, [] if newest == after else None
        _require({kind for _, kind, _ in rows} <= KINDS.keys())
        return rows[-1][0], [(KINDS[kind], id_) for seq, kind, id_ in rows if seq > after]

    def records(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        rows = [_typed(row, (int, bytes)) for row in self._ask(RECORDS, (after, limit))]
        _require(not rows or rows[-1][0] - rows[0][0] == len(rows) - 1)
        return [(seq, record) for seq, record in rows]


def _require(holds: bool) -> None:  # noqa: FBT001 - an assertion that -O leaves in
    if not holds:
        raise Internal("the store is damaged", DAMAGED)


def _typed(row: tuple[Any, ...], types: tuple[type, ...]) -> tuple[Any, ...]:
    """The row, if its types are those of the schema: STRICT binds whoever writes, not what has rotted."""
    _require(tuple(map(type, row)) == types)
    return row


def _row(kind: Kind, row: tuple[Any, ...]) -> Row:
    return Row(kind, *_typed(row, TYPES))
