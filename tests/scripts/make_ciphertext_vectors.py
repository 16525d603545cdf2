"""Writes docs/ciphertext-v1-vectors.json: ciphertexts of format v1 with everything that goes into them.

python tests/scripts/make_ciphertext_vectors.py
"""

import json
from hashlib import sha256
from pathlib import Path

from keystead.core.envelope import Envelope, typed_aad
from keystead.crypto.aead import seal_once

TARGET = Path(__file__).parents[2] / "docs/ciphertext-v1-vectors.json"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
CONTEXTS = (
    None,
    {},
    {"a": "1", "b": "2"},
    {"a1": "b2"},
    {"b": "2", "a": "1"},
    {"purpose": "Größe", "": ""},
    {"ﬀ": "\U0001f511", "z": "\x00"},
    b"",
    b"\x00\xff",
)
PLAINTEXTS = (b"", b"x", bytes(range(32)), b"keystead " * 20)


def one(n: int, context: object, plaintext: bytes) -> dict:
    key, random = sha256(b"key %d" % (n % 3)).digest(), sha256(b"random %d" % n).digest()[:24] if n % 4 else bytes(24)
    version = (1, 2, 4294967295)[n % 3]
    message_key, prefix = Envelope(key, KEY_ID, version).seal(plaintext, typed_aad(context), random)
    return {
        "key": key.hex(),
        "key_id": KEY_ID,
        "version": version,
        "context": {"bytes": context.hex()}
        if isinstance(context, bytes)
        else {"map": context}
        if context is not None
        else None,
        "random": random.hex(),
        "typed_aad": typed_aad(context).hex(),
        "message_key": message_key.hex(),
        "plaintext": plaintext.hex(),
        "ciphertext": (prefix + seal_once(message_key, plaintext, prefix)).hex(),
    }


def text() -> str:
    pairs = [(context, plaintext) for context in CONTEXTS for plaintext in PLAINTEXTS]
    vectors = [one(n, context, plaintext) for n, (context, plaintext) in enumerate(pairs)]
    about = "Keystead ciphertext format v1, docs/adr/0004-ciphertext-v1.md. All bytes are hex."
    return json.dumps({"about": about, "vectors": vectors}, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="ascii")
