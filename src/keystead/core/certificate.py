"""A destruction certificate: what became of a key's material, as a signed note (C2SP signed-note).

    keystead/0123456789abcdef/destruction        the origin of the audit log, whose key signs
    certified_at 2026-11-26T04:00:00Z            one fact a line: a word, a space, the rest
    key 1234abcd-…
    spec AES_256
    mode strict                                  of the installation, now (core.entities.Mode)
    state irrecoverable                          the least that is true of all its versions (core.entities.Fate)
    version 1 irrecoverable 2026-11-26T03:00:00Z 17 <audit leaf>
    erased 17 file a34206d661f4a4ed slot 2026-11-26T03:00:00Z
    waits 17 recovery:4be8a1f0c2d39e57 9c… - -

A version line: number, fate, when it was destroyed, the epoch of the root that it was last under, and the leaf hash of
the record of it in the audit log (RFC 6962; "-": destroyed before this was kept). A line for each slot or recovery key
that opened a root of those epochs, and for each that opened an older one and is still waited for: the generation, by
whose word it is erased, and when.

Rule: there is one form; what is read is printed again, and must come out the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from keystead.core.audit.note import Ed25519, Signer, VerifierKey, sign
from keystead.core.entities import Fate
from keystead.core.errors import Malformed
from keystead.core.statement import Statement

STATEMENT: Final = Statement("a destruction certificate", "/destruction", 1024 * 1024)
FIELDS: Final = ("certified_at", "key", "spec", "mode", "state")
WORD: Final = re.compile(r"[\x21-\x7e]+")
ORDER: Final = (Fate.DELETED, Fate.DESTROYED, Fate.IRRECOVERABLE)


class Gone(Struct, frozen=True):
    """A version that holds nothing any more."""

    number: int
    fate: str
    at: str
    epoch: int
    leaf: str


class Opener(Struct, frozen=True):
    """A slot, or a recovery key, that opened a root. `by` and `at`: "-" where it is not erased."""

    epoch: int
    name: str
    generation: str
    by: str
    at: str


class Certificate(Struct, frozen=True):
    """`log`: the origin of the audit log. `facts`: words of FIELDS."""

    log: str
    facts: Mapping[str, str]
    versions: tuple[Gone, ...]
    openers: tuple[Opener, ...]

    def text(self) -> str:
        lines = [STATEMENT.headed(self.log), *(f"{name} {self.facts[name]}" for name in FIELDS)]
        lines += [f"version {v.number} {v.fate} {v.at} {v.epoch} {v.leaf}" for v in self.versions]
        lines += [
            f"{'waits' if o.by == '-' else 'erased'} {o.epoch} {o.name} {o.generation} {o.by} {o.at}"
            for o in self.openers
        ]
        return "".join(f"{line}\n" for line in lines)

    def sign(self, signer: Signer) -> bytes:
        return sign(self.text(), [signer])

    @classmethod
    def parse(cls, text: str) -> Certificate:
        """Raises Malformed unless `text` is exactly what `text()` prints."""
        first, *lines = text.removesuffix("\n").split("\n")
        log, rows = STATEMENT.of(first), [line.split(" ") for line in lines]
        if any(not WORD.fullmatch(word) for row in rows for word in row):
            raise Malformed("not a destruction certificate")
        try:
            facts = dict(rows[: len(FIELDS)])
            rest = rows[len(FIELDS) :]
            versions = tuple(
                Gone(int(n), fate, at, int(epoch), leaf) for _, n, fate, at, epoch, leaf in _of(rest, is_version=True)
            )
            openers = tuple(Opener(int(epoch), *words) for _, epoch, *words in _of(rest, is_version=False))
            parsed = cls(log, facts, versions, openers)
            same = parsed.text() == text
        except (ValueError, TypeError, KeyError):
            same = False
        if not same:
            raise Malformed("the destruction certificate is not in its one form")
        return parsed


def _of(rows: list[list[str]], *, is_version: bool) -> list[list[str]]:
    return [row for row in rows if (row[0] == "version") is is_version]


def weakest(fates: list[Fate]) -> Fate:
    """What is true of all of them."""
    return min(fates, key=ORDER.index)


def open_certificate(note: bytes, key: VerifierKey, verify: Ed25519) -> Certificate:
    """What a note says that `key` has signed as that of its own log. Raises Malformed, Unauthenticated."""
    return Certificate.parse(STATEMENT.opened(note, key, verify))
