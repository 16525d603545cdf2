"""What was destroyed stays destroyed, whatever fails meanwhile (research/security.md §6; rows 97, 108, 120)."""

import time

import pytest
from tests.fakes import FaultyStore, MemorySlot, SeededEntropy
from tests.faults.run_destruction import ACTIVE, NOW, U, drill, equipped, material_of, timed
from tests.memorystore import MemoryStore

from keystead.core.entities import KeyVersion
from keystead.core.errors import KeysteadError, Unavailable, WrongState
from keystead.service.barrier import Barrier, Commit
from keystead.service.inspection import inspect


def test_what_makes_ready_is_not_timed():
    """A figure that was the difference of two medians could be below nothing."""
    ready = []
    took = timed(ready.pop, 5, before=lambda: time.sleep(0.05) or ready.append(1))
    assert 0 <= took < 50
    assert not ready


@pytest.mark.torture
def test_row_97_ten_thousand_keys_fifty_destroyed_and_a_death_at_every_step(tmp_path):
    figures = drill(tmp_path, 10_000)
    assert figures["destroyed keys opened from the old backup"] == 0
    assert figures["survivors opened"] == 10_000


@pytest.mark.torture
@pytest.mark.parametrize("kinds", ["file,pkcs11", "file,tpm", "file,pkcs11,tpm"])
def test_row_97_in_a_token_and_a_tpm_too_and_with_each_slot_lost(tmp_path, kinds):
    with equipped(tmp_path, kinds.split(",")):
        figures = drill(tmp_path, 500)
    assert figures["destroyed keys opened from the old backup"] == 0
    assert figures["survivors opened"] == 500
    without = [figure for name, figure in figures.items() if name.startswith("survivors opened without")]
    assert len(without) == kinds.count(",") + 1 and min(without) > 100


@pytest.mark.parametrize("also_lost", [True, False], ids=["lost", "kept"])
@pytest.mark.parametrize("for_good", [True, False], ids=["for good", "once"])
def test_row_97_a_store_that_fails_at_any_operation_leaves_all_or_nothing(also_lost, for_good):
    n_failures = outcomes = 0
    for at in range(1, 100):
        store, slot = FaultyStore(MemoryStore()), MemorySlot()
        barrier = Barrier(store, slot, SeededEntropy(at))
        barrier.initialise(U)
        versions = tuple(
            KeyVersion(id=f"{key}/1", key_id=key, number=1, lifecycle=ACTIVE, created_at=NOW) for key in ("k1", "k2")
        )
        barrier.commit(Commit(put=versions, material={version.id: material_of(version.id) for version in versions}))
        doomed, spared = (barrier.get(KeyVersion, version.id) for version in versions)
        store.fail(at, for_good=for_good, also_lost=also_lost)
        try:
            barrier.commit(Commit(destroy=(doomed,), record=b"destroyed"))
            failed = False
        except KeysteadError as error:
            assert isinstance(error, Unavailable)
            failed = True
        n_operations = store.n_operations
        store.fail(None)
        again = Barrier(store, slot, SeededEntropy(at + 1))
        again.open(U)
        gone = again.get(KeyVersion, "k1/1").wrapped == b""
        assert gone == bool(store.records(0, 9)) == (again.epoch == 2)
        assert gone or failed
        for either in (again, barrier):  # after a restart, and going on without one
            assert either.material(spared).reveal() == material_of("k2/1").reveal()
            if gone:
                with pytest.raises(WrongState):
                    either.material(doomed)
            else:
                assert either.material(doomed).reveal() == material_of("k1/1").reveal()
        assert len(slot.held) == 1
        assert inspect(again, store).whole
        n_failures += failed
        outcomes |= 1 << gone
        if n_operations < at:
            break
    else:
        pytest.fail("there is no end of operations")
    assert n_failures > 15
    assert outcomes == 0b11
