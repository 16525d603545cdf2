"""Related keys as a second worker holds them: by the family's id, and never longer than they are what they were."""

from __future__ import annotations

import threading

import pytest
from tests.doors.aws_kms.managing import ask, wait
from tests.doors.aws_kms.related import primary, replicated, schedule, sealed, three_regions, update
from tests.harness import OTHER_REGION, OTHER_TENANT, TENANT

from keystead.core.entities import Key, Name
from keystead.core.envelope import peek
from keystead.core.family import family_of, in_header, is_family, known_as, new_copy, new_family, of_header
from keystead.core.operations import KeyRef, LocateKey
from keystead.core.ports import WouldBlock
from keystead.core.states import KeyState
from keystead.service.view import View

THERE = f"aws:{TENANT}:{OTHER_REGION}"


@pytest.fixture
def office():
    return three_regions()


@pytest.fixture
def worker(office):
    """Another process's view of the same store and generation."""
    return View(office.barrier, office.store, office.provider, office.generation)


def test_ids_and_back() -> None:
    family = new_family(bytes(range(16)))
    copy = new_copy(family, bytes(8))
    uuid = "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert family == "mrk-000102030405060708090a0b0c0d0e0f" == known_as(copy) == known_as(family) == family_of(copy)
    assert in_header(family) == in_header(copy) == in_header(uuid) == uuid and of_header(uuid) == family
    assert is_family(family) and not is_family(copy) and not is_family(uuid)
    assert known_as(uuid) == uuid and family_of(uuid) == family_of(family) == ""


def test_a_copy_is_held_under_every_way_to_name_it_and_no_use_of_it_blocks(office, worker) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    blob = office.admin.client("kms").encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    by_id, by_ciphertext = KeyRef(THERE, id=key_id), KeyRef(THERE, id=peek(blob)[0], by_ciphertext=True)
    held = worker.find(by_id)
    assert held is worker.find(by_ciphertext) and held.key.keyring == held.keyring.id
    assert held.version().loaded is not None
    worker.loop_thread = threading.get_ident()
    for ref in (by_id, by_ciphertext):
        assert worker.find(ref) is held and worker.find(ref).version().loaded
    with pytest.raises(WouldBlock):
        held.relatives()


def test_what_is_shared_changes_in_every_worker_with_one_announcement(office, worker) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    ref = KeyRef(THERE, id=key_id)
    before = worker.find(ref)
    generation = office.generation.n
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert office.generation.n == generation + 1
    worker.refresh()
    rotated = worker.find(ref)
    assert (before.key.current, rotated.key.current) == (1, 2)
    assert not rotated.key.is_primary and update(office, key_id, OTHER_REGION).status == 200
    worker.refresh()
    assert worker.find(ref).key.is_primary


def test_a_copy_that_is_gone_gives_way_to_the_next_one(office, worker) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    ref = KeyRef(THERE, id=key_id)
    first = worker.find(ref)
    schedule(office, key_id, OTHER_REGION)
    assert wait(office, days=7) == 1
    worker.refresh()
    gone = worker.find(ref)
    assert gone.id == first.id and gone.key.lifecycle.state is KeyState.DESTROYED
    replicated(office, key_id)  # of which the worker has not heard when it is asked
    found = worker.find(ref)
    assert found.id != first.id and found.key.lifecycle.state is KeyState.ACTIVE
    assert set(office.by_system(LocateKey(key_id=key_id)).namespaces) == {f"aws:{TENANT}:us-east-1", THERE}


def test_a_family_is_found_where_its_copies_are_and_nowhere_else(office, worker) -> None:
    office.keyring(OTHER_TENANT, OTHER_REGION)
    key_id = primary(office)
    replicated(office, key_id)
    for at in (f"aws:{TENANT}:ap-southeast-2", f"aws:{OTHER_TENANT}:{OTHER_REGION}", "gcp:x:y", "aws::"):
        assert worker.find(KeyRef(at, id=key_id)) is None
    (copy,) = (key for key in office.barrier.linked(Key, key_id) if not key.is_primary)
    # By its own id, as the scheduler does; and from a ciphertext of another tenant's at the same place.
    assert worker.find(KeyRef(THERE, id=copy.id)).id == copy.id
    abroad = KeyRef(f"aws:{OTHER_TENANT}:{OTHER_REGION}", id=in_header(key_id), by_ciphertext=True)
    assert worker.find(abroad).id == copy.id
    assert sealed(office, key_id, OTHER_REGION) and office.barrier.linked(Name, key_id) == []
