"""The key hierarchy as it is open: today's root, the tree below it, and what the leaf that never changes gives.

    U (seal) ┐
    S (slot) ┴ R ── root node key ── key tree ─┬─ leaf 0, which never changes: row key, name digests, subkeys
    once for each slot; any one opens it       └─ leaf n: what one version of a key or a secret holds

What does not verify is Internal, never an answer. docs/adr/0006-key-tree.md
"""

from __future__ import annotations

import hmac

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.entities import Wrapped
from keystead.core.errors import (
    EMPTY,
    OLDER,
    Conflict,
    DecryptionFailed,
    Internal,
    Sealed,
    Unauthenticated,
    Unavailable,
)
from keystead.core.keytree import Edit
from keystead.core.ports import Entropy, Reader, Store, Transaction
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.crypto.kdf import hkdf
from keystead.service.commit import HEAD_META, Writing
from keystead.service.escrow import unwrap as unwrap_escrow
from keystead.service.root import ROOT_META, Head, Nodes, Root, Tree, check_value, read_node
from keystead.service.rows import ENCODER, Rows
from keystead.service.slots import Slots

ANCHOR = 0  # the leaf that never changes
ATTEMPTS = 8
ERASED = (
    "the slot does not hold the generation that the database names: the slot was erased or the database was rolled back"
)


class Opened(Struct):
    """What is held while the hierarchy is open."""

    unseal_key: Sensitive
    anchor: Sensitive
    rows: Rows
    names: Sensitive  # keys the digests of names
    tree: Tree
    n_commits: int  # the most that this process has seen


class Hierarchy:
    """Safe to use from any thread. All but the opening raises Sealed before it."""

    def __init__(self, store: Store, slots: Slots, entropy: Entropy) -> None:
        self._store, self._slots, self._entropy = store, slots, entropy
        self._nodes = Nodes(entropy)
        self._opened: Opened | None = None

    # --- opening

    def open(self, unseal_key: Sensitive, recovery: Sensitive | None) -> None:
        """As service.barrier has it."""
        if (blob := self._store.meta(ROOT_META)) is None:
            raise Conflict("the store has not been initialised", EMPTY)
        if not hmac.compare_digest(Root.decode(blob).check, check_value(unseal_key.reveal())):
            raise Unauthenticated("the unseal key is not the one of this store")
        tree = self._read_tree(self._store, unseal_key, recovery)
        anchor = tree.leaf(self._store, ANCHOR)
        rows = self.rows_under(anchor)
        head = Head.open(rows, self._store.meta(HEAD_META), tree.root.epoch)
        names = Sensitive(hkdf(anchor, b"keystead/name/v1"))
        self._opened = Opened(unseal_key, Sensitive(anchor), rows, names, tree, head.n_commits)

    def close(self) -> None:
        self._opened = None

    @property
    def opened(self) -> Opened:
        if self._opened is None:
            raise Sealed("the barrier is sealed")
        return self._opened

    def rows_under(self, anchor: bytes) -> Rows:
        """What seals rows, by the leaf that never changes."""
        return Rows(hkdf(anchor, b"keystead/row/v1"), hkdf(anchor, b"keystead/tally/v1"), self._entropy)

    # --- reading

    def tree(self, reader: Reader) -> Tree:
        """The tree under today's root: ours, unless another process has replaced the root meanwhile."""
        held = self.opened
        if reader.meta(ROOT_META) == held.tree.blob:
            return held.tree
        for _ in range(ATTEMPTS):
            tree = self._read_tree(reader, held.unseal_key)
            if tree.root.epoch >= held.tree.root.epoch:
                held.tree = tree
                return tree
        raise Conflict("the database was rolled back")

    def head(self, reader: Reader) -> Head:
        """The commit counter, next leaf and tally, as `reader` sees them. Raises Internal."""
        return Head.open(self.opened.rows, reader.meta(HEAD_META), self.tree(reader).root.epoch)

    def leaf(self, position: int) -> bytes:
        """The leaf key, or EMPTY. Raises Internal where the tree does not verify."""
        for _ in range(ATTEMPTS):
            tree = self.tree(self._store)
            try:
                return tree.leaf(self._store, position)
            except Internal:
                if self._store.meta(ROOT_META) == tree.blob:
                    raise
        raise Unavailable("the root of the key tree keeps moving")

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
                raise Conflict(ERASED, OLDER)
        raise Unavailable("the root of the key tree keeps moving")

    def _known(self, root: Root) -> bytes | None:
        """The root node key, where `root` is as sealed as the one that is open."""
        held = self._opened
        return held.tree.key if held is not None and held.tree.root.wraps == root.wraps else None

    # --- changing

    def edit(self, txn: Transaction, root: bytes) -> Edit:
        """The tree under that root node key, to be changed in `txn`."""
        return Edit(root, read=read_node(txn), cipher=self._nodes, entropy=self._entropy)

    def begin(self, txn: Transaction, tree: Tree, edit: Edit) -> Writing:
        """Raises Conflict for a database that was rolled back under this process."""
        held = self.opened
        head = Head.open(held.rows, txn.meta(HEAD_META), tree.root.epoch)
        if head.n_commits < held.n_commits:
            told = f"it is at commit {head.n_commits}, and was at {held.n_commits}"
            raise Conflict(f"the database was rolled back: {told}")
        return Writing(txn, head, edit, held.rows, self.wrap, tree.root.epoch)

    def wrap(self, leaf: bytes, position: int, version: Wrapped, material: Sensitive) -> Wrapped:
        """The version with its keying material sealed under its leaf key, which never seals anything else."""
        sealed = GcmSiv(leaf).seal(self._entropy(NONCE_BYTES), material.reveal(), bound_to(version))
        return replace(version, position=position, wrapped=sealed)

    def reached(self, n_commits: int) -> None:
        """That a commit of this process has come so far."""
        held = self.opened
        held.n_commits = max(held.n_commits, n_commits)


def unwrap(leaf: bytes, version: Wrapped) -> bytes:
    """Raises Internal where it does not verify."""
    try:
        return GcmSiv(leaf).open(version.wrapped, bound_to(version))
    except DecryptionFailed as error:
        raise Internal(f"what is wrapped in {version.id} does not verify") from error


def bound_to(version: Wrapped) -> bytes:
    """The AAD of keying material, or of a value."""
    return ENCODER.encode((version.bound_as, version.owner, version.number))
