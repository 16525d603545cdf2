"""The frames of a worker's journal: one batch of records each, chained by hash.

    magic(4) journal id(16) sequence(8) records(4) body length(4) hash of the frame before(32) hash(32) body

`hash` covers everything else of the frame. The body is the records, each followed by a line feed. A frame starts on
a page boundary, so that no sector is ever written twice: a torn write cannot reach what was durable before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from struct import Struct as Layout

from msgspec import Struct

PAGE = 4096
MAGIC = b"\xabKSJ"  # not ASCII: it stands in no record
HEAD = Layout(">4s16sQII32s")
HEADER_SIZE = HEAD.size + 32
MAX_RECORD = 64 * 1024
MAX_BODY = 1024 * 1024
START = bytes(32)


class Position(Struct, frozen=True):
    """Where in a journal to go on: the next frame's place, and what it must chain to."""

    segment: int = 1
    offset: int = 0
    sequence: int = 0
    previous: bytes = START


def paged(n: int) -> int:
    return (n + PAGE - 1) & -PAGE


def encode(journal: bytes, sequence: int, previous: bytes, records: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """(header, body, the frame's hash). No record contains a line feed."""
    body = b"\n".join(records) + b"\n"
    head = HEAD.pack(MAGIC, journal, sequence, len(records), len(body), previous)
    digest = sha256(head)
    digest.update(body)
    mark = digest.digest()
    return head + mark, body, mark


def decode(data: memoryview, journal: bytes, sequence: int, previous: bytes) -> tuple[bytes, int, bytes] | None:
    """(body, its length in the file, its hash) of the frame `data` starts with.

    None unless it is whole, of that journal, has that sequence number and follows `previous`.
    """
    found = _whole(data, journal)
    if found is None:
        return None
    number, before, mark, body = found
    return (body, paged(HEADER_SIZE + len(body)), mark) if (number, before) == (sequence, previous) else None


def find(data: memoryview, journal: bytes) -> int | None:
    """The sequence number of the first whole frame of the journal that starts on a page of `data`."""
    for offset in range(0, len(data), PAGE):
        if data[offset : offset + 4] == MAGIC and (found := _whole(data[offset:], journal)):
            return found[0]
    return None


def _whole(data: memoryview, journal: bytes) -> tuple[int, bytes, bytes, bytes] | None:
    if len(data) < HEADER_SIZE or data[:4] != MAGIC:
        return None
    _, name, sequence, n, length, previous = HEAD.unpack_from(data)
    if name != journal or length > MAX_BODY or len(data) < HEADER_SIZE + length:
        return None
    body = bytes(data[HEADER_SIZE : HEADER_SIZE + length])
    digest = sha256(data[: HEAD.size])
    digest.update(body)
    mark = digest.digest()
    if mark != data[HEAD.size : HEADER_SIZE] or body.count(b"\n") != n:
        return None
    return sequence, previous, mark, body
