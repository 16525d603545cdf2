"""What the store's meta says of the root, and the key tree opened below it.

meta "root"  epoch, check value of U, and the root node key sealed under R once for each slot, any of which opens it;
             R = HMAC-SHA-256(U, "keystead/root/v1" ‖ what the slot gives): its secret S, or an HSM's HMAC under S of
             HMAC-SHA-256(U, "keystead/slot/v1") (docs/adr/0036-slots.md)
meta "head"  commits so far, next leaf, tally over all rows and nodes, the newest change record's leaf hash, the chain
             of change records; sealed under the row key with the epoch
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core.audit.chain import Chain
from keystead.core.audit.merkle import leaf_hash
from keystead.core.errors import DecryptionFailed, Internal
from keystead.core.keytree import DEPTH, EMPTY, Place, child, path
from keystead.core.ports import Reader
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.service.rows import ENCODER, TALLY_MODULUS, Rows

ROOT_META = "root"
N_INNER, N_LAST = 128, 256
"""Nodes of 2 KiB that are kept: above the last level those that lead to half a million leaves, and of the last level
those of the 16,384 that are beside each other."""


def wrapping_key(unseal_key: bytes, given: bytes) -> bytes:
    """R, which wraps the root node key: neither U nor what the slot gives is enough alone."""
    return hmac.digest(unseal_key, b"keystead/root/v1" + given, "sha256")


def challenge(unseal_key: Sensitive) -> Sensitive:
    """What a slot is asked with: it shows nothing of U, and without U nobody asks the same."""
    return Sensitive(hmac.digest(unseal_key.reveal(), b"keystead/slot/v1", "sha256"))


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


FILE = "file"
"""The slot that was the only one there could be."""


class Wrap(Struct, frozen=True, array_like=True):
    """The root node key under what one slot gives."""

    slot: str
    generation: str
    sealed: bytes

    @classmethod
    def make(cls, slot: str, generation: str, wrapped_by: bytes, key: bytes, epoch: int, nonce: bytes) -> Self:
        return cls(slot, generation, GcmSiv(wrapped_by).seal(nonce, key, bound_to(generation, epoch)))

    def unwrap(self, wrapped_by: bytes, epoch: int) -> bytes:
        """The root node key. Raises Internal where it does not verify."""
        try:
            return GcmSiv(wrapped_by).open(self.sealed, bound_to(self.generation, epoch))
        except DecryptionFailed as error:
            raise Internal("the root of the key tree does not verify") from error


def bound_to(generation: str, epoch: int) -> bytes:
    """The AAD of a wrapped root node key."""
    return ENCODER.encode(("root", generation, epoch))


class Escrow(Struct, frozen=True, array_like=True):
    """The same for a recovery key, in the place of a slot; `parcel`: its secret, sealed to the public half (HPKE)."""

    wrap: Wrap
    parcel: bytes


class Root(Struct, frozen=True, array_like=True):
    """meta "root". `owner`: what tells this installation's secrets from others' in the same HSM; "": nothing yet."""

    epoch: int
    check: bytes
    wraps: tuple[Wrap, ...]
    owner: str = ""
    n_erased: int = 0  # leaves that went since this root came: its older copies open them
    escrows: tuple[Escrow, ...] = ()

    @property
    def generation(self) -> str:
        """Of all slots, as one word."""
        return "+".join(wrap.generation for wrap in self.wraps)

    @property
    def generations(self) -> dict[str, str]:
        """slot -> generation"""
        return {wrap.slot: wrap.generation for wrap in self.wraps}

    @property
    def openers(self) -> dict[str, str]:
        """Everything that opens it beside U, by name."""
        return {**self.generations, **{one.wrap.slot: one.wrap.generation for one in self.escrows}}

    @classmethod
    def decode(cls, blob: bytes) -> Self:
        try:
            return msgspec.msgpack.decode(blob, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return cls._of_one_slot(blob, error)

    @classmethod
    def _of_one_slot(cls, blob: bytes, error: Exception) -> Self:
        """As roots were written when there was one slot."""
        try:
            generation, epoch, check, sealed = msgspec.msgpack.decode(blob, type=tuple[str, int, bytes, bytes])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Internal("meta root does not verify") from error
        return cls(epoch, check, (Wrap(FILE, generation, sealed),))


class Head(Struct, frozen=True, array_like=True):
    """meta "head"."""

    n_commits: int
    next_leaf: int
    tally: bytes
    openers: dict[str, str] = {}  # as Root.openers: the root itself is not sealed; {}: from before this was kept
    newest: bytes = b""  # leaf hash of the newest change record, which lies beside it bare; b"": likewise
    chain: Chain | None = None  # of change records; None: likewise, and nothing of the audit log was keyed

    def seal(self, rows: Rows, epoch: int) -> bytes:
        return rows.seal_fact("head", ENCODER.encode(self), epoch)

    @classmethod
    def open(cls, rows: Rows, sealed: bytes | None, epoch: int) -> Self:
        return msgspec.msgpack.decode(rows.open_fact("head", sealed, epoch), type=cls)

    def after(self, *, next_leaf: int, gained: int) -> Self:
        """The head after one more commit, in which rows weighing `gained` came (and went: less)."""
        return replace(self.weighing(gained), n_commits=self.n_commits + 1, next_leaf=next_leaf)

    def recorded(self, number: int, record: bytes) -> Self:
        """The same once a change record has come, with that number."""
        chain = None if self.chain is None else self.chain.after(number, record)
        return replace(self, newest=leaf_hash(record), chain=chain)

    def weighing(self, gained: int) -> Self:
        """The same once rows or nodes of that weight have come."""
        tally = (int.from_bytes(self.tally, "big") + gained) % TALLY_MODULUS
        return replace(self, tally=tally.to_bytes(32, "big"))


class Tree:
    """The key tree below one root: what may be read of it is kept, up to a bound. Dropped when the root moves."""

    def __init__(self, blob: bytes, root: Root, key: bytes, cipher: Nodes) -> None:
        self.blob, self.root, self.key, self.cipher = blob, root, key, cipher
        self._inner: dict[Place, bytes] = {}  # opened nodes
        self._last: dict[Place, bytes] = {}

    def leaf(self, reader: Reader, position: int) -> bytes:
        """The leaf key, or EMPTY. Raises Internal where a node does not verify: then see whether the root has moved."""
        key = self.key
        for place, slot in path(position):
            kept = self._last if place.level == DEPTH - 1 else self._inner
            node = kept.get(place)
            # A child that another process has filled meanwhile is not in what is kept; one that is there never changes.
            if node is None or child(node, slot) == EMPTY:
                node = self._open(reader, key, place)
                _keep(kept, place, node)
            if (key := child(node, slot)) == EMPTY:
                break
        return key

    def _open(self, reader: Reader, key: bytes, place: Place) -> bytes:
        if (sealed := reader.node(*place)) is None:
            raise Internal(f"node {place.level}/{place.at} of the key tree is missing")
        return self.cipher.open(key, place, sealed)


def _keep(kept: dict[Place, bytes], place: Place, node: bytes) -> None:
    if len(kept) >= (N_LAST if place.level == DEPTH - 1 else N_INNER):
        kept.clear()
    kept[place] = node


def read_node(reader: Reader) -> Callable[[Place], bytes | None]:
    return lambda place: reader.node(*place)
