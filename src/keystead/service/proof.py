"""The proof that what was destroyed stays destroyed: by opening, never by reasoning (research/security.md §1, P2)."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from keystead.core.entities import KeyVersion, LoginSecret, MfaSecret, OidcClientSecret, OtpKey, SecretVersion, Wrapped
from keystead.core.errors import DecryptionFailed
from keystead.core.keytree import BITS, EMPTY, FANOUT, ROOT, Place, child, path
from keystead.core.ports import Reader, Store
from keystead.crypto.aead import GcmSiv
from keystead.service.barrier import Barrier
from keystead.service.hierarchy import bound_to
from keystead.service.inspection import leaf_of, pages, quiet, verifies
from keystead.service.root import ROOT_META, Root
from keystead.service.root import bound_to as bound_to_root
from keystead.service.rows import ENCODER

WRAPPED: tuple[type[Wrapped], ...] = (KeyVersion, SecretVersion, OtpKey, LoginSecret, MfaSecret, OidcClientSecret)


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
    awaited: tuple[str, ...] = ()  # not tried, as people keep them: recovery keys and lost slots (Barrier.awaited)

    @property
    def holds(self) -> bool:
        """All there is in the backup was tried, no destroyed key opened and every other did."""
        return not self.destroyed_opened and not self.survivors_lost and not self.damaged


class _Attack:
    """Someone with the old backup, U, today's slot and today's database, trying all of it.

    Keys for an old node: what opens out of the old root with every R of today, the key that today's tree has for that
    place, and whatever an old or new node above it gave. Keys for old material: both trees' leaves, and the loose keys.
    """

    def __init__(self, old: Reader, barrier: Barrier, store: Store) -> None:
        self._old, self._store, self._today = old, store, barrier.tree
        self._nodes: dict[Place, list[bytes]] = {}  # place -> opened nodes, old and of today
        self.n_tried = 0
        self.root = Root.decode(old.meta(ROOT_META) or b"")
        self._loose = [EMPTY, *barrier.wrapping_keys(), self._today.key]
        self._roots = [key for by in self._loose for key in self._try_root(by)]
        self.root_opened = bool(self._roots)

    def opens(self, version: Wrapped) -> bool:
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
        """Of every slot, with the names the backup gives, and with those of today."""
        roots = (self.root, self._today.root)
        named = {(generation, root.epoch) for root in roots for generation in root.generations.values()}
        sealed = [wrap.sealed for wrap in self.root.wraps]
        tried = [self._try(wrapped_by, one, bound_to_root(*name)) for one in sealed for name in sorted(named)]
        return [key for key in tried if key is not None]

    def _try(self, key: bytes, sealed: bytes, aad: bytes) -> bytes | None:
        self.n_tried += 1
        try:
            return GcmSiv(key).open(sealed, aad)
        except DecryptionFailed:
            return None


def prove_destroyed(old: Reader, barrier: Barrier, store: Store, on_progress: Callable[[int], None] = quiet) -> Proof:
    """Try to open every version in an old backup. Raises Internal where a row of today is damaged."""
    attack = _Attack(old, barrier, store)
    n_destroyed = n_survivors = 0
    opened: list[str] = []
    lost: list[str] = []
    damaged: list[str] = []
    for of, page in ((kind, page) for kind in WRAPPED for page in pages(old, kind.kind)):
        for row in page:
            if not verifies(barrier, row):
                damaged.append(row.id)
            elif (version := barrier.rows.open(row, of)).wrapped:
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
        awaited=tuple(sorted(barrier.awaited() | set(barrier.tree.root.openers) - set(barrier.tree.root.generations))),
    )


def _is_destroyed(barrier: Barrier, store: Reader, version: Wrapped) -> bool:
    """By what the database says today: the row without material; where there is no row, the tree without a leaf."""
    if (live := barrier.get(type(version), version.id)) is not None:
        return not live.wrapped
    return leaf_of(barrier, store, version) == EMPTY
