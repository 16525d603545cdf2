"""The journal: nothing acknowledged is lost, whatever fails; and after a failure nothing is acknowledged."""

import errno
import threading
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faults.run_journal import AUDIT, JOURNAL_KEY, journal_loss, lines, run, sequencer_losses
from tests.faults.simdisk import PowerLoss, SimDisk, SimFile

from keystead.core.audit.frame import MAX_RECORD
from keystead.core.errors import KeysteadError, LimitExceeded, Unavailable
from keystead.service.journal import MAX_WAITING, Journal
from keystead.service.journals import Journals
from keystead.stores.disk import LocalDisk

SEGMENT = 16384


def made(disk: SimDisk, name: str = "w", **how: object) -> Journal:
    options = {"entropy": Random(name).randbytes, "segment_size": SEGMENT, "background": False}
    journal = Journal(disk, AUDIT, name, **(options | how))
    journal.key_under(JOURNAL_KEY, lambda: 0)
    return journal


def read(disk: SimDisk) -> list[bytes]:
    return lines(Journals(disk, AUDIT, JOURNAL_KEY).read({}, 1 << 30).bodies)


@pytest.fixture
def disk() -> SimDisk:
    return SimDisk(Random(1))


def test_what_is_flushed_is_read(disk: SimDisk) -> None:
    journal = made(disk)
    assert not journal.pending
    journal.append(b"one")
    journal.append(b"two")
    assert journal.pending
    assert read(disk) == []
    journal.flush()
    assert not journal.pending
    journal.append(b"three")
    journal.flush()
    journal.flush()
    assert read(disk) == [b"one", b"two", b"three"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=9000).map(lambda b: b.replace(b"\n", b"")), max_size=12), max_size=12))
def test_any_batches_go_over_segments(batches: list[list[bytes]]) -> None:
    disk = SimDisk(Random(1))
    journal = made(disk)
    for batch in batches:
        for record in batch:
            journal.append(record)
        journal.flush()
    assert read(disk) == [record for batch in batches for record in batch]


def test_segments_are_folded_one_after_the_other_and_go(disk: SimDisk) -> None:
    journal, journals = made(disk), Journals(disk, AUDIT, JOURNAL_KEY)
    positions, records = {}, []
    for n in range(200):
        journal.append(b"%d %s" % (n, b"x" * 700))
        journal.flush()
        if n % 7 == 0:
            found = journals.read(positions, 1 << 20)
            positions, records = found.positions, records + lines(found.bodies)
            journals.remove(found.spent)
            assert len(disk.names(AUDIT)) <= 3
    journal.close()
    for _ in range(3):
        found = journals.read(positions, 1 << 20)
        positions, records = found.positions, records + lines(found.bodies)
        journals.remove(found.spent)
    assert [int(record.split(b" ")[0]) for record in records] == list(range(200))
    assert disk.names(AUDIT) == []
    assert journals.read(positions, 1).positions == {}


def test_a_live_journal_is_not_let_go(disk: SimDisk) -> None:
    journal, journals = made(disk), Journals(disk, AUDIT, JOURNAL_KEY)
    positions = journals.read({}, 1 << 20).positions
    for _ in range(3):
        found = journals.read(positions, 1 << 20)
        assert not found.spent
    journal.append(b"late")
    journal.flush()
    assert lines(journals.read(positions, 1 << 20).bodies) == [b"late"]


def test_what_a_reader_sees_is_bounded(disk: SimDisk) -> None:
    journal, journals = made(disk, segment_size=1 << 20), Journals(disk, AUDIT, JOURNAL_KEY)
    for n in range(100):
        journal.append(b"%d %s" % (n, b"x" * 3000))
        journal.flush()
    positions, sizes = {}, []
    while (found := journals.read(positions, 1)).bodies:
        positions = found.positions
        sizes.append(len(found.bodies))
    assert sum(sizes) == 100


# --- failure


def test_a_failed_write_is_for_good(disk: SimDisk) -> None:
    journal = made(disk)
    journal.append(b"one")
    journal.flush()
    disk.fails_at = disk.n_operations + 1
    journal.append(b"two")
    with pytest.raises(Unavailable):
        journal.flush()
    assert journal.pending
    assert "simulated" in journal.trouble
    for call in (journal.flush, lambda: journal.append(b"three"), journal.flush):  # the disk is well again by now
        with pytest.raises(Unavailable):
            call()
    assert read(disk)[:1] == [b"one"]
    assert read(disk) in ([b"one"], [b"one", b"two"])


def test_every_operation_fails_once() -> None:
    """For every n: the n-th operation fails; what was acknowledged is there, and failure is never silent."""
    n, done = 0, False
    while not done:
        n += 1
        disk = SimDisk(Random(n))
        disk.fails_at = n
        acknowledged: list[bytes] = []
        done = True
        journal = made(disk)
        for i in range(40):
            record = b"%d %s" % (i, b"x" * 2000)
            try:
                journal.append(record)
                journal.flush()
            except Unavailable:
                done = False
            else:
                acknowledged.append(record)
        done = done and disk.n_operations < n
        disk.fails_at = None
        assert set(read(disk)) >= set(acknowledged), f"operation {n}"
    assert n > 50


def test_row_73_a_full_disk_refuses_and_comes_back_by_itself(
    disk: SimDisk,
) -> None:  # research/security.md §4, check 73
    journal = made(disk)
    acknowledged, n = [], 0

    def ask() -> bool:
        nonlocal n
        n += 1
        record = b"%d %s" % (n, b"x" * 3000)
        try:
            journal.append(record)
            journal.flush()
        except Unavailable:
            return False
        acknowledged.append(record)
        return True

    assert ask()
    disk.capacity = SEGMENT
    while ask():
        pass
    assert not ask()
    assert "No space left on device" in journal.trouble
    assert journal.pending
    names = disk.names(AUDIT)
    assert not ask()
    assert disk.names(AUDIT) == names  # nothing half made is left
    disk.capacity = None
    assert ask()
    assert journal.trouble == ""
    assert not journal.pending
    found = read(disk)
    assert set(found) >= set(acknowledged)
    assert found == sorted(found, key=lambda record: int(record.split(b" ")[0]))


def test_a_disk_that_is_full_from_the_start(disk: SimDisk) -> None:
    disk.capacity = 100
    journal = made(disk)
    assert journal.trouble
    with pytest.raises(Unavailable):
        journal.append(b"one")
        journal.flush()
    disk.capacity = None
    journal.flush()  # what waited is not lost either
    assert read(disk) == [b"one"]


def test_what_waits_is_bounded(disk: SimDisk) -> None:
    journal = made(disk)
    disk.capacity = 0
    for _ in range(MAX_WAITING):
        journal.append(b"x")
    with pytest.raises(Unavailable):
        journal.append(b"x")
    disk.capacity = None
    journal.flush()
    journal.append(b"x")


def test_limits_of_a_record(disk: SimDisk) -> None:
    journal = made(disk, segment_size=1 << 17)
    journal.append(b"x" * MAX_RECORD)
    for wrong in (b"x" * (MAX_RECORD + 1), b"two\nlines"):
        with pytest.raises(LimitExceeded):
            journal.append(wrong)
    journal.flush()
    assert len(read(disk)) == 1
    with pytest.raises(ValueError):
        made(disk, segment_size=1000)


def test_a_closed_journal_takes_nothing(disk: SimDisk) -> None:
    journal = made(disk)
    journal.append(b"last")
    journal.close()
    assert read(disk) == [b"last"]
    for call in (journal.flush, lambda: journal.append(b"more")):
        with pytest.raises(Unavailable):
            call()


# --- damage


def test_torn_tails(disk: SimDisk) -> None:
    """A last frame cut or changed anywhere is not read, and what came before it is."""
    journal = made(disk)
    for record in (b"one", b"two", b"x" * 600):
        journal.append(record)
        journal.flush()
    journal.close()
    [inode] = disk.names_now.values()
    whole = bytes(inode.data)
    for at in range(8192, 8192 + 700, 3):
        inode.data[:] = whole
        inode.data[at] ^= 0xFF
        torn = at < 8192 + 108 + 601
        assert read(disk) == [b"one", b"two", b"x" * 600][: 2 if torn else 3]
        inode.data[:] = whole[:at] + bytes(len(whole) - at)
        assert read(disk) == [b"one", b"two", b"x" * 600][: 2 if torn else 3]
        journals = Journals(disk, AUDIT, JOURNAL_KEY)
        assert journals.read(journals.read({}, 9999).positions, 9999).spent
        assert not journals.damaged


@pytest.mark.parametrize("at", [4, 30, 60, 101])
def test_bytes_that_rot_before_the_tail_are_told(disk: SimDisk, at: int) -> None:
    journal = made(disk)
    for n in range(12):
        journal.append(b"%d" % n)
        journal.flush()
    journal.close()
    first = disk.names_now[AUDIT / disk.names(AUDIT)[0]]
    first.data[4096 + at] ^= 1
    journals = Journals(disk, AUDIT, JOURNAL_KEY)
    found = journals.read({}, 1 << 20)
    assert lines(found.bodies) == [b"0"]
    found = journals.read(found.positions, 1 << 20)
    assert journals.damaged == {journal.name}
    assert not found.spent  # the files stay
    assert not journals.read(found.positions, 1 << 20).spent


def test_frames_of_another_journal_or_another_time_do_not_count(disk: SimDisk) -> None:
    one, two = made(disk, "one"), made(disk, "two")
    for journal in (one, two):
        journal.append(journal.name.encode())
        journal.flush()
    a, b = [disk.names_now[AUDIT / name] for name in disk.names(AUDIT)]
    a.data[4096:8192] = b.data[0:4096]
    assert read(disk) == [one.name.encode(), two.name.encode()]
    a.data[4096:8192] = a.data[0:4096]
    assert read(disk) == [one.name.encode(), two.name.encode()]


def test_a_segment_half_made_by_a_dead_process_goes(disk: SimDisk) -> None:
    disk.dies_at = 3
    with pytest.raises(PowerLoss):
        made(disk)
    disk.restart()
    assert disk.names(AUDIT)
    journals = Journals(disk, AUDIT, JOURNAL_KEY)
    positions = journals.read({}, 9).positions
    journals.remove(journals.read(positions, 9).spent)
    assert disk.names(AUDIT) == []


# --- power


def test_power_loss_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rig finds a journal whose sync does nothing: it is no rig otherwise."""

    def forgetful(self: SimFile, offset: int, data: list[bytes]) -> None:
        self.write(offset, data)

    monkeypatch.setattr(SimFile, "write_durably", forgetful)
    with pytest.raises(AssertionError, match="lost"):
        for seed in range(100):
            journal_loss(seed)


def test_power_loss_under_the_sequencer_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimFile, "sync", lambda self: None)
    with pytest.raises((AssertionError, KeysteadError)):  # lost records, or files that its own checks refuse
        for seed in range(100):
            sequencer_losses(seed)


@pytest.mark.torture
def test_power_losses(capsys: pytest.CaptureFixture[str]) -> None:
    told = run(3000, seed=20260101)
    with capsys.disabled():
        print(f"\njournal and sequencer: {told}")


# --- the real disk, and threads


def test_many_threads_on_the_real_disk(tmp_path: Path) -> None:
    journal = Journal(LocalDisk(), tmp_path, "w", entropy=Random(1).randbytes, segment_size=1 << 16)
    journal.key_under(JOURNAL_KEY, lambda: 0)

    def work(who: int) -> None:
        for n in range(200):
            journal.append(b"%d %d %s" % (who, n, b"x" * 300))
            journal.flush()

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert not journal.pending
    found = lines(Journals(LocalDisk(), tmp_path, JOURNAL_KEY).read({}, 1 << 30).bodies)
    assert len(found) == 800
    for who in range(4):
        assert [int(r.split(b" ")[1]) for r in found if r.startswith(b"%d " % who)] == list(range(200))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_a_file_system_that_is_full(tmp_path: Path) -> None:
    class Full(LocalDisk):
        def open(self, path: Path, *, create: bool = False, write: bool = True):
            if create:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().open(path, write=write)

    journal = Journal(Full(), tmp_path, "w", entropy=Random(1).randbytes)
    assert "No space" in journal.trouble
    journal.append(b"x")
    with pytest.raises(Unavailable):
        journal.flush()
    journal.close()
