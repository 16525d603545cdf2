"""The sequencer: every record once, in each journal's order, whatever fails at whichever step."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import FakeClock
from tests.faults.run_journal import AUDIT, JOURNAL_KEY, SIGNER, Changes, opened, size_of_log, start
from tests.faults.simdisk import PowerLoss, SimDisk
from tests.memorystore import MemoryStore

from keystead.core.audit.checkpoint import Checkpoint, open_checkpoint
from keystead.core.audit.merkle import consistency, verify_consistency
from keystead.core.audit.note import Note, VerifierKey, verifier_key
from keystead.core.audit.verify import Tampered
from keystead.core.errors import Conflict, InvalidArgument, KeysteadError, NotFound, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.crypto.notes import NoteSigner, verify_ed25519
from keystead.service.journal import Journal
from keystead.service.log import Log
from keystead.service.progress import load_state, newest_of, rebase
from keystead.service.sequencer import Sequencer
from keystead.stores.disk import LocalDisk
from keystead.stores.sqlite import SqliteStore

KEY = verifier_key(SIGNER)


class World:
    """A disk, two journals, change records, and what has been acknowledged."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = Random(1)
        self.disk, self.changes = SimDisk(Random(seed)), Changes()
        self.records: list[bytes] = []
        self.journals: list[Journal] = []
        self.worked = 0

    def open(self) -> None:
        self.journals = [opened(self.disk, f"w{n}", self.rng, 16384, AUDIT / "journal") for n in range(2)]

    def work(self, n: int = 3) -> None:
        self.worked += 1
        for which, journal in enumerate(self.journals):
            batch = [b"%d/%d/%d %s" % (which, self.worked, i, b"x" * self.rng.choice((3, 900))) for i in range(n)]
            for record in batch:
                journal.append(record)
            journal.flush()
            self.records += batch
        self.changes.commit(b"change/%d" % self.worked)
        self.records.append(b"change/%d" % self.worked)

    def log(self) -> list[bytes]:
        return list(Log(self.disk, AUDIT).records())

    def check(self) -> None:
        """Every acknowledged record is there once, in order, under a signed checkpoint."""
        log = self.log()
        assert len(set(log)) == len(log)
        assert set(log) >= set(self.records)
        for source in (b"0/", b"1/", b"change/"):
            expected = [record for record in self.records if record.startswith(source)]
            assert [record for record in log if record in expected] == expected
        verdict = Log(self.disk, AUDIT).verify(KEY, verify_ed25519)
        assert (verdict.n_records, verdict.n_uncovered) == (len(log), 0)


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


def test_one_log_of_all_sources(world: World) -> None:
    sequencer = start(world.disk, world.changes)
    assert sequencer.step() == 0
    for _ in range(12):
        world.work()
        assert sequencer.step() == 7
        assert sequencer.step() == 0
    assert sequencer.size == len(world.records) == 84
    world.check()
    names = world.disk.names(AUDIT / "log")
    assert [name for name in names if name.endswith(".jsonl")][:2] == ["000000000000.jsonl", "000000000007.jsonl"]
    assert len(world.changes.kept) == 1  # the newest stays
    assert not sequencer.damaged


def test_it_says_that_it_is_behind_until_it_is_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keystead.service.sequencer.STEP", 8192)
    sequencer = start(world.disk, world.changes)
    for _ in range(20):
        world.work(n=8)
    n_full = 0
    while sequencer.step():
        n_full += sequencer.is_behind
    assert n_full >= 5
    assert not sequencer.is_behind
    world.check()


def test_a_restart_goes_on(world: World) -> None:
    for _ in range(4):
        sequencer = start(world.disk, world.changes)
        world.work()
        sequencer.step()
        world.work()
        sequencer.close()
    sequencer = start(world.disk, world.changes)
    while sequencer.step():
        pass
    world.check()
    assert sequencer.size == len(world.records)


def test_records_are_told_once_and_in_order(world: World) -> None:
    told: list[tuple[int, list[bytes]]] = []
    sequencer = Sequencer(
        world.disk,
        AUDIT,
        world.changes,
        world.changes,
        JOURNAL_KEY,
        SIGNER,
        verify_ed25519,
        clock=FakeClock(),
        on_records=lambda first, records: told.append((first, records)),
    )
    for _ in range(3):
        world.work()
        sequencer.step()
        sequencer.step()
    log = world.log()
    assert [first for first, _ in told] == [0, 7, 14]
    assert [record for _, records in told for record in records] == log


# --- crashes and failures at every step


def scenario(world: World) -> None:
    """Two runs of the sequencer with work before and within, over a roll of the log file and the end of a journal."""
    world.work()
    sequencer = start(world.disk, world.changes)
    sequencer.step()
    world.work()
    world.journals[0].close()
    world.journals.pop(0)
    for _ in range(4):
        sequencer.step()
    sequencer.close()


def n_operations() -> tuple[int, int]:
    """Of the scenario: the first and the last disk operation."""
    world = World()
    world.open()
    first = world.disk.n_operations
    scenario(world)
    return first, world.disk.n_operations


@pytest.mark.parametrize("power", [True, False])
def test_a_crash_at_every_disk_operation(*, power: bool) -> None:
    first, last = n_operations()
    assert last - first > 60
    for at in range(first + 1, last + 1):
        world = World(at)
        world.open()
        world.disk.dies_at = at
        with pytest.raises(PowerLoss):
            scenario(world)
        before = newest(world.disk)
        if power:
            world.disk.reboot()
        else:
            world.disk.restart()
        sequencer = start(world.disk, world.changes)
        while sequencer.step():
            pass
        sequencer.step()
        world.check()
        assert_consistent(world, before)
        left = [name for name in world.disk.names(AUDIT / "journal") if name.endswith(".journal")]
        assert not left, f"operation {at}: {left}"


@pytest.mark.parametrize("error", [5, 28])  # EIO, ENOSPC
def test_a_failure_at_every_disk_operation(error: int) -> None:
    first, last = n_operations()
    for at in range(first + 1, last + 1):
        world = World(at)
        world.open()
        world.disk.fails_at, world.disk.error = at, error
        for _ in range(3):
            try:
                world.work()
            except Unavailable:
                break  # that journal is done for; not what this is about
        sequencer = None
        for _ in range(12):  # the same sequencer recovers by itself
            try:
                sequencer = sequencer or start(world.disk, world.changes)
                sequencer.step()
            except Unavailable:
                continue
        assert sequencer is not None
        world.disk.fails_at = None
        before = newest(world.disk)
        sequencer.close()
        sequencer = start(world.disk, world.changes)
        while sequencer.step():
            pass
        world.check()
        assert_consistent(world, before)


def newest(disk: SimDisk) -> Checkpoint | None:
    """The checkpoint anybody could have seen; a signed one is never taken back."""
    inode = disk.names_now.get(AUDIT / "checkpoint")
    return Checkpoint.parse(Note.parse(bytes(inode.data)).text) if inode else None


def assert_consistent(world: World, before: Checkpoint | None) -> None:
    log = Log(world.disk, AUDIT)
    after = open_checkpoint(log.checkpoint(), KEY, verify_ed25519)
    if before is not None:
        proof = consistency(before.size, after.size, log.kept)
        assert verify_consistency(before.size, after.size, proof, before.root, after.root)


def test_a_store_that_is_busy_loses_nothing() -> None:
    world = World()
    world.open()

    class Busy(Changes):
        fails = True

        def transaction(self):
            if self.fails:
                raise Unavailable("busy")
            return super().transaction()

    world.changes = Busy()
    sequencer = start(world.disk, world.changes)
    for _ in range(3):
        world.work()
        sequencer.step()
    assert len(world.changes.kept) == 3
    world.changes.fails = False
    world.work()
    sequencer.step()
    assert len(world.changes.kept) == 1
    world.check()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(["work", "step", "restart", "worker", "dead"]), max_size=25))
def test_any_order_of_events(seed: int, events: list[str]) -> None:
    world = World(seed)
    world.open()
    sequencer = start(world.disk, world.changes)
    for event in events:
        if event == "work":
            world.work(2)
        elif event == "step":
            sequencer.step()
        elif event == "restart":
            sequencer.close()
            sequencer = start(world.disk, world.changes)
        else:  # the workers end, properly or not, and new ones begin
            for journal in world.journals:
                if event == "worker":
                    journal.close()
                else:
                    journal._file.close()
            while sequencer.step():  # else an old journal may be folded after a new one
                pass
            world.open()
    while sequencer.step():
        pass
    world.check()


# --- refusals at start


def refused(world: World, match: str) -> None:
    with pytest.raises(Conflict, match=match):
        start(world.disk, world.changes)


def run_for_a_while(world: World) -> None:
    sequencer = start(world.disk, world.changes)
    for _ in range(3):
        world.work()
        sequencer.step()
    sequencer.close()


def test_one_sequencer_at_a_time(world: World) -> None:
    sequencer = start(world.disk, world.changes)
    refused(world, "another sequencer")
    sequencer.close()
    start(world.disk, world.changes)


def test_a_store_rolled_back_is_refused(world: World) -> None:
    run_for_a_while(world)
    backup = dict(world.changes.kept), world.changes.newest, world.changes.chained
    run_for_a_while(world)
    world.changes.kept, world.changes.newest, world.changes.chained = backup
    refused(world, "rolled back")
    for _ in range(3):  # it has gone on since, and is as far again
        world.changes.commit(b"another history")
    refused(world, "rolled back")
    newest, chain = newest_of(world.changes), world.changes.chain()
    rebase(world.disk, AUDIT, world.changes, JOURNAL_KEY, newest, chain)  # what an explicit restore does
    sequencer = start(world.disk, world.changes)
    world.changes.commit(b"after the restore")
    assert sequencer.step() == 1
    assert world.log()[-1] == b"after the restore"


def test_an_empty_store_under_an_old_log_is_refused(world: World) -> None:
    run_for_a_while(world)
    world.changes = Changes()
    refused(world, "rolled back")


def test_change_records_that_are_missing_are_told(world: World) -> None:
    sequencer = start(world.disk, world.changes)
    world.work()
    sequencer.step()
    world.work()
    world.work()
    del world.changes.kept[2]
    with pytest.raises(Conflict, match="lost change records 2 to 2"):
        sequencer.step()


def test_a_state_older_than_its_checkpoint_is_refused(world: World) -> None:
    run_for_a_while(world)
    old = bytes(world.disk.names_now[AUDIT / "state"].data)
    log_before = world.log()
    run_for_a_while(world)
    inode = world.disk.names_now[AUDIT / "state"]
    new, inode.data[:] = bytes(inode.data), old
    world.changes.kept[load_state(world.disk, AUDIT, JOURNAL_KEY, of_before=False).change] = b"change/3"
    refused(world, "older than its checkpoint")
    del world.disk.names_now[AUDIT / "state"]
    refused(world, "older than its checkpoint")
    assert world.log()[: len(log_before)] == log_before  # nothing was put back to anything
    assert len(world.log()) > len(log_before)
    inode.data[:] = new
    world.disk.names_now[AUDIT / "state"] = inode
    start(world.disk, world.changes)


def test_another_key_is_refused(world: World) -> None:
    run_for_a_while(world)
    other = NoteSigner(SIGNER.name, Sensitive(bytes(32)))
    with pytest.raises(Conflict, match="another key"):
        Sequencer(
            world.disk, AUDIT, world.changes, world.changes, JOURNAL_KEY, other, verify_ed25519, clock=FakeClock()
        )


@pytest.mark.parametrize(
    "name, at, match",
    [
        ("state", 0, "cannot be read"),
        ("checkpoint", 30, "not ours"),
        ("key.pub", 30, "another key"),
        ("log/hashes.0", 9600, "hashes"),
    ],
)
def test_changed_files_are_refused(world: World, name: str, at: int, match: str) -> None:
    sequencer = start(world.disk, world.changes)
    for _ in range(60):  # so that hashes.0 has full pages
        world.work()
        sequencer.step()
    sequencer.close()
    data = world.disk.names_now[AUDIT / name].data
    data[at] ^= 1
    refused(world, match)


def test_a_log_that_has_lost_its_end_is_refused(world: World) -> None:
    run_for_a_while(world)
    offsets = world.disk.names_now[AUDIT / "log" / "hashes.0"]
    world_state = load_state(world.disk, AUDIT, JOURNAL_KEY, of_before=False)
    assert world_state.size == 21
    sequencer = start(world.disk, world.changes)
    for _ in range(60):
        world.work()
        sequencer.step()
    sequencer.close()
    del offsets.data[100:]
    refused(world, "shorter than it was")


# --- reading


def test_reading(world: World) -> None:
    log = Log(world.disk, AUDIT)
    with pytest.raises(NotFound):
        log.checkpoint()
    with pytest.raises(NotFound):
        log.key()
    with pytest.raises(NotFound):
        list(Log(LocalDisk(), Path("/nowhere")).records())
    sequencer = start(world.disk, world.changes)
    assert (log.size(), log.tail(5), log.read(0, 5)) == (0, [], [])
    for _ in range(50):
        world.work()
        sequencer.step()
    records = world.log()
    assert log.size() == len(records) == 350
    for first, limit in ((0, 1), (0, 350), (0, 999), (3, 30), (349, 1), (349, 5), (350, 5), (6, 2), (7, 7), (13, 1)):
        assert log.read(first, limit) == records[first : first + limit]
    assert log.tail(2) == [(348, records[348]), (349, records[349])]
    assert log.tail(9999) == list(enumerate(records))
    assert log.key() == KEY
    assert str(VerifierKey.parse(str(KEY))) == str(KEY)


def test_every_record_can_be_proven(world: World) -> None:
    sequencer = start(world.disk, world.changes)
    for _ in range(45):
        world.work()
        sequencer.step()
    log = Log(world.disk, AUDIT)
    for index, record in enumerate(world.log()):
        proof = log.prove(index)
        assert proof.require(KEY, verify_ed25519).size == 315
        assert (proof.record, proof.index) == (record, index)
    for index in (-1, 315):
        with pytest.raises(InvalidArgument):
            log.prove(index)


def test_no_proof_is_made_of_damaged_files(world: World) -> None:
    run_for_a_while(world)
    log = Log(world.disk, AUDIT)
    for name, index in (("hashes.0", 1), ("000000000000.jsonl", 0)):
        data = world.disk.names_now[AUDIT / "log" / name].data
        data[0] ^= 1
        with pytest.raises(Conflict):
            log.prove(index)
        data[0] ^= 1
    assert log.prove(0).record == world.log()[0]


def test_readers_do_not_see_what_no_checkpoint_covers(world: World) -> None:
    run_for_a_while(world)
    log = Log(world.disk, AUDIT)
    state = load_state(world.disk, AUDIT, JOURNAL_KEY, of_before=False)
    grown = world.disk.names_now[AUDIT / "log" / f"{state.segment:012d}.jsonl"]
    grown.data += b"half a rec"
    assert log.read(0, 999) == world.records[:0] + log.read(0, 21)
    assert log.tail(1)[0][0] == 20
    with pytest.raises(Tampered):
        log.verify(KEY, verify_ed25519)
    grown.data += b"ord\n"
    assert log.verify(KEY, verify_ed25519).n_uncovered == 1
    assert log.tail(1)[0][0] == 20
    start(world.disk, world.changes)
    assert log.verify(KEY, verify_ed25519).n_uncovered == 0


def test_changed_bytes_of_the_files_are_found(world: World) -> None:
    run_for_a_while(world)
    log = Log(world.disk, AUDIT)
    assert log.verify(KEY, verify_ed25519).n_checkpoints == 4
    rng = Random(1)
    for name in ["checkpoint", "checkpoints", *[f"log/{n}" for n in world.disk.names(AUDIT / "log") if "jsonl" in n]]:
        data = world.disk.names_now[AUDIT / name].data
        for at in [*range(0, len(data), 5), len(data) - 1]:
            data[at] ^= (flip := 1 << rng.randrange(8))
            try:
                verdict = log.verify(KEY, verify_ed25519)
            except (Tampered, KeysteadError):
                pass
            else:  # the line feed that ends the history: its last note then counts as not written yet
                assert name == "checkpoints"
                assert (verdict.n_records, verdict.n_checkpoints) == (21, 3)
            data[at] ^= flip


def test_a_missing_file_of_the_log_is_found(world: World) -> None:
    run_for_a_while(world)
    names = [n for n in world.disk.names(AUDIT / "log") if n.endswith(".jsonl")]
    assert len(names) > 1
    for name in names:
        inode = world.disk.names_now.pop(AUDIT / "log" / name)
        with pytest.raises(Tampered):
            Log(world.disk, AUDIT).verify(KEY, verify_ed25519)
        world.disk.names_now[AUDIT / "log" / name] = inode


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_on_the_real_disk_with_a_store(tmp_path: Path, kind: str) -> None:
    disk, store = LocalDisk(), MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "store" / "keystead.db")
    sealed = Changes()
    journal = Journal(disk, tmp_path / "audit" / "journal", "w0", entropy=Random(1).randbytes, segment_size=1 << 16)
    journal.key_under(JOURNAL_KEY, lambda: size_of_log(disk, tmp_path / "audit"))
    sequencer = Sequencer(
        disk, tmp_path / "audit", store, sealed, JOURNAL_KEY, SIGNER, verify_ed25519, clock=FakeClock()
    )
    for n in range(30):
        journal.append(b"use %d" % n)
        journal.flush()
        with store.transaction() as transaction:
            transaction.record(b"change %d" % n)
            sealed.commit(b"change %d" % n)
        if n % 3 == 0:
            sequencer.step()
    journal.close()
    while sequencer.step():
        pass
    sequencer.step()
    log = Log(disk, tmp_path / "audit")
    assert log.verify(log.key(), verify_ed25519).n_records == 60
    assert len(store.records(0, 100)) == 1
    assert list((tmp_path / "audit" / "journal").iterdir()) == []
    files = [path for path in (tmp_path / "audit").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    sequencer.close()
    Sequencer(disk, tmp_path / "audit", store, sealed, JOURNAL_KEY, SIGNER, verify_ed25519, clock=FakeClock()).close()
    with pytest.raises(Conflict, match="rolled back"):
        Sequencer(
            disk, tmp_path / "audit", MemoryStore(), sealed, JOURNAL_KEY, SIGNER, verify_ed25519, clock=FakeClock()
        )
    store.close()
