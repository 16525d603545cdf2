"""All journals of a directory, as the sequencer reads them: live ones still growing, dead ones to be deleted.

Rule 1: a frame counts when it is whole and follows the one before it. At the first that does not, reading stops:
        that is the end so far of a live journal, or the torn tail of a dead one, which was never acknowledged.
Rule 2: whole frames behind such a stop mean that durable bytes have changed since. The journal is then damaged:
        what comes before has been read, and its files stay for people to look at.
Rule 3: a journal is dead when the lock on its last segment can be had. It is read once more under that lock.
Rule 4: a frame is keyed, with a term that is not of before the journal was first seen; or it is bare, none before it
        is keyed, and it holds what a sealed process writes (docs/adr/0049). Another one does not follow.
Rule 5: the files of a journal go once it has been kept that it has ended. One that has not, and is gone, is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.audit.frame import LAYOUTS, MAX_BODY, PAGE, Bare, Frame, Position, decode, holds_frame
from keystead.core.audit.record import is_of_a_stranger
from keystead.core.keyed import KeyedHash
from keystead.core.ports import Disk, File
from keystead.service.journal import SUFFIX, UNFINISHED, segment_name

NAME = re.compile(r"(.+-([0-9a-f]{32}))\.([0-9]{6,})(\.journal|\.new)")
WINDOW = 4 * (MAX_BODY + PAGE)
GLANCE = 256 * 1024  # most of what lies beyond the newest frame is zeros nobody needs to read


class Found(Struct):
    """What one pass over the journals came to."""

    bodies: list[bytes]  # records, each followed by a line feed, in order within each journal
    positions: dict[str, Position]  # where to go on; of every journal that is there
    spent: set[str]  # files that may go once all this is durable
    ended: bool = False  # a journal has: that is to be kept, whether or not there was anything to read


class Journals:
    """`key`: of the frames. `damaged` names the journals of Rules 2 and 5 that were met."""

    def __init__(self, disk: Disk, directory: Path, key: KeyedHash) -> None:
        self._disk, self._directory, self._key = disk, directory, key
        self.damaged: set[str] = set()
        disk.make_directory(directory)
        self._clear_unfinished()

    def read(self, positions: Mapping[str, Position], limit: int, *, since: int = 0) -> Found:
        """New frames of every journal, about `limit` bytes in all. `since`: the least term of one not met before."""
        found = Found([], dict(positions), set())
        journals = self._listing()
        for gone in found.positions.keys() - journals.keys():
            at = found.positions.pop(gone)
            if at.sequence and not at.ended:
                self.damaged.add(gone)
        for name, segments in journals.items():
            found.positions.setdefault(name, Position(segments[0], since=since))
        for name, segments in journals.items():
            if limit <= 0:
                break
            before = len(found.bodies)
            self._read(name, segments, found, limit)
            limit -= sum(map(len, found.bodies[before:]))
        return found

    def of_before(self, positions: Mapping[str, Position]) -> dict[str, Position]:
        """Positions in all that are there, as of journals that were written before frames were keyed."""
        journals = self._listing()
        found = {name: positions.get(name, Position(segments[0])) for name, segments in journals.items()}
        return {name: replace(at, bare=Bare.ANY) for name, at in found.items()}

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
        before = found.positions[name]
        at = self._segments(name, segments, before, found.bodies, limit)
        if at == before and name not in self.damaged:
            at = self._last_look(name, at, found, limit)
        found.positions[name] = at
        found.spent |= {segment_name(name, n) for n in segments if n < at.segment}

    def _segments(self, name: str, segments: list[int], at: Position, bodies: list[bytes], limit: int) -> Position:
        """Read on from `at` through the segments there are."""
        for number in segments:
            if number < at.segment or limit <= 0 or at.ended:
                continue
            file = self._disk.open(self._directory / segment_name(name, number), write=False)
            try:
                start = at if number == at.segment else replace(at, segment=number, offset=0)
                after = self._frames(file, _id(name), start, bodies, limit)
            finally:
                file.close()
            if after == start and number != at.segment:
                break  # a segment made ahead and not used yet
            limit -= after.offset - start.offset
            at = after
        return at

    def _frames(self, file: File, journal: bytes, at: Position, bodies: list[bytes], limit: int) -> Position:
        """Every frame from `at` on, within one segment."""
        window = GLANCE
        while limit > 0 and file.read(at.offset, 4) in LAYOUTS:  # an idle journal costs one small read
            data = memoryview(file.read(at.offset, window))
            here = 0
            while (frame := decode(data[here:], self._key)) is not None and _follows(frame, journal, at):
                bodies.append(frame.body)
                at, here = _behind(at, frame), here + frame.size
            limit -= here
            if not here and window == WINDOW:
                break
            window = GLANCE if here else WINDOW  # a frame that does not fit, or is not whole yet
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
            if not at.ended and self._more_behind(name, segments, at):
                self.damaged.add(name)
                return replace(at, bare=Bare.NONE)
            found.spent |= {
                file_name
                for file_name in self._disk.names(self._directory)
                if (match := NAME.fullmatch(file_name)) and match[1] == name
            }
            found.ended |= not at.ended
            return replace(at, ended=True)
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
                if holds_frame(memoryview(file.read(offset, file.size() - offset)), self._key):
                    return True
            finally:
                file.close()
        return False


def _follows(frame: Frame, journal: bytes, at: Position) -> bool:
    """Rules 1 and 4."""
    if (frame.journal, frame.sequence, frame.previous) != (journal, at.sequence, at.previous):
        return False
    if frame.term is not None:
        return frame.term >= at.since
    is_of_nobody = at.bare is Bare.DOOR and all(map(is_of_a_stranger, frame.body.split(b"\n")[:-1]))
    return at.bare is Bare.ANY or is_of_nobody


def _behind(at: Position, frame: Frame) -> Position:
    bare = at.bare if frame.term is None else Bare.NONE
    return replace(at, offset=at.offset + frame.size, sequence=at.sequence + 1, previous=frame.mark, bare=bare)


def _id(name: str) -> bytes:
    return bytes.fromhex(name[-32:])
