"""Backup, restore, and the proof that what was destroyed stays destroyed: always by opening, never by reasoning.

Rule 1: a backup is the whole database in one file. The first rotation of the slot after it makes it useless by itself;
        its rows still open with the tree of any later day, but for the keys destroyed meanwhile.
Rule 2: restoring puts back what is missing or damaged. It never replaces what is there, and brings back no access:
        a grant, principal or credential that is gone may have been revoked (research/security.md §4, row 108).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from keystead.core import entities
from keystead.core.entities import Entity, KeyVersion, Kind
from keystead.core.errors import DecryptionFailed, Internal
from keystead.core.keytree import BITS, DEPTH, EMPTY, FANOUT, ROOT, Place, child, children, path
from keystead.core.ports import Entropy, Reader, Row, Slot, Store
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import GcmSiv
from keystead.service.barrier import Barrier, Commit, bound_to
from keystead.service.root import Root, Tree
from keystead.service.rows import ENCODER, TALLY_MODULUS

PAGE = 500
RESTORED: tuple[type[Entity], ...] = (
    entities.Tenant,
    entities.Keyring,
    entities.Binding,
    entities.Key,
    entities.KeyVersion,
    entities.KeyPolicy,
    entities.Name,
)


def quiet(_: int) -> None:
    """Progress nobody watches."""


# --- backup and restore


def backup(barrier: Barrier, store: Store, path: Path) -> str:
    """One file with everything; the slot generation that it opens with. Raises InvalidArgument, Unavailable."""
    store.backup(path)
    return barrier.tree.root.generation


def revive(copy: Store, path: Path, slot: Slot, entropy: Entropy, unseal_key: Sensitive) -> None:
    """A backup becomes the database at `path`. Raises Conflict where the slot no longer holds its generation.

    The caller opens it and rotates, so that no other copy of this generation lives on.
    """
    Barrier(copy, slot, entropy).open(unseal_key, settle=False)
    copy.backup(path)


class Restored(Struct, frozen=True, kw_only=True):
    """What `restore` did, by id: "<kind> <id>"."""

    restored: tuple[str, ...]
    n_present: int  # were there, and verify
    destroyed: tuple[str, ...]  # key versions destroyed since the backup: they stay so
    damaged: tuple[str, ...]  # rows of the backup itself that do not verify


def restore(old: Reader, barrier: Barrier, store: Store, on_progress: Callable[[int], None] = quiet) -> Restored:
    """Put back from an old backup, whatever its age, what the store lacks or has damaged. Raises Stale, Unavailable."""
    restored: list[str] = []
    destroyed: list[str] = []
    damaged: list[str] = []
    n_present = 0
    for of in RESTORED:
        for page in pages(old, of.kind):
            found: list[Entity] = []
            for row in page:
                live = store.get(row.kind, row.id)
                if live is not None and verifies(barrier, live):
                    n_present += 1
                elif not verifies(barrier, row):
                    damaged.append(f"{row.kind.value} {row.id}")
                elif _is_dead(barrier, store, entity := barrier.rows.open(row, of)):
                    destroyed.append(f"{row.kind.value} {row.id}")
                else:
                    found.append(replace(entity, revision=live.revision if live else 0))
            if found:
                barrier.commit(Commit(put=tuple(found)))
                restored += [f"{entity.kind.value} {entity.id}" for entity in found]
            on_progress(len(page))
    if restored:
        barrier.recount(partial(tally, barrier))
    return Restored(restored=tuple(restored), n_present=n_present, destroyed=tuple(destroyed), damaged=tuple(damaged))


def _is_dead(barrier: Barrier, store: Store, entity: Entity) -> bool:
    return isinstance(entity, KeyVersion) and entity.wrapped != b"" and _leaf(barrier, store, entity) == EMPTY


def _leaf(barrier: Barrier, store: Reader, version: KeyVersion) -> bytes:
    return barrier.tree.leaf(store, version.position) if version.position >= 0 else EMPTY


# --- inspection


class Inspection(Struct, frozen=True, kw_only=True):
    """What `inspect` found. `whole`: every row and node verifies and none is missing, added or an older copy."""

    n_rows: int
    n_nodes: int
    damaged: tuple[str, ...]
    tallies: bool  # rows and nodes are together what the head says

    @property
    def whole(self) -> bool:
        return self.tallies and not self.damaged


def inspect(barrier: Barrier, store: Store, on_progress: Callable[[int], None] = quiet) -> Inspection:
    """Open every row and every node, under the write lock: about 8 µs each."""
    damaged: list[str] = []
    n_rows = n_nodes = total = 0
    with store.transaction() as txn:
        for kind in Kind:
            for page in pages(txn, kind):
                damaged += [f"{row.kind.value} {row.id}" for row in page if not verifies(barrier, row)]
                total += sum(map(barrier.rows.weigh, page))
                n_rows += len(page)
                on_progress(len(page))
        for place, sealed, node in walk(txn, barrier.tree):
            n_nodes += 1
            total += barrier.rows.weigh_node(place, sealed or b"")
            if node is None:
                damaged.append(f"node {place.level}/{place.at}")
        expected = barrier.head(txn).tally
    tallies = (total % TALLY_MODULUS).to_bytes(32, "big") == expected
    return Inspection(n_rows=n_rows, n_nodes=n_nodes, damaged=tuple(damaged), tallies=tallies)


def tally(barrier: Barrier, reader: Reader, tree: Tree) -> int:
    """The sum of the weights of all that is there."""
    rows = sum(barrier.rows.weigh(row) for kind in Kind for page in pages(reader, kind) for row in page)
    nodes = sum(barrier.rows.weigh_node(place, sealed or b"") for place, sealed, _ in walk(reader, tree))
    return (rows + nodes) % TALLY_MODULUS


def pages(reader: Reader, kind: Kind) -> Iterator[list[Row]]:
    """All rows of a kind, PAGE at a time."""
    after = ""
    while page := reader.every(kind, after=after, limit=PAGE):
        yield page
        after = page[-1].id


def walk(reader: Reader, tree: Tree) -> Iterator[tuple[Place, bytes | None, bytes | None]]:
    """Every node that the tree reaches: its place, as stored, and opened (None where it does not verify)."""
    waiting = [(ROOT, tree.key)]
    while waiting:
        place, key = waiting.pop()
        sealed = reader.node(*place)
        try:
            node = tree.cipher.open(key, place, sealed or b"")
        except Internal:
            yield place, sealed, None
            continue
        yield place, sealed, node
        if place.level < DEPTH - 1:
            waiting += children(place, node)


def verifies(barrier: Barrier, row: Row) -> bool:
    try:
        barrier.rows.verify(row)
    except Internal:
        return False
    return True


# --- the proof


class Proof(Struct, frozen=True, kw_only=True):
    """What came of trying every old key version with everything there is today."""

    backup_generation: str
    generation: str  # today's
    root_opened: bool  # the backup's root opens with today's U and slot: nothing has rotated since
    n_destroyed: int
    destroyed_opened: tuple[str, ...]  # must be empty
    n_survivors: int
    survivors_lost: tuple[str, ...]  # must be empty
    damaged: tuple[str, ...]  # rows of the backup that do not verify
    n_tried: int  # openings attempted

    @property
    def holds(self) -> bool:
        return not self.destroyed_opened and not self.survivors_lost


class _Attack:
    """Someone with the old backup, U, today's slot and today's database, trying all of it.

    Keys for an old node: what opens out of the old root with every R of today, the key that today's tree has for that
    place, and whatever an old or new node above it gave. Keys for old material: both trees' leaves, and the loose keys.
    """

    def __init__(self, old: Reader, barrier: Barrier, store: Store) -> None:
        self._old, self._store, self._today = old, store, barrier.tree
        self._nodes: dict[Place, list[bytes]] = {}  # place -> opened nodes, old and of today
        self.n_tried = 0
        self.root = Root.decode(old.meta("root") or b"")
        self._loose = [EMPTY, *barrier.wrapping_keys(), self._today.key]
        self._roots = [key for by in self._loose for key in self._try_root(by)]
        self.root_opened = bool(self._roots)

    def opens(self, version: KeyVersion) -> bool:
        """Whether any key of any path opens the material."""
        tried = (self._try(key, version.wrapped, bound_to(version)) for key in self._leaves(version.position))
        return any(material is not None for material in tried)

    def _leaves(self, position: int) -> list[bytes]:
        *_, (place, slot) = path(position)
        return [*dict.fromkeys(child(node, slot) for node in self._opened(place)), *self._loose]

    def _opened(self, place: Place) -> list[bytes]:
        if (nodes := self._nodes.get(place)) is None:
            if place == ROOT:
                keys = [self._today.key, *self._roots]
            else:
                above, slot = Place(place.level - 1, place.at >> BITS), place.at & (FANOUT - 1)
                keys = [child(node, slot) for node in self._opened(above)]
            sealed = [node for reader in (self._store, self._old) if (node := reader.node(*place))]
            aad = ENCODER.encode(("node", *place))
            tried = [self._try(key, node, aad) for key in dict.fromkeys(keys) for node in sealed]
            nodes = self._nodes[place] = [node for node in tried if node is not None]
        return nodes

    def _try_root(self, wrapped_by: bytes) -> list[bytes]:
        """With the names the backup gives, and with those of today."""
        named = {(self.root.generation, self.root.epoch), (self._today.root.generation, self._today.root.epoch)}
        tried = [self._try(wrapped_by, self.root.sealed, ENCODER.encode(("root", *name))) for name in sorted(named)]
        return [key for key in tried if key is not None]

    def _try(self, key: bytes, sealed: bytes, aad: bytes) -> bytes | None:
        self.n_tried += 1
        try:
            return GcmSiv(key).open(sealed, aad)
        except DecryptionFailed:
            return None


def prove_destroyed(old: Reader, barrier: Barrier, store: Store, on_progress: Callable[[int], None] = quiet) -> Proof:
    """Try to open every key version of an old backup. Raises Internal where the backup's root cannot be read at all."""
    attack = _Attack(old, barrier, store)
    n_destroyed = n_survivors = 0
    opened: list[str] = []
    lost: list[str] = []
    damaged: list[str] = []
    for page in pages(old, Kind.KEY_VERSION):
        for row in page:
            if not verifies(barrier, row):
                damaged.append(row.id)
            elif (version := barrier.rows.open(row, KeyVersion)).wrapped:
                opens = attack.opens(version)
                if _is_destroyed(barrier, store, version):
                    n_destroyed += 1
                    opened += [row.id] * opens
                else:
                    n_survivors += 1
                    lost += [row.id] * (not opens)
        on_progress(len(page))
    return Proof(
        backup_generation=attack.root.generation,
        generation=barrier.tree.root.generation,
        root_opened=attack.root_opened,
        n_destroyed=n_destroyed,
        destroyed_opened=tuple(opened),
        n_survivors=n_survivors,
        survivors_lost=tuple(lost),
        damaged=tuple(damaged),
        n_tried=attack.n_tried,
    )


def _is_destroyed(barrier: Barrier, store: Reader, version: KeyVersion) -> bool:
    """By what the database says today: the row without material; where there is no row, the tree without a leaf."""
    if (live := barrier.get(KeyVersion, version.id)) is not None:
        return not live.wrapped
    return _leaf(barrier, store, version) == EMPTY
