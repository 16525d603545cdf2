"""core.ports.Store in dictionaries. Nothing outlives the process.

Rule 1: a transaction writes into an overlay, merged under a lock when its block ends; readers see the last merge.
Rule 2: a listing sorts what it finds, so it costs a walk over the kind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from keystead.core.entities import Kind
from keystead.core.errors import Internal, Unavailable, Unsupported
from keystead.core.ports import Row

KEEP_CHANGES = 10_000

K = TypeVar("K")
V = TypeVar("V")


class _Overlay(Generic[K, V]):
    """A dictionary seen through what is about to be put into it (None: taken out of it)."""

    def __init__(self, base: dict[K, V]) -> None:
        self._base = base
        self._pending: dict[K, V | None] = {}

    def get(self, key: K) -> V | None:
        return self._pending[key] if key in self._pending else self._base.get(key)

    def put(self, key: K, value: V | None) -> None:
        self._pending[key] = value

    def snapshot(self) -> dict[K, V | None]:
        return dict(self._pending)

    def restore(self, pending: dict[K, V | None]) -> None:
        self._pending = pending

    def values(self) -> list[V]:
        return list(self._base.values()) if not self._pending else [value for _, value in self.items()]

    def items(self) -> list[tuple[K, V]]:
        merged: dict[K, V | None] = {**self._base, **self._pending}
        return [(key, value) for key, value in merged.items() if value is not None]

    def merge(self) -> None:
        for key, value in self._pending.items():
            if value is None:
                self._base.pop(key, None)
            else:
                self._base[key] = value


class _Items(dict[Kind, _Overlay[str, Row]]):
    """An overlay of each kind, made when it is asked for: most readers look at one kind of some fifty."""

    def __init__(self, base: dict[Kind, dict[str, Row]]) -> None:
        super().__init__()
        self._base = base

    def __missing__(self, kind: Kind) -> _Overlay[str, Row]:
        self[kind] = made = _Overlay(self._base[kind])
        return made


class _Content:
    """What has been committed."""

    def __init__(self) -> None:
        self.items: dict[Kind, dict[str, Row]] = {kind: {} for kind in Kind}
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.meta: dict[str, bytes] = {}
        self.changes: list[tuple[Kind, str]] = []  # the newest
        self.n_changes = 0
        self.records: dict[int, bytes] = {}
        self.n_records = 0


class _MemoryReader:
    """core.ports.Reader over a view of some content."""

    def __init__(self, content: _Content) -> None:
        self._content = content
        self._items = _Items(content.items)
        self._nodes = _Overlay(content.nodes)
        self._meta = _Overlay(content.meta)
        self._records = _Overlay(content.records)
        self._n_records = content.n_records
        self._changed: list[tuple[Kind, str]] = []

    def get(self, kind: Kind, id: str) -> Row | None:
        return self._items[kind].get(id)

    def children(self, kind: Kind, parent: str, *, after: str = "", limit: int = 1000) -> list[Row]:
        return self._list(kind, lambda row: row.parent == parent, after, limit)

    def linked(self, kind: Kind, link: str, *, after: str = "", limit: int = 1000) -> list[Row]:
        """An empty link links to nothing."""
        return self._list(kind, lambda row: row.link == link != "", after, limit)

    def every(self, kind: Kind, *, after: str = "", limit: int = 1000) -> list[Row]:
        return self._list(kind, lambda _row: True, after, limit)

    def _list(self, kind: Kind, wanted: Callable[[Row], bool], after: str, limit: int) -> list[Row]:
        found = [row for row in self._items[kind].values() if row.id > after and wanted(row)]
        return sorted(found, key=lambda row: row.id)[:limit]

    def node(self, level: int, index: int) -> bytes | None:
        return self._nodes.get((level, index))

    def nodes(self, *, after: tuple[int, int] = (-1, 0), limit: int = 1000) -> list[tuple[int, int, bytes]]:
        return [(*at, node) for at, node in sorted(self._nodes.items()) if at > after][:limit]

    def count(self, kind: Kind) -> int:
        return len(self._items[kind].values())

    def meta(self, name: str) -> bytes | None:
        return self._meta.get(name)

    def changes(self, after: int) -> tuple[int, list[tuple[Kind, str]] | None]:
        newest = self._content.n_changes + len(self._changed)
        committed, since = self._content.changes, max(0, self._content.n_changes - after)
        if since > len(committed) or after > newest:
            return newest, None
        return newest, committed[len(committed) - since :] + self._changed[max(0, after - self._content.n_changes) :]

    def records(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        found = ((n, self._records.get(n)) for n in range(max(after, 0) + 1, self._n_records + 1))
        return [(n, record) for n, record in found if record is not None][:limit]


class MemoryTransaction(_MemoryReader):
    """core.ports.Transaction. Of no use after its block."""

    _over = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        self._require_open()
        overlays: list[_Overlay[Any, Any]] = [*self._items.values(), self._nodes, self._meta, self._records]
        before, n_records, n_changed = [one.snapshot() for one in overlays], self._n_records, len(self._changed)
        kinds = set(self._items)
        try:
            yield
        except BaseException:
            for overlay, pending in zip(overlays, before, strict=True):
                overlay.restore(pending)
            for kind in self._items.keys() - kinds:
                del self._items[kind]
            self._n_records = n_records
            del self._changed[n_changed:]
            raise

    def put(self, row: Row) -> None:
        self._require_open()
        self._items[row.kind].put(row.id, row)
        self._changed.append((row.kind, row.id))

    def delete(self, kind: Kind, id: str) -> None:
        self._require_open()
        if self._items[kind].get(id) is not None:
            self._items[kind].put(id, None)
            self._changed.append((kind, id))

    def put_node(self, level: int, index: int, sealed: bytes) -> None:
        self._require_open()
        self._nodes.put((level, index), sealed)

    def put_meta(self, name: str, value: bytes) -> None:
        self._require_open()
        self._meta.put(name, value)

    def record(self, record: bytes) -> int:
        self._require_open()
        self._n_records += 1
        self._records.put(self._n_records, record)
        return self._n_records

    def drop_records(self, through: int) -> None:
        self._require_open()
        for n in [n for n in self._content.records if n <= through]:
            self._records.put(n, None)
        for n in range(self._content.n_records + 1, min(through, self._n_records) + 1):
            self._records.put(n, None)

    def _require_open(self) -> None:
        if self._over:
            raise Internal("the transaction is over")

    def end(self) -> None:
        self._over = True

    def merge(self, keep_changes: int) -> None:
        for rows in self._items.values():
            rows.merge()
        self._nodes.merge()
        self._meta.merge()
        self._records.merge()
        content = self._content
        content.n_records = self._n_records
        content.n_changes += len(self._changed)
        content.changes += self._changed
        del content.changes[:-keep_changes]


class MemoryStore:
    """core.ports.Store. `keep_changes`: how many changes `changes()` remembers; `busy_for`: seconds to wait a turn."""

    def __init__(self, *, keep_changes: int = KEEP_CHANGES, busy_for: float = 5.0) -> None:
        self._content = _Content()
        self._keep_changes, self._busy_for = keep_changes, busy_for
        self._turn, self._merging = threading.Lock(), threading.Lock()
        self._writing: int | None = None
        self._closed = False

    @contextmanager
    def _reading(self) -> Iterator[_MemoryReader]:
        with self._merging:
            if self._closed:
                raise Unavailable("the store is closed")
            yield _MemoryReader(self._content)

    def get(self, kind: Kind, id: str) -> Row | None:
        with self._reading() as reader:
            return reader.get(kind, id)

    def children(self, kind: Kind, parent: str, *, after: str = "", limit: int = 1000) -> list[Row]:
        with self._reading() as reader:
            return reader.children(kind, parent, after=after, limit=limit)

    def linked(self, kind: Kind, link: str, *, after: str = "", limit: int = 1000) -> list[Row]:
        with self._reading() as reader:
            return reader.linked(kind, link, after=after, limit=limit)

    def every(self, kind: Kind, *, after: str = "", limit: int = 1000) -> list[Row]:
        with self._reading() as reader:
            return reader.every(kind, after=after, limit=limit)

    def node(self, level: int, index: int) -> bytes | None:
        with self._reading() as reader:
            return reader.node(level, index)

    def nodes(self, *, after: tuple[int, int] = (-1, 0), limit: int = 1000) -> list[tuple[int, int, bytes]]:
        with self._reading() as reader:
            return reader.nodes(after=after, limit=limit)

    def count(self, kind: Kind) -> int:
        with self._reading() as reader:
            return reader.count(kind)

    def meta(self, name: str) -> bytes | None:
        with self._reading() as reader:
            return reader.meta(name)

    def changes(self, after: int) -> tuple[int, list[tuple[Kind, str]] | None]:
        with self._reading() as reader:
            return reader.changes(after)

    def records(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        with self._reading() as reader:
            return reader.records(after, limit)

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        """All of it when the block ends, nothing when the block raises. Raises Unavailable (locked too long)."""
        if self._writing == threading.get_ident():
            raise RuntimeError("a transaction within a transaction")
        if not self._turn.acquire(timeout=self._busy_for):
            raise Unavailable("the store is busy")
        self._writing = threading.get_ident()
        try:
            if self._closed:
                raise Unavailable("the store is closed")
            begun = MemoryTransaction(self._content)
            try:
                yield begun
                with self._merging:
                    begun.merge(self._keep_changes)
            finally:
                begun.end()
        finally:
            self._writing = None
            self._turn.release()

    def backup(self, path: Path) -> None:
        """Raises Unsupported: nothing here is meant to come back."""
        raise Unsupported(f"a store in memory cannot be copied to {path}")

    def close(self) -> None:
        with self._turn:
            self._closed = True
