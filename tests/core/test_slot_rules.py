"""Which slots there are, when they erase, and what is said meanwhile: added and removed, worn, off."""

import pytest
from msgspec.structs import replace
from tests.core.test_barrier import NOW, STEPS, Boom, U, version
from tests.core.test_slots import House
from tests.fakes import FakeClock, MemorySlot, SeededEntropy

from keystead.core.entities import EndedRoot, Erased, Erasure, Fate, KeyVersion, Mode, SlotRule
from keystead.core.errors import Conflict, Internal, InvalidArgument, Unavailable, WrongState
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Barrier, Commit
from keystead.service.inspection import inspect
from keystead.service.proof import prove_destroyed
from keystead.service.roots import BY_SLOT
from keystead.service.rows import ENCODER
from keystead.service.slots import Slots
from keystead.stores.sqlite import SqliteStore

NAMES = ("file", "pkcs11:luna", "tpm")


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.store.close()


def gone(house, key):
    return house.barrier.get(KeyVersion, f"{key}/1")


def ended(house, epoch):
    return house.barrier.get(EndedRoot, EndedRoot.id_of(epoch))


def stuck(slot):
    """It does not erase, until its `retire` is its own again."""

    def refuses(_keep, _shown):
        raise Unavailable("it does not erase")

    slot.retire = refuses


def choose(house, mode, **members):
    before = house.barrier.get(SlotRule, "installation")
    house.barrier.commit(Commit(put=(replace(before or SlotRule(), mode=mode, **members),)))


# --- what was erased where


def test_a_destruction_leaves_word_of_every_slot(house):
    house.barrier = Barrier(house.store, Slots.of(*house.slots), SeededEntropy(8), clock=FakeClock(NOW))
    house.barrier.open(U)
    before = house.barrier.tree.root
    house.destroy("k1")
    assert ended(house, before.epoch) == EndedRoot(
        id="000000000001",
        revision=2,
        epoch=1,
        generations=before.generations,
        replaced_at=NOW,
        erased=dict.fromkeys(NAMES, Erased(BY_SLOT, NOW)),
    )
    assert gone(house, "k1").destroyed_under == 1
    assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE
    assert inspect(house.barrier, house.store).whole


@pytest.mark.parametrize("owing", range(3))
def test_what_a_slot_has_not_erased_is_destroyed_and_not_irrecoverable(house, owing, monkeypatch):
    slot = house.slots[owing]

    def refuse(keep, shown):
        raise Unavailable("read-only")

    monkeypatch.setattr(slot, "retire", refuse)
    house.destroy("k1")
    assert ended(house, 1).waits_for == (slot.name,)
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED
    monkeypatch.undo()
    house.destroy("k2")  # a later one settles what an earlier one owes
    assert ended(house, 1).waits_for == ended(house, 2).waits_for == ()
    assert {house.barrier.fate(gone(house, key)) for key in ("k1", "k2")} == {Fate.IRRECOVERABLE}


def test_a_later_destruction_that_owes_makes_nothing_of_an_earlier_one(house, monkeypatch):
    house.destroy("k1")

    def refuse(keep, shown):
        raise Unavailable("read-only")

    monkeypatch.setattr(house.tpm, "retire", refuse)
    house.destroy("k2")
    assert [house.barrier.fate(gone(house, key)) for key in ("k1", "k2")] == [Fate.IRRECOVERABLE, Fate.DESTROYED]


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_loses_no_word_and_says_none_too_early(house, step):
    def crash(at):
        if at == step:
            raise Boom

    with pytest.raises(Boom):
        house.destroy("k1", house.another(on_step=crash))
    if STEPS.index(step) >= STEPS.index("committed"):
        done = step == "retired"
        assert house.barrier.fate(gone(house, "k1")) is (Fate.IRRECOVERABLE if done else Fate.DESTROYED)
        house.barrier = house.another()  # settles
        assert ended(house, 1).waits_for == ()
        assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE
    else:
        assert ended(house, 1) is None


def test_a_slot_that_erased_and_died_before_it_was_written_down_is_believed(house, monkeypatch):
    real = house.tpm.retire

    def die(keep, shown):
        real(keep, shown)
        raise Boom

    monkeypatch.setattr(house.tpm, "retire", die)
    with pytest.raises(Boom):
        house.destroy("k1")
    assert len(ended(house, 1).waits_for) == 3
    monkeypatch.undo()
    house.barrier.settle()
    assert ended(house, 1).waits_for == ()


def test_what_was_destroyed_before_this_was_kept_rests_on_what_slots_hold(house):
    house.destroy("k1")
    old = replace(gone(house, "k1"), destroyed_under=0)
    assert house.barrier.fate(old) is Fate.IRRECOVERABLE
    house.file.hold(Sensitive(b"left" * 8))
    assert house.barrier.fate(old) is Fate.DESTROYED


def test_what_an_hsm_still_holds_of_it_is_not_irrecoverable(house):
    house.destroy("k1")
    owed = Erasure(id="object", hsm="luna", key_id="k1", number=1, since=NOW)
    house.barrier.commit(Commit(put=(owed, replace(owed, id="other", number=2))))
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED
    house.barrier.commit(Commit(delete=(replace(owed, revision=1),)))
    assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE


# --- more slots, and fewer


@pytest.fixture
def single(tmp_path):
    made = House(tmp_path)
    made.barrier.reslot(("file",), b"")
    yield made
    made.store.close()


def test_a_slot_that_was_removed_holds_nothing_and_opens_nothing(single):
    assert single.token.held == single.tpm.held == {}
    assert list(single.barrier.tree.root.generations) == ["file"]
    assert ended(single, 1).waits_for == ()


def test_a_slot_that_is_added_opens_the_root_alone(single):
    single.barrier.reslot(("file", "tpm"), b"added")
    single.lose(single.file)
    assert single.holds("k1", single.another())
    assert single.store.records(0, 9)[-1][1] == b"added"


@pytest.mark.parametrize("step", STEPS)
def test_adding_is_all_or_nothing_whenever_it_ends(single, step):
    def crash(at):
        if at == step:
            raise Boom

    with pytest.raises(Boom):
        single.another(on_step=crash).reslot(("file", "tpm"), b"added")
    again = single.another()
    added = STEPS.index(step) >= STEPS.index("committed")
    assert list(again.tree.root.generations) == (["file", "tpm"] if added else ["file"])
    assert single.holds("k1", again)
    again.reslot(("file", "tpm"), b"added")  # once more, whatever was left
    assert [len(slot.held) for slot in single.slots] == [1, 0, 1]
    assert inspect(again, single.store).whole


@pytest.mark.parametrize("step", STEPS)
def test_removing_is_all_or_nothing_and_erases_whenever_it_ends(house, step):
    def crash(at):
        if at == step:
            raise Boom

    with pytest.raises(Boom):
        house.another(on_step=crash).reslot(("file", "tpm"), b"removed")
    again = house.another()
    removed = STEPS.index(step) >= STEPS.index("committed")
    assert (house.token.held == {}) == removed
    assert house.holds("k1", again)
    house.lose(house.file, house.token)
    assert house.holds("k1", house.another())


def test_a_slot_that_was_lost_is_removed_and_owes_for_ever(house):
    house.token.away = True
    house.barrier.reslot(("file", "tpm"), b"removed")
    house.destroy("k1")  # it stops nothing any more
    assert ended(house, 1).waits_for == ("pkcs11:luna",)
    assert house.barrier.n_outstanding == 1
    # With a backup of before, what it holds opens what was destroyed after it was removed, too.
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED
    house.token.away = False  # it was found again
    house.barrier.settle()
    assert house.token.held == {}
    assert house.barrier.n_outstanding == 0
    assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE


def test_what_a_lost_slot_owed_is_paid_by_no_other_medium(house):
    """The HSM could not erase, and then another one stood in its place under the same label."""
    stuck(house.token)
    first = house.barrier.tree.root.generations["pkcs11:luna"]
    house.destroy("k1")
    second = house.barrier.tree.root.generations["pkcs11:luna"]
    assert ended(house, 1).waits_for == ("pkcs11:luna",)
    house.token.held = {}
    del house.token.retire
    house.barrier.rotate()
    house.barrier.settle()
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED
    assert house.barrier.awaited() == {f"lost:pkcs11:luna:{one}" for one in (first, second)}
    said = Erased("ann", NOW)
    house.barrier = Barrier(house.store, Slots.of(*house.slots), SeededEntropy(9), clock=FakeClock(NOW))
    house.barrier.open(U)
    choose(house, Mode.STRICT, reported=dict.fromkeys(house.barrier.awaited(), said))
    house.barrier.settle()


def test_a_slot_that_was_put_back_erases_what_it_owed_itself(house):
    stuck(house.token)
    house.destroy("k1")
    first = ended(house, 1).generations["pkcs11:luna"]
    house.token.held = {first: house.token.held[first]}  # as it was
    del house.token.retire
    house.barrier.rotate()
    house.barrier.settle()
    assert ended(house, 1).waits_for == () and first not in house.token.held


def test_the_root_needs_a_slot_and_each_once(house):
    for names in ((), ("file", "file")):
        with pytest.raises(InvalidArgument):
            house.barrier.reslot(names, b"")


def test_a_slot_that_nobody_knows_is_not_added(house):
    with pytest.raises(Unavailable, match="pkcs11:other is not configured"):
        house.barrier.reslot((*NAMES, "pkcs11:other"), b"")
    assert house.holds("k1")


# --- slots that wear


class Worn:
    """A file slot, and a TPM whose memory takes so many writes."""

    def __init__(self, directory):
        self.directory, self.file, self.tpm = directory, MemorySlot(), MemorySlot("tpm", seed=13, mac=True, wears=True)
        self.store = SqliteStore(directory / "keystead.db")
        self.barrier = Barrier(self.store, Slots.of(self.file, self.tpm), SeededEntropy(7))
        self.barrier.initialise(U)
        versions = tuple(version(f"k{n}") for n in range(6))
        material = {each.id: Sensitive(f"material of {each.id}".encode()) for each in versions}
        self.barrier.commit(Commit(put=versions, material=material))

    another, destroy, holds = House.another, House.destroy, House.holds

    @property
    def slots(self):
        return (self.file, self.tpm)


@pytest.fixture
def worn(tmp_path):
    made = Worn(tmp_path)
    yield made
    made.store.close()


def test_destructions_share_one_write_and_are_destroyed_at_once(worn):
    before = set(worn.tpm.held), set(worn.file.held)
    other = worn.another()
    for n in range(3):
        other.material(gone(worn, f"k{n}"))  # it has the leaf at hand
        worn.destroy(f"k{n}")
        with pytest.raises(WrongState):
            worn.holds(f"k{n}", other)
    assert (set(worn.tpm.held), set(worn.file.held)) == before
    assert {worn.barrier.fate(gone(worn, f"k{n}")) for n in range(3)} == {Fate.DESTROYED}
    worn.barrier.settle()
    assert worn.barrier.epoch == 2
    assert not before[0] & set(worn.tpm.held)
    assert {worn.barrier.fate(gone(worn, f"k{n}")) for n in range(3)} == {Fate.IRRECOVERABLE}
    worn.barrier.settle()  # there is nothing more to do
    assert worn.barrier.epoch == 2
    assert all(worn.holds(f"k{n}", other) for n in range(3, 6))
    assert inspect(worn.barrier, worn.store).whole


def test_an_old_backup_opens_until_the_write_and_not_after_it(worn):
    """That the state word is right both times: by opening."""
    worn.store.backup(worn.directory / "old.db")
    old = SqliteStore(worn.directory / "old.db")
    worn.destroy("k0")
    worn.destroy("k1")
    before = prove_destroyed(old, worn.barrier, worn.store)
    assert sorted(before.destroyed_opened) == ["k0/1", "k1/1"]
    worn.barrier.settle()
    after = prove_destroyed(old, worn.barrier, worn.store)
    assert after.holds
    assert (after.n_destroyed, after.n_survivors) == (2, 4)
    old.close()


@pytest.mark.parametrize("step", ["begun", "written", "committed"])
def test_a_crash_in_a_shared_destruction_is_all_or_nothing(worn, step):
    def crash(at):
        if at == step:
            raise Boom

    with pytest.raises(Boom):
        worn.destroy("k0", worn.another(on_step=crash))
    happened = step == "committed"
    barrier = worn.another()  # settles
    assert barrier.epoch == 1 + happened
    if happened:
        assert barrier.fate(barrier.get(KeyVersion, "k0/1")) is Fate.IRRECOVERABLE
    else:
        assert worn.holds("k0", barrier)
    assert worn.holds("k1", barrier)
    assert inspect(barrier, worn.store).whole


def test_processes_that_settle_at_once_write_once(worn):
    worn.destroy("k0")
    first, second = (worn.another(on_step=lambda _: None) for _ in range(2))  # the first one settles
    assert (first.epoch, second.epoch) == (2, 2)


def test_a_slot_that_wears_and_is_away_stops_no_destruction_and_owes_the_write(worn):
    worn.tpm.away = True
    worn.destroy("k0")
    assert worn.barrier.fate(gone(worn, "k0")) is Fate.DESTROYED
    with pytest.raises(Unavailable, match="slot tpm"):
        worn.barrier.settle()
    worn.tpm.away = False
    worn.barrier.settle()
    assert worn.barrier.fate(gone(worn, "k0")) is Fate.IRRECOVERABLE


# --- off


def test_off_deletes_and_says_no_more_than_that(house):
    house.store.backup(house.directory / "old.db")
    old = SqliteStore(house.directory / "old.db")
    choose(house, Mode.OFF)
    before = [set(slot.held) for slot in house.slots]
    house.destroy("k1")
    house.barrier.settle()
    assert [set(slot.held) for slot in house.slots] == before
    with pytest.raises(WrongState):
        house.holds("k1")
    assert house.barrier.fate(gone(house, "k1")) is Fate.DELETED
    assert prove_destroyed(old, house.barrier, house.store).destroyed_opened == ("k1/1",)
    choose(house, Mode.STRICT)
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED
    house.barrier.settle()  # what was deleted meanwhile goes with the next generation
    assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE
    assert prove_destroyed(old, house.barrier, house.store).holds
    old.close()


def test_off_needs_no_slot_but_the_one_that_opens(house):
    choose(house, Mode.OFF)
    house.token.away = house.tpm.away = True
    house.destroy("k1")
    assert house.barrier.fate(gone(house, "k1")) is Fate.DELETED
    assert house.holds("k2", house.another())


def test_a_rotation_makes_irrecoverable_what_off_deleted(house):
    choose(house, Mode.OFF)
    house.destroy("k1")
    house.barrier.rotate()
    assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE


def test_ended_roots_are_not_to_be_forged(house):
    house.destroy("k1")
    with house.store.transaction() as txn:
        row = txn.get(EndedRoot.kind, EndedRoot.id_of(1))
        txn.put(replace(row, sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])))
    with pytest.raises(Internal):
        ended(house, 1)


def test_a_house_of_one_lost_slot_says_so(tmp_path):
    made = House(tmp_path)
    made.lose(*made.slots)
    with pytest.raises(Conflict):
        made.another()
    made.store.close()


def test_row_114_a_slot_that_somebody_takes_out_of_the_root_is_erased_all_the_same(house):
    """The root is not sealed: whoever writes to the storage destroys a way to open it, and deceives nobody."""
    root = house.barrier.tree.root
    with house.store.transaction() as txn:
        txn.put_meta("root", ENCODER.encode(replace(root, wraps=root.wraps[:1])))
    house.barrier = house.another()
    house.destroy("k1")
    assert set(ended(house, 1).generations) == set(NAMES)
    assert house.token.held == house.tpm.held == {}
    assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE
    assert inspect(house.barrier, house.store).whole
