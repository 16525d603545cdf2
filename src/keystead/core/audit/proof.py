"""C2SP tlog-proof (c2sp.org/tlog-proof): one record, provable offline from one small file.

The "extra" line carries the record itself. The format does not authenticate that line; here its leaf hash is what
the inclusion path starts from, so a record that is not the one in the log does not verify.
"""

from __future__ import annotations

from base64 import b64encode

from msgspec import Struct

from keystead.core.audit.checkpoint import Checkpoint, open_checkpoint
from keystead.core.audit.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from keystead.core.audit.note import Ed25519, VerifierKey, decode64
from keystead.core.errors import Malformed, Unauthenticated

HEADER = "c2sp.org/tlog-proof@v1\n"
MAX_PATH = 64


class Proof(Struct, frozen=True):
    record: bytes
    index: int
    path: tuple[bytes, ...]  # from the leaf's sibling up
    checkpoint: bytes  # signed note

    def encode(self) -> bytes:
        """The text of a `.tlog-proof` file."""
        path = "".join([b64encode(node).decode() + "\n" for node in self.path])
        head = f"{HEADER}extra {b64encode(self.record).decode()}\nindex {self.index}\n{path}\n"
        return head.encode() + self.checkpoint

    @classmethod
    def parse(cls, text: bytes) -> Proof:
        """Raises Malformed unless `text` is exactly what `encode` writes. Nothing of it is to be believed yet."""
        head, _, checkpoint = text.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Malformed("not a proof") from None
        if len(lines) < 3 or len(lines) > 3 + MAX_PATH or not lines[2].startswith("index "):
            raise Malformed("not a proof")
        index = lines[2].removeprefix("index ")
        if not index.isdigit() or len(index) > 19:
            raise Malformed("not an index")
        path = tuple([decode64(line) for line in lines[3:]])
        proof = cls(decode64(lines[1].removeprefix("extra ")), int(index), path, checkpoint)
        if proof.encode() != text or any(len(node) != HASH_SIZE for node in path):
            raise Malformed("the proof is not in its one form")
        return proof

    def require(self, key: VerifierKey, verify: Ed25519) -> Checkpoint:
        """The checkpoint under which the record stands in the log, proven. Raises Malformed, Unauthenticated."""
        checkpoint = open_checkpoint(self.checkpoint, key, verify)
        if not verify_inclusion(leaf_hash(self.record), self.index, checkpoint.size, self.path, checkpoint.root):
            raise Unauthenticated("the record is not in the log at that index")
        return checkpoint
