"""The frames of a worker's journal: one batch of records each, chained, and keyed once the installation is open.

    bare   magic(4) journal id(16) sequence(8) records(4) body length(4) mark before(32) mark(32) body
    keyed  magic(4) journal id(16) sequence(8) records(4) body length(4) mark before(32) term(8) mark(32) body

`mark` covers everything else of the frame: SHA-256 of a bare one, HMAC-SHA-256 of a keyed one. `mark before` is that of
the frame before, `term` how long the log was when the journal was opened. The body is the records, each followed by a
line feed. A frame starts on a page boundary, so that no sector is ever written twice: a torn write cannot reach what
was durable before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from hashlib import sha256
from struct import Struct as Layout

from msgspec import Struct

from keystead.core.keyed import KeyedHash

PAGE = 4096
BARE, KEYED = b"\xabKSJ", b"\xabKSK"  # not ASCII: they stand in no record
MARK_SIZE = 32
LAYOUTS = {BARE: Layout(">4s16sQII32s"), KEYED: Layout(">4s16sQII32sQ")}
MAX_RECORD = 64 * 1024
MAX_BODY = 1024 * 1024
START = bytes(32)


class Bare(Enum):
    """What the next bare frame of a journal may hold."""

    ANY = "any"  # written before there were keyed ones
    DOOR = "door"  # what a sealed process writes (core.audit.record.is_of_a_stranger)
    NONE = "none"  # there has been a keyed one, or damage


class Position(Struct, frozen=True):
    """Where in a journal to go on: the next frame's place, what it must chain to, and of what kind it may be."""

    segment: int = 1
    offset: int = 0
    sequence: int = 0
    previous: bytes = START
    since: int = 0  # the least term of a keyed one: with less, the journal is one that was folded and let go before
    bare: Bare = Bare.DOOR
    ended: bool = False  # all of it has been read: its files may go


class Keying(Struct, frozen=True):
    """What the frames of an open process are keyed with."""

    key: KeyedHash
    term: int


class Frame(Struct, frozen=True):
    """A whole one. `term`: None for a bare one. `size`: in the file."""

    journal: bytes
    sequence: int
    previous: bytes
    term: int | None
    mark: bytes
    body: bytes
    size: int


def paged(n: int) -> int:
    return (n + PAGE - 1) & -PAGE


def encode(
    journal: bytes, sequence: int, previous: bytes, records: Sequence[bytes], keying: Keying | None
) -> tuple[bytes, bytes, bytes]:
    """(header, body, the frame's mark). No record contains a line feed."""
    body = b"\n".join(records) + b"\n"
    if keying is None:
        head = LAYOUTS[BARE].pack(BARE, journal, sequence, len(records), len(body), previous)
        mark = sha256(head + body).digest()
    else:
        head = LAYOUTS[KEYED].pack(KEYED, journal, sequence, len(records), len(body), previous, keying.term)
        mark = keying.key(head + body)
    return head + mark, body, mark


def decode(data: memoryview, key: KeyedHash) -> Frame | None:
    """The frame that `data` starts with. None unless it is whole: every byte as it was written."""
    magic = bytes(data[:4])
    layout = LAYOUTS.get(magic)
    if layout is None or len(data) < layout.size + MARK_SIZE:
        return None
    _, journal, sequence, n, length, previous, *term = layout.unpack_from(data)
    start = layout.size + MARK_SIZE
    if length > MAX_BODY or len(data) < start + length:
        return None
    body, mark = bytes(data[start : start + length]), bytes(data[layout.size : start])
    written = bytes(data[: layout.size]) + body
    is_whole = key.matches(written, mark) if magic == KEYED else sha256(written).digest() == mark
    if not is_whole or body.count(b"\n") != n:
        return None
    return Frame(journal, sequence, previous, term[0] if term else None, mark, body, paged(start + length))


def holds_frame(data: memoryview, key: KeyedHash) -> bool:
    """Whether a whole frame, of whatever journal, starts on a page of `data`."""
    pages = range(0, len(data), PAGE)
    return any(bytes(data[at : at + 4]) in LAYOUTS and decode(data[at:], key) is not None for at in pages)
