"""core.ports.Store, held to by every implementation: one suite, and a model that walks beside it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.contract.store_model import Model
from tests.fakes import FaultyStore
from tests.memorystore import MemoryStore

from keystead.core.entities import Kind
from keystead.core.errors import Internal, Unavailable
from keystead.core.ports import Row, Store
from keystead.stores.sqlite import SqliteStore

KEEP = 12  # changes remembered, few enough to be overrun

MAKERS: dict[str, Callable[..., Store]] = {
    "sqlite": lambda directory, busy_for=0.2: SqliteStore(directory / "store.db", keep_changes=KEEP, busy_for=busy_for),
    "memory": lambda _directory, busy_for=0.2: MemoryStore(keep_changes=KEEP, busy_for=busy_for),
}


@pytest.fixture(params=MAKERS)
def store(request, tmp_path):
    made = MAKERS[request.param](tmp_path / "data")
    yield made
    made.close()


@pytest.fixture(params=MAKERS)
def patient(request, tmp_path):
    """One whose writers wait for each other however long a disk takes."""
    made = MAKERS[request.param](tmp_path / "data", busy_for=60.0)
    yield made
    made.close()


def a_row(id_: str = "a", *, kind: Kind = Kind.KEY, parent: str = "p", link: str = "", revision: int = 1) -> Row:
    return Row(kind, id_, parent, link, revision, 7, f"sealed {id_} {revision}".encode())


# --- the model


IDS = st.sampled_from(["a", "b", "B", "c", "ä", "z/1", "\u2603", "\U0001f511", "nul\0", "nul\0b"])
PLACES = st.sampled_from(["p", "q", "P", "-"])
LINKS = st.sampled_from(["", "l", "m"])
KINDS = st.sampled_from([Kind.KEY, Kind.GRANT, Kind.KEY_VERSION])
BYTES = st.sampled_from([b"", b"\0", b"short", bytes(range(256)) * 5])
ROWS = st.builds(Row, KINDS, IDS, PLACES, LINKS, st.sampled_from([0, 1, 2**62]), st.sampled_from([0, 3, 2**62]), BYTES)
STEPS = st.one_of(
    st.tuples(st.just("put"), ROWS),
    st.tuples(st.just("delete"), KINDS, IDS),
    st.tuples(st.just("put_node"), st.integers(0, 3), st.integers(0, 2**24), BYTES),
    st.tuples(st.just("put_meta"), st.sampled_from(["epoch", "salt"]), BYTES),
    st.tuples(st.just("record"), BYTES),
    st.tuples(st.just("drop_records"), st.integers(-1, 12)),
)


PARTS = st.sampled_from(["bare", "holds", "fails"])


class StoreMachine(RuleBasedStateMachine):
    """Transactions of random steps: kept, thrown away or aborted by an error; the file reopened now and then."""

    maker: Callable[[Path], Store]
    reopens = False

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.store = type(self).maker(self.directory / "data")
        self.model = Model()

    @rule(
        parts=st.lists(st.tuples(st.lists(STEPS, max_size=6), PARTS), max_size=3),
        outcome=st.sampled_from(["commit", "commit", "raise"]),
    )
    def transact(self, parts, outcome):
        after = self.model.copy()
        with suppress(ZeroDivisionError), self.store.transaction() as change:
            for steps, part in parts:
                before = after.copy()
                with suppress(ZeroDivisionError), nullcontext() if part == "bare" else change.attempt():
                    for name, *values in steps:
                        assert getattr(change, name)(*values) == getattr(after, name)(*values)
                    if part == "fails":
                        after = before
                        raise ZeroDivisionError
                after.assert_same(change)  # it sees what it does
            self.model.assert_same(self.store)  # and nobody else does
            if outcome == "raise":
                raise ZeroDivisionError
            self.model = after

    @rule(back=st.integers(0, KEEP + 5))
    def ask_for_changes(self, back):
        newest = len(self.model.history)
        after = max(newest - back, 0)
        expected = None if newest - after > KEEP else self.model.history[after:]
        assert self.store.changes(after) == (newest, expected)

    @rule()
    def ask_for_changes_of_another_history(self):
        newest = len(self.model.history)
        assert self.store.changes(newest + 1) == (newest, None)

    @precondition(lambda self: self.reopens)
    @rule()
    def reopen(self):
        self.store.close()
        self.store = type(self).maker(self.directory / "data")

    @invariant()
    def same(self):
        self.model.assert_same(self.store)

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.directory)


@pytest.mark.parametrize("name", MAKERS)
def test_a_store_behaves_like_the_model(name):
    machine = type("Machine", (StoreMachine,), {"maker": staticmethod(MAKERS[name]), "reopens": name == "sqlite"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


# --- reading


def test_what_is_absent_reads_as_none(store):
    assert store.get(Kind.KEY, "a") is None
    assert store.node(0, 0) is None
    assert store.meta("epoch") is None
    assert store.every(Kind.KEY) == store.children(Kind.KEY, "p") == store.linked(Kind.KEY, "l") == []
    assert store.changes(0) == (0, [])
    assert store.records(0, 10) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_a_listing_is_paged_by_the_last_id_seen(store, limit):
    ids = [f"{n:02}" for n in range(7)]
    with store.transaction() as change:
        for id_ in reversed(ids):
            change.put(a_row(id_, link="l"))
            change.put(a_row(id_, kind=Kind.GRANT))
            change.put(a_row(f"other {id_}", parent="q"))
    listings = [
        lambda after: store.children(Kind.KEY, "p", after=after, limit=limit),
        lambda after: store.linked(Kind.KEY, "l", after=after, limit=limit),
        lambda after: store.every(Kind.GRANT, after=after, limit=limit),
    ]
    for page_after in listings:
        seen, after = [], ""
        while page := page_after(after):
            assert len(page) <= limit
            seen += [row.id for row in page]
            after = seen[-1]
        assert seen == ids


def test_nothing_is_linked_by_an_empty_link(store):
    with store.transaction() as change:
        change.put(a_row(link=""))
    assert store.linked(Kind.KEY, "") == []


def test_records_are_numbered_on_after_all_have_been_dropped(store):
    with store.transaction() as change:
        assert [change.record(b"x") for _ in range(3)] == [1, 2, 3]
    with store.transaction() as change:
        change.drop_records(3)
    with pytest.raises(ZeroDivisionError), store.transaction() as change:
        assert change.record(b"thrown away") == 4
        raise ZeroDivisionError
    with store.transaction() as change:
        assert change.record(b"y") == 4
    assert store.records(0, 10) == [(4, b"y")]
    assert store.records(4, 10) == []


def test_changes_name_only_what_was_changed(store):
    with store.transaction() as change:
        change.put(a_row("a"))
        change.put_meta("epoch", b"1")
        change.put_node(0, 0, b"n")
        change.record(b"r")
        change.delete(Kind.KEY, "never there")
    assert store.changes(0) == (1, [(Kind.KEY, "a")])


# --- transactions


def test_a_failure_within_the_block_undoes_everything(store):
    with store.transaction() as change:
        change.put(a_row(revision=1))
    with pytest.raises(ZeroDivisionError), store.transaction() as change:
        change.put(a_row(revision=2))
        change.put_node(1, 2, b"n")
        change.put_meta("epoch", b"2")
        change.record(b"r")
        raise ZeroDivisionError
    assert store.get(Kind.KEY, "a") == a_row(revision=1)
    assert (store.node(1, 2), store.meta("epoch"), store.records(0, 9)) == (None, None, [])
    assert store.changes(0) == (1, [(Kind.KEY, "a")])


def test_a_part_that_fails_is_undone_and_the_others_are_kept(store):
    with store.transaction() as change:
        for id_, fails in (("a", False), ("b", True), ("c", False)):
            with suppress(ZeroDivisionError), change.attempt():
                change.put(a_row(id_))
                change.put_meta(id_, b"1")
                number = change.record(id_.encode())
                if fails:
                    raise ZeroDivisionError
    assert number == 2  # the number of what was undone is given again
    assert [row.id for row in store.every(Kind.KEY)] == ["a", "c"]
    assert store.records(0, 9) == [(1, b"a"), (2, b"c")]
    assert [store.meta(name) for name in "abc"] == [b"1", None, b"1"]


def test_a_part_of_a_transaction_that_is_over_is_refused(store):
    with store.transaction() as change:
        pass
    with pytest.raises(Internal), change.attempt():
        pytest.fail("it began")


def test_a_transaction_is_of_no_use_after_its_block(store):
    with store.transaction() as kept:
        kept.put(a_row("kept"))
    with pytest.raises(ZeroDivisionError), store.transaction() as thrown_away:
        raise ZeroDivisionError
    for over, write in itertools.product(
        (kept, thrown_away),
        (
            lambda over: over.put(a_row("late")),
            lambda over: over.delete(Kind.KEY, "kept"),
            lambda over: over.put_node(0, 0, b""),
            lambda over: over.put_meta("m", b""),
            lambda over: over.record(b""),
            lambda over: over.drop_records(1),
        ),
    ):
        with pytest.raises(Internal):
            write(over)
    assert store.every(Kind.KEY) == [a_row("kept")]


def test_a_transaction_within_a_transaction_is_a_bug(store):
    with store.transaction() as change:
        change.put(a_row())
        with pytest.raises(RuntimeError), store.transaction():
            pass
    assert store.get(Kind.KEY, "a") == a_row()


def test_another_writer_waits_its_turn_and_not_for_ever(store):
    refused = []

    def write_too():
        try:
            with store.transaction() as change:
                change.put(a_row("b"))
        except Unavailable as error:
            refused.append(str(error))

    with store.transaction():
        thread = threading.Thread(target=write_too)
        thread.start()
        thread.join(60)
    assert refused == ["the store is busy"]
    write_too()
    assert store.get(Kind.KEY, "b") == a_row("b")


def test_readers_see_whole_transactions_while_another_thread_writes(store):
    n_rounds, ids, mixed, done = 60, ["a", "b", "c"], [], threading.Event()
    with store.transaction() as change:
        for id_ in ids:
            change.put(a_row(id_, revision=0))

    def read():
        last = 0
        while not done.is_set():
            revisions = [row.revision for row in store.children(Kind.KEY, "p")]
            if len(set(revisions)) != 1 or revisions[0] < last:
                mixed.append(revisions)
            last = revisions[0]

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    for revision in range(1, n_rounds):
        with store.transaction() as change:
            for id_ in ids:
                change.put(a_row(id_, revision=revision))
    done.set()
    for thread in readers:
        thread.join(60)
    assert mixed == []
    assert [row.revision for row in store.every(Kind.KEY)] == [n_rounds - 1] * 3


def test_writers_from_many_threads_lose_nothing(patient):
    def write(worker):
        for n in range(15):
            with patient.transaction() as change:
                row = change.get(Kind.KEY, "counter")
                change.put(a_row("counter", revision=row.revision + 1 if row else 1))
                change.record(b"%d %d" % (worker, n))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert patient.get(Kind.KEY, "counter").revision == 60
    records = patient.records(0, 100)
    assert [n for n, _ in records] == list(range(1, 61))
    for worker in range(4):  # each in its own order
        mine = [record for _, record in records if record.startswith(b"%d " % worker)]
        assert mine == [b"%d %d" % (worker, n) for n in range(15)]


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(Unavailable):
        store.get(Kind.KEY, "a")
    with pytest.raises(Unavailable), store.transaction():
        pass
    store.close()


# --- the wrapper that fails on purpose stands under the same port


def test_a_faulty_store_fails_at_each_operation_and_keeps_nothing_of_it(store):
    faulty = FaultyStore(store)

    def change_all():
        with faulty.transaction() as change:
            change.put(a_row("new"))
            change.record(b"r")

    for at in range(1, 5):
        faulty.fail(at)
        with pytest.raises(Unavailable):
            change_all()
        assert store.get(Kind.KEY, "new") is None
    faulty.fail(4, also_lost=False)
    with pytest.raises(Unavailable):
        change_all()
    assert store.get(Kind.KEY, "new") == a_row("new")
    faulty.fail(5)
    change_all()
    assert faulty.n_operations == 4
