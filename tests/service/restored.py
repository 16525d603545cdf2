"""An installation, a backup of then, and a log of what was done since: what the tests of restoring share."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.doors.aws_kms.managing import ask
from tests.fakes import SeededEntropy
from tests.harness import Stack, stack
from tests.memorystore import MemoryStore

from keystead.core.entities import Entity
from keystead.service.barrier import Barrier, Commit
from keystead.service.custody import export_tree, graft
from keystead.service.restoring import Restored, restore
from keystead.service.since import Since, told

EVERY = 1_000_000


class Past:
    """What `stack` was at one moment."""

    def __init__(self, site: Stack) -> None:
        self.stack = site
        self.store = MemoryStore()
        self.store._content = copy.deepcopy(site.store._content)

    def since(self) -> Since:
        """As the sequencer would have the log: every change since, in order."""
        return told(self._records())

    def _records(self) -> Iterator[tuple[int, bytes]]:
        newest = self.store.records(0, EVERY)[-1][0]
        return iter(self.stack.store.records(newest - 1, EVERY))

    def restore(self, since: Since | None = None) -> Restored:
        site = self.stack
        known = self.since() if since is None else since
        done = restore(self.store, site.barrier, site.store, known, site.clock.now())
        site.generation.announce()
        site.view.forget()
        return done


class Office:
    """At the AWS door."""

    def __init__(self) -> None:
        self.stack = stack()
        self.admin = self.stack.admin

    def ask(self, operation: str, **members: Any) -> Any:
        return ask(self.admin, operation, **members)

    def keep(self) -> Past:
        return Past(self.stack)

    def lose(self, *gone: Entity) -> None:
        """Rows as if the disk had lost them: nothing was destroyed, and nothing is on record."""
        barrier = self.stack.barrier
        today = [barrier.get(type(one), one.id) for one in gone]
        barrier.commit(Commit(delete=tuple(one for one in today if one is not None)))
        self.stack.generation.announce()


def become(past: Past) -> Barrier:
    """The backup as the database of today's slot; `past.store` is it from now on."""
    site = past.stack
    tree = export_tree(site.barrier, site.store)
    graft(past.store, tree, site.slot, SeededEntropy(7), site.unseal, site.clock.now())
    barrier = Barrier(past.store, site.slot, SeededEntropy(8), clock=site.clock)
    barrier.open(site.unseal)
    return barrier
