"""Power losses under the audit journal and the sequencer: no acknowledged record lost, none twice.

    python tests/faults/run_journal.py --n 10000 --seed 1

Every loss is one number: `--n 1 --seed 4711` replays the one that is reported as seed 4711.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":  # the test suite imports these as they are
    sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.fakes import FakeClock
from tests.faults.simdisk import PowerLoss, SimDisk

from keystead.core.audit.chain import Chain
from keystead.core.audit.note import verifier_key
from keystead.core.keyed import KeyedHash
from keystead.core.ports import Disk
from keystead.core.sensitive import Sensitive
from keystead.crypto.notes import NoteSigner, verify_ed25519
from keystead.service.journal import Journal
from keystead.service.journals import Journals
from keystead.service.log import Log
from keystead.service.progress import load_state
from keystead.service.sequencer import Sequencer

AUDIT = Path("/audit")
SIGNER = NoteSigner("keystead.test/audit", Sensitive(bytes(range(32))))
JOURNAL_KEY = KeyedHash(bytes(range(32, 64)))


def opened(disk: SimDisk, name: str, rng: random.Random, segment_size: int, directory: Path = AUDIT) -> Journal:
    """The journal of a process that has been unsealed."""
    journal = Journal(disk, directory, name, entropy=rng.randbytes, segment_size=segment_size, background=False)
    journal.key_under(JOURNAL_KEY, lambda: size_of_log(disk))
    return journal


def size_of_log(disk: Disk, audit: Path = AUDIT) -> int:
    return load_state(disk, audit, JOURNAL_KEY, of_before=False).size


class Changes:
    """As much of core.ports.Store and its sealed head as the sequencer asks for; durable at once."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.newest = 0
        self.chained: Chain | None = Chain()

    def commit(self, record: bytes) -> None:
        self.newest += 1
        self.kept[self.newest] = record
        if self.chained is not None:
            self.chained = self.chained.after(self.newest, record)

    def chain(self) -> Chain | None:
        return self.chained

    def begin_chain(self) -> None:
        self.chained = Chain.from_here(self.newest)

    def records(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return [(n, self.kept[n]) for n in sorted(self.kept) if n > after][:limit]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Changes]:
        yield self

    def drop_records(self, through: int) -> None:
        self.kept = {n: record for n, record in self.kept.items() if n > through}


def lines(bodies: list[bytes]) -> list[bytes]:
    return b"".join(bodies).split(b"\n")[:-1]


def journal_loss(seed: int) -> int:
    """One journal, one power loss; the number of acknowledged records, all of which were found again."""
    rng = random.Random(seed)
    disk = SimDisk(rng)
    journal = opened(disk, "w", rng, 32768)
    disk.dies_at = disk.n_operations + rng.randrange(1, 24)
    asked: list[bytes] = []
    n_acknowledged = 0
    with contextlib.suppress(PowerLoss):
        while True:
            for _ in range(rng.randrange(1, 12)):
                asked.append(b"%d %s" % (len(asked), b"x" * rng.choice((3, 200, 700, 5000))))
                journal.append(asked[-1])
            journal.flush()
            n_acknowledged = len(asked)
    disk.reboot()
    journals = Journals(disk, AUDIT, JOURNAL_KEY)
    found = journals.read({}, 1 << 30)
    read = lines(found.bodies)
    assert read[:n_acknowledged] == asked[:n_acknowledged], f"seed {seed}: acknowledged records lost"
    assert read == asked[: len(read)], f"seed {seed}: records that nobody wrote"
    spent = journals.read(found.positions, 1 << 30).spent
    assert spent or not disk.names(AUDIT), f"seed {seed}: a dead journal is not let go ({journals.damaged})"
    return n_acknowledged


def sequencer_losses(seed: int) -> tuple[int, int]:
    """Journals, change records and the sequencer through some power losses; (losses, acknowledged records)."""
    rng = random.Random(seed)
    disk, changes = SimDisk(rng), Changes()
    acknowledged: list[bytes] = []
    committed: list[bytes] = []
    n_losses = 0
    for life in range(rng.randrange(2, 6)):
        disk.dies_at = disk.n_operations + rng.randrange(1, 120)
        try:
            journals = [opened(disk, f"w{n}", rng, 16384, AUDIT / "journal") for n in range(2)]
            sequencer = start(disk, changes)
            while True:
                choice = rng.random()
                if choice < 0.5:
                    n = rng.randrange(2)
                    padding = "y" * rng.choice((1, 900))
                    batch = [f"{seed} {rng.getrandbits(64):x} {life}/{n} {padding}".encode() for _ in range(3)]
                    for record in batch:
                        journals[n].append(record)
                    journals[n].flush()
                    acknowledged += batch
                elif choice < 0.7:
                    committed.append(f"{seed} change {len(committed)}".encode())
                    changes.commit(committed[-1])
                else:
                    sequencer.step()
        except PowerLoss:
            n_losses += 1
        disk.reboot()
    sequencer = start(disk, changes)
    while sequencer.step():
        pass
    sequencer.step()
    check(seed, disk, sequencer, acknowledged, committed)
    return n_losses, len(acknowledged) + len(committed)


def start(disk: SimDisk, changes: Changes) -> Sequencer:
    return Sequencer(
        disk,
        AUDIT,
        changes,  # type: ignore[arg-type]  # as much of it as is asked for
        changes,
        JOURNAL_KEY,
        SIGNER,
        verify_ed25519,
        clock=FakeClock(),
        segment_size=3000,
        history_for=0,
    )


def check(seed: int, disk: SimDisk, sequencer: Sequencer, acknowledged: list[bytes], committed: list[bytes]) -> None:
    log = list(Log(disk, AUDIT).records())
    verdict = Log(disk, AUDIT).verify(verifier_key(SIGNER), verify_ed25519)
    assert verdict.n_records == len(log) == sequencer.size, f"seed {seed}: uncovered records"
    assert not sequencer.damaged, f"seed {seed}: {sequencer.damaged}"
    assert len(set(log)) == len(log), f"seed {seed}: a record is there twice"
    in_log = set(log)
    assert in_log.issuperset(acknowledged), f"seed {seed}: acknowledged records lost"
    assert [record for record in log if b" change " in record] == committed, f"seed {seed}: change records"
    place = {record: index for index, record in enumerate(log)}
    for journal in {record.split(b" ")[2] for record in acknowledged}:
        order = [place[record] for record in acknowledged if record.split(b" ")[2] == journal]
        assert order == sorted(order), f"seed {seed}: a journal's order is not the log's"
    assert not [name for name in disk.names(AUDIT / "journal") if name.endswith(".journal")], f"seed {seed}: left over"
    for index in {0, len(log) // 2, len(log) - 1} if log else ():
        proof = Log(disk, AUDIT).prove(index)
        proof.require(verifier_key(SIGNER), verify_ed25519)
        assert proof.record == log[index]


def run(n: int, seed: int) -> str:
    """`n` power losses from `seed` on, under the journal alone and under all of it. Raises AssertionError."""
    started, n_losses, n_records, at = time.monotonic(), 0, 0, seed
    while n_losses < n:
        if at % 8 == 0:
            losses, records = sequencer_losses(at)
        else:
            losses, records = 1, journal_loss(at)
        n_losses, n_records, at = n_losses + losses, n_records + records, at + 1
    took = time.monotonic() - started
    return f"{n_losses} power losses (seeds {seed} to {at - 1}), {n_records} acknowledged records, 0 lost, {took:.1f} s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(run(arguments.n, arguments.seed))
