"""Transcripts of ceremonies: which line is wrong, and who has signed (docs/adr/0039)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from keystead.core.audit import transcript
from keystead.core.audit.note import Note, sign, verifier_key
from keystead.core.audit.transcript import ENDED, START, STOPPED, Beginning, Line, Person, Role, Wrong, verify
from keystead.core.sensitive import Sensitive
from keystead.crypto.notes import NoteSigner, verify_ed25519

OWN, WANDA, OTHER = (NoteSigner(name, Sensitive(name.encode().ljust(32))) for name in ("ceremony", "wanda", "other"))
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
STEPS = ("begun", "present", "share 1", "made", ENDED)
PEOPLE = (
    Person(name="Olga", role=Role.OPERATOR),
    Person(name="Wanda", role=Role.WITNESS, key=str(verifier_key(WANDA))),
)
BEGINS = Beginning(kind="init", title="t", key=str(verifier_key(OWN)), people=PEOPLE, plan="a" * 64, version="1")


def written(*steps: str, begins: Beginning = BEGINS, changed: dict | None = None) -> list[bytes]:
    lines, head = [], START
    for n, step in enumerate(steps, 1):
        line = Line(n=n, prev=head, at=NOW + timedelta(seconds=n), step=step, begins=begins if n == 1 else None)
        lines.append(replace(line, **(changed or {}).get(n, {})).encode())
        head = transcript.digest(lines[-1])
    return lines


def note(lines: list[bytes], outcome: str = ENDED, by=(OWN,)) -> bytes:
    return sign(transcript.note_text(len(lines), transcript.digest(lines[-1]), outcome), by)


def wrong(lines: list[bytes], signed: bytes | None = None) -> tuple[int, str]:
    with pytest.raises(Wrong) as caught:
        verify(lines, signed, verify_ed25519)
    return caught.value.line, str(caught.value)


def test_what_was_written_verifies() -> None:
    lines = written(*STEPS)
    found = verify(lines, note(lines), verify_ed25519)
    assert (found.n_lines, found.signed, found.outcome, found.missing) == (5, True, ENDED, ("Wanda",))
    both = verify(lines, note(lines, by=(OWN, WANDA)), verify_ed25519)
    assert (both.countersigned, both.missing) == (("Wanda",), ())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_byte_changed_anywhere_is_found_at_its_line_or_the_next(n) -> None:
    lines = written(*STEPS)
    signed, line = note(lines), lines[n - 1]
    for at in range(len(line)):
        changed = [*lines]
        changed[n - 1] = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        found, _ = wrong(changed, signed)
        assert found in ({n, n + 1} if n < 5 else {5, 0}), at


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_line_left_out_is_found_where_it_was(n) -> None:
    lines = written(*STEPS)
    signed = note(lines)
    del lines[n - 1]
    assert wrong(lines, signed)[0] == n


def test_lines_left_out_at_the_end_are_told_by_the_note() -> None:
    lines = written(*STEPS)
    assert "another end" in wrong(lines[:-1], note(lines))[1]
    found = verify(lines[:-1], None, verify_ed25519)
    assert (found.outcome, found.signed, found.last.step) == ("", False, "made")


@pytest.mark.parametrize(
    ("n", "changed", "why"),
    [
        (2, {"n": 3}, "says that it is line 3"),
        (3, {"prev": "b" * 64}, "hash of the line before"),
        (2, {"at": NOW}, "earlier"),
        (2, {"at": NOW.replace(tzinfo=None)}, "zone"),
        (2, {"begins": BEGINS}, "only the first"),
        (1, {"begins": None}, "only the first"),
        (1, {"begins": replace(BEGINS, format="x")}, "format"),
        (1, {"begins": replace(BEGINS, plan="x")}, "format"),
        (1, {"begins": replace(BEGINS, key="x")}, "key"),
    ],
)
def test_each_rule_of_a_line(n, changed, why) -> None:
    found, words = wrong(written(*STEPS, changed={n: changed}))
    assert found == n and why in words


def test_nothing_comes_after_the_end() -> None:
    assert wrong(written("begun", STOPPED, "made"))[0] == 3


@pytest.mark.parametrize(
    "by", [(OTHER,), (WANDA,), (NoteSigner("ceremony", Sensitive(bytes(32))),)], ids=["other", "witness", "same name"]
)
def test_only_the_ceremonys_own_key_signs(by) -> None:
    lines = written(*STEPS)
    assert wrong(lines, note(lines, by=by))[0] == 0


def test_a_countersignature_that_does_not_verify_is_none() -> None:
    lines = written(*STEPS)
    good = Note.parse(note(lines, by=(OWN, WANDA)))
    forged = replace(good.signatures[1], signature=good.signatures[1].signature[:-1] + b"\0")
    raw = replace(good, signatures=(good.signatures[0], forged)).encode()
    assert "wanda" in wrong(lines, raw)[1]


def test_what_is_no_transcript() -> None:
    assert wrong([])[0] == 0
    assert wrong([b"{}"])[0] == 1
    assert wrong([b" " + written("begun")[0]])[0] == 1
    assert wrong([b"x" * 70_000])[0] == 1
    assert wrong(written(*STEPS), b"no note")[0] == 0
