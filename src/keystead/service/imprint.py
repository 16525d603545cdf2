"""Whether a backup is as it was made: all rows of one moment, and of that moment its newest change record, too.

Each row of a backup is sealed, but an older one opens as well; and the change records lie there bare, though the
newest says of what time the backup is (service.since). Whoever has two backups could make a third of them, or give
one another date: then what was taken away between the two would come back. The head is sealed, and names both.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from keystead.core.audit.merkle import leaf_hash
from keystead.core.entities import Kind
from keystead.core.errors import Internal
from keystead.core.keytree import Place
from keystead.core.ports import Reader
from keystead.service.commit import HEAD_META
from keystead.service.inspection import PAGE, pages
from keystead.service.progress import newest_of
from keystead.service.root import ROOT_META, Head, Root
from keystead.service.rows import TALLY_MODULUS, Rows


class Imprint(Struct, frozen=True):
    """What is replaced when a backup is put under another tree: to be taken before."""

    head: bytes | None
    epoch: int
    nodes: tuple[tuple[Place, bytes], ...]

    @classmethod
    def of(cls, reader: Reader) -> Imprint:
        """Raises Internal for a root that is none."""
        return cls(reader.meta(HEAD_META), Root.decode(reader.meta(ROOT_META) or b"").epoch, tuple(_nodes(reader)))

    def newest(self, reader: Reader, rows: Rows) -> bytes:
        """The leaf hash of its newest change record; b"" where that, rows or nodes are not what the head says.

        So is it of a database from before the head named the record. Some 2 µs a row.
        """
        try:
            head = Head.open(rows, self.head, self.epoch)
        except Internal:
            return b""
        total = sum(rows.weigh(row) for kind in Kind for page in pages(reader, kind) for row in page)
        total += sum(rows.weigh_node(place, sealed) for place, sealed in self.nodes)
        number, record = newest_of(reader)
        is_whole = (total % TALLY_MODULUS).to_bytes(32, "big") == head.tally
        return head.newest if is_whole and number and leaf_hash(record) == head.newest else b""


def is_as_made(reader: Reader, rows: Rows) -> bool:
    """Raises Internal where it cannot be read."""
    return Imprint.of(reader).newest(reader, rows) != b""


def _nodes(reader: Reader) -> Iterator[tuple[Place, bytes]]:
    """All of them as they lie there; none is opened. Nothing ever takes one away."""
    after = (-1, 0)
    while page := reader.nodes(after=after, limit=PAGE):
        yield from ((Place(level, at), sealed) for level, at, sealed in page)
        after = page[-1][:2]
