"""One transaction that touches everything a store has, and what it comes to."""

from __future__ import annotations

from tests.contract.store_model import Model

from keystead.core.entities import Kind
from keystead.core.ports import Row, Store


def a_row(id_: str, revision: int = 1, size: int = 300) -> Row:
    return Row(Kind.KEY, id_, "p", "l", revision, 7, f"{id_} {revision} ".encode() * (size // 8))


def change_everything(store: Store, revision: int) -> Model:
    """One transaction that needs overflow pages, splits and all tables; what it makes of an empty store."""
    model = Model()
    with store.transaction() as change:
        for target in (change, model):
            for n in range(12):
                target.put(a_row(f"{n:02}", revision, 900))
            target.delete(Kind.KEY, "03")
            target.put_node(2, 5, bytes([revision]) * 2048)
            target.put_meta("epoch", bytes([revision]))
            target.record(b"r" * 350)
    return model


def merged(before: Model, after: Model) -> Model:
    both = before.copy()
    both.rows.update(after.rows)
    both.nodes.update(after.nodes)
    both.metas.update(after.metas)
    both.records[both.n_records + 1] = after.records[1]
    both.n_records += 1
    both.history += after.history
    return both
