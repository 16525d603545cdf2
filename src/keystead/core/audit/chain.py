"""Change records, chained: what the sealed head of the database says of rows that lie beside it bare."""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from keystead.core.audit.frame import START
from keystead.core.audit.merkle import leaf_hash


def link(digest: bytes, record: bytes) -> bytes:
    """The chain's digest once `record` has followed."""
    return sha256(digest + leaf_hash(record)).digest()


class Chain(Struct, frozen=True, array_like=True):
    """Of the records numbered `first` + 1 to `last`. Of those up to `first`, which came before it, it says nothing."""

    first: int = 0
    last: int = 0
    digest: bytes = START

    @classmethod
    def from_here(cls, newest: int) -> Chain:
        """One that begins behind the record with that number."""
        return cls(newest, newest)

    def after(self, number: int, record: bytes) -> Chain:
        return Chain(self.first, number, link(self.digest, record))
