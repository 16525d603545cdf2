"""C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint): origin, size and root of the log, as a signed note.

Our checkpoints have no extension lines. Cosignatures of witnesses are further signature lines, kept as they are.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator

from msgspec import Struct

from keystead.core.audit.merkle import HASH_SIZE
from keystead.core.audit.note import Ed25519, Note, Signer, VerifierKey, decode64, sign
from keystead.core.errors import Malformed

MAX_SIZE = 2**63 - 1


class Checkpoint(Struct, frozen=True):
    """What the log is, at one moment: `size` records with this Merkle root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    def sign(self, signer: Signer) -> bytes:
        return sign(self.text(), [signer])

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Raises Malformed unless `text` is exactly what `text()` prints."""
        origin, _, rest = text.partition("\n")
        size, _, root = rest.partition("\n")
        if not origin or not size.isascii() or not size.isdigit() or len(size) > len(str(MAX_SIZE)):
            raise Malformed("not a checkpoint")
        parsed = cls(origin, int(size), decode64(root.rstrip("\n")))
        if parsed.text() != text or len(parsed.root) != HASH_SIZE or parsed.size > MAX_SIZE:
            raise Malformed("the checkpoint is not in its one form")
        return parsed


def open_checkpoint(note: bytes, key: VerifierKey, verify: Ed25519) -> Checkpoint:
    """The checkpoint in a note that `key` has signed as the log it is the key of.

    Raises Malformed, Unauthenticated.
    """
    parsed = Note.parse(note)
    parsed.require(key, verify)
    checkpoint = Checkpoint.parse(parsed.text)
    if checkpoint.origin != key.name:  # tlog-policy: the key's name is the log's origin
        raise Malformed(f"a checkpoint of another log: {checkpoint.origin}")
    return checkpoint


MAX_LINES = 128


def split_notes(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The checkpoints of a history file, given its lines: signed notes, each followed by an empty line.

    Says nothing of whether they are any. A last one that is not complete is one being written, and left out.
    """
    note: list[bytes] = []
    n_empty = 0
    for line in lines:
        n_empty += line == b"\n"
        if n_empty == 2 or len(note) == MAX_LINES:
            yield b"".join(note)
            note, n_empty = [], 0
        else:
            note.append(line)
