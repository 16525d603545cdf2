"""The barrier: typed entities above, sealed rows below, and the key hierarchy between them (docs/adr/0006-key-tree.md).

    U (seal) ┐
    S (slot) ┴ R ── root node key ── key tree ─┬─ leaf 0, which never changes: row key, name digests, subkeys
    once for each slot; any one opens it       └─ leaf n: what one version of a key or a secret holds

Rule 1: a commit happens in one store transaction: entities, keying material, tree and audit record, or nothing. Those
        that come together share one, each a part of it that is undone alone, and are all durable when it is.
Rule 2: to destroy: stage S2 in every slot; one commit with fresh keys on every path and the root under each S2; open
        the new root as a reader sees it; retire S1 in every slot. Staging and retiring happen under the store's write
        lock, so that no process can retire what another one has staged and is about to name in the database.
Rule 3: what does not verify is Internal, never an answer.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.entities import SLOTS, EndedRoot, Entity, Fate, Kind, Mode, SlotRule, Wrapped
from keystead.core.entities.slots import PEOPLE
from keystead.core.errors import (
    Conflict,
    DecryptionFailed,
    Internal,
    InvalidArgument,
    Sealed,
    Unauthenticated,
    Unavailable,
    WrongState,
)
from keystead.core.keytree import EMPTY, KEY_BYTES, Edit
from keystead.core.ports import Clock, Entropy, Reader, Slot, Store, Transaction
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.crypto.kdf import hkdf
from keystead.service.commit import HEAD_META, Writing
from keystead.service.commit import Commit as Commit  # noqa: PLC0414 - spoken of as the barrier's
from keystead.service.escrow import escrow
from keystead.service.escrow import unwrap as unwrap_escrow
from keystead.service.moving import stay
from keystead.service.root import Head, Nodes, Root, Tree, Wrap, check_value, read_node
from keystead.service.roots import (
    acknowledged,
    changed,
    ended,
    fate,
    lack,
    of_people,
    of_slots,
    owed_by,
    owes_rotation,
    reported,
    rule,
    strange,
    waiting,
)
from keystead.service.rows import ENCODER, Rows
from keystead.service.slots import LOCKED_FOR, Ask, SlotLook, Slots
from keystead.service.together import Together

MOST_ROOTS = 1_000_000
log = logging.getLogger(__name__)
E = TypeVar("E", bound=Entity)
ROOT_META, ANCHOR = "root", 0  # ANCHOR: the leaf that never changes
ATTEMPTS, OWNER_BYTES = 8, 8
REPLACED_IN = 10.0  # seconds that a destruction waits for those before it
ERASED = (
    "the slot does not hold the generation that the database names: the slot was erased or the database was rolled back"
)


class _Open(Struct):
    """What is held while the barrier is open."""

    unseal_key: Sensitive
    anchor: Sensitive
    rows: Rows
    names: Sensitive  # keys the digests of names
    tree: Tree
    n_commits: int  # the most that this process has seen


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
        self._store, self._entropy, self._on_step = store, entropy, on_step
        self._slots = slots if isinstance(slots, Slots) else Slots.of(slots)
        self._clock = clock
        self._nodes = Nodes(entropy)
        self._held: _Open | None = None
        self.is_open = False
        self._together = Together(self._write)
        self._replacing = threading.Lock()  # one thread waits for a slot that hangs, and no other

    # --- opening

    def initialise(self, unseal_key: Sensitive) -> None:
        """Begin a key tree in an empty store, and open it. Raises Conflict where store or slot are in use."""
        names, owner = self._slots.first, self._entropy(OWNER_BYTES).hex()
        if self._slots.hold_something(names, owner):
            raise Conflict("the slot already holds a generation, which another database may need")
        with self._store.transaction() as txn:
            if txn.meta(ROOT_META) is not None:
                raise Conflict("the store has been initialised before")
            edit = self._edit(txn, self._entropy(KEY_BYTES))
            edit.plant()
            rows = self._rows(edit.grow(ANCHOR))
            Writing(txn, Head(1, ANCHOR + 1, bytes(32)), edit, rows, self._wrap).finish(1)
            self._stage(txn, rows, edit.root, unseal_key, Root(1, b"", (), owner), names, self._slots.begin(LOCKED_FOR))
            self._slots.require_apart(names, owner)
        self.open(unseal_key)

    def open(self, unseal_key: Sensitive, *, settle: bool = True, recovery: Sensitive | None = None) -> None:
        """Raises Unauthenticated for a wrong key, Conflict where slot and database do not belong together.

        `settle`: erase what an interrupted destruction left in the slot; not when looking into a backup.
        `recovery`: the secret of a recovery key, which opens instead of the slots; `reslot` has to follow.
        """
        if (blob := self._store.meta(ROOT_META)) is None:
            raise Conflict("the store has not been initialised")
        if not hmac.compare_digest(Root.decode(blob).check, check_value(unseal_key.reveal())):
            raise Unauthenticated("the unseal key is not the one of this store")
        tree = self._read_tree(self._store, unseal_key, recovery)
        anchor = tree.leaf(self._store, ANCHOR)
        rows = self._rows(anchor)
        head = Head.open(rows, self._store.meta(HEAD_META), tree.root.epoch)
        names = Sensitive(hkdf(anchor, b"keystead/name/v1"))
        self._held = _Open(unseal_key, Sensitive(anchor), rows, names, tree, head.n_commits)
        self.is_open = True
        if settle:
            with suppress(Unavailable):  # a copy of the slot that cannot be written: n_outstanding tells
                self.settle()

    def close(self) -> None:
        self.is_open = False
        self._held = None

    @property
    def epoch(self) -> int:
        """How many generations of the slot there have been, as far as this process has seen."""
        return self._opened.tree.root.epoch

    @property
    def n_commits(self) -> int:
        """The commit counter, as far as this process has seen: whoever remembers it notices a rollback."""
        return self._opened.n_commits

    # --- reading

    def get(self, of: type[E], id: str) -> E | None:
        rows = self._opened.rows
        return None if (row := self._store.get(of.kind, id)) is None else rows.open(row, of)

    def children(self, of: type[E], parent: str, *, after: str = "", limit: int = 1000) -> list[E]:
        rows = self._opened.rows
        return [rows.open(row, of) for row in self._store.children(of.kind, parent, after=after, limit=limit)]

    def linked(self, of: type[E], link: str, *, after: str = "", limit: int = 1000) -> list[E]:
        rows = self._opened.rows
        return [rows.open(row, of) for row in self._store.linked(of.kind, link, after=after, limit=limit)]

    def every(self, of: type[E], *, after: str = "", limit: int = 1000) -> list[E]:
        rows = self._opened.rows
        return [rows.open(row, of) for row in self._store.every(of.kind, after=after, limit=limit)]

    def count(self, of: type[Entity]) -> int:
        return self._store.count(of.kind)

    def name_id(self, namespace: str, name: str) -> str:
        """The id of a name: a keyed digest of (namespace, name), 32 hexadecimal digits."""
        return hmac.digest(self._opened.names.reveal(), ENCODER.encode((namespace, name)), "sha256")[:16].hex()

    def subkey(self, label: str) -> Sensitive:
        """32 bytes that never change, for one purpose each."""
        return Sensitive(hkdf(self._opened.anchor.reveal(), b"keystead/subkey/v1/" + label.encode()))

    def material(self, version: Wrapped) -> Sensitive:
        """What a version holds. Raises WrongState once destroyed, Internal where it does not verify."""
        if not version.wrapped:
            raise WrongState("the version holds nothing", version.state)
        if (leaf := self._leaf(version.position)) == EMPTY:
            raise self._missing(version)
        return Sensitive(unwrap(leaf, version))

    def revision(self, kind: Kind, id: str) -> int:
        """Of a row, whether it verifies or not; 0: there is none."""
        row = self._store.get(kind, id)
        return 0 if row is None else row.revision

    def is_filled(self, position: int) -> bool:
        """Whether that leaf of the key tree has a key. Raises Internal where a node on its path does not verify."""
        return self._leaf(position) != EMPTY

    # --- proving and mending (service.custody, inspection, proof)

    @property
    def tree(self) -> Tree:
        """The key tree under today's root."""
        return self._tree(self._store)

    @property
    def rows(self) -> Rows:
        return self._opened.rows

    def wrapping_keys(self) -> list[bytes]:
        """R for every generation that the slots hold now. Raises Unavailable where one cannot be reached."""
        return self._slots.wrapping_keys(self.tree.root, self._opened.unseal_key)

    def head(self, reader: Reader) -> Head:
        """The commit counter, next leaf and tally, as `reader` sees them. Raises Internal."""
        return Head.open(self.rows, reader.meta(HEAD_META), self._tree(reader).root.epoch)

    def recount(self, tally: Callable[[Transaction, Tree], int]) -> None:
        """Replace the tally by what is really there, after rows were mended."""
        with self._store.transaction() as txn:
            tree, head = self._tree(txn), self.head(txn)
            counted = replace(head, tally=tally(txn, tree).to_bytes(32, "big"))
            txn.put_meta(HEAD_META, counted.seal(self.rows, tree.root.epoch))

    # --- changing

    def commit(self, commit: Commit) -> None:
        """All of it or nothing.

        Raises Stale where an entity has moved, LimitExceeded (core.quotas), Unavailable where the store cannot take it.
        """
        stay()
        if not commit.leaves:
            self._together(commit)
        elif self._erases_at_once():
            self._replace_root(commit)
        else:
            self._erase(commit)

    def rotate(self, record: bytes | None = None) -> None:
        """A new generation of every slot, and nothing destroyed: no older backup opens by itself any more."""
        self._replace_root(Commit(record=record))

    def reslot(self, names: Sequence[str], record: bytes) -> None:
        """Put the root under these slots from now on, a new generation in each; what is left out is erased there.

        One that is left out need not be reached: what it holds is then owed. Raises InvalidArgument, Unavailable.
        """
        if not names or len(set(names)) != len(names):
            raise InvalidArgument("the root needs a slot, and each of them once", "slots")
        self._replace_root(Commit(record=record), names=names)

    def rekey(self, unseal_key: Sensitive, record: bytes) -> None:
        """Put the root under another U, and a new generation of the slot: the U of today opens nothing any more.

        Any other process that holds this store open has to be given the new one.
        """
        self._replace_root(Commit(record=record), unseal_key)

    def is_under(self, unseal_key: Sensitive) -> bool:
        """Whether that is the U of today's root, in constant time."""
        blob = self._store.meta(ROOT_META) or b""
        return hmac.compare_digest(Root.decode(blob).check, check_value(unseal_key.reveal()))

    def _write(self, commits: Sequence[Commit]) -> list[Exception | None]:
        """Each of them for itself, in one transaction of the store."""
        self._tree(self._store)  # where somebody has replaced the root, slots are asked before the write lock
        with self._store.transaction() as txn:
            tree = self._tree(txn)
            writing = self._begin(txn, tree, self._edit(txn, tree.key))
            outcomes = [_outcome(writing, commit, tree.root.epoch) for commit in commits]
            n_commits = writing.finish(tree.root.epoch) if None in outcomes else 0
        self._reached(n_commits)
        return outcomes

    def _erases_at_once(self) -> bool:
        """Whether a destruction replaces the root: not where nothing is to be erased, or `settle` does it for many."""
        root = self._tree(self._store).root
        return rule(self._store, self.rows).mode is not Mode.OFF and not self._slots.wear(root)

    def _erase(self, commit: Commit) -> None:
        """Delete under the root of today, whose older copies open it until it is replaced."""
        with self._store.transaction() as txn:
            self._on_step("begun")
            tree = self._tree(txn)
            epoch, edit = tree.root.epoch, self._edit(txn, tree.key)
            writing = self._begin(txn, tree, edit)
            writing.write(commit, epoch)
            edit.keep_root()
            n_commits = writing.finish(epoch)
            root = replace(tree.root, n_erased=tree.root.n_erased + len(commit.leaves))
            txn.put_meta(ROOT_META, ENCODER.encode(root))  # so that nobody goes on with the leaves he has
            self._on_step("written")
        self._reached(n_commits)
        self._on_step("committed")

    def _replace_root(
        self,
        commit: Commit,
        other: Sensitive | None = None,
        names: Sequence[str] = (),
        *,
        if_owed: bool = False,
    ) -> None:
        """`other`: U from now on. `names`: the slots from now on. `if_owed`: unless somebody has done so meanwhile.

        Raises Unavailable also where a copy of this installation has done so (service.roots).
        """
        if not self._replacing.acquire(timeout=REPLACED_IN):
            raise Unavailable("a slot keeps another destruction waiting")
        try:
            self._replace(commit, other, names, if_owed=if_owed)
        finally:
            self._replacing.release()

    def _replace(self, commit: Commit, other: Sensitive | None, names: Sequence[str], *, if_owed: bool) -> None:
        found = self._tree(self._store).root
        self._slots.require(names or found.generations, found.owner)  # before the write lock: it may take its time
        with self._store.transaction() as txn:
            self._on_step("begun")
            tree = self._tree(txn)
            if if_owed and not owes_rotation(tree.root, rule(txn, self.rows)):
                return
            ask = self._slots.begin(LOCKED_FOR)  # whatever becomes of them then
            held = self._slots.held(tree.root, self._opened.unseal_key, ask)
            if not names and (slot := strange(tree.root, held, lambda: self.every(EndedRoot, limit=MOST_ROOTS))):
                raise Unavailable(
                    f"slot {slot}: a copy of this installation has replaced what it held: serve one of them"
                )
            epoch, edit = tree.root.epoch + 1, self._edit(txn, tree.key)
            writing = self._begin(txn, tree, edit)
            openers = self.head(txn).openers or tree.root.openers
            lost = lack(tree.root, held)
            owed = owed_by({name: held[name] for name in lost}, waiting(txn, self.rows, SLOTS))
            words = ended(tree.root.epoch, openers, self._now()).without(lost), *owed
            writing.write(replace(commit, put=(*commit.put, *words)), epoch)
            edit.renew()
            n_commits = writing.finish(epoch)
            root = Root(epoch, b"", (), tree.root.owner or self._entropy(OWNER_BYTES).hex())
            to = rule(txn, self.rows)
            by, slots = other or self._opened.unseal_key, names or tree.root.generations
            self._stage(txn, self.rows, edit.root, by, root, slots, ask, to)
            self._on_step("written")
        self._reached(n_commits)
        self._opened.unseal_key = other or self._opened.unseal_key
        self._on_step("committed")
        self._tree(self._store)  # opens the new root as every reader will find it
        try:
            self._retire()
        except Unavailable as error:  # what was destroyed stays so; `settle` erases the old secret once it can
            log.warning("the old generation of the slot is not erased yet: %s", error)
            return
        self._on_step("retired")

    def _begin(self, txn: Transaction, tree: Tree, edit: Edit) -> Writing:
        held = self._opened
        head = Head.open(held.rows, txn.meta(HEAD_META), tree.root.epoch)
        if head.n_commits < held.n_commits:
            told = f"it is at commit {head.n_commits}, and was at {held.n_commits}"
            raise Conflict(f"the database was rolled back: {told}")
        return Writing(txn, head, edit, held.rows, self._wrap, tree.root.epoch)

    def _stage(
        self,
        txn: Transaction,
        rows: Rows,
        key: bytes,
        unseal_key: Sensitive,
        root: Root,
        names: Iterable[str],
        ask: Ask,
        chosen: SlotRule | None = None,
    ) -> None:
        """A new secret in each slot, durable before the database can name it; and the root under all of them."""
        wraps = []
        for one in self._slots.stage(names, root.owner, unseal_key, ask):
            by, nonce = one.wrapped_by.reveal(), self._entropy(NONCE_BYTES)
            wraps.append(Wrap.make(one.slot, one.generation, by, key, root.epoch, nonce))
        self._on_step("staged")
        people = chosen.recovery if chosen is not None and chosen.mode is Mode.WINDOW else ()
        escrows = tuple(escrow(key, root.epoch, unseal_key, one, self._entropy) for one in people)
        named = replace(root, check=check_value(unseal_key.reveal()), wraps=tuple(wraps), escrows=escrows)
        txn.put_meta(ROOT_META, ENCODER.encode(named))
        head = Head.open(rows, txn.meta(HEAD_META), root.epoch)
        txn.put_meta(HEAD_META, replace(head, openers=named.openers).seal(rows, root.epoch))

    def _retire(self) -> None:
        """Erase every generation but those the database names, while nobody can name another; and say so in it."""
        self._on_step("opened")
        n_commits, away = 0, self._slots.away(self._named(), self.tree.root.owner)  # what hangs, before the write lock
        with self._store.transaction() as txn:
            tree, rows = self._tree(txn), self.rows
            chosen = rule(txn, rows)
            owed = [*waiting(txn, rows, SLOTS), *(waiting(txn, rows, PEOPLE) if chosen.reported else ())]
            told = reported(owed, chosen, tree.root)
            gone = of_slots(told) - tree.root.generations.keys()
            failed = self._slots.retire(tree.root, gone, away)
            erased = frozenset({*tree.root.generations, *gone}) - failed.keys()
            if put := changed(owed, acknowledged(told, erased, self._now())):
                writing = self._begin(txn, tree, self._edit(txn, tree.key))
                writing.write(Commit(put=put), tree.root.epoch)
                n_commits = writing.finish(tree.root.epoch)
        self._reached(n_commits)
        if failed:
            raise Unavailable("; ".join(f"{name}: {why}" for name, why in failed.items()))

    def _named(self) -> set[str]:
        """The slots that are to erase something, or may be."""
        return {*self.tree.root.generations, *of_slots(waiting(self._store, self.rows, SLOTS))}

    def ended_roots(self, epochs: set[int]) -> list[EndedRoot]:
        """Those of these epochs, and older ones that something may still open; oldest first."""
        last = max(epochs, default=0)
        open_yet = [one for link in (SLOTS, PEOPLE) for one in waiting(self._store, self.rows, link)]
        named = [one for epoch in epochs if (one := self.get(EndedRoot, EndedRoot.id_of(epoch))) is not None]
        found = {one.epoch: one for one in (*named, *open_yet) if one.epoch <= last}
        return [found[epoch] for epoch in sorted(found)]

    def fate(self, version: Wrapped) -> Fate:
        """What is true of a version that holds nothing any more."""
        return fate(self._store, self.rows, self._tree(self._store).root, version, lambda: self.n_outstanding)

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
        owing = of_slots(waiting(self._store, self.rows, SLOTS)) - {look.name for look in looks}
        return len(owing) + sum(1 if look.n_unerased is None else look.n_unerased for look in looks)

    @property
    def slot_rule(self) -> SlotRule:
        """The mode, and the recovery keys."""
        return rule(self._store, self.rows)

    def awaited(self) -> set[str]:
        """What people are to report erased before what was destroyed is irrecoverable: recovery keys, lost slots."""
        found = [*waiting(self._store, self.rows, PEOPLE), *waiting(self._store, self.rows, SLOTS)]
        return of_people(found) | (of_slots(found) - self.tree.root.generations.keys())

    def settle(self) -> None:
        """Erase what is outstanding, and what destructions since the last time have left to one rotation.

        Raises Unavailable.
        """
        tree, rows = self.tree, self.rows
        chosen = rule(self._store, rows)
        if owes_rotation(tree.root, chosen):
            self._replace_root(Commit(), if_owed=True)
        people = waiting(self._store, rows, PEOPLE) if chosen.reported else []
        told = changed(people, reported(people, chosen, tree.root))
        if told or self.n_outstanding or waiting(self._store, rows, SLOTS, 1):
            self._together(Commit())  # so that what we find in the database is durable before the old secret goes
            self._retire()

    # --- inside

    def _edit(self, txn: Transaction, root: bytes) -> Edit:
        return Edit(root, read=read_node(txn), cipher=self._nodes, entropy=self._entropy)

    def _wrap(self, leaf: bytes, position: int, version: Wrapped, material: Sensitive) -> Wrapped:
        """The version with its keying material sealed under its leaf key, which never seals anything else."""
        sealed = GcmSiv(leaf).seal(self._entropy(NONCE_BYTES), material.reveal(), bound_to(version))
        return replace(version, position=position, wrapped=sealed)

    def _now(self) -> datetime | None:
        return None if self._clock is None else self._clock.now()

    def _reached(self, n_commits: int) -> None:
        held = self._opened
        held.n_commits = max(held.n_commits, n_commits)

    @property
    def _opened(self) -> _Open:
        if self._held is None:
            raise Sealed("the barrier is sealed")
        return self._held

    def _tree(self, reader: Reader) -> Tree:
        """The tree under today's root: ours, unless another process has replaced the root meanwhile."""
        held = self._opened
        if reader.meta(ROOT_META) == held.tree.blob:
            return held.tree
        for _ in range(ATTEMPTS):
            tree = self._read_tree(reader, held.unseal_key)
            if tree.root.epoch >= held.tree.root.epoch:
                held.tree = tree
                return tree
        raise Conflict("the database was rolled back")

    def _read_tree(self, reader: Reader, unseal_key: Sensitive, recovery: Sensitive | None = None) -> Tree:
        for _ in range(ATTEMPTS):
            blob = reader.meta(ROOT_META) or b""
            root = Root.decode(blob)
            if not hmac.compare_digest(root.check, check_value(unseal_key.reveal())):
                raise Sealed("the seal has changed, and with it what opens it")
            if recovery is not None:
                return Tree(blob, root, unwrap_escrow(root, unseal_key, recovery), self._nodes)
            if (key := self._known(root) or self._slots.unwrap(root, unseal_key)) is not None:
                return Tree(blob, root, key, self._nodes)
            if reader.meta(ROOT_META) == blob:  # not a rotation that overtook us
                raise Conflict(ERASED)
        raise Unavailable("the root of the key tree keeps moving")

    def _known(self, root: Root) -> bytes | None:
        """The root node key, where `root` is as sealed as the one that is open."""
        same = self._held is not None and self._held.tree.root.wraps == root.wraps
        return self._held.tree.key if self._held is not None and same else None

    def _leaf(self, position: int) -> bytes:
        for _ in range(ATTEMPTS):
            tree = self._tree(self._store)
            try:
                return tree.leaf(self._store, position)
            except Internal:
                if self._store.meta(ROOT_META) == tree.blob:
                    raise
        raise Unavailable("the root of the key tree keeps moving")

    def _missing(self, version: Wrapped) -> Exception:
        stored = self.get(type(version), version.id)
        if stored is None or not stored.wrapped:
            return WrongState("the version has been destroyed", KeyState.DESTROYED)
        return Internal(f"the key tree has no leaf for row {version.kind.value} {version.id}")

    def _rows(self, anchor: bytes) -> Rows:
        return Rows(hkdf(anchor, b"keystead/row/v1"), hkdf(anchor, b"keystead/tally/v1"), self._entropy)


def _outcome(writing: Writing, commit: Commit, epoch: int) -> Exception | None:
    """What went wrong with it, to be told to whoever wanted it."""
    try:
        writing.attempt(commit, epoch)
    except Exception as error:  # noqa: BLE001 - whatever it is, those beside it are none the worse
        return error
    return None


def unwrap(leaf: bytes, version: Wrapped) -> bytes:
    """Raises Internal where it does not verify."""
    try:
        return GcmSiv(leaf).open(version.wrapped, bound_to(version))
    except DecryptionFailed as error:
        raise Internal(f"what is wrapped in {version.id} does not verify") from error


def bound_to(version: Wrapped) -> bytes:
    """The AAD of keying material, or of a value."""
    return ENCODER.encode((version.bound_as, version.owner, version.number))
