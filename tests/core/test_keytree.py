"""The key tree against a model: a dict of the leaves that are alive (research/security.md §6)."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.fakes import SeededEntropy

from keystead.core.errors import Internal, LimitExceeded, WrongState
from keystead.core.keytree import (
    BITS,
    CAPACITY,
    DEPTH,
    EMPTY,
    FANOUT,
    NODE_BYTES,
    ROOT,
    Edit,
    Place,
    child,
    children,
    generation,
    path,
)


class ToyCipher:
    """Not a cipher: the key's digest in front, so that the wrong key or the wrong place is refused."""

    def seal(self, key, place, node):
        return hashlib.sha256(key + repr(place).encode()).digest() + node

    def open(self, key, place, sealed):
        if sealed[:32] != hashlib.sha256(key + repr(place).encode()).digest():
            raise Internal("node does not verify")
        return sealed[32:]


CIPHER = ToyCipher()


class Forest:
    """A tree in a dict."""

    def __init__(self, seed=1):
        self.entropy, self.stored = SeededEntropy(seed), {}
        edit = Edit(self.entropy(32), read=self.stored.get, cipher=CIPHER, entropy=self.entropy)
        edit.plant()
        edit.grow(0)
        self.write(edit)

    def edit(self):
        return Edit(self.root, read=self.stored.get, cipher=CIPHER, entropy=self.entropy)

    def write(self, edit):
        nodes = edit.finish()
        self.stored.update(nodes)
        self.root = edit.root
        return nodes

    def leaf(self, position, root=None, stored=None):
        key, stored = root or self.root, self.stored if stored is None else stored
        for place, slot in path(position):
            key = child(CIPHER.open(key, place, stored[place]), slot)
            if key == EMPTY:
                return EMPTY
        return key


@given(st.integers(0, CAPACITY - 1))
def test_a_path_goes_down_one_level_a_step_and_ends_at_its_leaf(position):
    steps = list(path(position))
    assert [place.level for place, _ in steps] == list(range(DEPTH))
    assert steps[0][0] == ROOT
    for (above, slot), (below, _) in itertools.pairwise(steps):
        assert below.at == above.at << BITS | slot
    last, slot = steps[-1]
    assert last.at << BITS | slot == position


@pytest.mark.parametrize("position", [-1, CAPACITY])
def test_there_is_no_leaf_outside(position):
    with pytest.raises(LimitExceeded):
        list(path(position))


def test_a_generation_is_named_by_its_secret_and_by_nothing_else():
    assert generation(b"a" * 32) == generation(b"a" * 32) != generation(b"b" * 32)
    assert len(generation(b"a" * 32)) == 16


def test_growing_writes_one_node_where_the_path_exists():
    forest = Forest()
    edit = forest.edit()
    edit.grow(1)
    assert list(forest.write(edit)) == [Place(3, 0)]


def test_growing_beyond_a_node_makes_the_next_one():
    forest = Forest()
    edit = forest.edit()
    edit.grow(FANOUT)
    assert set(forest.write(edit)) == {Place(2, 0), Place(3, 1)}


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(1, 3 * FANOUT), min_size=1, max_size=3)), max_size=6))
def test_what_is_taken_out_again_leaves_nothing(parts):
    """Not even a node that is sealed anew without a change: each node key seals so many times and no more."""
    forest, same = Forest(), Forest()
    edit, without = forest.edit(), same.edit()
    taken = set()
    for is_kept, positions in parts:
        mark, fresh = edit.mark(), sorted(set(positions) - taken)
        for position in fresh:
            edit.grow(position)
        if is_kept:
            taken |= set(fresh)
            for position in fresh:
                without.grow(position)
        else:
            edit.back(mark)
    assert list(forest.write(edit)) == list(same.write(without))
    for position in range(1, 3 * FANOUT + 1):
        is_there = Place(3, position // FANOUT) in forest.stored and forest.leaf(position) != EMPTY
        assert is_there == (position in taken)


def test_a_taken_leaf_is_not_given_again():
    forest = Forest()
    edit = forest.edit()
    with pytest.raises(Internal):
        edit.grow(0)


def test_an_empty_leaf_cannot_be_erased():
    edit = Forest().edit()
    with pytest.raises(WrongState):
        edit.erase([7])


def test_a_source_of_zeros_is_noticed():
    forest = Forest()
    edit = Edit(forest.root, read=forest.stored.get, cipher=CIPHER, entropy=bytes)
    with pytest.raises(Internal):
        edit.grow(1)


def test_a_missing_node_is_an_error_and_not_an_empty_one():
    forest = Forest()
    del forest.stored[Place(2, 0)]
    with pytest.raises(Internal):
        forest.edit().grow(1)


def test_renewing_gives_the_root_another_key_and_touches_nothing_else():
    forest, edit = Forest(), None
    before, leaf = forest.root, forest.leaf(0)
    edit = forest.edit()
    edit.renew()
    assert list(forest.write(edit)) == [ROOT]
    assert forest.root != before
    assert forest.leaf(0) == leaf


def test_children_of_a_node_are_where_paths_go():
    node = bytearray(NODE_BYTES)
    node[32 * 5 : 32 * 6] = b"k" * 32
    assert list(children(Place(2, 3), node)) == [(Place(3, 3 * 64 + 5), b"k" * 32)]


@settings(deadline=None, max_examples=30)
@given(
    alive=st.sets(st.one_of(st.integers(1, 300), st.integers(1, CAPACITY - 1)), min_size=2, max_size=12),
    data=st.data(),
)
def test_old_nodes_do_not_open_from_the_new_root(alive, data):
    """Every old node on an erased path is sealed under a key that the new tree does not hold."""
    forest = Forest()
    edit = forest.edit()
    leaves = {position: edit.grow(position) for position in sorted(alive)}
    forest.write(edit)
    old, old_root = dict(forest.stored), forest.root
    gone = data.draw(st.sets(st.sampled_from(sorted(alive)), min_size=1))
    edit = forest.edit()
    edit.erase(sorted(gone))
    written = forest.write(edit)
    assert set(written) == {place for position in gone for place, _ in path(position)}
    for position in alive - gone:
        assert forest.leaf(position) == leaves[position]
    held = keys_of(forest.stored, forest.root)
    for position in gone:
        assert forest.leaf(position) == EMPTY
        assert forest.leaf(position, old_root, old) == leaves[position]  # control: the old root still reaches it
        assert leaves[position] not in held
        for place, _ in path(position):
            for key in held:
                with pytest.raises(Internal):
                    CIPHER.open(key, place, old[place])


def keys_of(stored, root):
    """Every key that can be had from a root and the stored nodes."""
    held, waiting = {root}, [(ROOT, root)]
    while waiting:
        place, key = waiting.pop()
        below = list(children(place, CIPHER.open(key, place, stored[place])))
        held |= {key for _, key in below}
        waiting += below if place.level < DEPTH - 1 else []
    return held


class Model(RuleBasedStateMachine):
    """Any order of growing, erasing and renewing: leaves never change, never move, never come back."""

    def __init__(self):
        super().__init__()
        self.forest, self.next, self.alive, self.dead = Forest(), 1, {}, set()
        self.alive[0] = self.forest.leaf(0)

    @rule(n=st.integers(1, 70))
    def grow(self, n):
        edit = self.forest.edit()
        for _ in range(n):
            self.alive[self.next] = edit.grow(self.next)
            self.next += 1
        self.forest.write(edit)

    @precondition(lambda self: len(self.alive) > 1)
    @rule(data=st.data())
    def erase_and_grow(self, data):
        gone = data.draw(st.sets(st.sampled_from(sorted(self.alive.keys() - {0})), min_size=1, max_size=5))
        edit = self.forest.edit()
        edit.erase(sorted(gone))
        self.alive[self.next] = edit.grow(self.next)
        self.next += 1
        edit.renew()
        self.forest.write(edit)
        self.dead |= gone
        for position in gone:
            del self.alive[position]

    @invariant()
    def the_tree_is_the_model(self):
        for position, key in self.alive.items():
            assert self.forest.leaf(position) == key
        for position in self.dead:
            assert self.forest.leaf(position) == EMPTY


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
