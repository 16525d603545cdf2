"""A head that comes again: every byte as in the last message, but for the values that change with each request.

Rule 1: what stands between those values is compared byte by byte, so they stand in the lines where the parser found
        them, and what else the head says is what it said.
Rule 2: such a value is letters, digits and "-" before and now, and as long as it was. No byte of these ends a value,
        a line or a head, or is trimmed (RFC 9112 §5), so the parser would have come to the same lines.
Rule 3: Content-Length frames the message: it is the length of what is there, written in the one way that has no second
        reading, or the parser decides.
"""

from __future__ import annotations

from itertools import pairwise
from struct import Struct

END = b"\r\n\r\n"  # of a head: RFC 9112 §2.1
LENGTH, SIGNED = b"content-length", b"authorization"
CHANGING = frozenset({LENGTH, SIGNED, b"amz-sdk-invocation-id", b"traceparent", b"x-amz-content-sha256", b"x-amz-date"})
SIGNATURE = b"Signature="
"""Before the part of Authorization that changes (SigV4); what comes before it says who signs, and stands still."""


class Again:
    """`head`: of a message that the parser has read, up to its body. `headers`: what the parser made of it."""

    __slots__ = ("_cut", "_headers", "_length", "_names", "_signer", "_still")

    def __init__(self, head: bytes, headers: dict[bytes, bytes]) -> None:
        moving = sorted(_moving(head, headers))
        edges = [edge for starts, ends, _, _ in moving for edge in (starts, ends)]
        sizes = [after - at for at, after in pairwise((0, *edges, len(head)))]
        self._cut = Struct("".join(f"{size}s" for size in sizes)).unpack_from
        self._still = self._cut(head)[::2]
        self._names = [name for _, _, name, _ in moving]
        self._signer = b"".join(before for _, _, _, before in moving)
        self._headers, self._length = headers, len(head)

    def read(self, data: bytes) -> tuple[dict[bytes, bytes], bytes] | None:
        """(headers, body) where `data` is one whole message with that head; None: the parser has to say."""
        if len(data) < self._length or (parts := self._cut(data))[::2] != self._still:
            return None
        headers, values, body = self._headers.copy(), parts[1::2], data[self._length :]
        if values and not is_plain(b"".join(values)):
            return None
        for name, value in zip(self._names, values):  # noqa: B905 - one cut made both, and it is done for every request
            headers[name] = value
        if self._signer:
            headers[SIGNED] = self._signer + headers[SIGNED]
        if headers.get(LENGTH, b"0") != b"%d" % len(body):
            return None
        return headers, body


def is_plain(value: bytes) -> bool:
    return value.replace(b"-", b"").isalnum()


def _moving(head: bytes, headers: dict[bytes, bytes]) -> list[tuple[int, int, bytes, bytes]]:
    """Where something changes: (start, end, name, what comes before it in the value)."""
    found = []
    lines = head.lower()
    for name in CHANGING & headers.keys():
        value = headers[name]
        before, mark, changes = value.rpartition(SIGNATURE) if name == SIGNED else (b"", b"", value)
        line = lines.find(b"\r\n%b:" % name)
        at = head.find(value, line + len(name) + 3, head.find(b"\r\n", line + 2))
        if min(line, at) > 0 and is_plain(changes):
            ends = at + len(value)
            found.append((ends - len(changes), ends, name, before + mark))
    return found
