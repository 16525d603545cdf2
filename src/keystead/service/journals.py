"""All journals of a directory, as the sequencer reads them: live ones still growing, dead ones to be deleted.

Rule 1: a frame counts when it is whole and follows the one before it. At the first that does not, reading stops:
        that is the end so far of a live journal, or the torn tail of a dead one, which was never acknowledged.
Rule 2: whole frames behind such a stop mean that durable bytes have changed since. The journal is then damaged:
        what comes before has been read, and its files stay for people to look at.
Rule 3: a journal is dead when the lock on its last segment can be had. It is read once more under that lock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from keystead.core.audit.frame import HEADER_SIZE, MAGIC, MAX_BODY, PAGE, Position, decode, find
from keystead.core.ports import Disk, File
from keystead.service.journal import SUFFIX, UNFINISHED, segment_name

NAME = re.compile(r"(.+-([0-9a-f]{32}))\.([0-9]{6,})(\.journal|\.new)")
WINDOW = 4 * (MAX_BODY + PAGE)
GLANCE = 256 * 1024  # most of what lies beyond the newest frame is zeros nobody needs to read


class Found(Struct):
    """What one pass over the journals came to."""

    bodies: list[bytes]  # records, each followed by a line feed, in order within each journal
    positions: dict[str, Position]  # where to go on
    spent: set[str]  # files that may go once all this is durable


class Journals:
    """`damaged` names the journals of Rule 2 that were met."""

    def __init__(self, disk: Disk, directory: Path) -> None:
        self._disk, self._directory = disk, directory
        self.damaged: set[str] = set()
        disk.make_directory(directory)
        self._clear_unfinished()

    def read(self, positions: Mapping[str, Position], limit: int) -> Found:
        """New frames of every journal, about `limit` bytes in all."""
        found = Found([], dict(positions), set())
        journals = self._listing()
        for gone in found.positions.keys() - journals.keys():
            del found.positions[gone]
        for name, segments in journals.items():
            if limit <= 0:
                break
            before = len(found.bodies)
            self._read(name, segments, found, limit)
            limit -= sum(map(len, found.bodies[before:]))
        return found

    def remove(self, names: set[str]) -> None:
        """Delete spent files, durably."""
        for name in sorted(names):
            self._disk.remove(self._directory / name)
        if names:
            self._disk.sync(self._directory)

    def _listing(self) -> dict[str, list[int]]:
        """Journal -> its segments, ascending."""
        journals: dict[str, list[int]] = {}
        for name in self._disk.names(self._directory):
            if (match := NAME.fullmatch(name)) and match[4] == SUFFIX:
                journals.setdefault(match[1], []).append(int(match[3]))
        return {name: sorted(segments) for name, segments in journals.items()}

    def _read(self, name: str, segments: list[int], found: Found, limit: int) -> None:
        at = found.positions.get(name, Position(segment=segments[0]))
        at = self._segments(name, segments, at, found.bodies, limit)
        if at == found.positions.get(name) and name not in self.damaged:
            at = self._last_look(name, at, found, limit)
        found.positions[name] = at
        found.spent |= {segment_name(name, n) for n in segments if n < at.segment}

    def _segments(self, name: str, segments: list[int], at: Position, bodies: list[bytes], limit: int) -> Position:
        """Read on from `at` through the segments there are."""
        for number in segments:
            if number < at.segment or limit <= 0:
                continue
            file = self._disk.open(self._directory / segment_name(name, number), write=False)
            try:
                start = Position(number, at.offset if number == at.segment else 0, at.sequence, at.previous)
                after = _frames(file, name, start, bodies, limit)
            finally:
                file.close()
            if after == start and number != at.segment:
                break  # a segment made ahead and not used yet
            limit -= after.offset - start.offset
            at = after
        return at

    def _last_look(self, name: str, at: Position, found: Found, limit: int) -> Position:
        """Of a journal that has nothing new: if it is dead, read what came in between, and let it go (Rule 3)."""
        last = self._listing()[name][-1]
        file = self._disk.open(self._directory / segment_name(name, last))
        try:
            if not file.lock():
                return at
            segments = self._listing()[name]
            if segments[-1] != last:
                return at
            after = self._segments(name, segments, at, found.bodies, limit)
            if after != at:
                return after
            if self._more_behind(name, segments, at):
                self.damaged.add(name)
                return at
            found.spent |= {
                file_name
                for file_name in self._disk.names(self._directory)
                if (match := NAME.fullmatch(file_name)) and match[1] == name
            }
            return at
        finally:
            file.close()

    def _clear_unfinished(self) -> None:
        """Delete segments that a dead process was making. One that is being made just now is made again."""
        left = [name for name in self._disk.names(self._directory) if name.endswith(UNFINISHED)]
        for name in left:
            file = self._disk.open(self._directory / name)
            try:
                if file.lock():
                    self._disk.remove(self._directory / name)
            finally:
                file.close()

    def _more_behind(self, name: str, segments: list[int], at: Position) -> bool:
        for number in segments:
            if number < at.segment:
                continue
            file = self._disk.open(self._directory / segment_name(name, number), write=False)
            try:
                offset = at.offset if number == at.segment else 0
                if find(memoryview(file.read(offset, file.size() - offset)), _id(name)) is not None:
                    return True
            finally:
                file.close()
        return False


def _frames(file: File, name: str, at: Position, bodies: list[bytes], limit: int) -> Position:
    """Every frame from `at` on, within one segment."""
    journal, offset, sequence, previous = _id(name), at.offset, at.sequence, at.previous
    window = GLANCE
    while limit > 0 and file.read(offset, len(MAGIC)) == MAGIC:  # an idle journal costs one small read
        data = memoryview(file.read(offset, window))
        here = 0
        while len(data) - here >= HEADER_SIZE and (frame := decode(data[here:], journal, sequence, previous)):
            body, length, previous = frame
            bodies.append(body)
            sequence, here = sequence + 1, here + length
        offset += here
        limit -= here
        if not here and window == WINDOW:
            break
        window = GLANCE if here else WINDOW  # a frame that does not fit, or is not whole yet
    return Position(at.segment, offset, sequence, previous)


def _id(name: str) -> bytes:
    return bytes.fromhex(name[-32:])
