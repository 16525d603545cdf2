"""The one writer of the audit log: folds journals and change records into one Merkle log, signed and published.

A step:  fold -> write log, hashes, offsets -> keep state -> sign and publish the checkpoint -> let go of the sources

Rule 1: the state (size, right edge, how far every file and every source is) is replaced as a whole, once what it
        speaks of is durable. After a crash the files are put back to it and folding goes on from it, so no record is
        lost and none is there twice.
Rule 2: a checkpoint is signed only for a state that is kept, so never two that disagree (C2SP tlog-checkpoint).
Rule 3: a source is let go only after the state. The newest change record stays in the store: by it a store that
        was rolled back behind the log is known, whether or not it has gone on since.
Rule 4: nothing is folded but what its writer has keyed or chained (service.journals, service.changes). What lies there
        of before that, at the first start that knows of it, is folded once (docs/adr/0049).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from hashlib import sha256
from itertools import accumulate, chain
from pathlib import Path
from struct import pack
from typing import Protocol

import msgspec

from keystead.core.audit.chain import Chain
from keystead.core.audit.checkpoint import Checkpoint, open_checkpoint
from keystead.core.audit.merkle import Tree, leaf_hashes, subtree
from keystead.core.audit.note import Ed25519, Signer, verifier_key
from keystead.core.errors import Conflict, KeysteadError, Unavailable
from keystead.core.keyed import KeyedHash
from keystead.core.ports import Clock, Disk, Store
from keystead.service.added import Added, Mark, read_whole, replace_whole
from keystead.service.changes import Changes
from keystead.service.journals import Journals
from keystead.service.log import CHECKPOINT, CHECKPOINTS, KEY, LOG, SUFFIX, Log, segment_name
from keystead.service.progress import State, hold, knows, load_state, save_state

STEP = 8 * 1024 * 1024
"""About how many bytes of records one step takes."""

OnRecords = Callable[[int, list[bytes]], None]
"""(number of the first, records): told after they are in the log, in order; not again after a crash between."""


class Sealed(Protocol):
    """What the sealed head of the store says of its change records (service.barrier)."""

    def chain(self) -> Chain | None:
        """None: it is of before they were chained."""
        ...

    def begin_chain(self) -> None:
        """Chain them from here on."""
        ...


class Sequencer:
    """Owns `directory`; one at a time, which a lock sees to.

    store: change records come from it, and `sealed` knows which. key: of journals and state. verify: for the last
    checkpoint, at start. history_for: seconds between two checkpoints that are kept for ever. segment_size: bytes after
    which a log file is full.
    Raises Conflict if another sequencer runs, the store was rolled back, or the files are not those of the state;
    Unavailable if disk or store do not answer.
    """

    def __init__(  # noqa: PLR0913 - circumstances, all named
        self,
        disk: Disk,
        directory: Path,
        store: Store,
        sealed: Sealed,
        key: KeyedHash,
        signer: Signer,
        verify: Ed25519,
        *,
        clock: Clock,
        journals: Path | None = None,
        on_records: OnRecords | None = None,
        segment_size: int = 64 * 1024 * 1024,
        history_for: float = 60.0,
    ) -> None:
        self._disk, self._directory, self._store = disk, directory, store
        self._sealed, self._key = sealed, key
        self._changes = Changes(store, sealed.chain)
        self._signer, self._verify, self._clock = signer, verify, clock
        self._on_records, self._segment_size, self._history_for = on_records, segment_size, history_for
        self._files: dict[str, Added] = {}
        self._state, self._tree, self._note = State(), Tree(), b""
        self._whole = False  # what is in memory is what is on the medium
        self.is_behind = False  # the last step was about as much as one takes: more is waiting
        self._kept_at = clock.monotonic()
        try:
            disk.make_directory(directory / LOG)
            self._lock = hold(disk, directory)
        except OSError as error:
            raise Unavailable(f"the audit log cannot be opened: {error}") from error
        try:
            self._journals = Journals(disk, journals or directory / "journal", key)
            self._load()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise Unavailable(f"the audit log cannot be opened: {error}") from error
            raise

    @property
    def size(self) -> int:
        """How many records are in the log."""
        return self._state.size

    @property
    def damaged(self) -> frozenset[str]:
        """Journals whose durable bytes have changed, or are gone; the files that there are stay."""
        return frozenset(self._journals.damaged)

    def step(self) -> int:
        """Fold what there is, about 8 MiB of it; how many records. 0: nothing is waiting.

        Raises Unavailable (disk or store; the next step starts again from what is durable), Conflict.
        """
        try:
            if not self._whole:
                self._load()
            self._whole = False
            records, spent = self._fold()
            self._whole = True
            if records and self._on_records is not None:
                self._on_records(self.size - len(records), records)
            self._journals.remove(spent)
        except OSError as error:
            raise Unavailable(f"the audit log cannot be written: {error}") from error
        return len(records)

    def close(self) -> None:
        self._whole = False
        for file in self._files.values():
            file.close()
        self._files = {}
        self._lock.close()

    # --- a step

    def _fold(self) -> tuple[list[bytes], set[str]]:
        """(records now in the log, journal files that may go)"""
        state = self._state
        changes, linked = self._changes.after(state.change, state.chain)
        found = self._journals.read(state.journals, STEP, since=state.since)
        texts = [*(record + b"\n" for _, record in changes), *found.bodies]
        records = list(chain.from_iterable([text.split(b"\n")[:-1] for text in texts]))
        self.is_behind = sum(map(len, found.bodies)) > STEP // 2
        state = msgspec.structs.replace(state, journals=found.positions, since=state.size, chain=linked)
        if changes:
            number, record = changes[-1]
            state = msgspec.structs.replace(state, change=number, change_digest=sha256(record).digest())
        if records:
            state = self._write(state, texts, records)
        if records or found.ended:
            save_state(self._disk, self._directory, self._key, state)
        self._state = state
        if records:
            self._publish()
        if changes:
            self._drop(state.change - 1)
        return records, found.spent

    def _drop(self, through: int) -> None:
        """Rule 3. What the store cannot drop now goes with the next change."""
        with contextlib.suppress(Unavailable), self._store.transaction() as transaction:
            transaction.drop_records(through)

    def _write(self, state: State, texts: list[bytes], records: list[bytes]) -> State:
        """Records, hashes and offsets, durable; the state that speaks of them. `texts`: the records, line by line."""
        grown = f"{LOG}/{segment_name(state.segment)}"
        if self._files[grown].mark.size >= self._segment_size:
            self._files.pop(grown).close()
            state = msgspec.structs.replace(state, segment=state.size)
        log = self._file(f"{LOG}/{segment_name(state.segment)}")
        for text in texts:
            log.add(text)
        starts = list(accumulate([len(record) + 1 for record in records], initial=state.n_bytes))
        self._file(f"{LOG}/offsets").add(pack(f">{len(records)}Q", *starts[:-1]))
        for level, hashes in enumerate(self._tree.extend(leaf_hashes(records))):
            self._file(f"{LOG}/hashes.{level}").add(b"".join(hashes))
        if self._note and self._clock.monotonic() - self._kept_at >= self._history_for:
            self._file(CHECKPOINTS).add(self._note + b"\n")
            self._kept_at = self._clock.monotonic()
        return msgspec.structs.replace(
            state,
            size=self._tree.size,
            edge=self._tree.edge,
            n_bytes=starts[-1],
            marks={name: file.commit() for name, file in self._files.items()},
        )

    def _publish(self) -> None:
        checkpoint = Checkpoint(self._signer.name, self._state.size, self._tree.root())
        self._note = checkpoint.sign(self._signer)
        replace_whole(self._disk, self._directory / CHECKPOINT, self._note)

    def _file(self, name: str) -> Added:
        """An open file of the log; a new one has its name durably before anything speaks of it."""
        if name not in self._files:
            path = self._directory / name
            self._files[name] = Added(self._disk, path, self._state.marks.get(name, Mark()))
            self._disk.sync(path.parent)
        return self._files[name]

    # --- start

    def _load(self) -> None:
        """Take up the state, and put the files back to it once nothing speaks against it."""
        for file in self._files.values():
            file.close()
        self._files = {}
        is_of_before = self._sealed.chain() is None
        self._state = state = load_state(self._disk, self._directory, self._key, of_before=is_of_before)
        self._tree = Tree(state.size, state.edge)
        self._check_store()
        self._check_key()
        published = self._published()
        for name in self._disk.names(self._directory / LOG):
            if name.endswith(SUFFIX) and name > segment_name(state.segment):
                self._disk.remove(self._directory / LOG / name)  # made by a step that was not finished
        for name in sorted({f"{LOG}/{segment_name(state.segment)}", *state.marks}):
            self._file(name)
        self._check_hashes(published)
        if is_of_before:
            self._begin_keying()
        elif self._begins_anew():
            self._sealed.begin_chain()
        self._changes.after(state.change, state.chain)
        if published is None or published.size < state.size:
            self._publish()
        self._whole = True

    def _begin_keying(self) -> None:
        """Rule 4: keep which journals are of before, and then that there is a time before."""
        of_before = self._journals.of_before(self._state.journals)
        self._state = msgspec.structs.replace(self._state, journals=of_before, since=self._state.size)
        save_state(self._disk, self._directory, self._key, self._state)
        self._sealed.begin_chain()

    def _begins_anew(self) -> bool:
        """Whether there is no log any more of change records that were let go: those that are there begin another."""
        said, rows = self._sealed.chain(), self._store.records(0, 1)
        return said is not None and not self._state.change and bool(rows) and rows[0][0] > said.first + 1

    def _check_store(self) -> None:
        if not knows(self._store, self._state):
            raise Conflict("the store has been rolled back: the audit log holds changes that it does not know")

    def _check_key(self) -> None:
        line = f"{verifier_key(self._signer)}\n".encode()
        kept = read_whole(self._disk, self._directory / KEY)
        if kept is None:
            replace_whole(self._disk, self._directory / KEY, line)
        elif kept != line:
            raise Conflict("the audit log was signed with another key")

    def _published(self) -> Checkpoint | None:
        """The newest checkpoint there is. Raises Conflict if we have not signed it, or know less than it says."""
        self._note = read_whole(self._disk, self._directory / CHECKPOINT) or b""
        if not self._note:
            return None
        try:
            published = open_checkpoint(self._note, verifier_key(self._signer), self._verify)
        except KeysteadError as error:
            raise Conflict(f"the checkpoint of the audit log is not ours: {error}") from error
        if published.size > self._state.size:
            raise Conflict("the state of the audit log is older than its checkpoint")
        return published

    def _check_hashes(self, published: Checkpoint | None) -> None:
        kept = Log(self._disk, self._directory).kept
        if subtree(0, self._state.size, kept) != self._tree.root():
            raise Conflict("the hashes of the audit log are not those of its state")
        if published is not None and subtree(0, published.size, kept) != published.root:
            raise Conflict("the audit log is not the one its checkpoint was signed for")  # Rule 2
