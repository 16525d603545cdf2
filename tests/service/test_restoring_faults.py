"""Rows that are put back, and what is taken away again, whichever operation of the store fails on the way.

What had been narrowed is never open meanwhile, and whoever does it once more has what was to come of it.
"""

from __future__ import annotations

import copy
from contextlib import suppress

import pytest
from tests.fakes import FaultyStore
from tests.harness import TENANT, stack
from tests.memorystore import MemoryStore
from tests.service.restored import Office, Past

from keystead.core import operations as ops
from keystead.core.entities import Key, KeyPolicy, KeyVersion, Name, Principal
from keystead.core.errors import KeysteadError
from keystead.core.states import KeyState
from keystead.service.barrier import Barrier
from keystead.service.inspection import inspect
from keystead.service.undone import undo

OPERATIONS = 1000


class Flaky(Office):
    """On a store that fails when it is told to; two keys in a backup, of which one was narrowed since, and a user."""

    def __init__(self) -> None:
        self.store = FaultyStore(MemoryStore())
        self.stack = stack(store=self.store)
        self.admin = self.stack.admin
        self.open, self.shut = (self.stack.key().id for _ in range(2))
        self.stack.name(self.stack.barrier.get(Key, self.open), "kept")
        self.user = self.stack.user("ann")
        self.past = Then(self)
        self.ask("DisableKey", KeyId=self.shut)

    def lost(self) -> None:
        barrier = self.stack.barrier
        (name,) = barrier.children(Name, barrier.get(Key, self.open).keyring)
        rows = [barrier.get(of, id_) for of in (Key, KeyPolicy) for id_ in (self.open, self.shut)]
        self.lose(*rows, name, barrier.get(KeyVersion, f"{self.open}/1"))

    def states(self) -> list[KeyState | None]:
        found = [self.stack.barrier.get(Key, id_) for id_ in (self.open, self.shut)]
        return [None if one is None else one.lifecycle.state for one in found]


class Then(Past):
    def __init__(self, office: Flaky) -> None:
        self.stack = office.stack
        self.store = MemoryStore()
        self.store._content = copy.deepcopy(office.store.store._content)


@pytest.mark.parametrize("also_lost", [True, False], ids=["lost", "kept"])
def test_rows_are_put_back_all_the_same(also_lost) -> None:
    n_failed = 0
    for at in range(1, OPERATIONS, 5):
        office = Flaky()
        office.lost()
        office.store.fail(at, also_lost=also_lost)
        try:
            office.past.restore()
        except KeysteadError:
            n_failed += 1
        n_operations = office.store.n_operations
        office.store.fail(None)
        assert office.states()[1] in {None, KeyState.SUSPENDED}, "never open, not even until it is done again"
        office.past.restore()
        assert office.states() == [KeyState.ACTIVE, KeyState.SUSPENDED]
        barrier = office.stack.barrier
        assert barrier.material(barrier.get(KeyVersion, f"{office.open}/1")).reveal()
        assert inspect(barrier, office.store).whole
        if n_operations < at:
            break
    else:
        pytest.fail("there is no end of operations")
    assert n_failed > 10


@pytest.mark.parametrize("also_lost", [True, False], ids=["lost", "kept"])
def test_what_was_taken_away_since_is_taken_away_again(also_lost) -> None:
    """Of the whole database: it is served by nobody before this is done (app.recovery)."""
    n_failed = 0
    office = Flaky()
    office.stack.by_system(ops.SetPrincipalEnabled(tenant=ops.TenantRef(TENANT), name="ann", enabled=False))
    since = office.past.since()
    for at in range(1, OPERATIONS):
        store = MemoryStore()
        store._content = copy.deepcopy(office.past.store._content)
        faulty = FaultyStore(store)
        barrier = Barrier(faulty, office.stack.slot, office.stack.entropy, clock=office.stack.clock)
        barrier.open(office.stack.unseal, settle=False)
        faulty.fail(at, also_lost=also_lost)
        with suppress(KeysteadError):
            undo(barrier, since, office.stack.clock.now())
        n_failed += faulty.n_operations >= at
        n_operations = faulty.n_operations
        faulty.fail(None)
        undo(barrier, since, office.stack.clock.now())
        states = [barrier.get(Key, id_).lifecycle.state for id_ in (office.open, office.shut)]
        assert states == [KeyState.ACTIVE, KeyState.SUSPENDED]
        assert not barrier.get(Principal, office.user.principal.id).enabled
        if n_operations < at:
            break
    else:
        pytest.fail("there is no end of operations")
    assert n_failed > 10
