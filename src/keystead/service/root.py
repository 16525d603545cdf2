"""What the store's meta says of the root, and the key tree opened below it.

meta "root"  generation of the slot, epoch, check value of U, root node key sealed under R;
             R = HMAC-SHA-256(U, "keystead/root/v1" ‖ S)
meta "head"  commits so far, next leaf, tally over all rows and nodes; sealed under the row key with the epoch
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Self

import msgspec
from msgspec import Struct

from keystead.core.errors import DecryptionFailed, Internal
from keystead.core.keytree import DEPTH, EMPTY, Place, child, path
from keystead.core.ports import Reader
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.service.rows import ENCODER, TALLY_MODULUS, Rows

N_CACHED = 1024  # nodes of 2 KiB: the leaves of 65,536 key versions


def wrapping_key(unseal_key: bytes, secret: bytes) -> bytes:
    """R, which wraps the root node key: neither U nor the slot secret alone gives it."""
    return hmac.digest(unseal_key, b"keystead/root/v1" + secret, "sha256")


def check_value(unseal_key: bytes) -> bytes:
    """Tells a wrong U from a damaged root. U is 256 random bits: 128 bits of a PRF of it tell nothing."""
    return hmac.digest(unseal_key, b"keystead/unseal-check/v1", "sha256")[:16]


class Nodes:
    """Seals and opens nodes of the key tree, bound to their place (core.keytree.NodeCipher).

    A node key seals at most 65 times: when the node is made, and once for each child that fills. A random 96-bit nonce
    comes twice in 65 with 2^-85; under GCM-SIV even that shows nothing, as the two texts differ.
    """

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy

    def seal(self, key: bytes, place: Place, node: bytes) -> bytes:
        return GcmSiv(key).seal(self._entropy(NONCE_BYTES), node, ENCODER.encode(("node", *place)))

    def open(self, key: bytes, place: Place, sealed: bytes) -> bytes:
        """Raises Internal where the node does not verify."""
        try:
            return GcmSiv(key).open(sealed, ENCODER.encode(("node", *place)))
        except DecryptionFailed as error:
            raise Internal(f"node {place.level}/{place.at} of the key tree does not verify") from error


class Root(Struct, frozen=True, array_like=True):
    """meta "root"."""

    generation: str
    epoch: int
    check: bytes
    sealed: bytes

    @classmethod
    def wrap(cls, key: bytes, unseal_key: bytes, secret: bytes, generation: str, epoch: int, nonce: bytes) -> Self:
        aad = ENCODER.encode(("root", generation, epoch))
        sealed = GcmSiv(wrapping_key(unseal_key, secret)).seal(nonce, key, aad)
        return cls(generation, epoch, check_value(unseal_key), sealed)

    def unwrap(self, wrapped_by: bytes) -> bytes:
        """The root node key. Raises Internal where it does not verify."""
        try:
            return GcmSiv(wrapped_by).open(self.sealed, ENCODER.encode(("root", self.generation, self.epoch)))
        except DecryptionFailed as error:
            raise Internal("the root of the key tree does not verify") from error

    @classmethod
    def decode(cls, blob: bytes) -> Self:
        try:
            return msgspec.msgpack.decode(blob, type=cls)
        except msgspec.DecodeError as error:
            raise Internal("meta root does not verify") from error


class Head(Struct, frozen=True, array_like=True):
    """meta "head"."""

    n_commits: int
    next_leaf: int
    tally: bytes

    def seal(self, rows: Rows, epoch: int) -> bytes:
        return rows.seal_fact("head", ENCODER.encode(self), epoch)

    @classmethod
    def open(cls, rows: Rows, sealed: bytes | None, epoch: int) -> Self:
        return msgspec.msgpack.decode(rows.open_fact("head", sealed, epoch), type=cls)

    def after(self, *, next_leaf: int, gained: int) -> Self:
        """The head after one more commit, in which rows and nodes weighing `gained` came (and went: less)."""
        tally = (int.from_bytes(self.tally, "big") + gained) % TALLY_MODULUS
        return type(self)(self.n_commits + 1, next_leaf, tally.to_bytes(32, "big"))


class Tree:
    """The key tree below one root: what may be read of it is kept, up to a bound. Dropped when the root moves."""

    def __init__(self, blob: bytes, root: Root, key: bytes, cipher: Nodes) -> None:
        self.blob, self.root, self.key, self.cipher = blob, root, key, cipher
        self._leaves: dict[int, bytes] = {}  # opened nodes of the last level, by index

    def leaf(self, reader: Reader, position: int) -> bytes:
        """The leaf key, or EMPTY. Raises Internal where a node does not verify: then see whether the root has moved."""
        node = self._leaves.get(position >> 6)
        if node is not None and (key := child(node, position & 63)) != EMPTY:
            return key
        return self._walk(reader, position)  # a leaf that another process filled is not in what we kept

    def _walk(self, reader: Reader, position: int) -> bytes:
        key = self.key
        for place, slot in path(position):
            if (sealed := reader.node(*place)) is None:
                raise Internal(f"node {place.level}/{place.at} of the key tree is missing")
            node = self.cipher.open(key, place, sealed)
            if (key := child(node, slot)) == EMPTY:
                break
        if place.level == DEPTH - 1:
            if len(self._leaves) >= N_CACHED:
                self._leaves.clear()
            self._leaves[place.at] = node
        return key


def read_node(reader: Reader) -> Callable[[Place], bytes | None]:
    return lambda place: reader.node(*place)
