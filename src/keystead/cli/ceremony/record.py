"""The transcript of a ceremony, as it is written: each line durable before the next step begins."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from keystead import config
from keystead.app.layout import sync_directory, write_durably
from keystead.core.audit.note import Note, VerifierKey, decode64, sign, verifier_key
from keystead.core.audit.transcript import (
    ENDED,
    LINE_FEED,
    START,
    STOPPED,
    Beginning,
    Line,
    Person,
    Verdict,
    Wrong,
    digest,
    note_text,
    verify,
)
from keystead.core.errors import AlreadyExists, InvalidArgument, Malformed, NotFound
from keystead.core.ports import Clock, Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.notes import NoteSigner, verify_ed25519

NOTE, SEED_BYTES = ".note", 32


class Transcript:
    """One ceremony's. `begins` gets its key here. Raises AlreadyExists where the file is there."""

    def __init__(self, path: Path, clock: Clock, entropy: Entropy) -> None:
        self.path, self._clock = path, clock
        self._signer = NoteSigner(f"ceremony-{entropy(4).hex()}", Sensitive(entropy(32)))
        self.key = str(verifier_key(self._signer))
        self._n, self.head, self._at = 0, START, clock.now()
        if self.note.exists():
            raise AlreadyExists(f"{self.note} is there already", "transcript")
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise AlreadyExists(f"{path} is there already: a transcript is never written over", "transcript") from None
        sync_directory(path.parent)

    @property
    def note(self) -> Path:
        """Where its signatures are."""
        return note_of(self.path)

    def begin(self, begins: Beginning) -> None:
        self._write("begun", (), {}, begins)

    def add(self, step: str, who: Sequence[Person] = (), **facts: Any) -> None:
        self._write(step, tuple(one.name for one in who), facts)

    def end(self, outcome: str = ENDED, **facts: Any) -> None:
        """The last line, and the signature on all of them. Nothing is written after it."""
        self._write(outcome, (), facts)
        text = sign(note_text(self._n, self.head, outcome), [self._signer])
        with open(self.note, "xb", opener=_private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.path.parent)

    def stop(self, why: str) -> None:
        """It goes no further; where it stood, the line before says."""
        self.end(STOPPED, why=why)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._fd)

    def _write(self, step: str, who: tuple[str, ...], facts: dict[str, Any], begins: Beginning | None = None) -> None:
        self._at = max(self._at, self._clock.now())
        line = Line(n=self._n + 1, prev=self.head, at=self._at, step=step, who=who, facts=facts, begins=begins).encode()
        todo = memoryview(line + LINE_FEED)
        while todo:
            todo = todo[os.write(self._fd, todo) :]
        os.fsync(self._fd)
        self._n, self.head = self._n + 1, digest(line)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


# --- reading, and signing what others have written

MOST = 64 * 1024 * 1024


def note_of(path: Path) -> Path:
    return path.with_name(path.name + NOTE)


def read(path: Path) -> tuple[Verdict, bytes | None]:
    """What the transcript comes to, and its note if there is one. Raises Wrong, NotFound."""
    try:
        if path.stat().st_size > MOST:
            raise Wrong(0, "it is longer than any transcript")
        *lines, rest = path.read_bytes().split(LINE_FEED)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", "transcript") from None
    if rest:
        raise Wrong(len(lines) + 1, "it breaks off in the middle")
    note = note_of(path).read_bytes() if note_of(path).exists() else None
    return verify(lines, note, verify_ed25519), note


def countersign(path: Path, seed: Sensitive) -> Person:
    """Add the signature of one of those whom the transcript names with a key. Raises Wrong, InvalidArgument."""
    verdict, raw = read(path)
    if raw is None:
        raise InvalidArgument("the ceremony itself has not signed: there is nothing to countersign", "transcript")
    public = NoteSigner("x", seed).public_key
    for person in verdict.begins.people:
        if person.key and (key := VerifierKey.parse(person.key)).public_key == public:
            break
    else:
        raise InvalidArgument("the transcript names nobody with that key", "key")
    note = Note.parse(raw)
    if person.name not in verdict.countersigned:
        added = Note.parse(sign(note.text, [NoteSigner(key.name, seed)])).signatures
        write_durably(note_of(path), Note(note.text, note.signatures + added).encode())
    return person


def read_seed(reference: str) -> Sensitive:
    """The 32 bytes of a witness's key, as `witness-key` has written them. Raises InvalidArgument."""
    try:
        seed = decode64(config.secret(reference).reveal().decode(errors="replace"))
    except Malformed:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise InvalidArgument("that is no key that `keystead ceremony witness-key` has made", "key")
    return Sensitive(seed)


def write_seed(path: Path, name: str, entropy: Entropy) -> str:
    """A new key in a file of its own; its verifier key, which is no secret. Raises AlreadyExists, InvalidArgument."""
    seed = entropy(SEED_BYTES)
    key = str(verifier_key(NoteSigner(name, Sensitive(seed))))
    try:
        with open(path, "xb", opener=_private) as file:
            file.write(b64encode(seed) + LINE_FEED)
    except FileExistsError:
        raise AlreadyExists(f"{path} is there already", "file") from None
    return key
