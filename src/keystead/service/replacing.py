"""The root replaced: by a destruction, a rotation, another U, other slots (docs/adr/0006-key-tree.md, 0036-slots.md).

Rule 1: stage S2 in every slot; one commit with fresh keys on every path and the root under each S2; open the new root
        as a reader sees it; retire S1 in every slot.
Rule 2: staging and retiring happen under the store's write lock, so that no process can retire what another one has
        staged and is about to name in the database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from keystead.core.audit.chain import Chain
from keystead.core.entities import SLOTS, EndedRoot, Mode, SlotRule
from keystead.core.entities.slots import PEOPLE
from keystead.core.errors import Conflict, Unavailable
from keystead.core.keytree import KEY_BYTES
from keystead.core.ports import Clock, Entropy, Store, Transaction
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES
from keystead.service.commit import HEAD_META, Commit, Writing
from keystead.service.escrow import escrow
from keystead.service.hierarchy import ANCHOR, Hierarchy
from keystead.service.root import ROOT_META, Head, Root, Wrap, check_value
from keystead.service.roots import (
    acknowledged,
    changed,
    ended,
    lack,
    of_slots,
    outstanding,
    owed_by,
    owes_rotation,
    reported,
    rule,
    strange,
    waiting,
)
from keystead.service.rows import ENCODER, Rows
from keystead.service.slots import LOCKED_FOR, Ask, Slots

MOST_ROOTS = 1_000_000
OWNER_BYTES = 8
REPLACED_IN = 10.0  # seconds that a destruction waits for those before it
log = logging.getLogger(__name__)


class Replacing:
    """Safe to use from any thread. `commit`: makes one that replaces nothing; the others are as Barrier has them."""

    def __init__(
        self,
        hierarchy: Hierarchy,
        store: Store,
        slots: Slots,
        entropy: Entropy,
        commit: Callable[[Commit], None],
        on_step: Callable[[str], None],
        clock: Clock | None,
    ) -> None:
        self._keys, self._store, self._slots, self._entropy = hierarchy, store, slots, entropy
        self._commit, self._on_step, self._clock = commit, on_step, clock
        self._turn = threading.Lock()  # one thread waits for a slot that hangs, and no other

    def plant(self, unseal_key: Sensitive) -> None:
        """The first root, in an empty store. Raises Conflict where store or slot are in use."""
        names, owner = self._slots.first, self._entropy(OWNER_BYTES).hex()
        if self._slots.hold_something(names, owner):
            raise Conflict("the slot already holds a generation, which another database may need")
        with self._store.transaction() as txn:
            if txn.meta(ROOT_META) is not None:
                raise Conflict("the store has been initialised before")
            edit = self._keys.edit(txn, self._entropy(KEY_BYTES))
            edit.plant()
            rows = self._keys.rows_under(edit.grow(ANCHOR))
            Writing(txn, Head(1, ANCHOR + 1, bytes(32), chain=Chain()), edit, rows, self._keys.wrap).finish(1)
            self._stage(txn, rows, edit.root, unseal_key, Root(1, b"", (), owner), names, self._slots.begin(LOCKED_FOR))
            self._slots.require_apart(names, owner)

    def erase(self, commit: Commit) -> None:
        """Destroy what the commit says, and replace the root with it where it is to be erased at once."""
        tree, rows = self._keys.tree(self._store), self._keys.opened.rows
        if rule(self._store, rows).mode is Mode.OFF or self._slots.wear(tree.root):
            self._erase_under_today(commit)  # nothing is to be erased, or `settle` does it for many
        else:
            self.replace(commit)

    def settle(self) -> None:
        """Erase what is outstanding, and what destructions since the last time have left to one rotation.

        Raises Unavailable.
        """
        tree, rows = self._keys.tree(self._store), self._keys.opened.rows
        chosen = rule(self._store, rows)
        if owes_rotation(tree.root, chosen):
            self.replace(Commit(), if_owed=True)
        people = waiting(self._store, rows, PEOPLE) if chosen.reported else []
        told = changed(people, reported(people, chosen, tree.root))
        root = Root.decode(self._store.meta(ROOT_META) or b"")
        owed = waiting(self._store, rows, SLOTS)
        looks = self._slots.look(root)
        if told or owed or outstanding(looks, owed) or any(look.is_short for look in looks):
            self._commit(Commit())  # so that what we find in the database is durable before the old secret goes
            self._retire()

    def replace(
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
        if not self._turn.acquire(timeout=REPLACED_IN):
            raise Unavailable("a slot keeps another destruction waiting")
        try:
            self._replace(commit, other, names, if_owed=if_owed)
        finally:
            self._turn.release()

    def _erase_under_today(self, commit: Commit) -> None:
        """Older copies of today's root open what is erased until it is replaced."""
        with self._store.transaction() as txn:
            self._on_step("begun")
            tree = self._keys.tree(txn)
            epoch, edit = tree.root.epoch, self._keys.edit(txn, tree.key)
            writing = self._keys.begin(txn, tree, edit)
            writing.write(commit, epoch)
            edit.keep_root()
            n_commits = writing.finish(epoch)
            root = replace(tree.root, n_erased=tree.root.n_erased + len(commit.leaves))
            txn.put_meta(ROOT_META, ENCODER.encode(root))  # so that nobody goes on with the leaves he has
            self._on_step("written")
        self._keys.reached(n_commits)
        self._on_step("committed")

    def _replace(self, commit: Commit, other: Sensitive | None, names: Sequence[str], *, if_owed: bool) -> None:
        keys, rows = self._keys, self._keys.opened.rows
        found = keys.tree(self._store).root
        self._slots.require(names or found.generations, found.owner)  # before the write lock: it may take its time
        with self._store.transaction() as txn:
            self._on_step("begun")
            tree = keys.tree(txn)
            if if_owed and not owes_rotation(tree.root, rule(txn, rows)):
                return
            ask = self._slots.begin(LOCKED_FOR)  # whatever becomes of them then
            held = self._slots.held(tree.root, keys.opened.unseal_key, ask)
            if not names:
                self._require_ours(tree.root, held)
            epoch, edit = tree.root.epoch + 1, keys.edit(txn, tree.key)
            writing = keys.begin(txn, tree, edit)
            openers = keys.head(txn).openers or tree.root.openers
            lost = lack(tree.root, held)
            owed = owed_by({name: held[name] for name in lost}, waiting(txn, rows, SLOTS))
            words = ended(tree.root.epoch, openers, self._now()).without(lost), *owed
            writing.write(replace(commit, put=(*commit.put, *words)), epoch)
            edit.renew()
            n_commits = writing.finish(epoch)
            root = Root(epoch, b"", (), tree.root.owner or self._entropy(OWNER_BYTES).hex())
            by, slots = other or keys.opened.unseal_key, names or tree.root.generations
            self._stage(txn, rows, edit.root, by, root, slots, ask, rule(txn, rows))
            self._on_step("written")
        keys.reached(n_commits)
        keys.opened.unseal_key = other or keys.opened.unseal_key
        self._on_step("committed")
        keys.tree(self._store)  # opens the new root as every reader will find it
        try:
            self._retire()
        except Unavailable as error:  # what was destroyed stays so; `settle` erases the old secret once it can
            log.warning("the old generation of the slot is not erased yet: %s", error)
            return
        self._on_step("retired")

    def _require_ours(self, root: Root, held: Mapping[str, frozenset[str]]) -> None:
        """Raises Unavailable where somebody else has replaced what the slots held."""

        def known() -> list[EndedRoot]:
            rows = self._keys.opened.rows
            return [rows.open(row, EndedRoot) for row in self._store.every(EndedRoot.kind, limit=MOST_ROOTS)]

        if slot := strange(root, held, known):
            raise Unavailable(f"slot {slot}: a copy of this installation has replaced what it held: serve one of them")

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
        n_commits, rows = 0, self._keys.opened.rows
        root = self._keys.tree(self._store).root
        named = {*root.generations, *of_slots(waiting(self._store, rows, SLOTS))}
        away = self._slots.away(named, root.owner)  # what hangs, before the write lock
        with self._store.transaction() as txn:
            tree = self._keys.tree(txn)
            chosen = rule(txn, rows)
            owed = [*waiting(txn, rows, SLOTS), *(waiting(txn, rows, PEOPLE) if chosen.reported else ())]
            told = reported(owed, chosen, tree.root)
            gone = of_slots(told) - tree.root.generations.keys()
            failed = self._slots.retire(tree.root, gone, away)
            erased = frozenset({*tree.root.generations, *gone}) - failed.keys()
            if put := changed(owed, acknowledged(told, erased, self._now())):
                writing = self._keys.begin(txn, tree, self._keys.edit(txn, tree.key))
                writing.write(Commit(put=put), tree.root.epoch)
                n_commits = writing.finish(tree.root.epoch)
        self._keys.reached(n_commits)
        if failed:
            raise Unavailable("; ".join(f"{name}: {why}" for name, why in failed.items()))

    def _now(self) -> datetime | None:
        return None if self._clock is None else self._clock.now()
