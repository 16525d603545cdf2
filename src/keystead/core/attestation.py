"""A key attestation: what there is to be told of one version of a key, as a signed note (C2SP signed-note).

    keystead/0123456789abcdef/attestation        the origin of the audit log, whose key signs
    key 1234abcd-…                               one fact a line: a word, a space, the rest
    …
    hsm.never_extractable true                   what the provider has proved of it just now

Rule: the words of FIELDS stand first, each once and in that order; then come those of the provider, by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from keystead.core.audit.note import Ed25519, Signer, VerifierKey, sign
from keystead.core.errors import Malformed
from keystead.core.statement import Statement

STATEMENT: Final = Statement("a key attestation", "/attestation", 64 * 1024)
FIELDS: Final = (
    "attested_at",  # RFC 3339, UTC
    "key",
    "version",
    "spec",
    "purpose",
    "origin",
    "state",  # of the version (core.states)
    "protection",  # software, hsm
    "hsm",  # its name in the configuration, or "-"
    "object",  # the object's name in it, or "-"
    "created_at",  # of the version
    "entropy",  # what its material was drawn from, or "-" where it was not made here
    "public_key_sha256",  # of its SubjectPublicKeyInfo, or "-"
    "policy_sha256",  # of the key policy's text
)
NAME: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")


class Attestation(Struct, frozen=True):
    """`log`: the origin of the audit log. `facts`: words of FIELDS. `proved`: the provider's (Provider.facts)."""

    log: str
    facts: Mapping[str, str]
    proved: Mapping[str, str]

    def text(self) -> str:
        lines = [STATEMENT.headed(self.log)]
        lines += [f"{name} {_line(self.facts[name])}" for name in FIELDS]
        lines += [f"hsm.{name} {_line(value)}" for name, value in sorted(self.proved.items())]
        return "".join(f"{line}\n" for line in lines)

    def sign(self, signer: Signer) -> bytes:
        return sign(self.text(), [signer])

    @classmethod
    def parse(cls, text: str) -> Attestation:
        """Raises Malformed unless `text` is exactly what `text()` prints."""
        first, *lines = text.removesuffix("\n").split("\n")
        log, pairs = STATEMENT.of(first), [line.split(" ", 1) for line in lines]
        if any(len(pair) != 2 or not NAME.fullmatch(pair[0]) for pair in pairs):
            raise Malformed("not a key attestation")
        found = dict(pairs)
        proved = {name.removeprefix("hsm."): value for name, value in found.items() if name.startswith("hsm.")}
        facts = {name: value for name, value in found.items() if not name.startswith("hsm.")}
        parsed = cls(log, facts, proved)
        if tuple(facts) != FIELDS or parsed.text() != text:
            raise Malformed("the key attestation is not in its one form")
        return parsed


def open_attestation(note: bytes, key: VerifierKey, verify: Ed25519) -> Attestation:
    """What a note says that `key` has signed as that of its own log. Raises Malformed, Unauthenticated."""
    return Attestation.parse(STATEMENT.opened(note, key, verify))


def _line(value: str) -> str:
    """On one line and printable, whatever a token calls itself; "-" where there is nothing."""
    return "".join(char if char.isprintable() else "?" for char in value).strip() or "-"
