"""The barrier over a real store: what does not verify is an error, and what is destroyed stays so."""

import os
import threading
from datetime import UTC, datetime

import apsw
import pytest
from msgspec.structs import replace
from tests.fakes import MemorySlot, SeededEntropy

from keystead.core.entities import Credential, CredentialKind, Keyring, KeyVersion, Kind, Name, Tenant
from keystead.core.errors import Conflict, Internal, KeysteadError, Sealed, Unauthenticated, Unavailable, WrongState
from keystead.core.keytree import generation
from keystead.core.ports import Stale
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Lifecycle
from keystead.service.barrier import Barrier, Commit
from keystead.service.inspection import inspect
from keystead.service.root import Root
from keystead.stores.sqlite import SqliteStore

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
U = Sensitive(b"u" * 32)
ACTIVE = Lifecycle(state=KeyState.ACTIVE, since=NOW)
STEPS = ("begun", "staged", "written", "committed", "opened", "retired")


class Boom(Exception):
    """The machine stops here."""


def version(key="k1", number=1):
    return KeyVersion(id=f"{key}/{number}", key_id=key, number=number, lifecycle=ACTIVE, created_at=NOW)


def tenant(name="one"):
    return Tenant(id="111122223333", name=name, created_at=NOW)


class House:
    """One database and one slot, with as many barriers as wanted."""

    def __init__(self, directory):
        self.path, self.slot, self.entropy = directory / "keystead.db", MemorySlot(), SeededEntropy(7)
        self.store = SqliteStore(self.path)
        self.barrier = Barrier(self.store, self.slot, self.entropy)
        self.barrier.initialise(U)

    def another(self, **options):
        barrier = Barrier(self.store, self.slot, SeededEntropy(8), **options)
        barrier.open(U)
        return barrier

    def restart(self):
        self.store.close()
        self.store = SqliteStore(self.path)
        self.barrier = self.another()

    def create(self, *keys):
        found = [version(key) for key in keys]
        material = {each.id: Sensitive(f"material of {each.id}".encode()) for each in found}
        self.barrier.commit(Commit(put=tuple(found), material=material))
        return [self.barrier.get(KeyVersion, each.id) for each in found]

    def sql(self, statement, *values):
        """Write as an attacker writes: past the store."""
        db = apsw.Connection(str(self.path))
        try:
            return db.execute(statement, values).fetchall()
        finally:
            db.close()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.store.close()


# --- opening


def test_nothing_works_while_it_is_sealed(house):
    house.barrier.close()
    assert not house.barrier.is_open
    for act in (
        lambda: house.barrier.get(Tenant, "nobody"),
        lambda: house.barrier.commit(Commit()),
        lambda: house.barrier.subkey("x"),
        house.barrier.rotate,
        lambda: house.barrier.epoch,
        lambda: house.barrier.material(replace(version(), wrapped=b"x", position=1)),
    ):
        with pytest.raises(Sealed):
            act()


def test_a_wrong_unseal_key_is_refused(house):
    with pytest.raises(Unauthenticated):
        Barrier(house.store, house.slot, os.urandom).open(Sensitive(b"v" * 32))


def test_an_empty_store_does_not_open(tmp_path):
    store = SqliteStore(tmp_path / "empty.db")
    with pytest.raises(Conflict):
        Barrier(store, MemorySlot(), os.urandom).open(U)
    store.close()


def test_a_store_is_initialised_once(house):
    with pytest.raises(Conflict, match="initialised before"):
        Barrier(house.store, MemorySlot(), os.urandom).initialise(U)


def test_a_slot_in_use_is_not_taken(house, tmp_path):
    store = SqliteStore(tmp_path / "second.db")
    with pytest.raises(Conflict, match="another database"):
        Barrier(store, house.slot, os.urandom).initialise(U)
    store.close()


@pytest.mark.parametrize("held", [{}, {"0" * 16: Sensitive(b"s" * 32)}], ids=["lost", "foreign"])
def test_row_120_a_lost_or_foreign_slot_is_refused_clearly(house, held):
    house.slot.held = held
    with pytest.raises(Conflict, match="the slot was erased or the database was rolled back"):
        house.another()


def test_row_120_an_old_slot_is_refused_clearly(house):
    old = house.slot.copy()
    house.barrier.rotate()
    with pytest.raises(Conflict, match="the slot was erased or the database was rolled back"):
        Barrier(house.store, old, os.urandom).open(U)


def test_a_slot_secret_changed_under_its_name_does_not_open_the_root(house):
    house.slot.held = dict.fromkeys(house.slot.held, Sensitive(b"x" * 32))
    with pytest.raises(Internal, match="root"):
        house.another()


def test_opening_erases_what_an_interrupted_destruction_left(house):
    house.slot.hold(Sensitive(b"left" * 8))
    house.restart()
    assert len(house.slot.held) == 1
    assert house.barrier.n_outstanding == 0


# --- entities


def test_what_is_put_is_got(house):
    house.barrier.commit(Commit(put=(tenant(),)))
    assert house.barrier.get(Tenant, "111122223333") == replace(tenant(), revision=1)
    assert house.barrier.get(Tenant, "absent") is None


def test_lists(house):
    rings = tuple(Keyring(id=f"r{n}", tenant="t", name=f"n{n}", created_at=NOW) for n in range(5))
    name = Name(id="n1", keyring="r1", key_id="k9", namespace="a", name="b", created_at=NOW, updated_at=NOW)
    house.barrier.commit(Commit(put=(*rings, name)))
    assert [ring.id for ring in house.barrier.children(Keyring, "t", after="r1", limit=2)] == ["r2", "r3"]
    assert house.barrier.linked(Name, "k9") == [replace(name, revision=1)]
    assert len(house.barrier.every(Keyring)) == 5


def test_a_secret_in_a_row_is_not_in_the_file(house):
    secret = b"correct horse battery staple 4711"
    credential = Credential(
        id="AKIA1", principal_id="p", credential_kind=CredentialKind.ACCESS_KEY, secret=secret, created_at=NOW
    )
    house.barrier.commit(Commit(put=(credential,)))
    house.store.close()
    assert secret not in house.path.read_bytes()
    house.store = SqliteStore(house.path)
    assert house.another().get(Credential, "AKIA1").secret == secret


@pytest.mark.parametrize("how", ["seen", "put", "delete"])
def test_a_moved_revision_is_stale_and_changes_nothing(house, how):
    house.barrier.commit(Commit(put=(tenant(),)))
    first = house.barrier.get(Tenant, "111122223333")
    house.barrier.commit(Commit(put=(replace(first, name="two"),)))
    with pytest.raises(Stale):
        house.barrier.commit(
            Commit(**{how: (first,)}, record=b"never", **({"put": (version(),)} if how != "put" else {}))
        )
    assert house.barrier.get(Tenant, "111122223333").name == "two"
    assert house.barrier.get(KeyVersion, "k1/1") is None
    assert house.store.records(0, 10) == []


def test_revision_zero_must_not_exist_yet(house):
    house.barrier.commit(Commit(put=(tenant(),)))
    with pytest.raises(Stale):
        house.barrier.commit(Commit(put=(tenant(),)))


def test_delete(house):
    house.barrier.commit(Commit(put=(tenant(),)))
    house.barrier.commit(Commit(delete=(house.barrier.get(Tenant, "111122223333"),), record=b"gone"))
    assert house.barrier.get(Tenant, "111122223333") is None
    assert house.store.records(0, 10) == [(1, b"gone")]
    assert inspect(house.barrier, house.store).whole


def test_names_and_subkeys_outlive_rotation_and_restart(house):
    def facts(barrier):
        return barrier.name_id("aws:1:eu", "alias/a"), barrier.subkey("audit-sign").reveal()

    before = facts(house.barrier)
    house.barrier.rotate()
    house.restart()
    assert facts(house.barrier) == before
    assert len(before[0]) == 32
    assert house.barrier.name_id("aws:1:eua", "lias/a") != before[0]
    assert house.barrier.subkey("marker").reveal() != before[1]


# --- row 114: what is altered is refused, never answered


ALTERATIONS = {
    "sealed": "UPDATE item SET sealed = zeroblob(length(sealed)) WHERE id = 'k1/1'",
    "short": "UPDATE item SET sealed = x'00' WHERE id = 'k1/1'",
    "empty": "UPDATE item SET sealed = x'' WHERE id = 'k1/1'",
    "revision": "UPDATE item SET revision = revision + 1 WHERE id = 'k1/1'",
    "epoch": "UPDATE item SET epoch = epoch + 1 WHERE id = 'k1/1'",
    "parent": "UPDATE item SET parent = 'k2' WHERE id = 'k1/1'",
    "link": "UPDATE item SET link = 'k2' WHERE id = 'k1/1'",
    "swapped": "UPDATE item SET sealed = (SELECT sealed FROM item WHERE id = 'k2/1') WHERE id = 'k1/1'",
}


@pytest.mark.parametrize("statement", ALTERATIONS.values(), ids=ALTERATIONS)
def test_row_114_an_altered_row_does_not_verify(house, statement):
    house.create("k1", "k2")
    house.sql(statement)
    with pytest.raises(Internal, match="row key-version k1/1 does not verify"):
        house.barrier.get(KeyVersion, "k1/1")
    assert house.barrier.get(KeyVersion, "k2/1") is not None
    assert "key-version k1/1" in inspect(house.barrier, house.store).damaged


def test_row_114_a_row_does_not_open_under_another_id(house):
    house.create("k1")
    house.sql("UPDATE item SET id = 'k3/1' WHERE id = 'k1/1'")
    with pytest.raises(Internal):
        house.barrier.get(KeyVersion, "k3/1")


def test_row_114_material_does_not_open_as_that_of_another_key_or_number(house):
    one, two = house.create("k1", "k2")
    for wrong in (
        replace(one, wrapped=two.wrapped),
        replace(one, key_id="k2"),
        replace(one, number=2),
        replace(one, position=two.position),
        replace(one, position=0),
    ):
        with pytest.raises(Internal):
            house.barrier.material(wrong)


def test_row_114_an_older_copy_of_a_row_opens_but_is_told_by_the_tally(house):
    house.barrier.commit(Commit(put=(tenant(),)))
    old = house.sql("SELECT revision, sealed FROM item")[0]
    house.barrier.commit(Commit(put=(replace(house.barrier.get(Tenant, "111122223333"), name="two"),)))
    assert inspect(house.barrier, house.store).whole
    house.sql("UPDATE item SET revision = ?, sealed = ?", *old)
    found = inspect(house.barrier, house.store)
    assert not found.damaged
    assert not found.tallies
    assert not found.whole


@pytest.mark.parametrize("statement", ["DELETE FROM item WHERE id = 'k1/1'", "DELETE FROM item"])
def test_row_114_a_removed_row_is_told_by_the_tally(house, statement):
    house.create("k1", "k2")
    house.sql(statement)
    assert not inspect(house.barrier, house.store).whole


def test_row_114_a_node_put_back_is_not_an_answer(house):
    """An older copy of a node that has grown since opens, but lacks the leaf: that is damage, not destruction."""
    house.create("k1")
    old = house.sql("SELECT place, sealed FROM node")
    (two,) = house.create("k2")
    for place, sealed in old:
        house.sql("UPDATE node SET sealed = ? WHERE place = ?", sealed, place)
    with pytest.raises(Internal, match="no leaf"):
        house.another().material(two)
    assert not inspect(house.another(), house.store).whole


def test_row_114_every_byte_of_the_database_matters_or_is_not_read(tmp_path):
    """Flip bytes all over a small database: each reading is right, or an error. P6."""
    house = House(tmp_path)
    house.create("k1", "k2", "k3")
    house.store.close()
    whole = house.path.read_bytes()
    outcomes = {"right": 0, "refused": 0}
    for at in range(0, len(whole), 89):
        house.path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        outcomes[read_everything(house)] += 1
    assert outcomes["refused"] > 50
    assert outcomes["right"] > 50


def read_everything(house):
    try:
        store = SqliteStore(house.path)
    except KeysteadError:
        return "refused"
    try:
        barrier = Barrier(store, house.slot, SeededEntropy(9))
        barrier.open(U)
        for key in ("k1", "k2", "k3"):
            found = barrier.get(KeyVersion, f"{key}/1")
            if found is None:  # an index that points astray loses a row; the tally knows
                assert not inspect(barrier, store).whole
                return "refused"
            assert barrier.material(found).reveal() == f"material of {key}/1".encode()
    except (Internal, Unavailable, Unauthenticated, Conflict):
        return "refused"
    finally:
        store.close()
    return "right"


def test_row_108_a_rolled_back_database_is_noticed_while_running(house, tmp_path):
    house.create("k1")
    house.store.backup(tmp_path / "old.db")
    house.create("k2")
    old = SqliteStore(tmp_path / "old.db")
    house.barrier._store = old
    with pytest.raises(Conflict, match="rolled back"):
        house.barrier.commit(Commit(record=b"r"))
    old.close()


# --- keying material and destruction


def test_material_comes_back_through_restart_rotation_and_cold_cache(house):
    found = house.create(*(f"k{n}" for n in range(70)))
    house.barrier.rotate()
    house.restart()
    for each in found:
        assert house.barrier.material(each).reveal() == f"material of {each.id}".encode()


def test_a_version_without_material_says_so(house):
    house.barrier.commit(Commit(put=(version(),)))
    with pytest.raises(WrongState):
        house.barrier.material(house.barrier.get(KeyVersion, "k1/1"))


def test_row_97_destroying_blanks_the_row_and_takes_the_leaf(house):
    one, two, three = house.create("k1", "k2", "k3")
    before, epoch = set(house.slot.held), house.barrier.epoch
    gone = Lifecycle(state=KeyState.DESTROYED, since=NOW)
    house.barrier.commit(Commit(put=(replace(one, lifecycle=gone),), destroy=(one, two), record=b"destroyed"))
    assert house.barrier.epoch == epoch + 1
    assert not before & set(house.slot.held)
    stored = house.barrier.get(KeyVersion, "k1/1")
    assert (stored.wrapped, stored.lifecycle.state, stored.revision) == (b"", KeyState.DESTROYED, 2)
    assert house.barrier.get(KeyVersion, "k2/1").wrapped == b""  # named in `destroy` alone
    for each in (one, two, stored):
        with pytest.raises(WrongState):
            house.barrier.material(each)
    assert house.barrier.material(three).reveal() == b"material of k3/1"
    assert house.store.records(0, 9) == [(1, b"destroyed")]
    assert inspect(house.barrier, house.store).whole


def test_row_97_a_leaf_is_never_used_again(house):
    (one,) = house.create("k1")
    house.barrier.commit(Commit(destroy=(one,)))
    (two,) = house.create("k2")
    assert two.position > one.position


def test_destroying_what_is_destroyed_is_wrong(house):
    (one,) = house.create("k1")
    house.barrier.commit(Commit(destroy=(one,)))
    with pytest.raises(WrongState):
        house.barrier.commit(Commit(destroy=(house.barrier.get(KeyVersion, "k1/1"),)))
    assert house.barrier.n_outstanding == 0  # refused before anything was staged


def test_destroying_what_never_had_material_rotates_nothing(house):
    house.barrier.commit(Commit(put=(version(),)))
    epoch = house.barrier.epoch
    house.barrier.commit(Commit(destroy=(house.barrier.get(KeyVersion, "k1/1"),)))
    assert house.barrier.epoch == epoch


def test_a_version_cannot_be_made_and_destroyed_at_once(house):
    (one,) = house.create("k1")
    with pytest.raises(Internal):
        house.barrier.commit(Commit(put=(one,), destroy=(one,), material={one.id: Sensitive(b"m")}))


def test_another_process_sees_creations_and_destructions(house):
    one, two = house.create("k1", "k2")
    other = house.another()
    assert other.material(one).reveal() == b"material of k1/1"
    (three,) = house.create("k3")
    assert other.material(three).reveal() == b"material of k3/1"  # its cached node is older than the leaf
    house.barrier.commit(Commit(destroy=(one,)))
    with pytest.raises(WrongState):
        other.material(one)
    assert other.material(two).reveal() == b"material of k2/1"
    assert other.epoch == house.barrier.epoch
    other.commit(Commit(destroy=(two,)))
    with pytest.raises(WrongState):
        house.barrier.material(two)
    assert house.barrier.material(three).reveal() == b"material of k3/1"


@pytest.mark.parametrize("step", STEPS)
def test_row_97_a_crash_at_any_step_is_all_or_nothing(house, step):
    one, two = house.create("k1", "k2")

    def crash(at):
        if at == step:
            raise Boom

    doomed = house.another(on_step=crash)
    with pytest.raises(Boom):
        doomed.commit(Commit(destroy=(one,), record=b"destroyed"))
    house.restart()
    happened = STEPS.index(step) >= STEPS.index("committed")
    assert len(house.slot.held) == 1
    assert len(house.store.records(0, 9)) == happened
    assert house.barrier.material(two).reveal() == b"material of k2/1"
    if happened:
        with pytest.raises(WrongState):
            house.barrier.material(one)
    else:
        assert house.barrier.material(one).reveal() == b"material of k1/1"
        house.barrier.commit(Commit(destroy=(one,)))
    assert inspect(house.barrier, house.store).whole


def test_a_slot_that_cannot_erase_owes_it_and_the_destruction_stands(house, monkeypatch, caplog):
    one, two = house.create("k1", "k2")

    def refuse(keep, shown):
        raise Unavailable("read-only")

    monkeypatch.setattr(house.slot, "retire", refuse)
    house.barrier.commit(Commit(destroy=(one,)))
    assert house.barrier.n_outstanding == 1
    assert "not erased yet" in caplog.text
    with pytest.raises(WrongState):
        house.barrier.material(one)
    house.restart()  # opens all the same
    monkeypatch.undo()
    house.barrier.settle()
    assert house.barrier.n_outstanding == 0
    assert house.barrier.material(two).reveal() == b"material of k2/1"


def test_a_slot_that_cannot_stage_stops_the_destruction(house, monkeypatch):
    (one,) = house.create("k1")

    def refuse(secret):
        raise Unavailable("full")

    monkeypatch.setattr(house.slot, "stage", refuse)
    with pytest.raises(Unavailable):
        house.barrier.commit(Commit(destroy=(one,)))
    assert house.barrier.material(one).reveal() == b"material of k1/1"


def test_processes_destroying_at_once_lose_no_key(house):
    """Two barriers with an object each on the file, as two processes have; readers beside them."""
    found = house.create(*(f"k{n}" for n in range(40)))
    stores = [SqliteStore(house.path, busy_for=60.0) for _ in range(2)]
    barriers = [Barrier(store, house.slot, os.urandom) for store in stores]
    for barrier in barriers:
        barrier.open(U)
    failed = []

    def destroy(barrier, victims):
        try:
            for victim in victims:
                barrier.commit(Commit(destroy=(victim,)))
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    def read(barrier):
        try:
            for _ in range(30):
                for each in found[20:]:
                    assert barrier.material(each).reveal() == f"material of {each.id}".encode()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [
        threading.Thread(target=destroy, args=(barriers[0], found[:10])),
        threading.Thread(target=destroy, args=(barriers[1], found[10:20])),
        *(threading.Thread(target=read, args=(barrier,)) for barrier in barriers),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    house.restart()
    assert house.barrier.epoch == 21
    assert len(house.slot.held) == 1
    for each in found[20:]:
        assert house.barrier.material(each).reveal() == f"material of {each.id}".encode()
    for store in stores:
        store.close()


def test_a_rotation_gives_the_root_node_another_key(house):
    before = house.barrier.tree
    house.barrier.rotate()
    assert house.barrier.tree.key != before.key
    with pytest.raises(Internal):
        before.root.wraps[0].unwrap(house.barrier.wrapping_keys()[0], before.root.epoch)


def test_a_reader_whom_a_destruction_overtakes_looks_again(house, monkeypatch):
    one, two = house.create("k1", "k2")
    house.restart()
    other, real = house.another(), house.store.node
    overtakers = iter([lambda: other.commit(Commit(destroy=(one,)))])

    def node(level, index):
        next(overtakers, lambda: None)()  # the root was read before, the nodes will be of after
        return real(level, index)

    monkeypatch.setattr(house.store, "node", node)
    assert house.barrier.material(two).reveal() == b"material of k2/1"
    assert house.barrier.epoch == other.epoch


def test_nobody_retires_what_another_has_staged_and_not_yet_named(house):
    one, two, three = house.create("k1", "k2", "k3")
    store = SqliteStore(house.path)
    staged, retired = threading.Event(), threading.Event()

    def slow(step):
        if step == "staged":
            staged.set()
            retired.wait(0.3)  # in vain: the write lock is ours until the database names what we staged

    second = Barrier(store, house.slot, os.urandom, slow)
    second.open(U)
    thread = threading.Thread(target=second.commit, args=(Commit(destroy=(two,)),))

    def first(step):
        if step == "opened":
            thread.start()
            staged.wait(60)
        if step == "retired":
            retired.set()

    house.another(on_step=first).commit(Commit(destroy=(one,)))
    thread.join()
    assert staged.is_set()
    house.restart()
    assert house.barrier.material(three).reveal() == b"material of k3/1"
    assert house.barrier.epoch == 3
    store.close()


def test_the_slot_holds_what_the_database_names(house):
    house.barrier.rotate()
    (name,) = house.slot.held
    assert house.barrier.tree.root.generation == name == generation(house.slot.held[name].reveal())
    assert house.store.count(Kind.TENANT) == 0


def test_who_destroys_what_somebody_else_has_destroyed_meanwhile_is_stale(house):
    """Not told that the leaf is empty: whoever asked has to look again first."""
    (found,) = house.create("k1")
    house.barrier.commit(Commit(destroy=(found,)))
    with pytest.raises(Stale):
        house.barrier.commit(Commit(destroy=(found,)))


@pytest.mark.parametrize("blob", [b"", b"\x94\xa2\xff\xfe\x01\xc4\x00\xc4\x00", b"\x94\x01\xc4\x00\x90\xa2\xff\xfe"])
def test_a_root_that_is_damaged_is_told_so_whatever_it_reads_like(blob):
    """A name in it may be no text any more."""
    with pytest.raises(Internal, match="meta root does not verify"):
        Root.decode(blob)
