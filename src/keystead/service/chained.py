"""What the sealed head of the database says of its change records (service.sequencer.Sealed)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from keystead.core.audit.chain import Chain
from keystead.core.errors import Internal
from keystead.core.ports import Reader, Store, Transaction
from keystead.service.progress import newest_of
from keystead.service.root import Head


class Heads(Protocol):
    """As much of a Barrier as it takes."""

    def head(self, reader: Reader, /) -> Head: ...

    def amend(self, head: Callable[[Transaction, Head], Head], /) -> None: ...


def begun(txn: Reader, head: Head) -> Head:
    """The head with a chain that begins behind the newest record there is."""
    return replace(head, chain=Chain.from_here(newest_of(txn)[0]))


class Chained:
    """Of an open barrier, and its store."""

    def __init__(self, barrier: Heads, store: Store) -> None:
        self._barrier, self._store = barrier, store

    def chain(self) -> Chain | None:
        """None: the head is of before they were chained. Raises Internal."""
        try:
            return self._barrier.head(self._store).chain
        except Internal:  # or the root was replaced between two readings: not while we hold the write lock
            with self._store.transaction() as txn:
                return self._barrier.head(txn).chain

    def begin_chain(self) -> None:
        """Chain them from here on."""
        self._barrier.amend(begun)
