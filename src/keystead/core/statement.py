"""Signed statements: notes (C2SP signed-note) in which an installation says something of one of its keys.

    keystead/0123456789abcdef/attestation        the origin of its audit log, whose key signs; and the statement's label
    …                                            what is said

Rule: the first line is no checkpoint's and no other statement's, so that no note is ever taken for another.
"""

from __future__ import annotations

from msgspec import Struct

from keystead.core.audit.note import Ed25519, Note, VerifierKey
from keystead.core.errors import Malformed


class Statement(Struct, frozen=True):
    """A kind of them."""

    called: str  # with its article
    label: str  # "/…"
    most: int  # bytes of a note

    def headed(self, log: str) -> str:
        """The first line."""
        return f"{log}{self.label}"

    def of(self, first: str) -> str:
        """The origin that the first line begins with. Raises Malformed where it is another note's."""
        if not first.endswith(self.label):
            raise Malformed(f"not {self.called}")
        return first.removesuffix(self.label)

    def opened(self, note: bytes, key: VerifierKey, verify: Ed25519) -> str:
        """The text of a note that `key` has signed as that of its own log. Raises Malformed, Unauthenticated."""
        if len(note) > self.most:
            raise Malformed(f"longer than {self.called} is")
        parsed = Note.parse(note)
        parsed.require(key, verify)
        if (log := self.of(parsed.text.partition("\n")[0])) != key.name:
            raise Malformed(f"{self.called} of another installation: {log}")
        return parsed.text
