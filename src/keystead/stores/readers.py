"""The connections that read, for which threads take turns.

Each holds pages of the file, prepared statements and what SQLite keeps at hand beside them. Threads take turns for the
interpreter anyway, so a few connections keep all of them busy.

Rule 1: MOST of them stay open. Whoever has waited PATIENCE for one gets one more, which is shut when it comes back: so
        what takes long, as a backup does, keeps nobody from reading.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue

import apsw

from keystead.core.errors import Unavailable
from keystead.stores.connection import shut

MOST = 8
PATIENCE = 0.05  # seconds


class Readers:
    """`connect` opens one more. Safe to use from any thread."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._free: SimpleQueue[apsw.Connection | None] = SimpleQueue()  # None: room for one that is not open yet
        for _ in range(MOST):
            self._free.put(None)
        self._beyond: set[apsw.Connection] = set()
        self._closed = False

    def take(self) -> apsw.Connection:
        """For this thread alone, until `give_back` or `drop`. Raises Unavailable (closed), and what `connect` does."""
        try:
            db, beyond = self._free.get(timeout=PATIENCE), False
        except Empty:
            db, beyond = None, True
        if db is not None:
            return db
        try:
            db = self._another()
        except BaseException:
            if not beyond:
                self._free.put(None)
            raise
        if beyond:
            self._beyond.add(db)
        return db

    def _another(self) -> apsw.Connection:
        if self._closed:
            raise Unavailable("the store is closed")
        return self._connect()

    def give_back(self, db: apsw.Connection) -> None:
        if self._closed or db in self._beyond:
            self.drop(db)
        else:
            self._free.put(db)
            if self._closed:  # `close` may have looked already
                self._shut_idle()

    def drop(self, db: apsw.Connection) -> None:
        """In place of giving back what may be of no use any more."""
        shut(db)
        if db in self._beyond:
            self._beyond.remove(db)
        else:
            self._free.put(None)

    def close(self) -> None:
        """Those that are in use are shut when they come back."""
        self._closed = True
        self._shut_idle()

    def _shut_idle(self) -> None:
        for _ in range(MOST):
            try:
                db = self._free.get_nowait()
            except Empty:
                return
            if db is not None:
                shut(db)
            self._free.put(None)
