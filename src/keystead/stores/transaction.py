"""core.ports.Transaction over the writer's connection.

Rule 1: once a statement has failed the transaction can only be rolled back: SQLite may have done so already, and
        what followed would be a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw

from keystead.core.entities import Kind
from keystead.core.errors import Internal, KeysteadError
from keystead.core.ports import Row
from keystead.stores import rows as sql
from keystead.stores.connection import FAILS, failure
from keystead.stores.rows import SqlReader, place


class SqlTransaction(SqlReader):
    """Of no use after its block. `commit_failed`: its frames may stand in the WAL (sqlite, Rule 3)."""

    def __init__(self, db: apsw.Connection, keep_changes: int) -> None:
        self._db, self._keep_changes = db, keep_changes
        self._failed: KeysteadError | None = None
        self._changed = False
        self.commit_failed = False

    def _ask(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        if self._failed:
            raise self._failed
        try:
            return self._db.execute(statement, values).fetchall()
        except FAILS as error:
            self._failed = failure(error)
            raise self._failed from error

    @contextmanager
    def attempt(self) -> Iterator[None]:
        self._ask("SAVEPOINT attempt", ())
        try:
            yield
        except BaseException:
            if not self._failed:
                self._ask("ROLLBACK TO attempt", ())
                self._ask("RELEASE attempt", ())
            raise
        self._ask("RELEASE attempt", ())

    def put(self, row: Row) -> None:
        self._ask(sql.PUT, (row.kind, row.id, row.parent, row.link, row.revision, row.epoch, row.sealed))
        self._note(row.kind, row.id)

    def delete(self, kind: Kind, id: str) -> None:
        if self._ask(sql.DELETE, (kind, id)):
            self._note(kind, id)

    def _note(self, kind: Kind, id_: str) -> None:
        self._ask(sql.CHANGED, (kind, id_))
        self._changed = True

    def put_node(self, level: int, index: int, sealed: bytes) -> None:
        self._ask(sql.PUT_NODE, (place(level, index), sealed))

    def put_meta(self, name: str, value: bytes) -> None:
        self._ask(sql.PUT_META, (name, value))

    def record(self, record: bytes) -> int:
        return int(self._ask(sql.RECORD, (record,))[0][0])

    def drop_records(self, through: int) -> None:
        self._ask(sql.DROP_RECORDS, (through,))

    def commit(self) -> None:
        if self._changed:
            self._ask(sql.FORGET_CHANGES, (self._keep_changes,))
        if self._failed:
            raise self._failed
        try:
            self._db.execute("COMMIT")
        except apsw.Error as error:
            self.commit_failed = True
            raise failure(error) from error
        self.end()

    def end(self) -> None:
        self._failed = self._failed or Internal("the transaction is over")
