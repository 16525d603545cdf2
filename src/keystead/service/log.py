"""The files of the audit log, and reading them: any record, the last ones, the proof of one, all for verification.

    checkpoint         the newest signed checkpoint (C2SP)
    checkpoints        older ones, about one a minute, each followed by an empty line
    key.pub            the verifier key (C2SP), one line
    log/<first>.jsonl  records, one a line; line k is record number <first> + k
    log/hashes.<k>     hashes of the complete subtrees of 256**k records (the tiles of C2SP tlog-tiles, end to end)
    log/offsets        eight bytes a record: where it starts, counted through all .jsonl files
    state, lock        the sequencer's own

A copy of checkpoint, checkpoints, key.pub and log/*.jsonl is all that verification needs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from struct import Struct as Layout

from keystead.core.audit.checkpoint import Checkpoint, split_notes
from keystead.core.audit.merkle import HASH_SIZE, inclusion, leaf_hash, verify_inclusion
from keystead.core.audit.note import Ed25519, Note, VerifierKey
from keystead.core.audit.proof import Proof
from keystead.core.audit.verify import Tampered, Verdict, verify_log
from keystead.core.errors import Conflict, InvalidArgument, NotFound
from keystead.core.ports import Disk
from keystead.service.added import read_whole

CHECKPOINT, CHECKPOINTS, KEY, LOG = "checkpoint", "checkpoints", "key.pub", "log"
SUFFIX = ".jsonl"
OFFSET = Layout(">Q")
CHUNK = 1024 * 1024
PART = 1024  # records read at once
FOUND_AT_ONCE = 8192  # leaf hashes
APART = "the files of the audit log do not hold together: verify it"
MAX_LINE = 16 * CHUNK  # bytes: a longer one is not read on to its end


def segment_name(first: int) -> str:
    return f"{first:012d}{SUFFIX}"


class Log:
    """The log in `directory`, up to its newest checkpoint. Reads only; any process may, while it is written."""

    def __init__(self, disk: Disk, directory: Path) -> None:
        self._disk, self._directory = disk, directory
        self._log = directory / LOG

    def checkpoint(self) -> bytes:
        """The newest checkpoint, signed. Raises NotFound before there is one."""
        note = read_whole(self._disk, self._directory / CHECKPOINT)
        if note is None:
            raise NotFound("the audit log has no checkpoint yet")
        return note

    def size(self) -> int:
        """How many records the newest checkpoint covers."""
        return Checkpoint.parse(Note.parse(self.checkpoint()).text).size

    def key(self) -> VerifierKey:
        """The verifier key that lies beside the log; to be trusted, it has to come from elsewhere."""
        text = read_whole(self._disk, self._directory / KEY)
        if text is None:
            raise NotFound("the audit log has no verifier key yet")
        return VerifierKey.parse(text.decode("utf-8", "replace").removesuffix("\n"))

    def read(self, first: int, limit: int) -> list[bytes]:
        """Records from number `first` on, up to `limit` of them and to the newest checkpoint. Raises Conflict."""
        size = self.size()
        records: list[bytes] = []
        while first < min(size, first + limit - len(records)):
            part = self._read(first, limit - len(records), size)
            records += part
            first += len(part)
        return records

    def numbered(self, first: int, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Records `first` to `last`, both of them and in constant memory, as far as the newest checkpoint goes."""
        end = self.size() if last is None else min(self.size(), last + 1)
        while first < end:
            part = self.read(first, min(PART, end - first))
            yield from enumerate(part, first)
            first += len(part)

    def tail(self, n: int) -> list[tuple[int, bytes]]:
        """The last `n` records with their numbers. To follow: `read` from the next number on, again and again."""
        first = max(0, self.size() - n)
        return list(enumerate(self.read(first, n), first))

    def find(self, leaf: bytes) -> int | None:
        """The number of the record with that leaf hash, if the newest checkpoint covers it; the newest of them."""
        size = self.size()
        for first in range((size - 1) // FOUND_AT_ONCE * FOUND_AT_ONCE, -1, -FOUND_AT_ONCE):
            hashes = self.kept(0, first, min(FOUND_AT_ONCE, size - first))
            for n in range(len(hashes) - 1, -1, -1):
                if hashes[n] == leaf:
                    return first + n
        return None

    def prove(self, index: int) -> Proof:
        """One record, provable offline.

        Raises InvalidArgument for a number the newest checkpoint does not cover, Conflict if the files of the log do
        not hold together.
        """
        note = self.checkpoint()
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        if not 0 <= index < checkpoint.size:
            raise InvalidArgument(f"the audit log has records 0 to {checkpoint.size - 1}", "index")
        [record] = self.read(index, 1)
        path = tuple(inclusion(index, checkpoint.size, self.kept))
        if not verify_inclusion(leaf_hash(record), index, checkpoint.size, path, checkpoint.root):
            raise Conflict(APART)
        return Proof(record, index, path, note)

    def verify(self, key: VerifierKey, verify: Ed25519, *, trusted: bytes | None = None) -> Verdict:
        """The whole log against its checkpoints, and `trusted`, one that was kept elsewhere. Raises Tampered."""
        # The history first: the newest checkpoint is then never older than what is in it.
        history = self._directory / CHECKPOINTS
        lines = self._lines(history, self._file_size(history))
        newest = read_whole(self._disk, self._directory / CHECKPOINT)
        notes = chain(split_notes(lines), [newest] if newest is not None else [])
        return verify_log(self.records(), notes, key, verify, trusted=trusted)

    def records(self) -> Iterator[bytes]:
        """Every record there is, covered by a checkpoint or not. Raises Tampered where the files have a gap."""
        index = 0
        for first in self._segments():
            if first != index:
                raise Tampered(f"a file of the log starts at record {first}, not {index}", index, max(index, first))
            for line in self._lines(self._log / segment_name(first), None):
                if not line.endswith(b"\n"):
                    raise Tampered(f"record {index} has no end", index, index)
                yield line[:-1]
                index += 1

    def kept(self, level: int, first: int, n: int) -> Sequence[bytes]:
        """core.audit.merkle.Kept over the files."""
        data = self._bytes(self._log / f"hashes.{level}", first * HASH_SIZE, n * HASH_SIZE)
        return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]

    def _read(self, first: int, limit: int, size: int) -> list[bytes]:
        """Records of one file."""
        segments = self._segments()
        at = bisect_right(segments, first) - 1
        end = min([first + limit, size, *segments[at + 1 : at + 2]])
        start, origin = self._offset(first), self._offset(segments[at])
        path = self._log / segment_name(segments[at])
        left = self._file_size(path) - (start - origin)
        # to the next one's beginning, or the end of the file, or of what there is
        length = self._offset(end) - start if end < size and end not in segments else left
        if start < origin or not 0 <= length <= left:
            raise Conflict(APART)
        return self._bytes(path, start - origin, length).split(b"\n", end - first)[: end - first]

    def _offset(self, index: int) -> int:
        data = self._bytes(self._log / "offsets", index * OFFSET.size, OFFSET.size)
        if len(data) != OFFSET.size:
            raise Conflict(APART)
        offset: int = OFFSET.unpack(data)[0]
        return offset

    def _segments(self) -> list[int]:
        """The numbers of the first record of each file."""
        try:
            names = self._disk.names(self._log)
        except FileNotFoundError:
            raise NotFound(f"there is no audit log in {self._directory}") from None
        return [int(name.removesuffix(SUFFIX)) for name in names if name.endswith(SUFFIX) and name[:-6].isdecimal()]

    def _bytes(self, path: Path, offset: int, n: int) -> bytes:
        file = self._disk.open(path, write=False)
        try:
            return file.read(offset, n)
        finally:
            file.close()

    def _file_size(self, path: Path) -> int:
        try:
            file = self._disk.open(path, write=False)
        except FileNotFoundError:
            return 0
        try:
            return file.size()
        finally:
            file.close()

    def _lines(self, path: Path, size: int | None) -> Iterator[bytes]:
        """Lines with their line feeds, up to `size` bytes of the file; the last may lack one, or be MAX_LINE long."""
        if size == 0:
            return
        file = self._disk.open(path, write=False)
        try:
            at, rest = 0, b""
            while data := file.read(at, CHUNK if size is None else min(CHUNK, size - at)):
                at += len(data)
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    yield line + b"\n"
                if len(rest) > MAX_LINE:
                    break
            if rest:
                yield rest
        finally:
            file.close()
