"""Ciphertext format v2: format v1, sealed once more by a key store outside (docs/adr/0015-key-stores.md).

    offset  0    2        18        22     23       24   24 + a     24 + a + b   40 + a + b
            A502 | key id | version | a    | b      | iv | metadata | tag        | ciphertext
                                      12,16  0 to 20
    ciphertext = what the store's key made, by AES-GCM, of a message of format v1 under our own key; as long as that
    additional data there = the first 22 bytes || SHA-256(typed AAD)

Every part has its length before it, or one that is fixed, and the last one goes to the end: no two messages of
different parts are the same bytes. Without the store nothing opens; without our own key, what the store opens does not.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct as Layout

from keystead.core.detached import Detached
from keystead.core.envelope import HEADER_BYTES, MAGIC_DOUBLED, OVERHEAD_BYTES
from keystead.core.errors import DecryptionFailed

IV_BYTES = (12, 16)  # XKS Proxy API, "Encrypt"
TAG_BYTES, MAX_METADATA, MAX_TEXT = 16, 20, 4300
MAX_PLAINTEXT = MAX_TEXT - OVERHEAD_BYTES
_HEADER = Layout(">2s16sI")
_LENGTHS = Layout("BB")
_START = HEADER_BYTES + _LENGTHS.size
LONGEST = _START + IV_BYTES[-1] + MAX_METADATA + TAG_BYTES + MAX_TEXT


def header(key_id: str, version: int) -> bytes:
    return _HEADER.pack(MAGIC_DOUBLED, bytes.fromhex(key_id.replace("-", "")), version)


def bound(header: bytes, typed_aad: bytes) -> bytes:
    """The additional data for the store: 54 bytes, so that it fits whatever the context, and tells none of it."""
    return header + sha256(typed_aad).digest()


def fits(parts: Detached) -> bool:
    """Whether these are parts that a store may answer, and that `pack` takes."""
    return (
        len(parts.nonce) in IV_BYTES
        and len(parts.tag) == TAG_BYTES
        and len(parts.header) <= MAX_METADATA
        and OVERHEAD_BYTES < len(parts.ciphertext) <= MAX_TEXT
    )


def pack(header: bytes, parts: Detached) -> bytes:
    """Of parts that fit. `parts.header` is the store's ciphertextMetadata."""
    lengths = _LENGTHS.pack(len(parts.nonce), len(parts.header))
    return header + lengths + parts.nonce + parts.header + parts.tag + parts.ciphertext


def unpack(header: bytes, blob: bytes) -> Detached:
    """Raises DecryptionFailed for what `pack` has not made for that header."""
    if not _START < len(blob) <= LONGEST or blob[:HEADER_BYTES] != header:
        raise DecryptionFailed("the ciphertext does not open")
    n_iv, n_metadata = _LENGTHS.unpack_from(blob, HEADER_BYTES)
    metadata_at = _START + n_iv
    tag_at = metadata_at + n_metadata
    text_at = tag_at + TAG_BYTES
    parts = Detached(
        ciphertext=blob[text_at:],
        nonce=blob[_START:metadata_at],
        tag=blob[tag_at:text_at],
        header=blob[metadata_at:tag_at],
    )
    if not fits(parts):
        raise DecryptionFailed("the ciphertext does not open")
    return parts
