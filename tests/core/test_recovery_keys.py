"""The mode `window`: recovery keys open what the slots lose, and nothing is irrecoverable before they are erased."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.core.test_barrier import NOW, STEPS, Boom, U
from tests.core.test_slot_rules import ended, gone
from tests.core.test_slots import House
from tests.fakes import FakeClock, MemorySlot, SeededEntropy

from keystead.core.entities import Erased, Fate, Mode, Recovery, SlotRule
from keystead.core.errors import Conflict, DecryptionFailed, InvalidArgument, Unauthenticated, Unavailable, WrongState
from keystead.core.sensitive import Sensitive
from keystead.crypto.hpke import PUBLIC_BYTES, RECOVERY
from keystead.service.barrier import Barrier, Commit
from keystead.service.escrow import id_of, public_text, read_public, read_secret, secret_text
from keystead.service.inspection import inspect
from keystead.service.proof import prove_destroyed
from keystead.service.rows import ENCODER
from keystead.service.slots import Slots
from keystead.stores.sqlite import SqliteStore

K1, K2 = (Sensitive(bytes([n]) * 32) for n in (41, 42))
P1, P2 = RECOVERY.public_key(K1), RECOVERY.public_key(K2)


def recovery(public, since=NOW):
    return Recovery(id_of(public), public, since)


R1, R2 = recovery(P1), recovery(P2)


class Windowed(House):
    """Under mode window, with one recovery key, and a clock."""

    def __init__(self, directory):
        super().__init__(directory)
        self.clock = FakeClock(NOW)
        self.barrier = self.another()
        self.choose(Mode.WINDOW, R1)

    def another(self, **options):
        barrier = Barrier(self.store, Slots.of(*self.slots), SeededEntropy(8), clock=self.clock, **options)
        barrier.open(U)
        return barrier

    def choose(self, mode, *keys):
        self.put(replace(self.barrier.slot_rule, mode=mode, recovery=keys))
        self.barrier.settle()

    def put(self, rule):
        self.barrier.commit(Commit(put=(rule,)))

    def report(self, name):
        rule = self.barrier.slot_rule
        said = {**rule.reported, name: Erased("somebody", self.clock.now())}
        self.put(replace(rule, reported=said))
        self.barrier.settle()

    def recovered(self, secret=K1):
        """In other slots, opened by a recovery key alone."""
        fresh = [MemorySlot(slot.name, seed=90 + n) for n, slot in enumerate(self.slots)]
        barrier = Barrier(self.store, Slots.of(*fresh), SeededEntropy(9), clock=self.clock)
        barrier.open(U, settle=False, recovery=secret)
        return barrier


@pytest.fixture
def house(tmp_path):
    made = Windowed(tmp_path)
    yield made
    made.store.close()


# --- HPKE, and the texts of keys


def test_what_is_sealed_to_a_recovery_key_opens_with_it_and_nothing_else():
    parcel = RECOVERY.close(P1, Sensitive(b"secret"), b"info")
    assert len(P1) == PUBLIC_BYTES
    assert RECOVERY.public_key(K1) == P1  # the same halves every time
    assert b"secret" not in parcel
    assert RECOVERY.open(K1, parcel, b"info").reveal() == b"secret"
    for secret, text, info in (
        (K2, parcel, b"info"),
        (K1, parcel, b"other"),
        (K1, parcel[:-1], b"info"),
        (K1, b"", b""),
    ):
        with pytest.raises(DecryptionFailed):
            RECOVERY.open(secret, text, info)
    for public in (b"", P1[:-1], P1 + b"\0", b"\xff" * PUBLIC_BYTES):
        with pytest.raises(InvalidArgument):
            RECOVERY.close(public, Sensitive(b"secret"), b"info")
    with pytest.raises(InvalidArgument):
        RECOVERY.public_key(Sensitive(b"short"))


def test_the_texts_of_a_recovery_key():
    assert read_secret(Sensitive(secret_text(K1).encode() + b"\n")).reveal() == K1.reveal()
    assert read_public(public_text(P1)) == P1
    for text in ("", secret_text(K1)[:-1], public_text(P1), secret_text(K1) + "A", "x" * 70, secret_text(K1) + "="):
        with pytest.raises(Unauthenticated):
            read_secret(Sensitive(text.encode()))
        if text != public_text(P1):
            with pytest.raises(InvalidArgument):
                read_public(text)
    with pytest.raises(Unauthenticated):
        read_secret(Sensitive(b"\xff\xfe"))


# --- the barrier


def test_a_recovery_key_opens_what_the_slots_have_lost(house):
    house.destroy("k1")
    house.lose(*house.slots)
    with pytest.raises(Conflict):
        house.another()
    barrier = house.recovered()
    barrier.reslot(("file", "tpm"), b"recovered")
    assert house.holds("k2", barrier)
    with pytest.raises(WrongState):
        house.holds("k1", barrier)
    assert inspect(barrier, house.store).whole


def test_what_lost_slots_held_counts_as_not_erased_until_somebody_says_so(house):
    house.lose(*house.slots)
    barrier = house.recovered()
    before = barrier.tree.root
    barrier.reslot(("file",), b"recovered")
    house.barrier = barrier
    house.destroy("k1")
    lost = {f"lost:{slot}:{name}" for slot, name in before.generations.items()}
    assert lost <= barrier.awaited()
    assert barrier.fate(gone(house, "k1")) is Fate.DESTROYED
    house.clock.forward(timedelta(hours=1))
    house.choose(Mode.STRICT)
    for name in (*lost, R1.name):
        assert barrier.fate(gone(house, "k1")) is Fate.DESTROYED
        house.report(name)
    assert barrier.awaited() == set()
    assert barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE


def test_another_recovery_key_or_another_unseal_key_opens_nothing(house):
    with pytest.raises(Conflict, match="not sealed to this recovery key"):
        house.recovered(K2)
    barrier = Barrier(house.store, Slots.of(MemorySlot()), SeededEntropy(9))
    with pytest.raises(Unauthenticated):
        barrier.open(Sensitive(b"v" * 32), recovery=K1)


def test_what_is_destroyed_in_the_window_is_irrecoverable_when_its_recovery_key_is_erased(house):
    house.destroy("k1")
    assert [len(slot.held) for slot in house.slots] == [1, 1, 1]
    assert house.barrier.n_outstanding == 0
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED
    assert house.barrier.awaited() == {R1.name}
    house.clock.forward(timedelta(days=35))
    house.choose(Mode.WINDOW, R2)
    house.destroy("k2")
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED  # replaced, and not erased yet
    house.report(R1.name)
    assert house.barrier.fate(gone(house, "k1")) is Fate.IRRECOVERABLE
    assert house.barrier.fate(gone(house, "k2")) is Fate.DESTROYED
    assert house.barrier.awaited() == {R2.name}
    assert inspect(house.barrier, house.store).whole


def test_the_state_word_is_right_by_opening(house):
    """An old backup and its recovery key open what is DESTROYED; with today's recovery key nothing opens."""
    house.store.backup(house.directory / "old.db")
    old = SqliteStore(house.directory / "old.db")
    house.destroy("k1")
    house.choose(Mode.WINDOW, R2)
    proof = prove_destroyed(old, house.barrier, house.store)
    assert proof.holds
    assert proof.awaited == tuple(sorted((R1.name, R2.name)))  # it says what it could not try
    thief = Barrier(old, Slots.of(MemorySlot()), SeededEntropy(1))
    with pytest.raises(Conflict):
        thief.open(U, settle=False, recovery=K2)
    thief.open(U, settle=False, recovery=K1)
    assert house.holds("k1", thief)
    old.close()


def test_a_report_says_nothing_of_what_comes_later(house):
    """Of a slot that was lost, reported, and added again under its name."""
    house.token.away = True
    house.barrier.reslot(("file", "tpm"), b"removed")
    assert house.barrier.awaited() == {"pkcs11:luna", R1.name}
    house.report("pkcs11:luna")
    assert house.barrier.awaited() == {R1.name}
    house.clock.forward(timedelta(days=1))
    house.token.away = False
    house.barrier.reslot(("file", "pkcs11:luna", "tpm"), b"added")
    house.token.away = True
    house.barrier.reslot(("file", "tpm"), b"removed")
    assert "pkcs11:luna" in house.barrier.awaited()


def test_nobody_reports_for_a_slot_that_is_in_use(house, monkeypatch):
    def refuse(keep, shown):
        raise Boom

    monkeypatch.setattr(house.tpm, "retire", refuse)
    with pytest.raises(Boom):
        house.destroy("k1")
    monkeypatch.undo()
    waits = ended(house, house.barrier.epoch - 1).waits_for
    rule = house.barrier.slot_rule
    house.clock.forward(timedelta(hours=1))
    house.put(replace(rule, reported={"tpm": Erased("somebody", house.clock.now())}))
    assert "tpm" in waits
    monkeypatch.setattr(house.tpm, "away", True)
    with pytest.raises(Unavailable, match="unplugged"):
        house.barrier.settle()
    assert "tpm" in ended(house, house.barrier.epoch - 1).waits_for


@pytest.mark.parametrize("step", STEPS)
def test_replacing_recovery_keys_is_done_in_the_end_wherever_it_is_interrupted(house, step):
    def crash(at):
        if at == step:
            raise Boom

    house.put(replace(house.barrier.slot_rule, recovery=(R2,)))
    with pytest.raises(Boom):
        house.another(on_step=crash)  # settles
    house.barrier = house.another()
    assert [one.wrap.slot for one in house.barrier.tree.root.escrows] == [R2.name]
    assert house.barrier.awaited() == {R1.name}
    house.lose(*house.slots)
    assert house.holds("k1", house.recovered(K2))


def test_a_rule_of_before_is_strict(tmp_path):
    house = House(tmp_path)
    assert house.barrier.slot_rule == SlotRule()
    assert house.barrier.tree.root.escrows == ()
    house.store.close()


def test_row_114_a_recovery_key_that_somebody_takes_out_of_the_root_is_waited_for_all_the_same(house):
    root = house.barrier.tree.root
    with house.store.transaction() as txn:
        txn.put_meta("root", ENCODER.encode(replace(root, escrows=())))
    house.barrier = house.another()  # the chore gives it another root, which is for the recovery key
    assert [one.wrap.slot for one in house.barrier.tree.root.escrows] == [R1.name]
    house.destroy("k1")
    house.choose(Mode.STRICT)
    assert R1.name in ended(house, root.epoch).waits_for
    assert house.barrier.fate(gone(house, "k1")) is Fate.DESTROYED
