"""The installation as a target."""

from __future__ import annotations

from collections.abc import Iterator

from keystead.core.entities import Binding, Erasure, GivenUp, Keyring, SlotRule, Tenant
from keystead.core.errors import NotFound
from keystead.service.barrier import Barrier
from keystead.service.held.approvals import OfApprovals
from keystead.service.held.tenants import HeldTenant
from keystead.service.reach import Reach


class HeldSystem(OfApprovals):
    """The installation."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    tenant = ""
    id = "system"

    @property
    def barrier(self) -> Barrier:
        self._reach.may_block()
        return self._reach.barrier

    def keyrings(self, *, after: str, limit: int) -> list[Keyring]:
        self._reach.may_block()
        return self._reach.barrier.every(Keyring, after=after, limit=limit)

    def keyring(self, id: str) -> Keyring:
        if (found := self._reach.get(Keyring, id)) is None:
            raise NotFound("no such keyring", "keyring")
        return found

    def addresses(self, keyring: Keyring) -> tuple[str, ...]:
        return tuple(binding.id for binding in self._reach.every_child(Binding, keyring.id))

    def tenant_record(self, id: str) -> Tenant | None:
        return self._reach.get(Tenant, id)

    def tenant_of(self, record: Tenant) -> HeldTenant:
        """A tenant, kept already or about to be."""
        return HeldTenant(record, self._reach)

    @property
    def slot_rule(self) -> SlotRule:
        return self.barrier.slot_rule

    def erasure(self, name: str) -> Erasure | None:
        return self._reach.get(Erasure, name)

    def erasures(self) -> Iterator[Erasure]:
        """Those that are not damaged."""
        self._reach.may_block()
        return self.barrier.all_sound(Erasure)

    def given_up(self, name: str) -> GivenUp | None:
        return self._reach.get(GivenUp, name)

    def all_given_up(self) -> Iterator[GivenUp]:
        """Those that are not damaged."""
        self._reach.may_block()
        return self.barrier.all_sound(GivenUp)

    def binding(self, namespace: str) -> Binding | None:
        return self._reach.get(Binding, namespace)
