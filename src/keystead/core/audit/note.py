"""C2SP signed-note (c2sp.org/signed-note): text that Ed25519 keys have signed, readable by people.

A note is its text, a blank line, and signature lines "— <key name> <base64(key id ‖ signature)>". A verifier key is
written "<key name>+<key id, hex>+<base64(type ‖ public key)>" (c2sp.org/signed-note#verifier-keys).
Parsing is strict: what is read is printed again, and must come out the same.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

from keystead.core.errors import InvalidArgument, Malformed, Unauthenticated

ED25519 = b"\x01"  # signature type
MAX_SIGNATURES = 64
DASH = "\N{EM DASH} "
NAME = re.compile(r"[^\s+]+")

Ed25519 = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, message) -> whether it verifies (RFC 8032)."""


class Signer(Protocol):
    """What signs checkpoints. `name` is the key name; the log's origin is the same text."""

    @property
    def name(self) -> str: ...
    @property
    def public_key(self) -> bytes:
        """32 bytes, Ed25519."""
        ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes, Ed25519: the same message is always signed alike."""
        ...


class VerifierKey(Struct, frozen=True):
    name: str
    public_key: bytes  # 32 bytes, Ed25519

    @property
    def id(self) -> bytes:
        """Four bytes that name the key within a note."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Raises Malformed unless `text` is the one form of an Ed25519 verifier key, its id included."""
        name, _, rest = text.partition("+")
        body = decode64(rest.partition("+")[2])
        key = cls(name, body[1:])
        if body[:1] != ED25519 or len(body) != 33 or not _is_name(name) or str(key) != text:
            raise Malformed("not an Ed25519 verifier key")
        return key


def verifier_key(signer: Signer) -> VerifierKey:
    """Raises InvalidArgument for a name that cannot stand in a note."""
    if not _is_name(signer.name):
        raise InvalidArgument("a key name is not empty and has neither spaces nor '+'", "name")
    return VerifierKey(signer.name, signer.public_key)


def _is_name(text: str) -> bool:
    """People are shown it: nothing in it moves a cursor."""
    return NAME.fullmatch(text) is not None and text.isprintable()


class Signature(Struct, frozen=True):
    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{DASH}{self.name} {b64encode(self.key_id + self.signature).decode()}\n"


class Note(Struct, frozen=True):
    text: str  # with its last line feed
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        return f"{self.text}\n{''.join(map(str, self.signatures))}".encode()

    @classmethod
    def parse(cls, note: bytes) -> Note:
        """Raises Malformed. The text may be believed only after `require`."""
        try:
            whole = note.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a note is UTF-8") from None
        text, blank, rest = whole.rpartition("\n\n")
        lines = rest.split("\n")
        if not blank or lines.pop() or not 1 <= len(lines) <= MAX_SIGNATURES:
            raise Malformed("a note is a text, a blank line and signature lines")
        parsed = cls(text + "\n", tuple([_signature(line) for line in lines]))
        if parsed.encode() != note or any(char < " " and char != "\n" for char in whole):
            raise Malformed("the note is not in its one form")
        return parsed

    def require(self, key: VerifierKey, verify: Ed25519) -> None:
        """Return if `key` has signed the text; lines of unknown keys are passed over. Raises Unauthenticated."""
        ours = [line for line in self.signatures if line.name == key.name and line.key_id == key.id]
        if not ours:
            raise Unauthenticated(f"the note is not signed by {key.name}")
        if not all(verify(key.public_key, line.signature, self.text.encode()) for line in ours):
            raise Unauthenticated(f"the signature of {key.name} on the note does not verify")


def sign(text: str, signers: Sequence[Signer]) -> bytes:
    """The note that says `text` (which ends with a line feed)."""
    message = text.encode()
    lines = [Signature(s.name, verifier_key(s).id, s.sign(message)) for s in signers]
    return Note(text, tuple(lines)).encode()


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(DASH).partition(" ")
    blob = decode64(encoded)
    if not line.startswith(DASH) or not space or not NAME.fullmatch(name) or len(blob) <= 4:
        raise Malformed("not a signature line")
    return Signature(name, blob[:4], blob[4:])


def decode64(text: str) -> bytes:
    """RFC 4648 §4, in its one form. Raises Malformed."""
    try:
        value = b64decode(text, validate=True)
    except (Error, ValueError):
        raise Malformed("not base64") from None
    if b64encode(value).decode() != text:
        raise Malformed("base64 with stray bits")
    return value
