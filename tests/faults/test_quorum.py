"""A quorum whose store fails at every step in turn: an act and the end of its request are one, or neither is."""

from __future__ import annotations

import pytest
from tests.fakes import FaultyStore
from tests.memorystore import MemoryStore
from tests.service.test_quorum import Office

from keystead.core.errors import KeysteadError, NotApproved

MANY = 200


def broken(office: Office, act, at: int, *, lost: bool) -> bool:
    """Whether the store failed within `act`, which may have told so."""
    store = office.stack.store
    store.fail(at, also_lost=lost)
    try:
        act()
    except KeysteadError:
        pass
    finally:
        failed = store.n_operations >= at
        store.fail(None)
    office.stack.generation.announce()
    return failed


@pytest.mark.parametrize("lost", [True, False])
def test_the_act_and_the_end_of_its_request_are_one(*, lost: bool) -> None:
    for at in range(1, MANY):
        office = Office(store=FaultyStore(MemoryStore()))
        request = office.asked().request
        office.approve(office.ann, request)
        office.approve(office.bob, request)
        if not broken(office, office.doom, at, lost=lost):
            assert at > 5
            return
        assert office.doomed is not bool(office.requests()), at
        if not office.doomed:
            office.doom()
        assert office.doomed
        assert office.requests() == []
    raise AssertionError("it never ends")


@pytest.mark.parametrize("lost", [True, False])
def test_a_request_or_an_approval_that_failed_is_there_or_is_not(*, lost: bool) -> None:
    for at in range(1, MANY):
        office = Office(store=FaultyStore(MemoryStore()))
        asked = broken(office, office.doom, at, lost=lost)
        assert not office.doomed
        request = office.asked().request
        assert len(office.requests()) == 1, at
        said = broken(office, lambda office=office, id_=request: office.approve(office.ann, id_), at, lost=lost)
        assert office.asked().n_approvals <= 1
        office.approve(office.ann, request)
        assert office.asked().n_approvals == 1, at
        with pytest.raises(NotApproved):
            office.doom()
        if not asked and not said:
            return
    raise AssertionError("it never ends")
