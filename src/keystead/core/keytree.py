"""The key tree: 64^4 leaf keys under one root key, any of which can be forgotten (docs/adr/0006-key-tree.md).

    root node (0, 0) ── 64 ── (1, i) ── 64 ── (2, i) ── 64 ── (3, i) ── 64 ── leaf key

A node is 64 child keys of 32 bytes, sealed under its own node key; an empty child is 32 zero bytes.
Rule 1: a leaf key never changes and never moves; so material sealed under it opens with the tree of any later day.
Rule 2: a leaf that was erased is never filled again.
Rule 3: growing seals a node anew under its own key; erasing gives every node on the path a fresh key, up to the root.
        So the old copy of a node opens with no key that is still derivable from the root.
Rule 4: pure. Reading, sealing and entropy come in as callables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple, Protocol

from keystead.core.errors import Internal, LimitExceeded, WrongState
from keystead.core.states import KeyState

BITS, DEPTH, KEY_BYTES = 6, 4, 32
FANOUT = 1 << BITS
CAPACITY = FANOUT**DEPTH  # 16,777,216 leaves
NODE_BYTES = FANOUT * KEY_BYTES
EMPTY = bytes(KEY_BYTES)


class Place(NamedTuple):
    """Where a node stands: level 0 is the root, level DEPTH - 1 holds leaf keys."""

    level: int
    at: int


ROOT = Place(0, 0)


class NodeCipher(Protocol):
    """AEAD over one node, bound to its place. `open` raises Internal where it does not verify."""

    def seal(self, key: bytes, place: Place, node: bytes) -> bytes: ...

    def open(self, key: bytes, place: Place, sealed: bytes) -> bytes: ...


def generation(secret: bytes) -> str:
    """The name of a slot secret: by its hash, never by a number (research/security.md §0.3); 16 hex digits."""
    return sha256(b"keystead/generation/v1" + secret).hexdigest()[:16]


def path(position: int) -> Iterator[tuple[Place, int]]:
    """The nodes from the root down to a leaf, each with the child to take. Raises LimitExceeded."""
    if not 0 <= position < CAPACITY:
        raise LimitExceeded("the key tree has no such leaf", "position")
    for level in range(DEPTH):
        shift = BITS * (DEPTH - level)
        yield Place(level, position >> shift), position >> (shift - BITS) & (FANOUT - 1)


def child(node: bytes | bytearray, slot: int) -> bytes:
    """The key at `slot` of an opened node, or EMPTY."""
    return bytes(node[slot * KEY_BYTES : (slot + 1) * KEY_BYTES])


def children(place: Place, node: bytes | bytearray) -> Iterator[tuple[Place, bytes]]:
    """The children a node has, each with its key; below level DEPTH - 1 these are leaves, `at` their position."""
    for slot in range(FANOUT):
        if (key := child(node, slot)) != EMPTY:
            yield Place(place.level + 1, place.at << BITS | slot), key


Mark = tuple[int, frozenset[Place]]


class Edit:
    """One transaction's changes to the tree, kept aside until `finish`.

    `read` gives the sealed node of a place as it is under the write lock, or None.
    """

    def __init__(
        self, root: bytes, *, read: Callable[[Place], bytes | None], cipher: NodeCipher, entropy: Callable[[int], bytes]
    ) -> None:
        self._read, self._cipher, self._entropy = read, cipher, entropy
        self._keys: dict[Place, bytes] = {ROOT: root}
        self._nodes: dict[Place, bytearray] = {}
        self._changed: set[Place] = set()
        self._grown: list[tuple[Place, int]] = []
        self._renewed: set[Place] = set()
        self.before: dict[Place, bytes] = {}  # sealed nodes as they were read

    @property
    def root(self) -> bytes:
        return self._keys[ROOT]

    def plant(self) -> None:
        """Begin a tree: the root node is made, not read."""
        self._nodes[ROOT] = bytearray(NODE_BYTES)

    def mark(self) -> Mark:
        """Where it stands, for `back` to return to: before anything is erased."""
        return len(self._grown), frozenset(self._changed)

    def back(self, mark: Mark) -> None:
        """Take out again what has been grown since."""
        n_grown, changed = mark
        while len(self._grown) > n_grown:
            place, slot = self._grown.pop()
            below = Place(place.level + 1, place.at << BITS | slot)
            self._nodes[place][slot * KEY_BYTES : (slot + 1) * KEY_BYTES] = EMPTY
            self._keys.pop(below, None)
            self._nodes.pop(below, None)
        self._changed = set(changed)

    def grow(self, position: int) -> bytes:
        """Fill an empty leaf; its key. Raises Internal if it is taken."""
        for place, slot in path(position):
            node = self._node(place)
            below = Place(place.level + 1, place.at << BITS | slot)
            if (key := child(node, slot)) == EMPTY:
                key = self._fresh()
                self._put(place, slot, key)
                self._grown.append((place, slot))
                if below.level < DEPTH:
                    self._nodes[below] = bytearray(NODE_BYTES)
            elif below.level == DEPTH:
                raise Internal(f"leaf {position} of the key tree is taken")
            self._keys[below] = key
        return key

    def erase(self, positions: Iterable[int]) -> None:
        """Empty leaves and mark their paths for fresh keys. Raises WrongState where a leaf is empty already."""
        for position in positions:
            for place, slot in path(position):
                key = child(self._node(place), slot)
                if key == EMPTY:
                    raise WrongState(f"leaf {position} of the key tree is empty", KeyState.DESTROYED)
                self._keys[Place(place.level + 1, place.at << BITS | slot)] = key
                self._renewed.add(place)
            self._put(place, slot, EMPTY)

    def keep_root(self) -> None:
        """Whatever was erased, the root node keeps its key: until it gets another, the old copies open."""
        self._renewed.discard(ROOT)

    def renew(self) -> None:
        """Give the root node a fresh key, whatever else happens."""
        self._node(ROOT)
        self._renewed.add(ROOT)

    def finish(self) -> dict[Place, bytes]:
        """The sealed nodes to write, after fresh keys for every node marked. `root` is the root key from now on."""
        for place in sorted(self._renewed, reverse=True):  # deepest first: a parent is sealed with its children's keys
            self._keys[place] = key = self._fresh()
            self._changed.add(place)
            if place != ROOT:
                self._put(Place(place.level - 1, place.at >> BITS), place.at & (FANOUT - 1), key)
        return {p: self._cipher.seal(self._keys[p], p, bytes(self._nodes[p])) for p in sorted(self._changed)}

    def _node(self, place: Place) -> bytearray:
        if (node := self._nodes.get(place)) is None:
            if (sealed := self._read(place)) is None:
                raise Internal(f"node {place.level}/{place.at} of the key tree is missing")
            self.before[place] = sealed
            node = self._nodes[place] = bytearray(self._cipher.open(self._keys[place], place, sealed))
        return node

    def _put(self, place: Place, slot: int, key: bytes) -> None:
        self._nodes[place][slot * KEY_BYTES : (slot + 1) * KEY_BYTES] = key
        self._changed.add(place)

    def _fresh(self) -> bytes:
        if (key := self._entropy(KEY_BYTES)) == EMPTY:
            raise Internal("the source of entropy gives zeros")
        return key
