"""What a store holds, said as simply as can be: what an implementation is compared with."""

from __future__ import annotations

from typing import Any

from keystead.core.entities import Kind
from keystead.core.ports import Reader, Row

ALL = 10**6


class Model:
    """The same verbs as core.ports.Transaction, over dictionaries."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Kind, str], Row] = {}
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.metas: dict[str, bytes] = {}
        self.history: list[tuple[Kind, str]] = []
        self.records: dict[int, bytes] = {}
        self.n_records = 0

    def copy(self) -> Model:
        twin = Model()
        twin.rows, twin.nodes, twin.metas = dict(self.rows), dict(self.nodes), dict(self.metas)
        twin.history, twin.records, twin.n_records = list(self.history), dict(self.records), self.n_records
        return twin

    def put(self, row: Row) -> None:
        self.rows[row.kind, row.id] = row
        self.history.append((row.kind, row.id))

    def delete(self, kind: Kind, id_: str) -> None:
        if self.rows.pop((kind, id_), None):
            self.history.append((kind, id_))

    def put_node(self, level: int, index: int, sealed: bytes) -> None:
        self.nodes[level, index] = sealed

    def put_meta(self, name: str, value: bytes) -> None:
        self.metas[name] = value

    def record(self, record: bytes) -> int:
        self.n_records += 1
        self.records[self.n_records] = record
        return self.n_records

    def drop_records(self, through: int) -> None:
        self.records = {n: record for n, record in self.records.items() if n > through}

    def assert_same(self, reader: Reader) -> None:
        """Every way of reading gives what the model has."""
        for kind in {kind for kind, _ in self.history}:
            of_kind = sorted((row for row in self.rows.values() if row.kind is kind), key=lambda row: row.id)
            assert reader.every(kind, limit=ALL) == of_kind
            assert reader.count(kind) == len(of_kind)
            for parent in {row.parent for row in self.rows.values()}:
                assert reader.children(kind, parent, limit=ALL) == [row for row in of_kind if row.parent == parent]
            for link in {row.link for row in self.rows.values()} - {""}:
                assert reader.linked(kind, link, limit=ALL) == [row for row in of_kind if row.link == link]
            assert [reader.get(kind, row.id) for row in of_kind] == of_kind
        assert {place: reader.node(*place) for place in self.nodes} == self.nodes
        nodes = [(*place, node) for place, node in sorted(self.nodes.items())]
        assert reader.nodes(limit=ALL) == nodes
        assert all(reader.nodes(after=node[:2], limit=2) == nodes[n + 1 : n + 3] for n, node in enumerate(nodes))
        assert {name: reader.meta(name) for name in self.metas} == self.metas
        assert reader.records(0, ALL) == sorted(self.records.items())

    def contents(self) -> dict[str, Any]:
        """As `contents(reader)` of a store that is the same."""
        return {
            "rows": self.rows,
            "nodes": self.nodes,
            "metas": self.metas,
            "records": self.records,
            "n_changes": len(self.history),
        }


def contents(reader: Reader, like: Model) -> dict[str, Any]:
    """Everything in the store, as far as `like` knows where to look."""
    nodes = {place: reader.node(*place) for place in like.nodes}
    metas = {name: reader.meta(name) for name in like.metas}
    return {
        "rows": {(kind, row.id): row for kind in Kind for row in reader.every(kind, limit=ALL)},
        "nodes": {place: node for place, node in nodes.items() if node is not None},
        "metas": {name: value for name, value in metas.items() if value is not None},
        "records": dict(reader.records(0, ALL)),
        "n_changes": reader.changes(0)[0],
    }
