"""Which leaf of the key tree each version of a key is under, as the key's own row keeps it (docs/adr/0048).

A damaged row of a version takes along what stands in it; this is what a destruction needs of it, and stands elsewhere.
Four bytes a version, by number: big-endian, signed. A leaf is never filled twice, so an entry that is out of date names
an empty one, and never another's.
"""

from __future__ import annotations

from struct import pack, unpack_from

BYTES = 4
UNKNOWN = 0  # leaf 0 is the anchor of the tree, and no version's
NONE = -1  # it is under none: it never held anything, or does no more


def leaf_of(leaves: bytes, number: int) -> int:
    """The leaf of version `number` (from 1), NONE, or UNKNOWN."""
    at = (number - 1) * BYTES
    found: int = unpack_from(">i", leaves, at)[0] if at >= 0 and at + BYTES <= len(leaves) else UNKNOWN
    return found


def with_leaf(leaves: bytes, number: int, leaf: int) -> bytes:
    at = (number - 1) * BYTES
    return leaves[:at].ljust(at, b"\0") + pack(">i", leaf) + leaves[at + BYTES :]
