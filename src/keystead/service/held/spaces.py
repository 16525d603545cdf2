"""What a tenant has for the tenants below it (service.held)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from keystead.core.entities import Entity, Lineage, Namespace, Tenant
from keystead.core.errors import Internal
from keystead.service.contents import below
from keystead.service.reach import PAGE

if TYPE_CHECKING:
    from keystead.service.barrier import Barrier
    from keystead.service.held import HeldTenant
    from keystead.service.reach import Reach

E = TypeVar("E", bound=Entity)


def chain_of(get: Callable[[type[Namespace], str], Namespace | None], tenant: str) -> Lineage:
    """From the first below the root down to the tenant's own; () where it stands alone. Several reads."""
    found: list[Namespace] = []
    while (one := get(Namespace, found[-1].above if found else tenant)) is not None:
        found.append(one)
    return tuple(reversed(found))


def has_ended(chain: Lineage) -> bool:
    """Whether nobody comes in any more, and nothing of it is there for anybody."""
    return any(one.ends for one in chain)


def first_tenant(barrier: Barrier) -> str:
    """The one the installation began with: the oldest that stands below no other, whatever the clock has said since."""
    every: list[Tenant] = []
    while page := barrier.every(Tenant, after=every[-1].id if every else "", limit=PAGE):
        every += page
    oldest = sorted(every, key=lambda one: one.created_at)
    return next(one.id for one in oldest if barrier.get(Namespace, one.id) is None)


class OfSpaces:
    """Part of service.held.HeldTenant."""

    _reach: Reach
    id: str
    record: Tenant

    @abstractmethod
    def other(self, record: Tenant) -> HeldTenant:
        """Another tenant, kept already or about to be."""

    def space(self) -> Namespace | None:
        """Where it stands below another tenant, if it does."""
        return self._reach.get(Namespace, self.id)

    def sign(self) -> str:
        """What its tokens and accessors end in; "" where it stands alone."""
        space = self.space()
        return "" if space is None else space.suffix

    def chain(self) -> Lineage:
        return chain_of(self._reach.get, self.id)

    def chain_of(self, tenant: str) -> Lineage:
        """Another tenant's, whose token is being looked at."""
        return chain_of(self._reach.get, tenant)

    def spaces(self) -> list[Namespace]:
        """Its children."""
        return list(self._reach.every_child(Namespace, self.id))

    def has_spaces(self) -> bool:
        return bool(self._reach.children(Namespace, self.id, "", 1))

    def space_named(self, name: str) -> Namespace | None:
        self._reach.may_block()
        return next(iter(self._reach.barrier.linked(Namespace, self.space_digest(name), limit=1)), None)

    def space_digest(self, name: str) -> str:
        return self._reach.barrier.name_id(f"namespace:{self.id}", name)

    def has_below(self, tenant: str) -> bool:
        """Whether that tenant stands below this one, at whatever depth."""
        return any(one.above == self.id for one in chain_of(self._reach.get, tenant))

    def tenant_of_space(self, space: Namespace) -> HeldTenant:
        """Of one below this tenant, at whatever depth. Raises Internal."""
        record = self._reach.get(Tenant, space.id)
        if record is None or not self.has_below(space.id):
            raise Internal("a namespace's tenant is missing, or is not below this one")
        return self.other(record)

    def is_taken(self, id: str) -> bool:
        """Whether there is a tenant of that id."""
        return self._reach.get(Tenant, id) is not None

    def contents(self, limit: int) -> list[Entity]:
        """Some of what it has, the lowest first; nothing twice."""
        found = {(one.kind, one.id): one for one in islice(below(self._reach, self.record), limit)}
        return list(found.values())

    def astray(self, of: type[E], after: str, limit: int) -> tuple[list[E], str | None]:
        """Of `limit` rows of that kind those that are this tenant's, wherever they hang; where to go on."""
        self._reach.may_block()
        page = self._reach.barrier.every(of, after=after, limit=limit)
        found = [one for one in page if getattr(one, "tenant", "") == self.id]
        return found, page[-1].id if len(page) == limit else None

    def all_spaces(self) -> Iterator[Lineage]:
        """Every one below it, each after the one it stands in, by name."""
        start = self.chain()

        def walk(chain: Lineage, tenant: str) -> Iterator[Lineage]:
            for one in sorted(self._reach.every_child(Namespace, tenant), key=lambda space: space.name):
                yield (*chain, one)
                yield from walk((*chain, one), one.id)

        return walk(start, self.id)
