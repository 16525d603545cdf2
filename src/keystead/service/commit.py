"""A commit, and how it is written into one transaction of the store (service.barrier says when)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.audit.merkle import leaf_hash
from keystead.core.entities import Entity, Kind, Wrapped
from keystead.core.errors import Internal
from keystead.core.keytree import Edit
from keystead.core.ports import Reader, Row, Stale, Transaction
from keystead.core.quotas import Quotas
from keystead.core.sensitive import Sensitive
from keystead.service.counts import Counts
from keystead.service.root import Head
from keystead.service.rows import Rows
from keystead.service.traces import traced

HEAD_META = "head"
Wrap = Callable[[bytes, int, Wrapped, Sensitive], Wrapped]
HELD_IN_FOLDERS = (Kind.SECRET, Kind.FOLDER)


class Commit(Struct, frozen=True, kw_only=True):
    """What is to change, and the revisions that rests on."""

    seen: tuple[Entity, ...] = ()  # must not have moved
    put: tuple[Entity, ...] = ()  # revision 0: must not exist yet
    delete: tuple[Entity, ...] = ()
    childless: tuple[Entity, ...] = ()  # folders: must have nothing in them once all this is done
    material: Mapping[str, Sensitive] = {}  # id of a Wrapped in `put` -> keying material, or value, to wrap
    destroy: tuple[Wrapped, ...] = ()  # leaves to erase; `put`, or else this, is kept without `wrapped`
    record: bytes | None = None  # audit record
    within: Quotas | None = None  # None: there is no end to them

    @property
    def leaves(self) -> list[int]:
        """The leaves to erase."""
        return [version.position for version in self.destroy if version.position >= 0]

    def entities(self, under: int) -> Iterable[Entity]:
        """What to put, the destroyed versions among it without their material, but for those that go altogether.

        `under`: epoch of the root that they were under. Raises Internal.
        """
        if contradicted := {version.id for version in self.destroy} & self.material.keys():
            raise Internal(f"version {min(contradicted)} is to be both destroyed and wrapped")
        put = {(entity.kind, entity.id): entity for entity in self.put}
        leaf = b"" if self.record is None else leaf_hash(self.record)
        gone = {(entity.kind, entity.id) for entity in self.delete}
        for version in self.destroy:
            if (version.kind, version.id) in gone:
                continue
            latest = put.get((version.kind, version.id), version)
            last = under if version.position >= 0 else 0
            put[version.kind, version.id] = replace(latest, wrapped=b"", destroyed_under=last, destroyed_leaf=leaf)
        return put.values()


class Writing:
    """What commits come to under the store's write lock: the key tree and the head are written once for all of them.

    `wrap` seals material under (leaf key, leaf). `under`: epoch of the root until now.
    """

    def __init__(self, txn: Transaction, head: Head, edit: Edit, rows: Rows, wrap: Wrap, under: int = 0) -> None:
        self._under = under
        self._txn, self._head, self._edit, self._rows, self._wrap = txn, head, edit, rows, wrap
        self._gained, self._next_leaf, self._counts = 0, head.next_leaf, Counts(txn, rows)  # of one commit
        self._unmoved: dict[tuple[type[Entity], str], int] = {}  # revisions found under this lock

    def attempt(self, commit: Commit, epoch: int) -> None:
        """One that may be undone alone, as it is when it raises: Stale, LimitExceeded. It erases nothing."""
        before, mark = self._head, self._edit.mark()
        try:
            with self._txn.attempt():
                self.write(commit, epoch)
        except BaseException:
            self._head = before
            self._edit.back(mark)
            raise

    def write(self, commit: Commit, epoch: int) -> None:
        """Entities, keying material and the audit record. Raises Stale, LimitExceeded."""
        for entity in (*commit.seen, *commit.destroy):  # whoever erased these leaves meanwhile has moved their rows
            self._require_unmoved(entity)
        self._gained, self._next_leaf, self._counts = 0, self._head.next_leaf, Counts(self._txn, self._rows)
        self._edit.erase(commit.leaves)
        put = [self._with_material(entity, commit.material) for entity in commit.entities(self._under)]
        for entity in traced(put):
            self._put(entity, epoch)
        for entity in commit.delete:
            if stored := self._moved(entity):
                self._gained -= self._rows.weigh(stored)
                self._txn.delete(entity.kind, entity.id)
                self._counts.replaced(stored, None, type(entity))
        for entity in commit.childless:
            if any(self._txn.children(kind, entity.id, limit=1) for kind in HELD_IN_FOLDERS):
                raise Stale
        self._counts.finish(commit.within)
        if commit.record is not None:
            self._head = self._head.recorded(self._txn.record(commit.record), commit.record)
        self._head = self._head.after(next_leaf=self._next_leaf, gained=self._gained)

    def _require_unmoved(self, entity: Entity) -> None:
        """Of those that share a transaction most rest on the same. Raises Stale."""
        which = type(entity), entity.id
        if self._unmoved.get(which) != entity.revision:
            current(self._txn, entity)
            self._unmoved[which] = entity.revision

    def _moved(self, entity: Entity) -> Row | None:
        """What is there of an entity that is about to be replaced. Raises Stale."""
        self._unmoved.pop((type(entity), entity.id), None)
        return current(self._txn, entity)

    def _with_material(self, entity: Entity, material: Mapping[str, Sensitive]) -> Entity:
        """A version with what it is to hold, under the next leaf."""
        if not isinstance(entity, Wrapped) or entity.id not in material:
            return entity
        leaf = self._edit.grow(self._next_leaf)
        self._next_leaf += 1
        return self._wrap(leaf, self._next_leaf - 1, entity, material[entity.id])

    def _put(self, entity: Entity, epoch: int) -> None:
        stored = self._moved(entity)
        row = self._rows.seal(entity, epoch)
        self._txn.put(row)
        self._gained += self._rows.weigh(row) - (self._rows.weigh(stored) if stored else 0)
        self._counts.replaced(stored, entity, type(entity))

    def finish(self, epoch: int) -> int:
        """The key tree and the head, once all is written; the commit counter."""
        gained = 0
        for place, sealed in self._edit.finish().items():
            self._txn.put_node(*place, sealed)
            before = self._edit.before.get(place)
            gained += self._rows.weigh_node(place, sealed)
            gained -= self._rows.weigh_node(place, before) if before else 0
        head = self._head.weighing(gained)
        self._txn.put_meta(HEAD_META, head.seal(self._rows, epoch))
        return head.n_commits


def current(txn: Reader, entity: Entity) -> Row | None:
    """The stored row of `entity`, at the revision `entity` has. Raises Stale."""
    row = txn.get(entity.kind, entity.id)
    if (row.revision if row else 0) != entity.revision:
        raise Stale
    return row
