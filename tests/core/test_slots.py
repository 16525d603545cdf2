"""Several slots under one root: any one opens it, all of them are staged and erased, one that is away is told."""

import gzip
import os
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from tests.core.test_barrier import STEPS, Boom, U, version
from tests.fakes import MemorySlot, SeededEntropy
from tests.waiting import ended, until

from keystead.core.entities import Fate, KeyVersion
from keystead.core.errors import Conflict, Internal, KeysteadError, Unavailable, WrongState
from keystead.core.keytree import generation
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Barrier, Commit
from keystead.service.custody import revive
from keystead.service.inspection import inspect
from keystead.service.proof import prove_destroyed
from keystead.service.root import Root
from keystead.service.slots import Slots
from keystead.stores.sqlite import SqliteStore

OLD = Path(__file__).parent.parent / "vectors" / "one-slot.db.gz"
OLD_SECRET = bytes.fromhex("10a7d44cac52e4b0920a518f14e8c6f39ff0d8e53b87440f7ae3814c1cefbd08")


class House:
    """One database and three slots: one gives its secrets, two MACs under them."""

    def __init__(self, directory):
        self.directory, self.path = directory, directory / "keystead.db"
        self.file, self.token, self.tpm = self.slots = (
            MemorySlot(),
            MemorySlot("pkcs11:luna", seed=12, mac=True),
            MemorySlot("tpm", seed=13, mac=True),
        )
        self.store = SqliteStore(self.path)
        self.barrier = Barrier(self.store, Slots.of(*self.slots), SeededEntropy(7))
        self.barrier.initialise(U)
        versions = (version("k1"), version("k2"))
        material = {each.id: Sensitive(f"material of {each.id}".encode()) for each in versions}
        self.barrier.commit(Commit(put=versions, material=material))

    def another(self, **options):
        barrier = Barrier(self.store, Slots.of(*self.slots), SeededEntropy(8), **options)
        barrier.open(U)
        return barrier

    def destroy(self, key, barrier=None):
        barrier = barrier or self.barrier
        barrier.commit(Commit(destroy=(barrier.get(KeyVersion, f"{key}/1"),), record=b"destroyed"))

    def holds(self, key, barrier=None):
        barrier = barrier or self.barrier
        return barrier.material(barrier.get(KeyVersion, f"{key}/1")).reveal() == f"material of {key}/1".encode()

    def lose(self, *slots):
        for slot in slots:
            slot.held = {}


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.store.close()


def test_every_slot_holds_a_generation_of_its_own(house):
    names = [name for slot in house.slots for name in slot.held]
    assert len(set(names)) == 3
    assert house.barrier.tree.root.generations == dict(zip(("file", "pkcs11:luna", "tpm"), names, strict=True))


@pytest.mark.parametrize("left", range(3))
def test_any_one_slot_opens_the_root(house, left):
    house.destroy("k1")
    house.lose(*(slot for slot in house.slots if slot is not house.slots[left]))
    assert house.holds("k2", house.another())


@pytest.mark.parametrize("left", range(3))
def test_any_one_slot_that_can_be_reached_opens_the_root(house, left):
    for n, slot in enumerate(house.slots):
        slot.away = n != left
    assert house.holds("k1", house.another())


def test_with_every_slot_lost_everything_is_and_it_says_so(house):
    house.lose(*house.slots)
    with pytest.raises(Conflict, match="the slot was erased"):
        house.another()


def test_with_one_lost_and_another_away_nobody_says_that_it_was_erased(house):
    house.lose(house.file, house.token)
    house.tpm.away = True
    with pytest.raises(Unavailable, match="unplugged"):
        house.another()


def test_what_a_slot_of_hardware_gives_needs_the_unseal_key(house):
    """Whoever has a copy of the database and may ask the token, but has not U, asks another question."""
    (name,) = house.token.held
    root = house.barrier.tree.root
    given = house.token.give(name, Sensitive(b"not of U".ljust(32)))
    wrap = next(wrap for wrap in root.wraps if wrap.slot == "pkcs11:luna")
    with pytest.raises(Internal):
        wrap.unwrap(given.reveal(), root.epoch)
    assert house.token.held[name].reveal() not in house.barrier.wrapping_keys()


def test_a_destruction_replaces_the_generation_of_every_slot(house):
    before = [set(slot.held) for slot in house.slots]
    house.destroy("k1")
    for slot, was in zip(house.slots, before, strict=True):
        assert len(slot.held) == 1
        assert not was & set(slot.held)
    assert house.barrier.n_outstanding == 0


def test_a_generation_that_a_slot_hides_is_erased_and_not_taken_for_erased(house, monkeypatch):
    """As a module of PKCS#11 hides what another process has made, until it is asked for it by its name."""
    token, (old,) = house.token, house.token.held
    hidden, show, give = {old}, token.generations, token.give

    def given(generation, challenge):
        hidden.discard(generation)
        return give(generation, challenge)

    def retire(keep, shown):
        for one in (token.generations() & shown) - {keep}:
            del token.held[one]

    monkeypatch.setattr(token, "generations", lambda: show() - hidden)
    monkeypatch.setattr(token, "give", given)
    monkeypatch.setattr(token, "retire", retire)
    house.destroy("k1")
    assert len(token.held) == 1 and old not in token.held
    assert house.barrier.n_outstanding == 0


@pytest.mark.parametrize("away", range(3))
def test_a_slot_that_cannot_be_reached_stops_the_destruction_and_is_named(house, away):
    slot = house.slots[away]
    before = [dict(each.held) for each in house.slots]
    slot.away = True
    with pytest.raises(Unavailable, match=f"slot {slot.name}: it was unplugged"):
        house.destroy("k1")
    assert [each.held for each in house.slots] == before  # nothing was staged anywhere
    assert house.holds("k1", house.another())
    assert [(look.name, look.n_unerased, look.trouble) for look in house.barrier.slots()] == [
        (each.name, None, "it was unplugged") if each is slot else (each.name, 0, "") for each in house.slots
    ]
    assert house.barrier.n_outstanding == 1  # nobody knows what it holds
    slot.away = False
    house.destroy("k1")
    assert house.barrier.n_outstanding == 0


def test_a_slot_that_fails_after_another_was_staged_leaves_nothing_behind(house, monkeypatch):
    def refuse(challenge):
        raise Unavailable("full")

    monkeypatch.setattr(house.tpm, "stage", refuse)
    with pytest.raises(Unavailable, match="slot tpm: full"):
        house.destroy("k1")
    assert house.holds("k1")
    assert [len(slot.held) for slot in house.slots] == [2, 2, 1]
    house.another()  # settles
    assert [len(slot.held) for slot in house.slots] == [1, 1, 1]


@pytest.mark.parametrize("owing", range(3))
def test_a_slot_that_cannot_erase_owes_it_and_the_others_do_not(house, owing, monkeypatch, caplog):
    slot = house.slots[owing]

    def refuse(keep, shown):
        raise Unavailable("read-only")

    monkeypatch.setattr(slot, "retire", refuse)
    house.destroy("k1")
    assert f"{slot.name}: read-only" in caplog.text
    assert [look.n_unerased for look in house.barrier.slots()] == [int(each is slot) for each in house.slots]
    monkeypatch.undo()
    house.barrier.settle()
    assert house.barrier.n_outstanding == 0
    assert house.holds("k2")
    with pytest.raises(WrongState):
        house.holds("k1")


def test_a_slot_without_todays_generation_is_told_and_mended_by_a_rotation(house):
    house.lose(house.token)
    assert "rotate" in {look.name: look.trouble for look in house.barrier.slots()}["pkcs11:luna"]
    house.barrier.rotate()
    assert all(not look.trouble for look in house.barrier.slots())
    house.lose(house.file, house.tpm)
    assert house.holds("k1", house.another())


@pytest.mark.parametrize("step", STEPS)
def test_row_97_a_crash_at_any_step_is_all_or_nothing_in_every_slot(house, step):
    def crash(at):
        if at == step:
            raise Boom

    with pytest.raises(Boom):
        house.destroy("k1", house.another(on_step=crash))
    again = house.another()
    assert [len(slot.held) for slot in house.slots] == [1, 1, 1]
    assert house.holds("k2", again)
    if STEPS.index(step) >= STEPS.index("committed"):
        with pytest.raises(WrongState):
            house.holds("k1", again)
    else:
        assert house.holds("k1", again)
    assert inspect(again, house.store).whole
    for left in house.slots:
        kept = {slot: dict(slot.held) for slot in house.slots}
        house.lose(*(slot for slot in house.slots if slot is not left))
        assert house.holds("k2", house.another())
        for slot, held in kept.items():
            slot.held = held


def test_a_copied_directory_at_the_same_token_is_refused_once_either_has_erased_what_the_other_needs(house, tmp_path):
    """Until then nobody can tell the copy from the original. One that is open goes on reading, and erases nothing."""
    copied = House.__new__(House)
    house.store.backup(tmp_path / "copy.db")
    copied.store, copied.slots = SqliteStore(tmp_path / "copy.db"), house.slots
    beside = copied.another()
    assert house.holds("k2") and copied.holds("k2", beside)
    house.destroy("k1")
    with pytest.raises(Conflict, match="the slot was erased"):
        copied.another()
    for late in (lambda: copied.destroy("k2", beside), beside.rotate):
        with pytest.raises(Unavailable, match="a copy of this installation"):
            late()
    assert house.holds("k2", house.another())
    house.destroy("k2")
    copied.store.close()


def test_one_token_by_two_names_is_no_second_slot(house):
    """Each would erase what the other holds."""
    alias = MemorySlot("pkcs11:again")
    alias.held = house.token.held
    house.slots = (*house.slots, alias)
    with pytest.raises(Unavailable, match="pkcs11:luna and pkcs11:again are one place"):
        house.another().reslot(("file", "pkcs11:luna", "pkcs11:again"), b"added")
    assert house.holds("k1", house.another())


def test_no_installation_begins_with_one_token_by_two_names(tmp_path):
    first, alias = MemorySlot("pkcs11:luna"), MemorySlot("pkcs11:again")
    alias.held = first.held
    store = SqliteStore(tmp_path / "new.db")
    with pytest.raises(Unavailable, match="one place by two names"):
        Barrier(store, Slots.of(first, alias), SeededEntropy(7)).initialise(U)
    assert store.meta("root") is None and not first.held


def test_taking_out_the_second_name_of_a_token_leaves_the_first_what_it_holds(house, monkeypatch):
    alias = MemorySlot("pkcs11:again")
    house.slots = (house.token, alias)
    barrier = house.another()
    with monkeypatch.context() as before:
        before.setattr(Slots, "require", lambda *_: None)
        barrier.reslot(("pkcs11:luna", "pkcs11:again"), b"as it was")
        house.token.held |= alias.held
    alias.generations = house.token.generations
    alias.retire = house.token.retire
    with pytest.raises(Unavailable):
        house.destroy("k1", barrier)
    barrier.reslot(("pkcs11:luna",), b"taken out")
    assert house.holds("k1", house.another())


@pytest.mark.parametrize("n", range(3))
def test_any_slot_as_it_was_opens_what_was_destroyed_and_the_proof_sees_it(house, n):
    """The slots are what protects: that the proof tries every one of them is what this shows."""
    house.store.backup(house.directory / "old.db")
    old = SqliteStore(house.directory / "old.db")
    kept = house.slots[n].copy()
    house.destroy("k1")
    proof = prove_destroyed(old, house.barrier, house.store)
    assert proof.holds
    assert (proof.n_destroyed, proof.n_survivors) == (1, 1)
    with pytest.raises(Conflict):
        revive(old, house.directory / "never.db", Slots.of(*house.slots), os.urandom, U)
    house.slots[n].held |= kept.held
    failing = prove_destroyed(old, house.barrier, house.store)
    assert failing.root_opened
    assert failing.destroyed_opened == ("k1/1",)
    old.close()


def test_a_proof_that_cannot_ask_every_slot_is_none(house):
    house.store.backup(house.directory / "old.db")
    old = SqliteStore(house.directory / "old.db")
    house.tpm.away = True
    with pytest.raises(Unavailable):
        prove_destroyed(old, house.barrier, house.store)
    old.close()


# --- roots as they were written when there was one slot


def test_a_database_of_before_opens_and_its_next_root_is_of_today(tmp_path):
    """tests/vectors/one-slot.db.gz: two keys, one of them destroyed, by the code of commit 003ed86."""
    path = tmp_path / "keystead.db"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    path.chmod(0o600)
    slot = MemorySlot()
    assert slot.hold(Sensitive(OLD_SECRET)) == generation(OLD_SECRET)
    store = SqliteStore(path)
    before = Root.decode(store.meta("root"))
    assert (before.generation, before.epoch, before.owner) == (generation(OLD_SECRET), 2, "")
    for turn in range(2):
        barrier = Barrier(store, slot, SeededEntropy(turn))
        barrier.open(U)
        assert barrier.material(barrier.get(KeyVersion, "k2/1")).reveal() == b"material of k2/1"
        with pytest.raises(WrongState):
            barrier.material(barrier.get(KeyVersion, "k1/1"))
        assert inspect(barrier, store).whole
        barrier.rotate()
    after = Root.decode(store.meta("root"))
    assert (after.epoch, len(after.owner), list(after.generations)) == (4, 16, ["file"])
    store.close()


@pytest.mark.parametrize("blob", [b"", b"\x94", b"\x90", b"\xc0", b"\x93\x01\x02\x03"])
def test_a_root_that_is_none_is_told(blob):
    with pytest.raises(Internal, match="meta root"):
        Root.decode(blob)


# --- a slot that hangs


def test_files_open_the_root_before_a_device_is_asked(house):
    """Whatever order the slots came in: a device may take its time, and this is on the way of every use."""
    house.barrier.reslot(("pkcs11:luna", "tpm", "file"), b"in another order")
    asked = []
    for slot in (house.token, house.tpm):
        slot.give = lambda *_, name=slot.name: asked.append(name)
    assert house.holds("k1", house.another()) and not asked


def test_who_asks_otherwise_how_slots_are_is_not_kept_by_one(house):
    def asked(name, look):
        if name == "tpm":
            raise Unavailable("slot tpm has not answered for 2 seconds")
        return look()

    slots = Slots.of(*house.slots)
    slots.ask = asked
    barrier = Barrier(house.store, slots, SeededEntropy(8))
    barrier.open(U, settle=False)
    looks = {look.name: look for look in barrier.slots()}
    assert "not answered" in looks["tpm"].trouble and looks["tpm"].n_unerased is None
    assert looks["file"].trouble == looks["pkcs11:luna"].trouble == ""
    assert barrier.outstanding(barrier.slots()) == 1


def test_one_thread_waits_for_a_slot_that_hangs_and_the_next_gives_up(house, monkeypatch):
    """They are the threads that everybody's changes need."""
    monkeypatch.setattr("keystead.service.replacing.REPLACED_IN", 0.02)
    begun, go_on = threading.Event(), threading.Event()
    generations = house.token.generations

    def hangs():
        begun.set()
        assert go_on.wait(60)
        return generations()

    house.token.generations = hangs
    first = threading.Thread(target=house.destroy, args=("k1",))
    first.start()
    assert begun.wait(60)
    with pytest.raises(Unavailable, match="keeps another destruction waiting"):
        house.destroy("k2")
    house.barrier.commit(Commit(put=(version("k3"),), material={"k3/1": Sensitive(b"material of k3/1")}))
    assert house.holds("k3"), "what erases nothing goes on"
    go_on.set()
    ended(first)
    house.destroy("k2")


# --- a module that hangs after it was looked at


class Hang:
    """From some call on, one of a slot's acts does not come back until it is let go on."""

    def __init__(self, slot, act, after=0):
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.real, self._left = getattr(slot, act), after
        setattr(slot, act, self)

    def __call__(self, *args):
        if self._left:
            self._left -= 1
            return self.real(*args)
        self.begun.set()
        assert self.go_on.wait(60)
        return self.real(*args)


class Watching:
    """Asks a slot on a thread, and waits until it answers or hangs: as app.patience does, without a clock."""

    def __init__(self):
        self.hang, self._asked = None, {}

    def __call__(self, name, ask):
        waiting = self._asked.get(name)
        if waiting is not None and not waiting.done():
            raise Unavailable(f"slot {name} has not answered for 9 seconds")
        answer = self._asked[name] = Future()

        def run():
            try:
                answer.set_result(ask())
            except KeysteadError as error:
                answer.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        until(lambda: answer.done() or self.hangs(), every=0.001)
        if not answer.done():
            raise Unavailable(f"slot {name} has not answered for 9 seconds")
        return answer.result()

    def let_go(self):
        """And it has done what it was asked, when nobody waits for it any more."""
        self.hang.go_on.set()
        until(lambda: all(answer.done() for answer in self._asked.values()))

    def hangs(self):
        return self.hang is not None and self.hang.begun.is_set() and not self.hang.go_on.is_set()


class Patient(Barrier):
    """A process that waits for no slot that hangs."""

    def __init__(self, house):
        self.watching = Watching()
        slots = Slots.of(*house.slots, within=lambda _seconds: self.watching)
        slots.ask = self.watching
        super().__init__(house.store, slots, SeededEntropy(9))
        self.open(U)

    def hang(self, *what):
        self.watching.hang = Hang(*what)
        return self.watching.hang


@pytest.fixture
def patient(house):
    return Patient(house)


@pytest.mark.parametrize(("act", "after"), [("generations", 1), ("stage", 0), ("give", 0)])
def test_a_module_that_hangs_under_the_write_lock_keeps_no_change_waiting_and_changes_nothing(
    house, patient, act, after
):
    hang = patient.hang(house.token, act, after)
    with pytest.raises(Unavailable, match="slot pkcs11:luna has not answered"):
        house.destroy("k1", patient)
    assert hang.begun.is_set() and house.holds("k1", house.barrier) and house.barrier.epoch == 1
    house.barrier.commit(Commit(put=(version("k3"),), material={"k3/1": Sensitive(b"material of k3/1")}))
    assert house.holds("k3", patient)
    patient.watching.let_go()
    patient.settle()  # what was staged when nobody waited for it any more
    assert [len(slot.held) for slot in house.slots] == [1, 1, 1]
    house.destroy("k1", patient)
    assert inspect(patient, house.store).whole and patient.n_outstanding == 0


def test_a_module_that_hangs_when_it_is_to_erase_owes_that_and_takes_nothing_that_came_later(house, patient):
    hang = patient.hang(house.token, "retire")
    house.destroy("k1", patient)  # stands
    assert hang.begun.is_set() and patient.fate(patient.get(KeyVersion, "k1/1")) is Fate.DESTROYED
    old = set(house.token.held)
    house.token.retire = hang.real  # as another process has it, whose module does not hang
    other = house.another()
    house.destroy("k2", other)
    kept = set(house.token.held)
    assert len(kept) == 1 and kept.isdisjoint(old)
    patient.watching.let_go()
    assert set(house.token.held) == kept
    assert patient.fate(patient.get(KeyVersion, "k1/1")) is Fate.IRRECOVERABLE


def test_one_that_hangs_is_not_asked_again_under_the_lock(house, patient):
    """Every minute something is tried anew: it waits before the lock, and nobody with it."""
    hang = patient.hang(house.token, "generations", 3)  # of a destruction: before the lock, under it, before it erases
    house.destroy("k1", patient)
    assert hang.begun.is_set()
    house.token.retire = lambda *_: pytest.fail("it was asked")
    with pytest.raises(Unavailable, match="has not answered"):
        patient.settle()
    with pytest.raises(Unavailable, match="has not answered"):
        house.destroy("k2", patient)
    assert house.holds("k2", patient)
    patient.watching.let_go()
