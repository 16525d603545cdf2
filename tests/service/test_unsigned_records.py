"""An installation whose files somebody has written to between two runs: records that no checkpoint has signed yet."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace
from tests.servers import at_once
from tests.service.test_library import OFFERED, Place

from keystead import config
from keystead.app.compose import Core
from keystead.app.installation import read_seal
from keystead.app.layout import Layout
from keystead.core.audit.frame import PAGE, START, encode
from keystead.core.audit.record import Record, Who, parse
from keystead.core.errors import Conflict
from keystead.service.journal import segment_name
from keystead.service.log import Log
from keystead.service.progress import load_state
from keystead.service.signing import journal_key
from keystead.stores.disk import LocalDisk

FORGED = Record(
    at=datetime(2026, 1, 1, tzinfo=UTC),
    tenant="1",
    who=Who(id="u-1", kind="user", name="alice"),
    door="aws",
    operation="Decrypt",
    outcome="performed",
).encode()


class Stopped:
    """An installation that nobody has open."""

    def __init__(self, place: Place) -> None:
        self.place, self.directory = place, place.directory
        self.layout = Layout(place.directory)
        with place.open() as ks:
            place.create(ks)

    def log(self) -> list[bytes]:
        return list(Log(LocalDisk(), self.layout.audit).records())

    def forge(self, digit: str) -> str:
        """A journal as it is written without a key, of somebody's act; its name."""
        name = f"worker-0-{digit * 32}"
        header, body, _ = encode(bytes.fromhex(digit * 32), 0, START, [FORGED], None)
        path = self.layout.audit / "journal" / segment_name(name, 1)
        path.write_bytes((header + body).ljust(4 * PAGE, b"\0"))
        return name

    def run(self) -> tuple[str, ...]:
        """Once: which journals are damaged."""
        with self.place.open() as ks:
            ks.fold()
            return ks._chores.journals_damaged

    def make_of_before(self) -> None:
        """Head and state as they were when nothing was keyed."""
        core = Core(self.directory, settings := config.read(self.directory), journal="test", worker=0, check=True)
        core.open(read_seal(self.directory, settings, core.tokens).open(OFFERED))
        state = load_state(core.disk, core.layout.audit, journal_key(core.barrier), of_before=False)
        core.barrier.amend(lambda _txn, head: replace(head, chain=None))
        core.close()
        members = msgspec.to_builtins(replace(state, v=1, journals={}))
        (core.layout.audit / "state").write_text(
            json.dumps({name: value for name, value in members.items() if name not in {"since", "chain"}})
        )


@pytest.fixture
def stopped(tmp_path) -> Stopped:
    return Stopped(Place(tmp_path))


def test_an_added_record_is_not_signed_and_that_is_told_and_on_record(stopped) -> None:
    before, name = stopped.log(), stopped.forge("f")
    assert stopped.run() == (name,)
    after = stopped.log()
    assert after[: len(before)] == before and FORGED not in after
    told = [record for record in map(parse, after) if record.operation == "FoldJournal"]
    assert [(one.who.via, one.outcome, one.why) for one in told] == [(name, "refused: Conflict", "damaged")]
    assert (stopped.layout.audit / "journal" / segment_name(name, 1)).exists()
    assert at_once("audit", "verify", stopped.directory).out.startswith("Whole: ")


@pytest.mark.parametrize(
    "done",
    [
        "INSERT INTO record (bytes) VALUES (CAST('forged' AS BLOB))",
        "UPDATE record SET bytes = CAST('forged' AS BLOB) WHERE seq = (SELECT max(seq) FROM record)",
        "DELETE FROM record WHERE seq = (SELECT max(seq) FROM record)",
        "DELETE FROM record WHERE seq = (SELECT max(seq) FROM record) - 1",
    ],
    ids=["added", "altered", "the newest taken away", "one before it taken away"],
)
def test_a_change_record_that_is_not_as_it_was_written_is_refused(stopped, done) -> None:
    ks = stopped.place.open()
    stopped.place.create(ks)
    stopped.place.create(ks)
    for part in (ks._chores, ks._core, ks._lock):  # as a crash: nothing is folded
        part.close()
    with sqlite3.connect(stopped.layout.database) as db:
        db.execute(done)
    db.close()
    with pytest.raises(Conflict, match="change records"):
        stopped.place.open()


def test_records_of_before_are_folded_at_the_first_start_and_at_no_other(stopped) -> None:
    stopped.make_of_before()
    stopped.forge("a")
    assert stopped.run() == ()
    assert stopped.log().count(FORGED) == 1
    name = stopped.forge("b")
    assert stopped.run() == (name,)
    assert stopped.log().count(FORGED) == 1
    stopped.make_of_before()
    (stopped.layout.audit / "journal" / segment_name(name, 1)).unlink()
    state = (stopped.layout.audit / "state").read_bytes()
    assert stopped.run() == ()
    (stopped.layout.audit / "state").write_bytes(state)
    with pytest.raises(Conflict, match="not as it was written"):
        stopped.place.open()
