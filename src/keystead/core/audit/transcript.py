"""Transcripts of ceremonies: who did what before whom, as lines that hang together, and a note that signs the last one.

    transcript   JSON lines; each carries the SHA-256 of the one before it (docs/adr/0039)
    note         C2SP signed note: how many lines, the hash of the last, how it ended; signed by the key that the first
                 line names, and countersigned by those who hold keys of their own

What was secret stands in it as a digest or a check value, never as itself. Verification needs nothing but the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct, field

from keystead.core.audit.note import Ed25519, Note, VerifierKey
from keystead.core.errors import Malformed, Unauthenticated

FORMAT = "keystead/ceremony/v1"
START = "0" * 64
MAX_LINE, MAX_LINES = 65_536, 100_000
LINE_FEED = b"\n"
_HEX = re.compile(r"[0-9a-f]{64}")


class Role(Enum):
    OPERATOR = "operator"  # at the keyboard
    CUSTODIAN = "custodian"  # has a share, or a component
    WITNESS = "witness"


class Person(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    name: str
    role: Role
    key: str = ""  # a verifier key (C2SP) of the person's own, to countersign with


class Beginning(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the first line says, beside what every line says."""

    format: str = field(default=FORMAT)
    kind: str
    title: str
    key: str  # the verifier key of this ceremony's own key, which is made for it and forgotten after it
    people: tuple[Person, ...]
    plan: str  # SHA-256 of the plan, hex
    version: str
    rehearsal: bool = False  # of data that is thrown away
    scripted: bool = False  # nobody was asked


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    n: int
    prev: str  # hash of the line before, hex; START
    at: datetime
    step: str
    who: tuple[str, ...] = ()  # names of those who did or confirmed it
    facts: dict[str, Any] = {}
    begins: Beginning | None = None

    def encode(self) -> bytes:
        """In its one form, without a line feed."""
        return msgspec.json.encode(self, order="sorted")


ENDED, STOPPED = "ended", "stopped"
"""The last steps: as planned, or before it."""


class Wrong(Exception):
    """The transcript does not verify; `line`: the number of the first line that is wrong, 0 for none of them."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line


class Verdict(Struct, frozen=True, kw_only=True):
    begins: Beginning
    n_lines: int
    head: str
    last: Line
    signed: bool  # by the ceremony's own key
    countersigned: tuple[str, ...] = ()  # names of those who have
    missing: tuple[str, ...] = ()  # of those who have a key and have not

    @property
    def outcome(self) -> str:
        """ENDED, STOPPED, or "" where it breaks off: what was done last says where."""
        return self.last.step if self.last.step in {ENDED, STOPPED} else ""


def digest(line: bytes) -> str:
    """What the next line carries of this one."""
    return sha256(b"keystead/ceremony-line/v1\n" + line).hexdigest()


def note_text(n_lines: int, head: str, outcome: str) -> str:
    """What is signed."""
    return f"{FORMAT}\n{n_lines}\n{head}\n{outcome}\n"


def verify(lines: Iterable[bytes], note: bytes | None, ed25519: Ed25519) -> Verdict:
    """`lines` without their line feeds. Raises Wrong."""
    begins: Beginning | None = None
    last, head, n = None, START, 0
    for n, raw in enumerate(lines, 1):
        line = _line(raw, n)
        _follows(line, last, head, n)
        if begins is None:
            begins = _beginning(line)
        last, head = line, digest(raw)
    if begins is None or last is None:
        raise Wrong(0, "the transcript is empty")
    found = Verdict(begins=begins, n_lines=n, head=head, last=last, signed=False)
    return found if note is None else _signed(found, note, ed25519)


def _line(raw: bytes, n: int) -> Line:
    if n > MAX_LINES or len(raw) > MAX_LINE:
        raise Wrong(n, "it is longer than any transcript")
    try:
        line = msgspec.json.decode(raw, type=Line)
    except (msgspec.DecodeError, ValueError):
        raise Wrong(n, "it is no line of a transcript") from None
    if line.encode() != raw:
        raise Wrong(n, "it is not in its one form")
    return line


def _follows(line: Line, before: Line | None, head: str, n: int) -> None:
    for right, why in (
        (line.n == n, f"it says that it is line {line.n}"),
        (
            line.prev == head,
            "it does not carry the hash of the line before: one was changed, or one is missing",
        ),
        (line.at.tzinfo is not None, "its time has no zone"),
        (before is None or line.at.tzinfo is None or before.at <= line.at, "it is earlier than the line before"),
        (before is None or before.step not in {ENDED, STOPPED}, "it comes after the end"),
        ((line.begins is not None) is (n == 1), "only the first line begins"),
    ):
        if not right:
            raise Wrong(n, why)


def _beginning(line: Line) -> Beginning:
    begins = line.begins
    if begins is None or begins.format != FORMAT or not _HEX.fullmatch(begins.plan):
        raise Wrong(1, f"it does not begin a transcript of format {FORMAT}")
    for text in (begins.key, *(one.key for one in begins.people if one.key)):
        try:
            VerifierKey.parse(text)
        except Malformed:
            raise Wrong(1, "a key that it names is none") from None
    return begins


def _signed(found: Verdict, raw: bytes, ed25519: Ed25519) -> Verdict:
    try:
        note = Note.parse(raw)
    except Malformed:
        raise Wrong(0, "the note is none") from None
    if note.text != note_text(found.n_lines, found.head, found.outcome):
        raise Wrong(0, "the note signs another transcript, or another end of this one")
    require(note, found.begins.key, ed25519)
    have: list[str] = []
    missing: list[str] = []
    for person in _keyed(found.begins.people):
        key = VerifierKey.parse(person.key)
        if any(line.name == key.name and line.key_id == key.id for line in note.signatures):
            require(note, person.key, ed25519)
            have.append(person.name)
        else:
            missing.append(person.name)
    return msgspec.structs.replace(found, signed=True, countersigned=tuple(have), missing=tuple(missing))


def require(note: Note, key: str, ed25519: Ed25519) -> None:
    """Raises Wrong unless that key has signed it."""
    try:
        note.require(VerifierKey.parse(key), ed25519)
    except Unauthenticated as error:
        raise Wrong(0, str(error)) from None


def _keyed(people: Sequence[Person]) -> list[Person]:
    return [one for one in people if one.key]
