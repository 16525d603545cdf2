"""What is kept of the key tree: little is read for a leaf, and what others have grown is seen (service/root.py)."""

from __future__ import annotations

import os
from typing import cast

import pytest

from keystead.core.errors import Internal
from keystead.core.keytree import EMPTY, FANOUT, KEY_BYTES, Edit, Place
from keystead.core.ports import Reader
from keystead.service import root
from keystead.service.root import Nodes, Root, Tree


class Stored:
    """The nodes of a tree, and where they were read."""

    def __init__(self) -> None:
        self.sealed: dict[Place, bytes] = {}
        self.read: list[int] = []  # levels
        self.key, self.cipher = os.urandom(KEY_BYTES), Nodes(os.urandom)

    def _edit(self) -> Edit:
        return Edit(self.key, read=self.sealed.get, cipher=self.cipher, entropy=os.urandom)

    def grow(self, *positions: int) -> dict[int, bytes]:
        """As another process does: position -> leaf key"""
        edit = self._edit()
        if not self.sealed:
            edit.plant()
        keys = {position: edit.grow(position) for position in positions}
        self.sealed |= edit.finish()
        return keys

    def node(self, level: int, at: int) -> bytes | None:
        self.read.append(level)
        return self.sealed.get(Place(level, at))

    def tree(self) -> Tree:
        return Tree(b"", Root(1, b"", ()), self.key, self.cipher)

    def leaf(self, tree: Tree, position: int) -> tuple[bytes, list[int]]:
        """The leaf key, and the levels of what was read for it."""
        self.read = []
        return tree.leaf(cast("Reader", self), position), self.read


def test_for_a_leaf_only_that_is_read_which_leads_to_no_other() -> None:
    stored = Stored()
    far, farther = FANOUT * 5, FANOUT * FANOUT * 3
    keys = stored.grow(0, 1, far, farther)
    tree = stored.tree()
    assert stored.leaf(tree, 0) == (keys[0], [0, 1, 2, 3])
    assert stored.leaf(tree, 1) == (keys[1], [])
    assert stored.leaf(tree, far) == (keys[far], [3])
    assert stored.leaf(tree, farther) == (keys[farther], [2, 3])
    assert stored.leaf(tree, far) == (keys[far], [])


@pytest.mark.parametrize("position", [2, FANOUT * 7, FANOUT**2 * 9, FANOUT**3 * 11])
def test_what_has_grown_meanwhile_is_seen(position) -> None:
    stored = Stored()
    keys = stored.grow(0)
    tree = stored.tree()
    assert stored.leaf(tree, 0)[0] == keys[0]
    assert stored.leaf(tree, position)[0] == EMPTY
    later = stored.grow(position)
    assert stored.leaf(tree, position)[0] == later[position]
    assert stored.leaf(tree, position) == (later[position], [])
    assert stored.leaf(tree, 0) == (keys[0], [])


def test_no_more_is_kept_than_the_bounds_say(monkeypatch) -> None:
    monkeypatch.setattr(root, "N_INNER", 3)
    monkeypatch.setattr(root, "N_LAST", 2)
    stored = Stored()
    keys = stored.grow(*range(0, FANOUT**3 * 4, FANOUT**2 * 25))
    tree = stored.tree()
    for position in (*keys, *keys):
        assert stored.leaf(tree, position)[0] == keys[position]
        assert len(tree._inner) <= 3
        assert len(tree._last) <= 2


def test_a_node_that_does_not_verify_or_is_gone_is_no_answer() -> None:
    stored = Stored()
    stored.grow(0)
    place = Place(3, 0)
    sealed = stored.sealed[place]
    stored.sealed[place] = sealed[:-1] + bytes([sealed[-1] ^ 1])
    with pytest.raises(Internal, match="node 3/0 of the key tree does not verify"):
        stored.leaf(stored.tree(), 0)
    del stored.sealed[place]
    with pytest.raises(Internal, match="node 3/0 of the key tree is missing"):
        stored.leaf(stored.tree(), 0)
