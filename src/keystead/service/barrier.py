"""The barrier: typed entities above, sealed rows below (service.hierarchy has the keys between them).

Rule 1: a commit happens in one store transaction: entities, keying material, tree and audit record, or nothing. Those
        that come together share one, each a part of it that is undone alone, and are all durable when it is.
Rule 2: what destroys replaces the root with it, or leaves that to `settle` (service.replacing).
Rule 3: what does not verify is Internal, never an answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from msgspec.structs import replace

from keystead.core.entities import SLOTS, EndedRoot, Entity, Fate, Kind, SlotRule, Wrapped
from keystead.core.entities.slots import PEOPLE
from keystead.core.errors import Internal, InvalidArgument, Unavailable, WrongState
from keystead.core.keyed import KeyedHash
from keystead.core.keytree import EMPTY
from keystead.core.ports import Clock, Entropy, Reader, Slot, Store, Transaction
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.crypto.kdf import hkdf
from keystead.service.chained import begun
from keystead.service.commit import HEAD_META, Writing
from keystead.service.commit import Commit as Commit  # noqa: PLC0414 - spoken of as the barrier's
from keystead.service.hierarchy import Hierarchy, unwrap
from keystead.service.moving import stay
from keystead.service.replacing import Replacing
from keystead.service.root import ROOT_META, Head, Root, Tree, check_value
from keystead.service.roots import fate, of_people, of_slots, outstanding, rule, waiting
from keystead.service.rows import ENCODER, Rows
from keystead.service.slots import SlotLook, Slots
from keystead.service.together import Together

E = TypeVar("E", bound=Entity)
PAGE = 500


class Barrier:
    """Safe to use from any thread; commits are serialised by the store. All but the opening raises Sealed before it."""

    def __init__(
        self,
        store: Store,
        slots: Slots | Slot,
        entropy: Entropy,
        on_step: Callable[[str], None] = lambda _: None,
        *,
        clock: Clock | None = None,
    ) -> None:
        """`slots`: or the only one there is. `clock`: for the dates of erasures.

        `on_step` hears of every step of a destruction; tests raise from it.

        At "opened" it may keep a copy of the tree elsewhere (custody.export_tree), and raise Unavailable if it cannot:
        the destruction stands, and the old slot secret stays until `settle` succeeds.
        """
        self._store = store
        self._slots = slots if isinstance(slots, Slots) else Slots.of(slots)
        self._keys = Hierarchy(store, self._slots, entropy)
        self._together = Together(self._write)
        self._root = Replacing(self._keys, store, self._slots, entropy, self._together, on_step, clock)
        self.is_open = False

    # --- opening

    def initialise(self, unseal_key: Sensitive) -> None:
        """Begin a key tree in an empty store, and open it. Raises Conflict where store or slot are in use."""
        self._root.plant(unseal_key)
        self.open(unseal_key)

    def open(
        self,
        unseal_key: Sensitive,
        *,
        settle: bool = True,
        recovery: Sensitive | None = None,
        first: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises Unauthenticated for a wrong key, Conflict where slot and database do not belong together.

        `settle`: erase what an interrupted destruction left in the slot; not when looking into a backup.
        `recovery`: the secret of a recovery key, which opens instead of the slots; `reslot` has to follow.
        `first`: is done before anybody finds it open, or it does not open.
        """
        self._keys.open(unseal_key, recovery)
        try:
            first()
        except BaseException:
            self._keys.close()
            raise
        self.is_open = True
        if settle:
            with suppress(Unavailable):  # a copy of the slot that cannot be written: n_outstanding tells
                self.settle()

    def close(self) -> None:
        self.is_open = False
        self._keys.close()

    @property
    def epoch(self) -> int:
        """How many generations of the slot there have been, as far as this process has seen."""
        return self._keys.opened.tree.root.epoch

    @property
    def n_commits(self) -> int:
        """The commit counter, as far as this process has seen: whoever remembers it notices a rollback."""
        return self._keys.opened.n_commits

    # --- reading

    def get(self, of: type[E], id: str) -> E | None:
        rows = self._keys.opened.rows
        return None if (row := self._store.get(of.kind, id)) is None else rows.open(row, of)

    def children(self, of: type[E], parent: str, *, after: str = "", limit: int = 1000) -> list[E]:
        rows = self._keys.opened.rows
        return [rows.open(row, of) for row in self._store.children(of.kind, parent, after=after, limit=limit)]

    def linked(self, of: type[E], link: str, *, after: str = "", limit: int = 1000) -> list[E]:
        rows = self._keys.opened.rows
        return [rows.open(row, of) for row in self._store.linked(of.kind, link, after=after, limit=limit)]

    def every(self, of: type[E], *, after: str = "", limit: int = 1000) -> list[E]:
        rows = self._keys.opened.rows
        return [rows.open(row, of) for row in self._store.every(of.kind, after=after, limit=limit)]

    def sound(self, of: type[E], *, after: str = "", limit: int = PAGE) -> tuple[list[E], str]:
        """As `every`, but of those that verify alone; and where to go on, "" at the end.

        For chores: what is damaged, and cannot be done, keeps nobody else waiting. Restoring and inspection tell of it.
        """
        rows, found = self._keys.opened.rows, list[E]()
        page = self._store.every(of.kind, after=after, limit=limit)
        for row in page:
            with suppress(Internal):
                found.append(rows.open(row, of))
        return found, page[-1].id if len(page) == limit else ""

    def all_sound(self, of: type[E]) -> Iterator[E]:
        """Every one that verifies, a page at a time."""
        found, after = self.sound(of)
        yield from found
        while after:
            found, after = self.sound(of, after=after)
            yield from found

    def count(self, of: type[Entity]) -> int:
        return self._store.count(of.kind)

    def name_id(self, namespace: str, name: str) -> str:
        """The id of a name: a keyed digest of (namespace, name), 32 hexadecimal digits."""
        return hmac.digest(self._keys.opened.names.reveal(), ENCODER.encode((namespace, name)), "sha256")[:16].hex()

    def subkey(self, label: str) -> Sensitive:
        """32 bytes that never change, for one purpose each."""
        return Sensitive(hkdf(self._keys.opened.anchor.reveal(), b"keystead/subkey/v1/" + label.encode()))

    def keyed(self, label: str) -> KeyedHash:
        """HMAC-SHA-256 under such a subkey, prepared."""
        return KeyedHash(self.subkey(label).reveal())

    def material(self, version: Wrapped) -> Sensitive:
        """What a version holds. Raises WrongState once destroyed, Internal where it does not verify."""
        if not version.wrapped:
            raise WrongState("the version holds nothing", version.state)
        if (leaf := self._keys.leaf(version.position)) == EMPTY:
            raise self._missing(version)
        return Sensitive(unwrap(leaf, version))

    def revision(self, kind: Kind, id: str) -> int:
        """Of a row, whether it verifies or not; 0: there is none."""
        row = self._store.get(kind, id)
        return 0 if row is None else row.revision

    def is_filled(self, position: int) -> bool:
        """Whether that leaf of the key tree has a key. Raises Internal where a node on its path does not verify."""
        return self._keys.leaf(position) != EMPTY

    # --- proving and mending (service.custody, inspection, proof)

    @property
    def tree(self) -> Tree:
        """The key tree under today's root."""
        return self._keys.tree(self._store)

    @property
    def rows(self) -> Rows:
        return self._keys.opened.rows

    def wrapping_keys(self) -> list[bytes]:
        """R for every generation that the slots hold now. Raises Unavailable where one cannot be reached."""
        return self._slots.wrapping_keys(self.tree.root, self._keys.opened.unseal_key)

    def head(self, reader: Reader) -> Head:
        """The commit counter, next leaf and tally, as `reader` sees them. Raises Internal."""
        return self._keys.head(reader)

    def recount(self, tally: Callable[[Transaction, Tree], int], newest: bytes | None = None) -> None:
        """Replace the tally by what is really there, after rows were mended.

        `newest`: what its head says of the newest change record, where it had another's; their chain begins there.
        """

        def counted(txn: Transaction, head: Head) -> Head:
            head = replace(head, tally=tally(txn, self._keys.tree(txn)).to_bytes(32, "big"))
            return head if newest is None else replace(begun(txn, head), newest=newest)

        self.amend(counted)

    def amend(self, head: Callable[[Transaction, Head], Head]) -> None:
        """Another head in the place of the one that is there, which changes nothing else."""
        with self._store.transaction() as txn:
            amended = head(txn, self.head(txn))
            txn.put_meta(HEAD_META, amended.seal(self.rows, self._keys.tree(txn).root.epoch))

    # --- changing

    def commit(self, commit: Commit) -> None:
        """All of it or nothing.

        Raises Stale where an entity has moved, LimitExceeded (core.quotas), Unavailable where the store cannot take it.
        """
        stay()
        if commit.leaves:
            self._root.erase(commit)
        else:
            self._together(commit)

    def rotate(self, record: bytes | None = None) -> None:
        """A new generation of every slot, and nothing destroyed: no older backup opens by itself any more."""
        self._root.replace(Commit(record=record))

    def reslot(self, names: Sequence[str], record: bytes) -> None:
        """Put the root under these slots from now on, a new generation in each; what is left out is erased there.

        One that is left out need not be reached: what it holds is then owed. Raises InvalidArgument, Unavailable.
        """
        if not names or len(set(names)) != len(names):
            raise InvalidArgument("the root needs a slot, and each of them once", "slots")
        self._root.replace(Commit(record=record), names=names)

    def rekey(self, unseal_key: Sensitive, record: bytes) -> None:
        """Put the root under another U, and a new generation of the slot: the U of today opens nothing any more.

        Any other process that holds this store open has to be given the new one.
        """
        self._root.replace(Commit(record=record), unseal_key)

    def is_under(self, unseal_key: Sensitive) -> bool:
        """Whether that is the U of today's root, in constant time."""
        blob = self._store.meta(ROOT_META) or b""
        return hmac.compare_digest(Root.decode(blob).check, check_value(unseal_key.reveal()))

    def settle(self) -> None:
        """Erase what is outstanding, and what destructions since the last time have left to one rotation.

        Raises Unavailable.
        """
        self._root.settle()

    def _write(self, commits: Sequence[Commit]) -> list[Exception | None]:
        """Each of them for itself, in one transaction of the store."""
        self._keys.tree(self._store)  # where somebody has replaced the root, slots are asked before the write lock
        with self._store.transaction() as txn:
            tree = self._keys.tree(txn)
            writing = self._keys.begin(txn, tree, self._keys.edit(txn, tree.key))
            outcomes = [_outcome(writing, commit, tree.root.epoch) for commit in commits]
            n_commits = writing.finish(tree.root.epoch) if None in outcomes else 0
        self._keys.reached(n_commits)
        return outcomes

    # --- what is still to be erased (docs/adr/0036-slots.md)

    def ended_roots(self, epochs: set[int]) -> list[EndedRoot]:
        """Those of these epochs, and older ones that something may still open; oldest first."""
        last = max(epochs, default=0)
        open_yet = [one for link in (SLOTS, PEOPLE) for one in waiting(self._store, self.rows, link)]
        named = [one for epoch in epochs if (one := self.get(EndedRoot, EndedRoot.id_of(epoch))) is not None]
        found = {one.epoch: one for one in (*named, *open_yet) if one.epoch <= last}
        return [found[epoch] for epoch in sorted(found)]

    def fate(self, version: Wrapped) -> Fate:
        """What is true of a version that holds nothing any more."""
        return fate(self._store, self.rows, self._keys.tree(self._store).root, version, lambda: self.n_outstanding)

    def slots(self) -> list[SlotLook]:
        """How each slot is that the database names; sealed too."""
        return self._slots.look(Root.decode(self._store.meta(ROOT_META) or b""))

    def require_slot(self, name: str) -> None:
        """Raises Unavailable unless that slot, in use or not, can be reached."""
        self._slots.require((name,), self.tree.root.owner)

    @property
    def n_outstanding(self) -> int:
        """Generations still to be erased: until then, what was destroyed is not yet irrecoverable.

        A slot that cannot be looked at counts as one, as nobody knows; so does one that was removed and not reached.
        """
        return self.outstanding(self.slots())

    def outstanding(self, looks: Sequence[SlotLook]) -> int:
        """The same, as the slots looked just now."""
        return outstanding(looks, waiting(self._store, self.rows, SLOTS))

    @property
    def slot_rule(self) -> SlotRule:
        """The mode, and the recovery keys."""
        return rule(self._store, self.rows)

    def awaited(self) -> set[str]:
        """What people are to report erased before what was destroyed is irrecoverable: recovery keys, lost slots."""
        found = [*waiting(self._store, self.rows, PEOPLE), *waiting(self._store, self.rows, SLOTS)]
        return of_people(found) | (of_slots(found) - self.tree.root.generations.keys())

    def _missing(self, version: Wrapped) -> Exception:
        stored = self.get(type(version), version.id)
        if stored is None or not stored.wrapped:
            return WrongState("the version has been destroyed", KeyState.DESTROYED)
        return Internal(f"the key tree has no leaf for row {version.kind.value} {version.id}")


def _outcome(writing: Writing, commit: Commit, epoch: int) -> Exception | None:
    """What went wrong with it, to be told to whoever wanted it."""
    try:
        writing.attempt(commit, epoch)
    except Exception as error:  # noqa: BLE001 - whatever it is, those beside it are none the worse
        return error
    return None
