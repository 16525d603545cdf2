"""The tree is that of RFC 6962, and its proofs prove that and nothing else."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.core.audit.merkle import (
    EMPTY,
    Tree,
    consistency,
    inclusion,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    subtree,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves and the roots over the first 1…8 of them that Certificate Transparency implementations share
# (certificate-transparency-go and others; they are computed from RFC 6962 §2.1 alone).
LEAVES = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip # noqa: E501 - one table
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if len(leaves) < 2:
        return leaf_hash(leaves[0]) if leaves else EMPTY
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


class Grown:
    """A tree grown in batches, with the hashes it would keep in files."""

    def __init__(self, n: int, seed: int = 0) -> None:
        self.leaves = [b"record %d" % i for i in range(n)]
        self.tree, self.files = Tree(), {}
        rng, done = Random(seed), 0
        while done < n:
            batch = self.leaves[done : done + rng.randrange(1, 400)]
            for level, hashes in enumerate(self.tree.extend([leaf_hash(x) for x in batch])):
                self.files.setdefault(level, []).extend(hashes)
            self.tree = Tree(self.tree.size, self.tree.edge)  # as after a restart
            done += len(batch)

    def kept(self, level: int, first: int, n: int) -> list[bytes]:
        hashes = self.files[level][first : first + n]
        assert len(hashes) == n, "asked for a hash that is not complete"
        return hashes


def test_known_roots() -> None:
    tree = Tree()
    assert tree.root() == EMPTY
    for n, (leaf, root) in enumerate(zip(LEAVES, ROOTS, strict=True), 1):
        tree.append(leaf_hash(leaf))
        assert (tree.size, tree.root().hex()) == (n, root)
        assert mth(LEAVES[:n]).hex() == root


def test_an_edge_fits_its_size() -> None:
    tree = Grown(11).tree
    assert Tree(11, tree.edge).root() == tree.root()
    for size, edge in ((10, tree.edge), (11, tree.edge[1:]), (11, (b"short", *tree.edge[1:]))):
        with pytest.raises(ValueError):
            Tree(size, edge)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 1500), st.integers(0, 2**16), st.data())
def test_inclusion(n: int, seed: int, data: st.DataObject) -> None:
    grown = Grown(n, seed)
    root = grown.tree.root()
    assert root == mth(grown.leaves) == subtree(0, n, grown.kept)
    index = data.draw(st.integers(0, n - 1))
    leaf, proof = leaf_hash(grown.leaves[index]), inclusion(index, n, grown.kept)
    assert proof == path(index, grown.leaves)
    assert verify_inclusion(leaf, index, n, proof, root)
    other = data.draw(st.integers(0, n - 1).filter(lambda i: i != index)) if n > 1 else index + 1
    assert not verify_inclusion(leaf, other, n, proof, root)
    assert not verify_inclusion(leaf_hash(b"forged"), index, n, proof, root)
    assert not verify_inclusion(leaf, index, n, [*proof, root], root)
    assert not verify_inclusion(leaf, index, n, proof[:-1], root) or not proof
    for at in range(len(proof)):
        assert not verify_inclusion(leaf, index, n, [*proof[:at], b"\0" * 32, *proof[at + 1 :]], root)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 2**16), st.data())
def test_consistency(n: int, seed: int, data: st.DataObject) -> None:
    grown = Grown(n, seed)
    old = data.draw(st.integers(0, n))
    old_root, root = mth(grown.leaves[:old]), grown.tree.root()
    proof = consistency(old, n, grown.kept)
    assert verify_consistency(old, n, proof, old_root, root)
    assert not verify_consistency(old, n, [*proof, root], old_root, root)
    assert not verify_consistency(old, n, proof, leaf_hash(b"x"), root)
    assert not verify_consistency(n + 1, n, proof, old_root, root)
    if 0 < old < n:
        assert not verify_consistency(old, n, proof, old_root, leaf_hash(b"x"))
        assert not verify_consistency(old, n, proof[:-1], old_root, root)
        forked = mth([*grown.leaves[: old - 1], b"another"])
        assert not verify_consistency(old, n, proof, forked, root)


def test_proofs_of_small_trees_exhaustively() -> None:
    grown = Grown(70)
    for n in range(71):
        root = mth(grown.leaves[:n])
        for m in range(n):
            proof = inclusion(m, n, grown.kept)
            assert proof == path(m, grown.leaves[:n])
            assert verify_inclusion(leaf_hash(grown.leaves[m]), m, n, proof, root)
        for m in range(n + 1):
            assert verify_consistency(m, n, consistency(m, n, grown.kept), mth(grown.leaves[:m]), root)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    grown = Grown(5)
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(ValueError):
            inclusion(index, size, grown.kept)
        assert root_from_inclusion(leaf_hash(b""), index, size, []) is None
    with pytest.raises(ValueError):
        consistency(6, 5, grown.kept)


def test_a_proof_in_a_large_log_reads_little() -> None:
    """Ten million records: no more than a few hundred kept hashes are read."""
    read = []

    def kept(level: int, first: int, n: int) -> list[bytes]:
        read.append(n)
        return [b"%032d" % (first + i) for i in range(n)]

    proof = inclusion(1_234_567, 10_000_000, kept)
    assert len(proof) == 24
    assert sum(read) < 2000
