"""Change records of the store, held to what its head says of them: they lie there bare, and the head is sealed.

Rule 1: the head is read after the rows. Both are of one transaction, so it knows of every row that was read.
Rule 2: all that wait are looked at before the first of them is handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain as concatenated

from keystead.core.audit.chain import Chain, link
from keystead.core.audit.frame import START
from keystead.core.errors import Conflict
from keystead.core.ports import Reader
from keystead.service.progress import BATCH

Numbered = tuple[int, bytes]


class Changes:
    """`sealed`: what the head says of them (service.chained). None: it is of before they were chained."""

    def __init__(self, store: Reader, sealed: Callable[[], Chain | None]) -> None:
        self._store, self._sealed = store, sealed

    def after(self, number: int, digest: bytes) -> tuple[list[Numbered], bytes]:
        """The next ones, up to 10,000, and the digest of the chain with them. `digest`: of it as far as `number`.

        Raises Conflict where one is missing, or is another than was written, or nobody has written it.
        """
        rows = self._store.records(number, BATCH)
        if (chain := self._sealed()) is None:
            raise Conflict("the head of the store does not say which change records there are")
        if number <= chain.first:
            digest = START
        last = rows[-1][0] if rows else number
        if last > chain.last:
            raise Conflict(f"the store has change records {chain.last + 1} to {last}, which nobody has written")
        at = number if number or not chain.first else _before(rows, chain)
        handed_out = digest
        for n, record in concatenated(rows, self._between(last, chain.last)):
            if n != at + 1:
                raise Conflict(f"the store has lost change records {at + 1} to {n - 1}")
            at, digest = n, link(digest, record) if n > chain.first else digest
            handed_out = digest if n == last else handed_out
        if at != chain.last:
            raise Conflict(f"the store has lost change records {at + 1} to {chain.last}")
        if at > chain.first and digest != chain.digest:
            raise Conflict(f"change records {number + 1} to {at} of the store are not those that were written")
        return rows, handed_out

    def _between(self, after: int, last: int) -> Iterator[Numbered]:
        while after < last and (rows := self._store.records(after, min(BATCH, last - after))):
            yield from rows
            after = rows[-1][0]


def _before(rows: list[Numbered], chain: Chain) -> int:
    """Where a log that begins behind others begins: those before it may be gone."""
    return rows[0][0] - 1 if rows else chain.first
