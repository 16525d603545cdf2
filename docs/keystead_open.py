#!/usr/bin/env python3
"""Opens a Keystead ciphertext (format v1) with an exported key. Needs Python 3.9 and `cryptography`, and no Keystead.

    keystead_open.py KEYFILE CIPHERTEXT [CONTEXT]

KEYFILE     holds the 32 bytes of the key version in hex; `-` reads them from standard input
CIPHERTEXT  Base64, or @file for raw bytes
CONTEXT     what it was sealed with: a JSON object of strings (AWS encryption context), or hex:… for bytes; else none
The plaintext goes to standard output. The format is written down in docs/adr/0004-ciphertext-v1.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import sys
import uuid
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

HEADER = struct.Struct(">2s16sI24s32s")


class CannotOpen(Exception):
    """Not format v1, another key, another context, or not the bytes that were sealed."""


def typed_aad(context: dict[str, str] | bytes | None) -> bytes:
    """None, a dict of strings, or bytes."""
    if context is None:
        return b"\x00"
    if isinstance(context, bytes):
        return b"\x02" + struct.pack(">Q", len(context)) + context
    pairs = sorted((k.encode(), v.encode()) for k, v in context.items())
    framed = b"".join(struct.pack(">I", len(part)) + part for pair in pairs for part in pair)
    return b"\x01" + struct.pack(">I", len(pairs)) + framed


def derive(key: bytes, label: bytes, context: bytes) -> bytes:
    """SP 800-108 counter mode, HMAC-SHA-256, one block."""
    counter: dict[str, Any] = {"mode": Mode.CounterMode, "rlen": 4, "llen": 4, "location": CounterLocation.BeforeFixed}
    return KBKDFHMAC(hashes.SHA256(), length=32, label=label, context=context, fixed=None, **counter).derive(key)


def open_v1(key: bytes, blob: bytes, context: dict[str, str] | bytes | None = None) -> bytes:
    """The plaintext. Raises CannotOpen."""
    if len(blob) < HEADER.size + 16 or blob[:2] != b"\xa5\x01":
        raise CannotOpen("not a ciphertext of format v1")
    *_, salt, commitment = HEADER.unpack_from(blob)
    digest = hashlib.sha256(blob[:22] + typed_aad(context)).digest()
    if not hmac.compare_digest(derive(key, b"keystead/cmt/v1", salt + digest), commitment):
        raise CannotOpen("sealed with another key or another context")
    try:
        message_key = derive(key, b"keystead/enc/v1", salt + digest)
        return AESGCM(message_key).decrypt(bytes(12), blob[HEADER.size :], blob[: HEADER.size])
    except InvalidTag:
        raise CannotOpen("the ciphertext has been altered") from None


def describe(blob: bytes) -> tuple[str, int]:
    """(key id, version) as the ciphertext claims them: which key to export."""
    _, key_id, version, *_ = HEADER.unpack_from(blob)
    return str(uuid.UUID(bytes=key_id)), version


def main(arguments: list[str]) -> None:
    if len(arguments) not in (2, 3):
        sys.exit(__doc__)
    source, sealed, *rest = arguments
    key = bytes.fromhex(sys.stdin.read() if source == "-" else Path(source).read_text())
    blob = Path(sealed[1:]).read_bytes() if sealed.startswith("@") else base64.b64decode(sealed)
    text = rest[0] if rest else None
    context = (bytes.fromhex(text[4:]) if text.startswith("hex:") else json.loads(text)) if text else None
    try:
        sys.stdout.buffer.write(open_v1(key, blob, context))
    except CannotOpen as error:
        claim = "key {}, version {}".format(*describe(blob)) if len(blob) >= HEADER.size else "too short"
        sys.exit(f"cannot open ({claim}): {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
