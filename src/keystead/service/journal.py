"""A worker's audit journal: hash-chained frames, one durable write for a batch of records.

    append (any thread, no I/O)  …  flush (one thread at a time; durable on return)

Rule 1: a failed write or sync leaves the journal failed for good. What such a call left on the medium is not known,
        and asking again does not tell. Every later call raises Unavailable; the worker ends.
Rule 2: a segment that cannot be made (disk full) has cost nothing: records wait, calls raise Unavailable, and the
        next flush tries again, so service comes back with the space.
Rule 3: segments are filled with zeros before they are used, so that a flush changes no metadata, and never used
        again. A journal is never continued: its name is new with every process.
Rule 4: frames are keyed from `key_under` on, and stay so to the journal's end, sealed again or not: a record of
        somebody known is never in a bare one (docs/adr/0049).

The sequencer reads journals (service.frames) and deletes what it has folded. The lock on a segment tells it that the
process is alive; a segment has its name only once it is locked, and a later one before an earlier is let go.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from keystead.core.audit.frame import MAX_BODY, MAX_RECORD, PAGE, START, Keying, encode, paged
from keystead.core.errors import LimitExceeded, Unavailable
from keystead.core.keyed import KeyedHash
from keystead.core.ports import Disk, Entropy, File

SUFFIX = ".journal"
UNFINISHED = ".new"
LINE_FEED = 0x0A
"""As a number: for bytes in bytes, CPython first raises a TypeError, since they are no number, and drops it."""
ZEROS = bytes(PAGE)  # behind a frame, up to the page where the next one begins
MAX_WAITING = 16_384
"""Records that may wait while the disk is full, or a flush is under way."""


def segment_name(name: str, number: int) -> str:
    return f"{name}.{number:06d}{SUFFIX}"


class Journal:
    """One worker's journal in `directory`, under a fresh name that starts with `name`.

    segment_size: bytes, a multiple of 4096. background: make the next segment on a thread when one is half full.
    Raises nothing for a full disk (Rule 2); OSError if the directory cannot be made.
    """

    def __init__(
        self,
        disk: Disk,
        directory: Path,
        name: str,
        *,
        entropy: Entropy,
        segment_size: int = 16 * 1024 * 1024,
        background: bool = True,
    ) -> None:
        if segment_size % PAGE or segment_size < 2 * PAGE:
            raise ValueError("a segment is a multiple of 4096 bytes")
        self._disk, self._directory = disk, directory
        self._id = entropy(16)
        self.name = f"{name}-{self._id.hex()}"
        self._segment_size, self._background = segment_size, background
        self._max_body = min(MAX_BODY, segment_size - PAGE)
        self._waiting: list[bytes] = []
        self._flushing = threading.Lock()
        self._file: File | None = None
        self._next: File | None = None
        self._maker: threading.Thread | None = None
        self._n_segments, self._offset, self._sequence, self._previous = 0, 0, 0, START
        self._keying: Keying | None = None
        self._to_key: Callable[[], Keying] | None = None  # once there is a segment
        self._room = MAX_WAITING  # 0 once the journal has failed or is closed
        self.trouble = ""
        """Why calls are refused, for the health check; empty while all is well."""
        disk.make_directory(directory)
        with contextlib.suppress(Unavailable):
            self._turn()

    @property
    def is_broken(self) -> bool:
        """Failed for good, or closed. A full disk alone is not: the next flush tries again."""
        return not self._room

    @property
    def pending(self) -> bool:
        """Whether something appended is not durable yet."""
        return bool(self._waiting)

    def key_under(self, key: KeyedHash, n_records: Callable[[], int]) -> None:
        """Key every frame from the next one on. `n_records`: how long the log is, by its state; it may raise.

        It is asked once the journal has its name in the directory, and once only: who folds then either finds the
        journal there, or a term that is no older than what it has seen there without.
        """
        with self._flushing:
            if self._keying is None:
                self._to_key = lambda: Keying(key, n_records())
                if self._file is not None:
                    self._begin_keying()

    def append(self, record: bytes) -> None:
        """Take one record (a line without its line feed), in memory only.

        Raises Unavailable when the journal has failed or too much waits already, LimitExceeded for
        more than 64 KiB, or more than one line.
        """
        if len(self._waiting) >= self._room:
            raise Unavailable(self.trouble or "the audit journal is behind")
        if LINE_FEED in record or len(record) > MAX_RECORD:
            raise LimitExceeded("an audit record is one line of at most 64 KiB")
        self._waiting.append(record)

    def flush(self) -> None:
        """Make durable whatever was appended before the call. Raises Unavailable, and then it may not be."""
        with self._flushing:
            if not self._room:
                raise Unavailable(self.trouble)
            todo = len(self._waiting)
            while todo > 0:
                todo -= self._write(self._waiting[:todo])

    def close(self) -> None:
        """Flush what can be, and let go; the sequencer folds and deletes what is left."""
        with contextlib.suppress(Unavailable):
            self.flush()
        with self._flushing:
            self._room, self.trouble = 0, "the audit journal is closed"
            if self._maker is not None:
                self._maker.join()
            for file in (self._file, self._next):
                if file is not None:
                    file.close()
            self._file = self._next = None

    # --- one frame

    def _write(self, records: list[bytes]) -> int:
        """Write one frame out of the first of `records`; how many it took."""
        records = self._fitting(records)
        if self._file is None:
            self._turn()
        if self._to_key is not None:
            self._begin_keying()
        header, body, mark = encode(self._id, self._sequence, self._previous, records, self._keying)
        size = len(header) + len(body)
        if self._offset + size > self._segment_size:
            self._turn()
        file = self._file
        if file is None:  # cannot be: _turn has made one or raised
            raise Unavailable(self.trouble)
        try:
            file.write_durably(self._offset, (header, body, ZEROS[: -size % PAGE]))
        except BaseException as error:
            self._room, self.trouble = 0, f"the audit journal cannot be written: {error}"
            if isinstance(error, OSError):
                raise Unavailable(self.trouble) from error
            raise
        self._offset += paged(size)
        self._sequence, self._previous = self._sequence + 1, mark
        del self._waiting[: len(records)]
        if self._background and self._maker is None and self._offset * 2 > self._segment_size:
            self._maker = threading.Thread(target=self._make_ahead, name="journal-segment", daemon=True)
            self._maker.start()
        return len(records)

    def _fitting(self, records: list[bytes]) -> list[bytes]:
        limit = self._max_body
        if sum(map(len, records)) + len(records) <= limit:
            return records
        n = 0
        while n < len(records) and limit > len(records[n]):
            limit -= len(records[n]) + 1
            n += 1
        return records[: max(n, 1)]

    def _begin_keying(self) -> None:
        if self._to_key is not None:
            try:
                self._keying, self._to_key = self._to_key(), None
            except OSError as error:
                raise Unavailable(f"the state of the audit log cannot be read: {error}") from error

    # --- segments

    def _turn(self) -> None:
        """Go on to the next segment; on failure stay where we are and raise Unavailable (Rule 2)."""
        if self._maker is not None:
            self._maker.join()
            self._maker = None
        try:
            file = self._next or self._make(self._n_segments + 1)
        except OSError as error:
            self.trouble = f"no room for the audit journal: {error.strerror or error}"
            raise Unavailable(self.trouble) from error
        old, self._file, self._next = self._file, file, None
        self._n_segments, self._offset, self.trouble = self._n_segments + 1, 0, ""
        if old is not None:
            old.close()

    def _make_ahead(self) -> None:
        with contextlib.suppress(OSError):  # told when the segment is needed and still cannot be made
            self._next = self._make(self._n_segments + 1)

    def _make(self, number: int) -> File:
        """A new segment: full of zeros, locked, and only then under its name."""
        path = self._directory / segment_name(self.name, number)
        fresh = path.with_suffix(UNFINISHED)
        file = self._disk.open(fresh, create=True)
        try:
            if not file.lock():
                raise BlockingIOError("a new segment is locked by another process")  # noqa: TRY301 - undone below
            file.fill(self._segment_size)
            self._disk.rename(fresh, path)
            self._disk.sync(self._directory)
        except BaseException:
            file.close()
            for left in (fresh, path):
                with contextlib.suppress(OSError):
                    self._disk.remove(left)
            raise
        return file
