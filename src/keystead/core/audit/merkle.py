"""The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1) with SHA-256: what is in the log, and that it only grows.

The tree over `size` leaves is kept as its *right edge*: the roots of the complete subtrees it is made of, one for
each bit set in `size`, largest first. Complete subtrees never change, so hashes of every eighth level are kept in
append-only files (service.log) and any proof reads a few hundred of them, whatever the size of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest

HASH_SIZE = 32
TILE_HEIGHT = 8
"""Levels between two that are kept: C2SP tlog-tiles."""

EMPTY = sha256(b"").digest()  # RFC 6962 §2.1: MTH({})

Kept = Callable[[int, int, int], Sequence[bytes]]
"""(kept level k, first, n) -> n hashes from `first` on of the complete subtrees of 256**k leaves."""


def leaf_hash(record: bytes) -> bytes:
    """RFC 6962 §2.1: MTH({d(0)})."""
    return sha256(b"\0" + record).digest()


def leaf_hashes(records: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each, without a call for each."""
    return [sha256(b"\0" + record).digest() for record in records]


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Tree:
    """A growing tree: its size, and the right edge by level (None where the bit of `size` is clear)."""

    __slots__ = ("_edge", "size")

    def __init__(self, size: int = 0, edge: Sequence[bytes] = ()) -> None:
        """Raises ValueError if `edge` is not one hash for each bit set in `size`, largest subtree first."""
        levels = [level for level in range(size.bit_length()) if size >> level & 1]
        if len(levels) != len(edge) or any(len(node) != HASH_SIZE for node in edge):
            raise ValueError("not the right edge of a tree of that size")
        self.size = size
        self._edge: list[bytes | None] = [None] * size.bit_length()
        for level, node in zip(reversed(levels), edge, strict=True):
            self._edge[level] = node

    @property
    def edge(self) -> tuple[bytes, ...]:
        return tuple([node for node in reversed(self._edge) if node is not None])

    def copy(self) -> Tree:
        return Tree(self.size, self.edge)

    def root(self) -> bytes:
        return fold(self.edge)

    def append(self, leaf: bytes) -> None:
        self.extend([leaf])

    def extend(self, leaves: Sequence[bytes]) -> list[list[bytes]]:
        """Append leaf hashes; the hashes that became complete on each kept level, lowest first."""
        done: list[list[bytes]] = []
        nodes, start, level = list(leaves), self.size, 0
        self.size += len(nodes)
        while nodes:
            if level == len(self._edge):
                self._edge.append(None)
            if level % TILE_HEIGHT == 0:
                done.append(nodes)
            waiting = self._edge[level]
            if waiting is not None:
                nodes = [waiting, *nodes]
            self._edge[level] = nodes[-1] if len(nodes) & 1 else None
            pairs = iter(nodes)
            nodes = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
            start >>= 1
            level += 1
        return done


def fold(edge: Sequence[bytes]) -> bytes:
    """The root over subtree roots, largest first."""
    if not edge:
        return EMPTY
    root = edge[-1]
    for node in reversed(edge[:-1]):
        root = node_hash(node, root)
    return root


def subtree(start: int, end: int, kept: Kept) -> bytes:
    """MTH(D[start:end]) out of kept hashes; `start` a multiple of the largest power of two below the length."""
    edge, at = [], start
    while at < end:
        height = (end - at).bit_length() - 1
        if at:
            height = min(height, (at & -at).bit_length() - 1)
        edge.append(_complete(at, height, kept))
        at += 1 << height
    return fold(edge)


def _complete(start: int, height: int, kept: Kept) -> bytes:
    """The root of the 2**height leaves from `start` on."""
    level = height // TILE_HEIGHT
    unit = level * TILE_HEIGHT
    nodes = list(kept(level, start >> unit, 1 << (height - unit)))
    while len(nodes) > 1:
        pairs = iter(nodes)
        nodes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return nodes[0]


# --- proofs


def inclusion(index: int, size: int, kept: Kept) -> list[bytes]:
    """PATH(index, D[size]), RFC 6962 §2.1.1: from the leaf's sibling up. Raises ValueError unless index < size."""
    if not 0 <= index < size:
        raise ValueError("no such record in a log of that size")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end, kept))
            end = middle
        else:
            path.append(subtree(start, middle, kept))
            start = middle
    return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to, RFC 9162 §2.1.3.2; None if the path has not the length it must have."""
    if not 0 <= index < size:
        return None
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    return root if sn == 0 else None


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path shows `leaf` to be number `index` of the tree of that size and root."""
    found = root_from_inclusion(leaf, index, size, path)
    return found is not None and compare_digest(found, root)


def consistency(old: int, new: int, kept: Kept) -> list[bytes]:
    """PROOF(old, D[new]), RFC 6962 §2.1.2. Raises ValueError unless 0 <= old <= new."""
    if not 0 <= old <= new:
        raise ValueError("the older tree is the smaller one")
    if old in {0, new}:
        return []
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree(middle, end, kept))
            end = middle
        else:
            path.append(subtree(start, middle, kept))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, end, kept))
    return path[::-1]


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether the tree (new, new_root) starts with the tree (old, old_root). RFC 9162 §2.1.4.2."""
    if not 0 <= old <= new:
        return False
    if old in {0, new}:
        start = EMPTY if old == 0 else new_root
        return not path and compare_digest(old_root, start)
    nodes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not nodes:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for node in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(node, fr), node_hash(node, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and compare_digest(fr, old_root) and compare_digest(sr, new_root)


def _split(n: int) -> int:
    """RFC 6962 §2.1: the largest power of two smaller than n."""
    return 1 << (n - 1).bit_length() - 1
