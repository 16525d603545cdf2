"""The offline verifier: records, checkpoints and a public key say whether a log is whole.

Every checkpoint must be signed, and the records before it must give its root. So a record altered, taken out, put in
or moved below a checkpoint is found, whatever else is done to the files. What it cannot know:

- records after the last checkpoint are covered by no signature (`Verdict.n_uncovered`);
- whoever cuts off records *and* the checkpoints over them, or holds the signing key and writes a new log, is
  found only by a checkpoint that somebody else kept: `trusted`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct

from keystead.core.audit.checkpoint import Checkpoint, open_checkpoint
from keystead.core.audit.merkle import Tree, leaf_hashes
from keystead.core.audit.note import Ed25519, VerifierKey
from keystead.core.errors import KeysteadError
from keystead.core.words import count_of

CHUNK = 4096


class Tampered(Exception):
    """The log is not the one that was signed. `first` and `last` bound the numbers of the records it may be."""

    def __init__(self, message: str, first: int, last: int) -> None:
        super().__init__(message)
        self.first, self.last = first, last


class Verdict(Struct, frozen=True):
    """A log that is whole."""

    n_records: int
    n_checkpoints: int
    n_uncovered: int  # records after the last checkpoint
    checkpoint: Checkpoint  # the last one
    trusted: Checkpoint | None  # the one somebody else kept, if it was given


def verify_log(
    records: Iterable[bytes],
    checkpoints: Iterable[bytes],
    key: VerifierKey,
    verify: Ed25519,
    *,
    trusted: bytes | None = None,
) -> Verdict:
    """Verify a log in one pass and constant memory.

    records: lines without their line feed, from index 0. checkpoints: signed notes, sizes ascending, the last one
    being the log's newest. trusted: a checkpoint of this log that was kept elsewhere; it must not be newer than
    the last of `checkpoints`. Raises Tampered; Malformed or Unauthenticated for `trusted` itself.
    """
    kept = open_checkpoint(trusted, key, verify) if trusted is not None else None
    tree, lines = Tree(), iter(records)
    good: Checkpoint | None = None
    n_checkpoints = 0
    for checkpoint, what in _with_trusted(_signed(checkpoints, key, verify), kept):
        _reach(tree, lines, checkpoint, good.size if good else 0, what)
        good = checkpoint
        n_checkpoints += what is LOGGED
    if good is None:
        raise Tampered("there is no checkpoint", 0, 0)
    n_uncovered = sum(1 for _ in lines)
    return Verdict(tree.size + n_uncovered, n_checkpoints, n_uncovered, good, kept)


LOGGED, TRUSTED = "the checkpoint", "the trusted checkpoint"


def _signed(notes: Iterable[bytes], key: VerifierKey, verify: Ed25519) -> Iterator[Checkpoint]:
    """The checkpoints of the log itself, each signed, sizes ascending."""
    before = 0
    for note in notes:
        try:
            checkpoint = open_checkpoint(note, key, verify)
        except KeysteadError as error:
            raise Tampered(f"a checkpoint after size {before}: {error}", before, before) from None
        if checkpoint.size < before:
            raise Tampered(f"checkpoints out of order at size {checkpoint.size}", checkpoint.size, before)
        before = checkpoint.size
        yield checkpoint


def _with_trusted(log: Iterable[Checkpoint], kept: Checkpoint | None) -> Iterator[tuple[Checkpoint, str]]:
    """The checkpoints of the log with the trusted one in its place among them."""
    last = 0
    for checkpoint in log:
        if kept is not None and kept.size <= checkpoint.size:
            yield kept, TRUSTED
            kept = None
        yield checkpoint, LOGGED
        last = checkpoint.size
    if kept is not None:
        raise Tampered(f"the log ends at {count_of(last, 'record')}; {TRUSTED} has {kept.size}", last, kept.size - 1)


def _reach(tree: Tree, lines: Iterator[bytes], checkpoint: Checkpoint, first: int, what: str) -> None:
    """Read on to the size of the checkpoint, and compare."""
    last = checkpoint.size - 1
    while tree.size < checkpoint.size:
        leaves = leaf_hashes(islice(lines, min(CHUNK, checkpoint.size - tree.size)))
        if not leaves:
            raise Tampered(
                f"the log ends at {count_of(tree.size, 'record')}; {what} has {checkpoint.size}", tree.size, last
            )
        tree.extend(leaves)
    if tree.root() != checkpoint.root:
        raise Tampered(f"records {first} to {last} are not those of {what} at size {checkpoint.size}", first, last)
