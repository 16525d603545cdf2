"""Records that no checkpoint has signed yet, and somebody who can write files (docs/adr/0049, SECURITY.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import pytest
from msgspec.structs import replace
from tests.faults.run_journal import AUDIT, JOURNAL_KEY, SIGNER, Changes, opened, start
from tests.faults.simdisk import Inode, SimDisk

from keystead.core.audit.frame import PAGE, START, Keying, encode
from keystead.core.audit.record import Record, Target, Who
from keystead.core.errors import Conflict
from keystead.core.keyed import KeyedHash
from keystead.crypto.notes import verify_ed25519
from keystead.service.added import replace_whole
from keystead.service.journal import Journal, segment_name
from keystead.service.log import Log
from keystead.service.progress import load_state
from keystead.service.sequencer import Sequencer

JOURNALS = AUDIT / "journal"
SEGMENT = 16384
AT = datetime(2026, 1, 1, tzinfo=UTC)
STATUS = Record(at=AT, request_id="r", who=Who(via="uid:0"), door="control", operation="Status", outcome="performed")
USE = Record(
    at=AT,
    tenant="1",
    who=Who(id="u-1", kind="user", via="AKIA1", name="alice"),
    door="aws",
    operation="Decrypt",
    targets=(Target("key:decrypt", "k-1", 1),),
    outcome="performed",
)
MALLORY = replace(USE, request_id="forged").encode()


class World:
    """A disk, change records, journals of a process that is open and of one that is sealed."""

    def __init__(self) -> None:
        self.rng = Random(1)
        self.disk, self.changes = SimDisk(Random(2)), Changes()
        self.n = 0
        self.sequencer = start(self.disk, self.changes)

    def open(self, name: str = "open") -> Journal:
        return opened(self.disk, name, self.rng, SEGMENT, JOURNALS)

    def sealed(self, name: str = "sealed") -> Journal:
        return Journal(self.disk, JOURNALS, name, entropy=self.rng.randbytes, segment_size=SEGMENT, background=False)

    def write(self, journal: Journal, record: Record = USE) -> bytes:
        """One frame."""
        self.n += 1
        line = replace(record, request_id=f"r{self.n}").encode()
        journal.append(line)
        journal.flush()
        return line

    def restart(self) -> Sequencer:
        """Another life: nothing is remembered but what is on the disk."""
        self.sequencer.close()
        self.sequencer = start(self.disk, self.changes)
        return self.sequencer

    def fold(self) -> list[bytes]:
        """Everything there is; the whole log."""
        for _ in range(3):
            while self.sequencer.step():
                pass
        return self.log()

    def log(self) -> list[bytes]:
        return list(Log(self.disk, AUDIT).records())

    def files(self) -> dict[Path, bytes]:
        """Of journals."""
        return {path: bytes(inode.data) for path, inode in self.disk.names_now.items() if path.parent == JOURNALS}

    def put(self, path: Path, data: bytes) -> None:
        """As somebody does who can write files."""
        inode = self.disk.names_now.setdefault(path, Inode())
        inode.data[:] = data

    def file_of(self, journal: Journal, number: int = 1) -> Path:
        return JOURNALS / segment_name(journal.name, number)


@pytest.fixture
def world() -> World:
    return World()


def forged(records: list[bytes], *, name: str = "f" * 32, keying: Keying | None = None) -> bytes:
    """A segment, one frame for each record."""
    previous, pages = START, b""
    for sequence, record in enumerate(records):
        header, body, previous = encode(bytes.fromhex(name), sequence, previous, [record], keying)
        pages += (header + body).ljust(-(-len(header + body) // PAGE) * PAGE, b"\0")
    return pages.ljust(SEGMENT, b"\0")


def is_kept_and_told(world: World, journal: str) -> bool:
    """That it is damaged, and its files are there."""
    return journal in world.sequencer.damaged and any(path.name.startswith(journal) for path in world.files())


# --- added


def test_an_added_journal_of_somebody_s_acts_is_not_folded(world: World) -> None:
    name = f"worker-0-{'f' * 32}"
    world.put(JOURNALS / segment_name(name, 1), forged([MALLORY]))
    assert MALLORY not in world.fold()
    assert is_kept_and_told(world, name)
    assert MALLORY not in (world.restart(), world.fold())[1]
    assert is_kept_and_told(world, name)


def test_nor_is_one_under_another_key(world: World) -> None:
    name = f"worker-0-{'f' * 32}"
    other = Keying(KeyedHash(bytes(32)), 0)
    world.put(JOURNALS / segment_name(name, 1), forged([MALLORY], keying=other))
    assert world.fold() == []


def test_an_added_frame_behind_those_of_an_open_process_is_not_folded(world: World) -> None:
    """Nor one of a stranger: where a process is open, all of it is keyed."""
    for record in (MALLORY, STATUS.encode()):
        journal = world.open()
        line = world.write(journal)
        journal._file.close()
        path = world.file_of(journal)
        previous = bytes(world.disk.names_now[path].data[76:108])
        header, body, _ = encode(bytes.fromhex(journal.name[-32:]), 1, previous, [record], None)
        world.disk.names_now[path].data[PAGE : PAGE + len(header + body)] = header + body
        assert world.fold()[-1] == line
        assert is_kept_and_told(world, journal.name)


# --- altered, taken away, moved


def damaged(change: Callable[[World, Journal], object]) -> tuple[World, list[bytes]]:
    """Five frames, something done to the file while nobody runs; and what was written."""
    world = World()
    journal = world.open()
    lines = [world.write(journal) for _ in range(3)]
    journal._file.close()
    change(world, journal)
    world.restart()
    return world, lines


@pytest.mark.parametrize("at", [4, 30, 40, 70, 80, 200])
def test_an_altered_record_is_not_folded_and_told(at: int) -> None:
    def change(world: World, journal: Journal) -> None:
        world.disk.names_now[world.file_of(journal)].data[PAGE + at] ^= 1

    world, lines = damaged(change)
    assert world.fold() == lines[:1]
    assert len(world.sequencer.damaged) == 1


def test_nor_one_whose_frame_was_made_anew(world: World) -> None:
    def change(world: World, journal: Journal) -> None:
        data = world.disk.names_now[world.file_of(journal)].data
        previous = bytes(data[76:108])
        header, body, _ = encode(bytes.fromhex(journal.name[-32:]), 1, previous, [MALLORY], None)
        data[PAGE : 2 * PAGE] = (header + body).ljust(PAGE, b"\0")

    world, lines = damaged(change)
    assert world.fold() == lines[:1]
    assert len(world.sequencer.damaged) == 1


def test_a_record_taken_away_from_the_middle_is_told() -> None:
    def change(world: World, journal: Journal) -> None:
        data = world.disk.names_now[world.file_of(journal)].data
        data[PAGE:] = data[2 * PAGE :] + bytes(PAGE)

    world, lines = damaged(change)
    assert world.fold() == lines[:1]
    assert len(world.sequencer.damaged) == 1


def test_the_newest_record_taken_away_is_a_torn_tail() -> None:
    """What is not detected: a crash leaves the same."""

    def change(world: World, journal: Journal) -> None:
        world.disk.names_now[world.file_of(journal)].data[2 * PAGE :] = bytes(SEGMENT - 2 * PAGE)

    world, lines = damaged(change)
    assert world.fold() == lines[:2]
    assert not world.sequencer.damaged


def test_a_segment_taken_away_from_the_middle_is_told(world: World) -> None:
    journal = world.open()
    lines = [world.write(journal) for _ in range(10)]
    journal.close()
    del world.disk.names_now[world.file_of(journal, 2)]
    assert world.fold() == lines[:4]
    assert is_kept_and_told(world, journal.name)


def test_journals_swapped_are_told(world: World) -> None:
    one, two = world.open("one"), world.open("two")
    for journal in (one, two):
        world.write(journal)
        journal.close()
    a, b = world.file_of(one), world.file_of(two)
    now = world.disk.names_now
    now[a], now[b] = now[b], now[a]
    assert world.fold() == []
    assert is_kept_and_told(world, one.name)
    assert is_kept_and_told(world, two.name)
    now[a], now[b] = now[b], now[a]  # whoever looks may put it right again
    world.restart()
    assert len(world.fold()) == 2
    assert not world.sequencer.damaged


def test_a_journal_that_was_read_from_and_is_gone_is_told(world: World) -> None:
    journal = world.open()
    world.write(journal)
    assert len(world.fold()) == 1
    world.write(journal)
    journal._file.close()
    del world.disk.names_now[world.file_of(journal)]
    world.restart()
    world.fold()
    assert world.sequencer.damaged == {journal.name}


# --- of another time


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_journal_of_another_time_is_not_folded_again(world: World, *, restarts: bool, goes_on: bool) -> None:
    """`goes_on`: there are records since; else nothing has been kept since its files went."""
    journal = world.open()
    lines = [world.write(journal) for _ in range(10)]  # three segments
    old = world.files()
    journal.close()
    old |= world.files()
    assert world.fold() == lines
    assert not world.files()
    if goes_on:
        other = world.open()
        lines.append(world.write(other))
        assert world.fold() == lines
    for path, data in old.items():
        world.put(path, data)
    if restarts:
        world.restart()
    assert world.fold() == lines
    if goes_on:
        assert is_kept_and_told(world, journal.name)


def test_a_segment_of_a_journal_that_goes_on_is_not_folded_again(world: World) -> None:
    journal = world.open()
    lines = [world.write(journal) for _ in range(3)]
    path = world.file_of(journal)
    old = bytes(world.disk.names_now[path].data)
    lines += [world.write(journal) for _ in range(3)]
    assert world.fold() == lines
    assert path not in world.disk.names_now
    world.put(path, old)
    assert world.fold() == lines
    assert world.fold() == (world.restart(), world.fold())[1] == lines
    assert path not in world.disk.names_now
    assert not world.sequencer.damaged


def test_a_journal_opened_while_the_log_grows_is_not_taken_for_one(world: World) -> None:
    """At any two steps of the sequencer a process may be between making its journal and writing to it."""
    lines: list[bytes] = []
    old = world.open("old")
    late = [world.open(f"late{n}") for n in range(4)]
    for n, journal in enumerate(late):
        lines.append(world.write(old))
        world.sequencer.step()
        if n % 2:
            world.restart()
        lines.append(world.write(journal))
        new = world.open(f"new{n}")
        lines.append(world.write(new))
    assert sorted(world.fold()) == sorted(lines)
    assert not world.sequencer.damaged


# --- what a sealed process writes


def test_what_a_sealed_process_writes_is_folded_and_then_all_is_keyed(world: World) -> None:
    journal = world.sealed()
    refused = replace(STATUS, operation="", outcome="refused: Sealed", why="x")
    lines = [world.write(journal, STATUS), world.write(journal, refused)]
    assert world.fold() == lines
    journal.key_under(JOURNAL_KEY, lambda: 0)
    lines += [world.write(journal), world.write(journal, STATUS)]
    assert world.fold() == lines
    journal.close()
    assert world.fold() == lines
    assert not world.files()
    assert not world.sequencer.damaged


def test_a_key_that_comes_before_there_is_room_is_asked_for_a_term_later(world: World) -> None:
    """What the log has come to meanwhile counts, not what it was: until then nobody could know of the journal."""
    world.disk.capacity = 0
    journal = world.open()
    assert journal.trouble
    world.disk.capacity = None
    other = world.open("other")
    lines = [world.write(other)]
    world.sequencer.step()
    lines.append(world.write(other))
    world.sequencer.step()
    lines.append(world.write(journal))
    assert world.fold() == lines
    assert not world.sequencer.damaged


@pytest.mark.parametrize(
    "more",
    [
        {"tenant": "1"},
        {"namespace": "aws:1:us-east-1"},
        {"who": Who(id="u-1", via="uid:0")},
        {"who": Who(kind="user", via="uid:0")},
        {"who": Who(via="uid:0", name="alice")},
        {"who": Who(via="uid:0", session="s")},
        {"targets": (Target("key:decrypt", "k-1", 1),)},
        {"context": "00"},
        {"made": "k-1"},
        {"rule": "policy"},
        {"n": 2},
    ],
    ids=str,
)
def test_an_unkeyed_journal_with_what_a_sealed_process_cannot_write(world: World, more: dict[str, object]) -> None:
    journal = world.sealed()
    lines = [world.write(journal, STATUS)]
    world.write(journal, replace(STATUS, **more))
    world.write(journal, STATUS)
    journal.close()
    assert world.fold() == lines
    assert is_kept_and_told(world, journal.name)


def test_nor_is_a_line_that_is_no_record(world: World) -> None:
    journal = world.sealed()
    journal.append(b"what is this")
    journal.close()
    assert world.fold() == []
    assert is_kept_and_told(world, journal.name)


# --- the state


def edited(world: World, **members: object) -> None:
    told = json.loads(world.disk.names_now[AUDIT / "state"].data.rpartition(b"\n")[0])
    tag = world.disk.names_now[AUDIT / "state"].data.rpartition(b"\n")[2]
    world.put(AUDIT / "state", json.dumps(told | members).encode() + b"\n" + tag)


@pytest.mark.parametrize("members", [{"since": 0}, {"journals": {}}, {"change": 9}, {"size": 0}], ids=str)
def test_a_state_that_somebody_has_written_is_refused(world: World, members: dict[str, object]) -> None:
    journal = world.open()
    world.write(journal)
    world.changes.commit(USE.encode())
    world.fold()
    edited(world, **members)
    with pytest.raises(Conflict, match="not as it was written"):
        world.restart()


def test_a_state_of_before_there_was_a_key_is_refused(world: World) -> None:
    journal = world.open()
    world.write(journal)
    world.fold()
    of_now = bytes(world.disk.names_now[AUDIT / "state"].data)
    for data in (of_now.rpartition(b"\n")[0], b"{}", of_now[:-1], of_now[:-1] + b"x", of_now + b"\n"):
        world.put(AUDIT / "state", data)
        with pytest.raises(Conflict, match="cannot be read"):
            world.restart()


# --- change records


def refused(world: World, match: str) -> None:
    """While it runs, and at the next start."""
    with pytest.raises(Conflict, match=match):
        world.sequencer.step()
    with pytest.raises(Conflict, match=match):
        world.restart()


@pytest.fixture
def changed(world: World) -> World:
    """Three are in the log, four are not."""
    for n in range(7):
        world.changes.commit(b"change/%d" % (n + 1))
        if n == 2:
            world.fold()
    return world


def test_an_added_change_record_is_told(changed: World) -> None:
    changed.changes.kept[8] = b"forged"
    refused(changed, "change records 8 to 8, which nobody has written")


def test_an_added_one_that_others_have_followed_is_told(changed: World) -> None:
    changed.changes.kept[8] = b"forged"
    changed.changes.newest = 8  # so SQLite numbers the next one
    changed.changes.commit(b"change/9")
    refused(changed, "not those that were written")


@pytest.mark.parametrize("n", [4, 5, 7])
def test_an_altered_change_record_is_told(changed: World, n: int) -> None:
    changed.changes.kept[n] = b"forged"
    refused(changed, "change records 4 to 7 of the store are not those")


@pytest.mark.parametrize("n", [4, 5])
def test_a_change_record_taken_away_from_the_middle_is_told(changed: World, n: int) -> None:
    del changed.changes.kept[n]
    refused(changed, f"lost change records {n} to {n}")


@pytest.mark.parametrize("n", [7, 6, 4])
def test_the_newest_change_records_taken_away_are_told(changed: World, n: int) -> None:
    for gone in range(n, 8):
        del changed.changes.kept[gone]
    refused(changed, f"lost change records {n} to 7")


def test_change_records_swapped_are_told(changed: World) -> None:
    kept = changed.changes.kept
    kept[5], kept[6] = kept[6], kept[5]
    refused(changed, "not those that were written")


def test_of_more_than_are_folded_at_once_none_is_before_all_were_looked_at(
    changed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keystead.service.changes.BATCH", 2)
    good = changed.changes.kept[7]
    changed.changes.kept[7] = b"forged"
    refused(changed, "not those that were written")
    assert len(changed.log()) == 3
    changed.changes.kept[7] = good
    changed.restart()
    assert changed.fold() == [b"change/%d" % (n + 1) for n in range(7)]


def test_a_log_that_was_lost_begins_with_those_that_are_there(changed: World) -> None:
    """There is nothing to hold them to; whoever kept a checkpoint sees that it is another log."""
    changed.sequencer.close()
    for path in [path for path in changed.disk.names_now if path.is_relative_to(AUDIT)]:
        del changed.disk.names_now[path]
    changed.sequencer = start(changed.disk, changed.changes)
    assert changed.fold() == [b"change/%d" % n for n in range(3, 8)]
    changed.changes.commit(b"change/8")
    changed.changes.kept[8] = b"forged"
    refused(changed, "not those that were written")


# --- the upgrade


def of_before() -> tuple[World, list[bytes], Journal]:
    """A log of before there were keys, left by a crash: with rows and frames that are in it, and some that are not."""
    world = World()
    journal = world.sealed("worker-0")
    lines = [world.write(journal)]
    world.changes.commit(b"change/1")
    world.changes.chained = None
    world.restart()
    world.fold()
    told = load_state(world.disk, AUDIT, JOURNAL_KEY, of_before=False)
    places = {
        name: {name: value for name, value in msgspec.to_builtins(at).items() if name in OLD_POSITION}
        for name, at in told.journals.items()
    }
    members = {name: value for name, value in msgspec.to_builtins(told).items() if name not in {"since", "chain"}}
    replace_whole(world.disk, AUDIT / "state", json.dumps(members | {"v": 1, "journals": places}).encode())
    world.changes.chained = None
    lines += [world.write(journal), world.write(journal, STATUS)]
    world.changes.commit(b"change/2")
    return world, lines, journal


OLD_POSITION = {"segment", "offset", "sequence", "previous"}


def test_what_was_left_of_before_is_folded_once() -> None:
    world, lines, journal = of_before()
    old = world.files()
    journal._file.close()
    supervisor = world.sealed("supervisor")  # of the first start: it is there, and then keyed
    lines.append(world.write(supervisor, STATUS))
    supervisor.key_under(JOURNAL_KEY, lambda: 0)
    world.restart()
    lines.append(world.write(supervisor))
    assert sorted(world.fold()) == sorted([*lines, b"change/1", b"change/2"])
    assert not world.sequencer.damaged
    assert world.changes.chain() is not None
    world.changes.commit(b"change/3")
    log = world.fold()
    for path, data in old.items():
        world.put(path, data)
    world.restart()
    assert world.fold() == log
    assert is_kept_and_told(world, journal.name)


def test_a_crash_between_the_two_steps_of_it_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world, lines, journal = of_before()
    journal._file.close()

    def dies() -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as crash:
        crash.setattr(world.changes, "begin_chain", dies)
        with pytest.raises(ZeroDivisionError):
            world.restart()
    world.restart()
    assert sorted(world.fold()) == sorted([*lines, b"change/1", b"change/2"])


def test_a_damaged_journal_of_before_is_not_mended_with_what_somebody_wrote() -> None:
    world, lines, journal = of_before()
    journal._file.close()
    path = world.file_of(journal)
    data = world.disk.names_now[path].data
    whole = bytes(data)
    data[PAGE + 150] ^= 1
    world.restart()
    assert set(world.fold()) == {lines[0], b"change/1", b"change/2"}
    assert is_kept_and_told(world, journal.name)
    world.changes.commit(b"change/3")
    log = world.fold()
    data[:] = whole
    previous = bytes(whole[68:100])
    header, body, _ = encode(bytes.fromhex(journal.name[-32:]), 1, previous, [MALLORY], None)
    data[PAGE : PAGE + len(header + body)] = header + body
    world.restart()
    assert world.fold() == log
    assert is_kept_and_told(world, journal.name)


def test_after_it_nothing_bare_of_somebody_s_is_folded_any_more() -> None:
    world, _, journal = of_before()
    journal._file.close()
    world.restart()
    log = world.fold()
    name = f"worker-0-{'f' * 32}"
    world.put(JOURNALS / segment_name(name, 1), forged([MALLORY]))
    world.restart()
    assert world.fold() == log
    assert is_kept_and_told(world, name)


def test_the_log_of_all_this_verifies(world: World) -> None:
    journal = world.open()
    lines = [world.write(journal) for _ in range(6)]
    world.changes.commit(b"change/1")
    assert sorted(world.fold()) == sorted([*lines, b"change/1"])
    log = Log(world.disk, AUDIT)
    assert log.verify(log.key(), verify_ed25519).n_records == 7
    assert log.key().name == SIGNER.name
