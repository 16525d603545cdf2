"""How a target reaches what stands below it in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from keystead.core.entities import Entity
from keystead.core.providers import KeyStores, Provider
from keystead.service.barrier import Barrier
from keystead.service.hsms import Hsms
from keystead.service.meter import Meter

E = TypeVar("E", bound=Entity)
PAGE = 1000
EVERY = 1_000_000  # of what is to be seen at one moment


class Reach:
    """How targets reach their subtree; one per view."""

    __slots__ = ("barrier", "hsms", "may_block", "may_wait", "meter", "outside", "provider")

    def __init__(
        self,
        barrier: Barrier,
        provider: Provider,
        outside: KeyStores,
        may_block: Callable[[], None],
        may_wait: Callable[..., None],
        hsms: Hsms,
        meter: Meter | None = None,
    ) -> None:
        self.barrier, self.provider, self.outside, self.hsms = barrier, provider, outside, hsms
        self.may_block, self.may_wait, self.meter = may_block, may_wait, meter

    def get(self, kind: type[E], id: str) -> E | None:
        self.may_block()
        return self.barrier.get(kind, id)

    def children(self, kind: type[E], parent: str, after: str, limit: int) -> list[E]:
        self.may_block()
        return self.barrier.children(kind, parent, after=after, limit=limit)

    def every_child(self, kind: type[E], parent: str) -> Iterator[E]:
        after = ""
        while page := self.children(kind, parent, after, PAGE):
            yield from page
            after = page[-1].id

    def every(self, kind: type[E]) -> Iterator[E]:
        """All rows of that kind, page by page."""
        after = ""
        self.may_block()
        while page := self.barrier.every(kind, after=after, limit=PAGE):
            yield from page
            after = page[-1].id

    def every_linked(self, kind: type[E], link: str) -> Iterator[E]:
        """All of them, page by page."""
        after = ""
        self.may_block()
        while page := self.barrier.linked(kind, link, after=after, limit=PAGE):
            yield from page
            after = page[-1].id

    def linked(self, kind: type[E], link: str) -> list[E]:
        """All of them as they are at one moment."""
        self.may_block()
        return self.barrier.linked(kind, link, limit=EVERY)
